//! A token that was spent on trial.

use crate::limit::{Decision, Limiter, Subject};

/// What [`Limiter::reserve`] spent: given back when this is dropped, unless it was committed.
#[derive(Debug)]
#[must_use = "dropping it gives the token back"]
pub struct Hold {
    limiter: Limiter,
    id: u128,
    lane: usize,
    decision: Decision,
    is_kept: bool,
}

impl Hold {
    pub(super) fn new(
        limiter: Limiter,
        lane: usize,
        subject: Subject<'_>,
        decision: Decision,
    ) -> Self {
        let id = limiter.live().names.of(subject).id;
        Self { limiter, id, lane, decision, is_kept: false }
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
            self.limiter.live().refund(self.lane, self.id, &self.decision);
        }
    }
}
