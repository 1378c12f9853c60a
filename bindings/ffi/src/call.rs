//! A call: work on another thread, and the promise of its answer.
//!
//! A future of UniFFI is polled on the thread that asked, which in an app is the one that draws. So the
//! work goes to the `pool`'s threads, and the future only waits: whoever gives up drops it, and that
//! tells the work to stop (**B2**).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::door::{self, Host, Loan};
use crate::failure::Failure;
use crate::pool::{self, Lane, lock};

/// Runs `work` on a thread of our own; it is told by the flag when nobody waits any more.
///
/// # Errors
///
/// Those of `work`; `INTERNAL_ERROR` when it panicked, `BUSY` when too much waits already.
pub(crate) fn run<T: Send + 'static>(
    lane: Lane,
    work: impl FnOnce(&AtomicBool) -> Result<T, Failure> + Send + 'static,
) -> Answer<T> {
    let call = Arc::new(Call {
        state: Mutex::default(),
        given_up: AtomicBool::new(false),
        host: Host::current(),
    });
    let worker = Arc::clone(&call);
    let job = Box::new(move || {
        // One that was given up while it waited costs nothing.
        let result = if worker.given_up.load(Ordering::Relaxed) {
            Err(Failure::cancelled())
        } else {
            catch_unwind(AssertUnwindSafe(|| work(&worker.given_up)))
                .unwrap_or_else(|_| Err(Failure::internal()))
        };
        worker.finish(result);
    });
    if door::is_shut() {
        // Nobody would be told of the answer.
        call.finish(Err(Failure::cancelled()));
    } else if !pool::push(lane, job) {
        let reason = "Too much is going on. Please try again";
        call.finish(Err(Failure::new("BUSY", reason, true)));
    }
    Answer(call)
}

/// What the thread that works and the future that waits share.
struct Call<T> {
    state: Mutex<State<T>>,
    given_up: AtomicBool,
    host: Host,
}

struct State<T> {
    result: Option<Result<T, Failure>>,
    waker: Option<Waker>,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self { result: None, waker: None }
    }
}

impl<T> Call<T> {
    fn finish(&self, result: Result<T, Failure>) {
        let mut state = lock(&self.state);
        state.result = Some(result);
        let waker = state.waker.take();
        // The host's executor runs inside `wake`: no lock may be held across it.
        drop(state);
        if let Some(waker) = waker {
            Loan::of(self.host, waker).call(Waker::wake_by_ref);
        }
    }
}

/// The answer to come.
pub(crate) struct Answer<T>(Arc<Call<T>>);

impl<T> Future for Answer<T> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.0.state);
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.0.given_up.store(true, Ordering::Relaxed);
    }
}

/// How often a thread that waits for the host looks whether somebody still waits for it.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits on a thread of the pool for what the host does in its own time; `None` when it took longer
/// than `patience`, nobody waits any more, or the host has hung up.
pub(crate) fn wait_for<T>(
    mut host: Loan<Pin<Box<dyn Future<Output = T> + Send + '_>>>,
    is_given_up: impl Fn() -> bool,
    patience: Duration,
) -> Option<T> {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let begun = now();
    pool::at_the_hosts(|| {
        loop {
            if let Poll::Ready(answer) = host.call_mut(|host| host.as_mut().poll(&mut context))? {
                return Some(answer);
            }
            if is_given_up() || begun.elapsed() >= patience {
                return None;
            }
            thread::park_timeout(GLANCE);
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "patience is measured by the machine's own clock")]
fn now() -> Instant {
    Instant::now()
}
