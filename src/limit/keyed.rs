//! A limiter on its own: many keys, one policy, no store.
//!
//! What a [`Limiter`](crate::limit::Limiter) checks with, without endpoints, freezes, counters or a
//! database beneath. For a program that wants only this.

use std::{num::NonZeroU32, sync::Arc};

use crate::{
    Refusal, SystemWorld, World,
    limit::{
        Decision, Policy, Precision,
        core::{Caller, Core, Trouble},
        lanes::NewLane,
    },
};

/// One bucket a key, in memory, under one policy that may be changed. `Send + Sync`; checks of known
/// keys take no lock.
///
/// ```
/// # use finalmile::limit::{Keyed, Policy};
/// # use std::time::Duration;
/// let policy = Policy::greedy("search".parse()?, 60, Duration::from_secs(60))?;
/// let limiter = Keyed::new(&policy)?;
/// assert_eq!((0..100).filter(|_| limiter.check(7).is_allowed()).count(), 60);
/// assert!(limiter.check(8).is_allowed());
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Debug)]
pub struct Keyed {
    core: Core,
}

impl Keyed {
    /// The most keys unless said otherwise: 64 MB of lines and as much again in reserve.
    pub const KEYS_MAX: usize = 1_000_000;

    /// For up to [`Keyed::KEYS_MAX`] keys, by the precise clock.
    ///
    /// # Errors
    ///
    /// As [`Keyed::with`].
    pub fn new(policy: &Policy) -> Result<Self, Refusal> {
        Self::with(policy, Self::KEYS_MAX, Precision::Precise, Arc::new(SystemWorld))
    }

    /// With a bound of keys, a clock and a world of one's own. Memory grows with the keys that are
    /// in debt: 64 bytes a key, at 2 to 4 places a key, for up to five policies.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a bound of no keys.
    pub fn with(
        policy: &Policy,
        keys_max: usize,
        precision: Precision,
        world: Arc<dyn World>,
    ) -> Result<Self, Refusal> {
        if keys_max == 0 {
            return Err(Refusal::Invalid { field: "keys", why: "none would be limited" });
        }
        let keyed = Self { core: Core::new(world, precision, keys_max, false) };
        keyed.add(policy)?;
        Ok(keyed)
    }

    /// Adds another policy, under a name of its own, or changes the one of that name; answers its
    /// number for [`Keyed::check_at`]. What was spent keeps its share.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] beyond 1,280 policies.
    pub fn add(&self, policy: &Policy) -> Result<usize, Refusal> {
        let why = "it is finer than can be counted exactly";
        let lane = NewLane::of(policy).ok_or(Refusal::Invalid { field: "tokens", why })?;
        self.core
            .set_lane(&lane)
            .ok_or(Refusal::Invalid { field: "endpoint", why: "there are 1,280 already" })
    }

    /// Spends what one check costs, under the first policy.
    #[inline]
    pub fn check(&self, key: u128) -> Decision {
        self.check_at(0, key)
    }

    /// Spends what one check costs, under a policy by its number. An unknown number allows nothing.
    #[inline]
    pub fn check_at(&self, policy: usize, key: u128) -> Decision {
        match self.core.try_check::<false>(policy, key, NonZeroU32::MIN) {
            Ok(decision) => decision,
            Err(trouble) => self.check_again(policy, key, trouble),
        }
    }

    #[cold]
    #[inline(never)]
    fn check_again(&self, policy: usize, key: u128, trouble: Option<Trouble>) -> Decision {
        let caller = Caller { id: key, name: None, is_frozen: &|_| false };
        self.core.check_again::<false>(policy, &caller, NonZeroU32::MIN, trouble)
    }

    /// Lines held, and lines there is memory for, 64 bytes each.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.core.table.size()
    }
}
