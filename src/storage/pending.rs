//! Pending answers: one type for threads that wait and for tasks that await.
//!
//! Work is done whether or not anybody asks for its answer: dropping a [`Pending`] cancels nothing.
//! A thread in [`Pending::wait`] may lead the next batch itself; a task never does, because it may
//! not be polled again.
//!
//! # Invariants
//!
//! - **P1** Nobody is answered before the commit.
//! - **P2** Every accepted command is decided, even if its `Pending` is dropped at once.
//! - **P3** Waiting inside a command or a host's transaction fails instead of waiting for itself.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use crate::{
    Error,
    storage::{
        StoreError,
        combine::{Combiner, Role},
        decide::is_deciding,
    },
    time::Deadline,
};

/// An answer that is on its way.
///
/// ```
/// # use finalmile::{FinalMile, engines::Memory};
/// # let fm = FinalMile::builder(Memory::new()).open()?;
/// # let store = fm.store();
/// # use finalmile::storage::{Command, KeySet, Rows};
/// # struct Nothing;
/// # impl Command for Nothing {
/// #     type Out = u8;
/// #     fn keys(&self, _: &Rows, _: &mut KeySet) {}
/// #     fn decide(&self, _: &mut Rows, _: finalmile::Timestamp) -> u8 { 7 }
/// # }
/// let pending = store.submit(Nothing);
/// assert_eq!(pending.wait()?, 7);       // or `.await?`
/// # Ok::<(), finalmile::Error>(())
/// ```
#[must_use = "the work happens anyway, but only the answer says whether it worked"]
pub struct Pending<T, E = Error> {
    cell: Arc<Cell<Result<T, E>>>,
    core: Option<Arc<Combiner>>,
}

/// Where one answer is left and fetched.
pub(crate) struct Cell<R> {
    inner: Mutex<Inner<R>>,
    bell: Condvar,
}

struct Inner<R> {
    state: State<R>,
    waker: Option<Waker>,
    /// A thread sleeps here and would take the lead.
    sleeping: bool,
    /// It was given the lead.
    lead: bool,
    /// A thread waits at the bell: ringing for nobody would still cost a system call.
    waiting: bool,
}

enum State<R> {
    Waiting,
    Done(R),
    Taken,
}

impl<T, E: From<StoreError>> Pending<T, E> {
    pub(crate) fn new(cell: Arc<Cell<Result<T, E>>>, core: Option<Arc<Combiner>>) -> Self {
        Self { cell, core }
    }

    /// An answer that is there already.
    pub fn ready(answer: Result<T, E>) -> Self {
        Self { cell: Cell::new(State::Done(answer)), core: None }
    }

    /// A pending answer and what will give it: for work on a thread of its own. If the work never
    /// answers, because it panicked, the answer is [`StoreError::Closed`].
    pub(crate) fn by_hand() -> (Self, impl FnOnce(Result<T, E>)) {
        let cell = Cell::waiting();
        let promise = Promise(Some(cell.clone()));
        (Self { cell, core: None }, move |answer| promise.keep(answer))
    }

    /// The answer of work that waits for others, on a thread of its own.
    pub(crate) fn on_thread(
        name: &str,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (pending, answer) = Self::by_hand();
        match thread::Builder::new().name(name.to_owned()).spawn(move || answer(work())) {
            Ok(_) => pending,
            Err(error) => Self::ready(Err(StoreError::Backend(error.to_string()).into())),
        }
    }

    /// Waits for the answer, leading a batch if nobody does.
    ///
    /// # Errors
    ///
    /// The operation's own, or [`StoreError::Backend`] inside a command or a host's transaction
    /// (**P3**); the work is then still done.
    pub fn wait(self) -> Result<T, E> {
        loop {
            if let Some(answer) = self.cell.take() {
                return answer;
            }
            if is_deciding() {
                return Err(reentrant().into());
            }
            let Some(core) = &self.core else {
                self.cell.sleep();
                continue;
            };
            match core.join(&*self.cell) {
                Role::Done => {}
                Role::Lead => core.lead(),
                Role::Sleep => {
                    if self.cell.sleep() {
                        core.lead();
                    }
                }
            }
        }
    }

