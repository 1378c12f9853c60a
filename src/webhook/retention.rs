//! Retention: how long it is known that an event came.
//!
//! When an event is forgotten and comes once more, its payment's reference still credits once (**L4**).
//!
//! # Invariants
//!
//! - **H19** What waits or is dead is never removed, however old it is.

use std::time::Duration;

use crate::{
    Provider, Timestamp,
    expiry::Expiry,
    storage::{Command, KeySet, Rows},
    webhook::{Failure, StoredBody, StoredEvent, dead::remove, record::BODIES_MAX},
};

/// Forgets an event that ended long ago, and its body.
#[derive(Clone, Debug)]
pub(crate) struct Forget {
    pub(crate) key: (Provider, String),
    pub(crate) kept: Duration,
}

impl Command for Forget {
    type Out = bool;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.children::<StoredBody, StoredEvent>(&self.key, BODIES_MAX);
        keys.own::<Failure>(&self.key);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> bool {
        let event = rows.get::<StoredEvent>(&self.key);
        // Only a good end has a time.
        let is_over = event.and_then(|event| event.processed_at);
        let is_over = is_over.is_some_and(|at| at <= now.before(self.kept));
        if is_over {
            remove(rows, &self.key);
        }
        is_over
    }
}

impl Expiry for Forget {
    // Their bodies are read before they are removed.
    const CHUNK: usize = 64;

    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        self.decide(rows, now)
    }
}

/// Forgets that an event failed that came to a good end long ago.
#[derive(Clone, Debug)]
pub(crate) struct Forgive {
    pub(crate) key: (Provider, String),
    pub(crate) kept: Duration,
}

impl Command for Forgive {
    type Out = bool;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Failure>(&self.key);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> bool {
        let over = rows.get::<Failure>(&self.key).and_then(|failure| failure.over_at);
        let is_over = over.is_some_and(|at| at <= now.before(self.kept));
        if is_over {
            rows.remove::<Failure>(&self.key);
        }
        is_over
    }
}

impl Expiry for Forgive {
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        self.decide(rows, now)
    }
}
