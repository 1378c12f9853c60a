//! The door through which threads of the library call the host; it is shut before the host ends.
//!
//! A language with a runtime of its own may end while our threads work. A thread that then calls into it
//! is ended by some runtimes (Python's, until 3.13) in the middle of our frames, and the whole process
//! aborts. So whatever belongs to the host, calls and the letting go of what it lent alike, goes through
//! here, and [`hang_up`] shuts the door and waits until nobody is outside.
//!
//! Other hosts begin anew in the same process, as React Native does when an app is loaded again. The new one
//! knows nothing of what the earlier one lent, and numbers what it lends itself the same way. So [`pick_up`]
//! begins a new time, and what was lent in another stays untouched.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static IS_SHUT: AtomicBool = AtomicBool::new(false);
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);
/// How many hosts have begun in this process.
static HOSTS: AtomicU32 = AtomicU32::new(0);

/// Which host it is of those that begin in a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Host(u32);

impl Host {
    /// The one that is there.
    pub(crate) fn current() -> Self {
        Self(HOSTS.load(Ordering::SeqCst))
    }
}

/// How long is waited for calls that the host does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls nothing of the host's from now on, and waits for at most a second until calls that are on their
/// way have come back (**B5**). For a host that ends: Python's package does it by itself.
///
/// Calls that are still waited for are never answered, and later ones are `CANCELLED`.
#[uniffi::export]
#[expect(clippy::disallowed_methods, reason = "patience is measured by the machine's own clock")]
pub fn hang_up() {
    IS_SHUT.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    while OUTSIDE.load(Ordering::SeqCst) > 0 && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
}

/// A host begins: from now on nothing that an earlier one lent is called or given back (**B5**), and its
/// calls are never answered. React Native's package does it by itself.
#[uniffi::export]
pub fn pick_up() {
    HOSTS.fetch_add(1, Ordering::SeqCst);
    IS_SHUT.store(false, Ordering::SeqCst);
}

/// Whether the host has hung up.
pub(crate) fn is_shut() -> bool {
    IS_SHUT.load(Ordering::SeqCst)
}

/// Calls a host, unless it has hung up or another has begun since.
fn through<T>(host: Host, call: impl FnOnce() -> T) -> Option<T> {
    struct Back;

    impl Drop for Back {
        fn drop(&mut self) {
            OUTSIDE.fetch_sub(1, Ordering::SeqCst);
        }
    }

    // First counted, then looked: `hang_up` does it the other way round, so one of the two sees the other.
    OUTSIDE.fetch_add(1, Ordering::SeqCst);
    let _back = Back;
    (!is_shut() && host == Host::current()).then(call)
}

/// What a host lent. It is given back through the door, or never: its end comes with the host's.
pub(crate) struct Loan<T> {
    lent: Option<T>,
    host: Host,
}

impl<T> Loan<T> {
    /// Lent by the host that is there.
    pub(crate) fn new(lent: T) -> Self {
        Self::of(Host::current(), lent)
    }

    pub(crate) fn of(host: Host, lent: T) -> Self {
        Self { lent: Some(lent), host }
    }

    /// Calls what was lent.
    pub(crate) fn call<A>(&self, call: impl FnOnce(&T) -> A) -> Option<A> {
        let lent = self.lent.as_ref()?;
        through(self.host, || call(lent))
    }

    /// Calls what was lent and changes by that.
    pub(crate) fn call_mut<A>(&mut self, call: impl FnOnce(&mut T) -> A) -> Option<A> {
        let lent = self.lent.as_mut()?;
        through(self.host, || call(lent))
    }

    /// What comes of it is its host's too.
    pub(crate) fn then<'l, A>(&'l self, come: impl FnOnce(&'l T) -> A) -> Option<Loan<A>> {
        let lent = self.lent.as_ref()?;
        through(self.host, || come(lent)).map(|come| Loan::of(self.host, come))
    }
}

impl<T> Drop for Loan<T> {
    fn drop(&mut self) {
        let mut lent = self.lent.take();
        if through(self.host, || drop(lent.take())).is_none() {
            mem::forget(lent);
        }
    }
}
