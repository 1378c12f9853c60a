//! The throttle: a few at a time, and nobody pushes ahead.
//!
//! Uploads that run all at once finish all late, and one user's hundred photos must not keep another's one
//! from going. So a few run at once; those who wait are let in in turns by caller, and in order within a
//! caller.
//!
//! # Invariants
//!
//! - **C33** Never more than so many are inside; of those who wait, the callers take turns, and each
//!   caller's go in the order they came.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::error::IpfsError;
use crate::fetch::Cancel;

/// How often who waits looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// Lets a few in at a time. Clones are the same door.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Cancel, Throttle};
///
/// let uploads = Throttle::default();
/// let first = uploads.enter("ada", &Cancel::default())?;
/// let second = uploads.enter("ada", &Cancel::default())?;
/// assert!(uploads.try_enter("grace").is_none(), "two at a time");
/// drop(first);
/// assert!(uploads.try_enter("grace").is_some());
/// # drop(second);
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Throttle(Arc<Door>);

#[derive(Debug)]
struct Door {
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug)]
struct Line {
    /// How many more may be inside.
    free: usize,
    next_ticket: u64,
    /// Callers in the order of their turns, each with the tickets of those who wait.
    waiting: VecDeque<(Box<str>, VecDeque<u64>)>,
    /// Tickets that were called.
    called: Vec<u64>,
    /// How to reach those who wait without a thread, by ticket.
    wakers: Vec<(u64, Waker)>,
    /// Whom to reach as soon as the line is unlocked.
    to_wake: Vec<Waker>,
}

/// A place inside; its drop makes room for the next.
#[derive(Debug)]
#[must_use = "its drop lets the next one in"]
pub struct Permit(Arc<Door>);

impl Default for Throttle {
    /// Two at a time: one sends while the other waits for an answer.
    fn default() -> Self {
        Self::new(NonZeroUsize::MIN.saturating_add(1))
    }
}

impl Throttle {
    /// Lets `at_once` in at a time.
    #[must_use]
    pub fn new(at_once: NonZeroUsize) -> Self {
        let line = Line {
            free: at_once.get(),
            next_ticket: 0,
            waiting: VecDeque::new(),
            called: Vec::new(),
            wakers: Vec::new(),
            to_wake: Vec::new(),
        };
        Self(Arc::new(Door { line: Mutex::new(line), moved: Condvar::new() }))
    }

