//! Cancelling: a flag that one side raises and the other looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks work to stop. Clones are the same flag; raised once, it stays raised.
///
/// Work looks at it between steps, so it stops soon and not at once.
///
/// # Example
///
/// ```
/// use finalmile::fetch::Cancel;
///
/// let cancel = Cancel::default();
/// let seen_by_the_work = cancel.clone();
/// cancel.cancel();
/// assert!(seen_by_the_work.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
