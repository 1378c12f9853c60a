//! A token that was spent on trial.

use crate::limit::{Decision, Limiter, core::Spending};

/// What [`Limiter::reserve`] spent: given back when this is dropped, unless it was committed.
#[derive(Debug)]
#[must_use = "dropping it gives the token back"]
pub struct Hold {
    limiter: Limiter,
    spent: Spending,
    decision: Decision,
    is_kept: bool,
}

impl Hold {
    pub(super) fn new(limiter: Limiter, spent: Spending, decision: Decision) -> Self {
        Self { limiter, spent, decision, is_kept: false }
    }

    /// The decision that allowed it.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// It counts: the token stays spent.
    pub fn commit(mut self) -> Decision {
        self.is_kept = true;
        self.decision
    }

    /// It does not count: the token goes back, unless its window is over. The same as dropping.
    pub fn cancel(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_kept {
            self.limiter.live().core.refund(&self.spent);
        }
    }
}