    /// Waits until it is the turn of `caller`: a user, or whoever else shares fairly.
    ///
    /// # Errors
    ///
    /// [`IpfsError::Cancelled`] when `cancel` is raised before. The place in the line is lost.
    pub fn enter(&self, caller: &str, cancel: &Cancel) -> Result<Permit, IpfsError> {
        let mut line = self.0.line();
        if cancel.is_cancelled() {
            return Err(IpfsError::Cancelled);
        }
        let ticket = line.queue(caller);
        line.call();
        loop {
            if line.answer(ticket) {
                return Ok(Permit(self.0.clone()));
            }
            if cancel.is_cancelled() {
                line.leave(ticket);
                return Err(IpfsError::Cancelled);
            }
            let waited = self.0.moved.wait_timeout(line, LOOK);
            line = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same without a thread that waits: stands in the line from now on, and leaves it when it is dropped.
    pub fn entering(&self, caller: &str) -> Entering {
        let mut line = self.0.line();
        let ticket = line.queue(caller);
        line.call();
        drop(line);
        Entering { door: self.0.clone(), ticket: Some(ticket) }
    }

    /// A place for `caller` if there is one at once, before nobody who waits.
    #[must_use]
    pub fn try_enter(&self, caller: &str) -> Option<Permit> {
        let mut line = self.0.line();
        let ticket = line.queue(caller);
        line.call();
        if line.answer(ticket) {
            return Some(Permit(self.0.clone()));
        }
        line.leave(ticket);
        None
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.line().waiting.iter().map(|(_, tickets)| tickets.len()).sum()
    }
}

impl Line {
    fn queue(&mut self, caller: &str) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        match self.waiting.iter_mut().find(|(name, _)| **name == *caller) {
            Some((_, tickets)) => tickets.push_back(ticket),
            None => self.waiting.push_back((caller.into(), [ticket].into())),
        }
        ticket
    }

    /// Calls tickets while there is room: the first of the first caller, who goes to the end of the line.
    fn call(&mut self) {
        while self.free > 0
            && let Some((caller, mut tickets)) = self.waiting.pop_front()
        {
            if let Some(ticket) = tickets.pop_front() {
                self.free -= 1;
                self.called.push(ticket);
                let waker = self.wakers.iter().position(|(waits, _)| *waits == ticket);
                self.to_wake.extend(waker.map(|at| self.wakers.swap_remove(at).1));
            }
            if !tickets.is_empty() {
                self.waiting.push_back((caller, tickets));
            }
        }
    }

    /// Whether that ticket was called.
    fn answer(&mut self, ticket: u64) -> bool {
        let at = self.called.iter().position(|called| *called == ticket);
        at.map(|at| self.called.swap_remove(at)).is_some()
    }

    /// Gives up a ticket, and the place it was called to.
    fn leave(&mut self, ticket: u64) {
        self.wakers.retain(|(waits, _)| *waits != ticket);
        if self.answer(ticket) {
            self.free += 1;
            return self.call();
        }
        for (_, tickets) in &mut self.waiting {
            tickets.retain(|other| *other != ticket);
        }
        self.waiting.retain(|(_, tickets)| !tickets.is_empty());
    }
}

impl Door {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a change of the line, and tells those who were called by it.
    fn tell(&self, mut line: MutexGuard<'_, Line>) {
        let to_wake = mem::take(&mut line.to_wake);
        // Somebody's executor may run inside `wake`.
        drop(line);
        self.moved.notify_all();
        to_wake.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.free += 1;
        line.call();
        self.0.tell(line);
    }
}

/// Stands in the line; see [`Throttle::entering`].
#[derive(Debug)]
#[must_use = "its drop leaves the line"]
pub struct Entering {
    door: Arc<Door>,
    /// `None`: it went in.
    ticket: Option<u64>,
}

impl Future for Entering {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let door = self.door.clone();
        // Asked again after its answer, it waits for good, as futures may.
        let Some(ticket) = self.ticket else { return Poll::Pending };
        let mut line = door.line();
        line.wakers.retain(|(waits, _)| *waits != ticket);
        if line.answer(ticket) {
            drop(line);
            self.ticket = None;
            return Poll::Ready(Permit(door));
        }
        line.wakers.push((ticket, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut line = self.door.line();
            line.leave(ticket);
            self.door.tell(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::Wake;
    use std::thread;

    use super::*;

    #[test]
    fn c33_callers_take_turns_and_each_ones_go_in_order() {
        let throttle = Throttle::new(NonZeroUsize::MIN);
        let inside = throttle.enter("first", &Cancel::default()).expect("it is empty");
        let (order, seen) = mpsc::channel();
        thread::scope(|scope| {
            for name in ["ada 1", "ada 2", "ada 3", "ada 4", "grace 1", "grace 2", "lin 1"] {
                let (order, throttle) = (order.clone(), throttle.clone());
                let before = throttle.waiting();
                scope.spawn(move || {
                    let caller = name.split(' ').next().expect("a name");
                    let permit = throttle.enter(caller, &Cancel::default()).expect("its turn");
                    order.send(name).expect("the test listens");
                    drop(permit);
                });
                let throttle = throttle_of(&inside);
                while throttle.waiting() == before {
                    thread::yield_now();
                }
            }
            drop(inside);
        });
        drop(order);
        let went: Vec<_> = seen.iter().collect();
        assert_eq!(went, ["ada 1", "grace 1", "lin 1", "ada 2", "grace 2", "ada 3", "ada 4"]);
    }

    fn throttle_of(permit: &Permit) -> Throttle {
        Throttle(permit.0.clone())
    }

    #[test]
    fn c33_never_more_than_two_are_inside() {
        let (throttle, inside) = (Throttle::default(), AtomicUsize::new(0));
        let most = AtomicUsize::new(0);
        thread::scope(|scope| {
            for caller in ["a", "b", "c", "d", "e", "f"] {
                let (throttle, inside, most) = (&throttle, &inside, &most);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let permit = throttle.enter(caller, &Cancel::default()).expect("its turn");
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
        assert_eq!(throttle.waiting(), 0);
    }

    /// Who waits without a thread, and whether he was woken.
    struct Waiting {
        entering: Pin<Box<Entering>>,
        woken: Arc<Woken>,
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Waiting {
        fn of(throttle: &Throttle, caller: &str) -> Self {
            Self { entering: Box::pin(throttle.entering(caller)), woken: Arc::default() }
        }

        fn poll(&mut self) -> Option<Permit> {
            let waker = Waker::from(self.woken.clone());
            match self.entering.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(permit) => Some(permit),
                Poll::Pending => None,
            }
        }

        fn woken(&self) -> usize {
            self.woken.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn c33_who_waits_without_a_thread_is_woken_once_in_his_turn() {
        let throttle = Throttle::new(NonZeroUsize::MIN);
        let inside = throttle.enter("ada", &Cancel::default()).expect("it is empty");
        let mut second = Waiting::of(&throttle, "ada");
        let mut other = Waiting::of(&throttle, "grace");
        assert!(second.poll().is_none() && other.poll().is_none() && other.poll().is_none());
        drop(inside);
        assert_eq!((second.woken(), other.woken(), throttle.waiting()), (1, 0, 1));
        assert!(other.poll().is_none(), "it is not his turn");
        let permit = second.poll().expect("his turn");
        assert!(second.poll().is_none(), "one place for one wait");
        drop(permit);
        assert_eq!((second.woken(), other.woken()), (1, 1));
        assert!(other.poll().is_some());
        assert!(throttle.try_enter("lin").is_some(), "no place is lost");
    }

    #[test]
    fn c33_who_stops_waiting_without_a_thread_leaves_even_the_place_he_was_called_to() {
        let throttle = Throttle::new(NonZeroUsize::MIN);
        let inside = throttle.enter("ada", &Cancel::default()).expect("it is empty");
        let (mut first, mut second) =
            (Waiting::of(&throttle, "ada"), Waiting::of(&throttle, "grace"));
        let third = Waiting::of(&throttle, "lin");
        assert!(first.poll().is_none() && second.poll().is_none());
        drop(third);
        drop(inside);
        assert_eq!((first.woken(), throttle.waiting()), (1, 1));
        drop(first);
        assert_eq!((second.woken(), throttle.waiting()), (1, 0));
        drop(second.poll().expect("his turn"));
        assert!(throttle.try_enter("ada").is_some(), "no place is lost");
    }

    #[test]
    fn c33_who_cancels_leaves_the_line() {
        let throttle = Throttle::new(NonZeroUsize::MIN);
        let inside = throttle.enter("ada", &Cancel::default()).expect("it is empty");
        let cancel = Cancel::default();
        thread::scope(|scope| {
            let waits = scope.spawn(|| throttle.enter("grace", &cancel).map(drop));
            while throttle.waiting() == 0 {
                thread::yield_now();
            }
            cancel.cancel();
            assert!(matches!(waits.join().expect("no panic"), Err(IpfsError::Cancelled)));
        });
        assert_eq!(throttle.waiting(), 0);
        drop(inside);
        assert!(throttle.try_enter("lin").is_some(), "no place is lost");
    }
}
