//! What the tests of durable limits share: a clock that stands, a file, Ada and what she has left.
//!
//! ```ignore
//! #[path = "support/limits.rs"]
//! mod support;
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::{num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use finalmile::{AccountId, Actor, Admin, FinalMile, Simulated, Timestamp, engines::Sqlite};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn clock() -> Arc<Simulated> {
    Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 1))
}

pub(crate) fn open(path: &Path, clock: &Arc<Simulated>) -> FinalMile {
    FinalMile::builder(Sqlite::file(path)).world(clock.clone()).open().unwrap()
}

pub(crate) fn admin(fm: &FinalMile) -> Admin {
    fm.admin(Actor::new("ops").unwrap())
}

pub(crate) fn ada() -> AccountId {
    AccountId::new("ada").unwrap()
}

pub(crate) fn many(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

pub(crate) fn left(fm: &FinalMile, at: &str) -> u32 {
    let endpoint = fm.limiter().endpoint(at).unwrap();
    fm.limiter().peek(endpoint, &ada()).remaining().unwrap()
}

pub(crate) fn spend(fm: &FinalMile, at: &str, times: u32) {
    let endpoint = fm.limiter().endpoint(at).unwrap();
    assert!(fm.limiter().check_n(endpoint, &ada(), many(times)).is_allowed());
}
