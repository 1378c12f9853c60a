//! The upload queue's throttle: a few at a time, callers in turns.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use finalmile::ipfs::{Permit, Throttle};

use crate::failure::Failure;

/// Lets a few in at a time. Those who wait are let in in turns by caller, and in order within a caller.
#[derive(Debug, uniffi::Object)]
pub struct UploadThrottle {
    throttle: Throttle,
    inside: Arc<AtomicU32>,
}

/// Who wants to enter.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host fills it in")]
pub struct ThrottleRequest {
    /// A user, or whoever else shares fairly.
    #[uniffi(default = "")]
    pub caller: String,
}

/// A place inside. It is given back by `release`, or when nothing holds it any more.
#[derive(Debug, uniffi::Object)]
pub struct ThrottlePermit(Mutex<Option<Inside>>);

/// Counts as one inside as long as it lives.
#[derive(Debug)]
struct Inside {
    _permit: Permit,
    count: Arc<AtomicU32>,
}

#[uniffi::export]
impl UploadThrottle {
    /// Lets `at_once` in at a time; two are a good number for a phone.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for 0.
    #[uniffi::constructor]
    pub fn new(at_once: u32) -> Result<Arc<Self>, Failure> {
        let at_once = usize::try_from(at_once).ok().and_then(NonZeroUsize::new);
        let at_once = at_once.ok_or_else(|| Failure::argument("At least one has to get in"))?;
        Ok(Arc::new(Self { throttle: Throttle::new(at_once), inside: Arc::default() }))
    }

    /// Waits for the caller's turn. Aborting it leaves the line.
    ///
    /// # Errors
    ///
    /// None but `INTERNAL_ERROR`.
    pub async fn enter(
        self: Arc<Self>,
        request: ThrottleRequest,
    ) -> Result<Arc<ThrottlePermit>, Failure> {
        // Nothing is computed here, so no thread is needed: the line itself wakes who is called.
        let permit = self.throttle.entering(&request.caller).await;
        self.inside.fetch_add(1, Ordering::Relaxed);
        let inside = Inside { _permit: permit, count: Arc::clone(&self.inside) };
        Ok(Arc::new(ThrottlePermit(Mutex::new(Some(inside)))))
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        u32::try_from(self.throttle.waiting()).unwrap_or(u32::MAX)
    }

    /// How many are inside.
    #[must_use]
    pub fn inside(&self) -> u32 {
        self.inside.load(Ordering::Relaxed)
    }
}

#[uniffi::export]
impl ThrottlePermit {
    /// Lets the next one in. Again, it does nothing.
    pub fn release(&self) {
        // Dropped after the lock: somebody's executor may run when the next one is woken.
        let inside = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(inside);
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
