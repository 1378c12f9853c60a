//! What `lines.rs` needs of the machine: atomics and a lock.

pub(crate) use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};
use std::sync::{MutexGuard, PoisonError};

/// Locks. A holder that panicked left nothing half done: every change beneath is one store.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