    /// Waits at most `span` for the answer; another thread does the work meanwhile.
    ///
    /// # Errors
    ///
    /// The `Pending` itself when the time is over; the work goes on.
    pub fn wait_timeout(self, span: Duration) -> Result<Result<T, E>, Self> {
        if is_deciding() && !self.cell.is_done() {
            return Ok(Err(reentrant().into()));
        }
        if let Some(core) = &self.core {
            core.nudge();
        }
        let deadline = Deadline::after(span);
        let mut inner = self.cell.lock();
        inner.waiting = true;
        while matches!(inner.state, State::Waiting) && !deadline.is_over() {
            // Wait in slices: a condition variable refuses spans that overflow its clock.
            let slice = deadline.left().min(Duration::from_secs(3_600));
            inner =
                self.cell.bell.wait_timeout(inner, slice).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.waiting = false;
        drop(inner);
        self.cell.take().ok_or(self)
    }
}

impl<T, E: From<StoreError>> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.cell.lock();
        match std::mem::replace(&mut inner.state, State::Taken) {
            State::Done(answer) => return Poll::Ready(answer),
            State::Taken => return Poll::Ready(Err(StoreError::Closed.into())),
            State::Waiting => inner.state = State::Waiting,
        }
        if is_deciding() {
            return Poll::Ready(Err(reentrant().into()));
        }
        inner.waker = Some(context.waker().clone());
        drop(inner);
        if let Some(core) = &self.core {
            core.nudge();
        }
        Poll::Pending
    }
}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("done", &self.cell.is_done()).finish()
    }
}

/// Answers when it is dropped, if nothing else did.
struct Promise<T, E: From<StoreError>>(Option<Arc<Cell<Result<T, E>>>>);

impl<T, E: From<StoreError>> Promise<T, E> {
    fn keep(mut self, answer: Result<T, E>) {
        if let Some(cell) = self.0.take() {
            cell.answer(answer);
        }
    }
}

impl<T, E: From<StoreError>> Drop for Promise<T, E> {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.answer(Err(StoreError::Closed.into()));
        }
    }
}

impl<R> Cell<R> {
    fn new(state: State<R>) -> Arc<Self> {
        let inner = Inner { state, waker: None, sleeping: false, lead: false, waiting: false };
        Arc::new(Self { inner: Mutex::new(inner), bell: Condvar::new() })
    }

    pub(crate) fn waiting() -> Arc<Self> {
        Self::new(State::Waiting)
    }

    /// Leaves the answer and wakes whoever wants it.
    pub(crate) fn answer(&self, answer: R) {
        let mut inner = self.lock();
        inner.state = State::Done(answer);
        let (waker, waiting) = (inner.waker.take(), inner.waiting);
        drop(inner);
        if waiting {
            self.bell.notify_all();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn take(&self) -> Option<R> {
        let mut inner = self.lock();
        match std::mem::replace(&mut inner.state, State::Taken) {
            State::Done(answer) => Some(answer),
            other => {
                inner.state = other;
                None
            }
        }
    }

    /// Sleeps until there is an answer or the lead; true for the lead.
    pub(crate) fn sleep(&self) -> bool {
        let mut inner = self.lock();
        inner.waiting = true;
        while matches!(inner.state, State::Waiting) && !inner.lead {
            inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.waiting = false;
        inner.sleeping = false;
        std::mem::take(&mut inner.lead)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<R>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place where a thread may sleep, whatever answer it waits for.
pub(crate) trait Seat {
    fn is_done(&self) -> bool;
    /// Announces that a thread is about to sleep here.
    fn announce(&self);
    /// Gives the lead to the thread that sleeps here; false if there is none.
    fn offer_lead(&self) -> bool;
}

impl<R> Seat for Cell<R> {
    fn is_done(&self) -> bool {
        !matches!(self.lock().state, State::Waiting)
    }

    fn announce(&self) {
        self.lock().sleeping = true;
    }

    fn offer_lead(&self) -> bool {
        let mut inner = self.lock();
        let willing = inner.sleeping && matches!(inner.state, State::Waiting);
        if willing {
            inner.lead = true;
            inner.sleeping = false;
            let waiting = inner.waiting;
            drop(inner);
            if waiting {
                self.bell.notify_all();
            }
        }
        willing
    }
}

pub(crate) fn reentrant() -> StoreError {
    StoreError::Backend("waiting for the store inside a command or its own transaction".to_owned())
}
