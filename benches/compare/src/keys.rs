//! Whom the limiters' rows check: users at endpoints, under a policy that allows everything.
//!
//! A token comes back in two minutes and a bucket holds 40 million, so nobody is refused during a
//! run, no bucket is full again and dropped, and what was spent can be counted afterwards.

use std::time::Duration;

use finalmile::{Refusal, limit::Policy};

use crate::transfer::mix;

/// How many tokens come back in an hour.
pub const PER_HOUR: u32 = 30;
/// How many tokens a bucket holds.
pub const BURST: u32 = 40_000_000;
/// How many tokens may have come back when what was spent is counted.
pub const BACK: u32 = 3;
/// How many endpoints each user visits.
pub const ENDPOINTS: u32 = 5;
/// How many users there are; each at every endpoint is a million pairs.
pub const USERS: u32 = 200_000;
/// How many pairs there are.
pub const PAIRS: u64 = 1_000_000;

/// The policy of an endpoint.
///
/// # Errors
///
/// [`Refusal::Invalid`] for a name that is none.
pub fn policy(endpoint: &str) -> Result<Policy, Refusal> {
    Policy::greedy(endpoint.parse()?, PER_HOUR, Duration::from_secs(3_600))?.burst(BURST)
}

/// The n-th user's number, of 128 random bits.
#[must_use]
pub fn user(n: u32) -> u128 {
    let [high, low] = [0, 1].map(|half| u128::from(mix(u64::from(n) * 2 + half)));
    high << 64 | low
}

/// A number as the text of a UUID.
#[must_use]
pub fn uuid(user: u128) -> String {
    let text = format!("{user:032x}");
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    parts.join("-")
}

/// Every user at every endpoint once, in random order: the user's place and the endpoint's.
#[must_use]
pub fn shuffled(users: u32, endpoints: u32) -> Vec<(u32, u32)> {
    let mut pairs: Vec<_> =
        (0..users).flat_map(|user| (0..endpoints).map(move |endpoint| (user, endpoint))).collect();
    // Fisher and Yates, as Knuth has it (TAOCP, volume 2, section 3.4.2, algorithm P).
    for last in (1..pairs.len()).rev() {
        let random = mix(last as u64) % (last as u64 + 1);
        pairs.swap(last, usize::try_from(random).unwrap_or_default());
    }
    pairs
}

/// The same with the users' numbers: what both sides are asked.
#[must_use]
pub fn pairs(users: u32, endpoints: u32) -> Vec<(u128, u32)> {
    shuffled(users, endpoints).into_iter().map(|(n, endpoint)| (user(n), endpoint)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_comes_once_and_out_of_order() {
        let mut pairs = pairs(100, 5);
        assert!(!pairs.is_sorted());
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), 500);
    }

    #[test]
    fn a_number_reads_as_a_uuid() {
        assert_eq!(
            uuid(0x018b_cfe5_6800_7000_8000_0123_4567_89ab),
            "018bcfe5-6800-7000-8000-0123456789ab"
        );
    }
}
