//! governor, as its documentation shows it: a keyed limiter with the default clock and map.
//!
//! It knows one quota a limiter, so the endpoint is part of the key and every endpoint has the same
//! quota.

use std::{hash::Hash, num::NonZeroU32};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::keys::{BACK, BURST, PER_HOUR};

/// A limiter of users at endpoints.
pub type Governed<K> = DefaultKeyedRateLimiter<K>;

/// A limiter under the same policy as ours.
#[must_use]
pub fn limiter<K: Clone + Eq + Hash>() -> Governed<K> {
    let [tokens, burst] = [PER_HOUR, BURST].map(|n| NonZeroU32::new(n).expect("it is not 0"));
    RateLimiter::keyed(Quota::per_hour(tokens).allow_burst(burst))
}

/// Compares what a key has spent with the model: it is empty after what should be left, give or take
/// what came back.
///
/// # Panics
///
/// When checks are missing, or counted twice.
pub fn verify<K: Clone + Eq + Hash>(limiter: &Governed<K>, key: &K, spent: u64) {
    let spent = u32::try_from(spent).expect("a run spends less than a burst");
    let takes = |n: u32| {
        let n = NonZeroU32::new(n).expect("it is not 0");
        limiter.check_key_n(key, n).expect("it is less than a burst").is_ok()
    };
    assert!(!takes((BURST - spent + BACK).min(BURST)), "the rival spent too little");
    assert!(takes(BURST - spent), "the rival spent too much");
}
