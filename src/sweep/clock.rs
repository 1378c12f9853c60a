//! A clock that jumps: what is kept for weeks does not go by it.
//!
//! The row remembers the call before. Whoever finds the clock more than two days ahead of it doubts the clock
//! for an hour, by that clock; when it was set right meanwhile, or an hour has passed, the doubt is over.

use std::time::Duration;

use crate::{
    Timestamp, record,
    storage::{Command, KeySet, Rows},
};

/// How far ahead of the call before the clock may be: who calls daily is not late by a few minutes.
const JUMP: Duration = Duration::from_secs(2 * 86_400);
/// How long a clock is doubted that is further ahead.
const DOUBT: Duration = Duration::from_secs(3_600);
/// How old the row may be before it is written again: calls every minute cost no write each.
const FRESH: Duration = Duration::from_secs(600);

/// When cleanup ran last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CleanupClock {
    pub(crate) id: i64,
    pub(crate) ran_at: Timestamp,
    pub(crate) doubts_since: Option<Timestamp>,
}

record! {
    CleanupClock: "fm_cleanup",
    key: (id: i64),
    columns: (ran_at, doubts_since),
    shard: id,
    indexes: [],
}

/// Asks whether the clock is doubted (**M3**).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt {
    /// The caller says that it is right.
    pub(crate) trusts: bool,
}

impl Doubt {
    /// Since when it is doubted after this call.
    fn since(self, before: &CleanupClock, now: Timestamp) -> Option<Timestamp> {
        match before.doubts_since {
            _ if self.trusts || now < before.ran_at => None,
            Some(since) => Some(since).filter(|since| now < since.after(DOUBT)),
            None => (now > before.ran_at.after(JUMP)).then_some(now),
        }
    }
}

impl Command for Doubt {
    type Out = bool;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<CleanupClock>(&1);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> bool {
        let before = rows.get::<CleanupClock>(&1).cloned();
        let doubts_since = before.as_ref().and_then(|before| self.since(before, now));
        let is_fresh = |before: &CleanupClock| {
            before.doubts_since == doubts_since
                && (before.ran_at..before.ran_at.after(FRESH)).contains(&now)
        };
        if !before.as_ref().is_some_and(is_fresh) {
            rows.put(CleanupClock { id: 1, ran_at: now, doubts_since });
        }
        doubts_since.is_some()
    }

    fn is_background(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Simulated, engines::Memory, schema, storage::Store};
    use std::sync::Arc;

    #[test]
    fn m3_a_jump_is_doubted_for_an_hour_or_until_it_is_set_right() {
        let hour = Duration::from_secs(3_600);
        let start = Timestamp::from_millis(1_800_000_000_000);
        let clock = Arc::new(Simulated::new(start, 1));
        let store = Store::open(Memory::new(), clock.clone(), &[schema::CORE]).unwrap();
        let doubts = |trusts| store.submit(Doubt { trusts }).wait().unwrap();
        assert!(!doubts(false), "the first call has nothing to compare with");
        clock.advance(hour * 47);
        assert!(!doubts(false), "a day too late is no jump");
        clock.advance(hour * 24 * 90);
        assert!(doubts(false) && doubts(false));
        clock.set(start.after(hour * 48));
        assert!(!doubts(false), "it was set right");
        clock.advance(hour * 24 * 8);
        assert!(doubts(false));
        clock.advance(hour - Duration::from_micros(1));
        assert!(doubts(false));
        clock.advance(Duration::from_micros(1));
        assert!(!doubts(false) && !doubts(false));
        clock.advance(hour * 24 * 8);
        assert!(!doubts(true) && !doubts(false), "somebody knows better");
    }
}
