//! The flusher: a thread that writes down what waits, every few seconds while there is something.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::shared::Shared;
use super::state::CHANGES;

/// So much of what is known of uses may be lost when the process dies.
const EVERY: Duration = Duration::from_secs(3);

impl Shared {
    /// Sees to it that what was noted gets written down.
    pub(super) fn noted(self: &Arc<Self>) {
        let (waiting, has_flusher) = {
            let mut state = self.state();
            (state.waiting(), std::mem::replace(&mut state.has_flusher, true))
        };
        if waiting > CHANGES {
            // It stays noted where it fails.
            drop(self.flush(false));
        }
        if has_flusher {
            return;
        }
        let shared = Arc::downgrade(self);
        let flusher = thread::Builder::new().name("finalmile-cache".to_owned());
        if flusher.spawn(move || while flush_later(&shared) {}).is_err() {
            // The next one tries again.
            self.state().has_flusher = false;
        }
    }
}

/// Whether there may be something to write later on.
fn flush_later(shared: &Weak<Shared>) -> bool {
    thread::sleep(EVERY);
    let Some(shared) = shared.upgrade() else { return false };
    let has_work = {
        let mut state = shared.state();
        let has_work = state.waiting() > 0 || state.granted > state.used;
        state.has_flusher = has_work;
        has_work
    };
    if has_work {
        drop(shared.flush(false));
    }
    has_work
}
