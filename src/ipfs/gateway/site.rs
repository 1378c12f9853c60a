//! A gateway as it is configured, and what is known of how it behaves.
//!
//! # Invariants
//!
//! - **C55** A gateway that sent a block that is something else is not asked for a while; one that failed
//!   waits longer each time, by chance up to that long; one that said when to come back is not asked before.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::fetch::{self, Request};
use crate::time::Timestamp;

use super::super::error::IpfsError;

/// Where content may be had: a path gateway, which answers at `<url>/ipfs/<cid>`, and the token that it
/// wants.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::Gateway;
///
/// let gateway = Gateway::new("https://example.mypinata.cloud")?.pinata_token("eyJhbGciOi");
/// assert!(!format!("{gateway:?}").contains("eyJhbGciOi"));
/// assert_eq!(Gateway::new("http://example.com").unwrap_err().code(), "INVALID_GATEWAY");
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Gateway {
    url: String,
    token: Option<(&'static str, Zeroizing<String>)>,
}

impl Gateway {
    /// The gateway at `url`: https, or http on this machine's own loopback.
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidGateway`] for another address, or one with a query.
    pub fn new(url: impl Into<String>) -> Result<Self, IpfsError> {
        let url = url.into();
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/ipfs").unwrap_or(url).to_owned();
        fetch::check_address(&url)
            .map_err(|why| IpfsError::InvalidGateway { why: why.to_string() })?;
        if url.contains(['?', '#']) {
            return Err(IpfsError::InvalidGateway { why: "it has a query".to_owned() });
        }
        Ok(Self { url, token: None })
    }

    /// With a secret header, which only this gateway sees: no host that it redirects to does.
    #[must_use]
    pub fn token(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.token = Some((header, Zeroizing::new(value.into())));
        self
    }

    /// With the token of a dedicated gateway of Pinata's.
    #[must_use]
    pub fn pinata_token(self, value: impl Into<String>) -> Self {
        self.token("x-pinata-gateway-token", value)
    }

    /// Its address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request for what lies at `path` below `/ipfs/`.
    pub(super) fn request(&self, path: &str) -> Request {
        let request = Request::new(format!("{}/ipfs/{path}", self.url));
        match &self.token {
            Some((header, value)) => request.secret(header, value.as_str()),
            None => request,
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|(header, _)| format!("{header}: (secret)"));
        f.debug_struct("Gateway").field("url", &self.url).field("token", &token).finish()
    }
}

/// What a gateway is known to do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Knows {
    /// Nobody has seen yet.
    #[default]
    Perhaps,
    Yes,
    No,
}

/// A gateway and its record.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) gateway: Gateway,
    record: Mutex<Record>,
}

impl Site {
    pub(super) fn new(gateway: Gateway) -> Self {
        Self { gateway, record: Mutex::default() }
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest that a failing gateway is left alone, unless it asks for longer.
const BACKOFF_MAX_MS: u64 = 30_000;
/// How long after the first failure, at most.
const BACKOFF_MS: u64 = 250;
/// No gateway can ask to be left alone for longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// How many of the last times are kept.
const TIMES: usize = 32;

/// How a gateway has behaved, and what it knows.
#[derive(Debug, Default)]
pub(super) struct Record {
    attempts: u32,
    successes: u32,
    errors: u32,
    failures_in_row: u32,
    /// Whether the network failed on the way to it the last time.
    is_unreachable: bool,
    not_before: Timestamp,
    disqualified_until: Timestamp,
    /// Microseconds until an answer began, the last ones.
    times: Vec<u64>,
    next_time: usize,
    pub(super) probed_at: Option<Timestamp>,
    pub(super) raw: Knows,
    pub(super) car: Knows,
    pub(super) plain: Knows,
    pub(super) ranges: Knows,
}

impl Record {
    /// It began to answer with what was asked for, after so many microseconds.
    pub(super) fn answered(&mut self, micros: u64) {
        self.attempts = self.attempts.saturating_add(1);
        self.is_unreachable = false;
        if self.times.len() < TIMES {
            self.times.push(micros);
        } else if let Some(time) = self.times.get_mut(self.next_time % TIMES) {
            *time = micros;
        }
        self.next_time = self.next_time.wrapping_add(1);
        // What was long ago counts less.
        if self.attempts > 100 {
            self.attempts /= 2;
            self.successes /= 2;
            self.errors /= 2;
        }
    }

    /// What it sent is whole and right.
    pub(super) fn served(&mut self) {
        self.successes = self.successes.saturating_add(1).min(self.attempts);
        self.failures_in_row = 0;
    }

    /// It failed in a way that may pass.
    pub(super) fn failed(&mut self, now: Timestamp, asked_for: Option<Duration>, chance: u64) {
        self.attempts = self.attempts.saturating_add(1);
        self.errors = self.errors.saturating_add(1);
        self.is_unreachable = false;
        let longest = BACKOFF_MS.saturating_mul(1 << self.failures_in_row.min(16));
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let wait = match asked_for {
            Some(asked_for) => asked_for.min(RETRY_AFTER_MAX),
            None => Duration::from_millis(chance % (longest.min(BACKOFF_MAX_MS) + 1)),
        };
        self.not_before = self.not_before.max(now.after(wait));
    }

    /// The network failed on the way to it. When the network is back, nobody should wait for long.
    pub(super) fn unreachable(&mut self, now: Timestamp, chance: u64) {
        self.failures_in_row = self.failures_in_row.min(4);
        self.failed(now, None, chance);
        self.is_unreachable = true;
    }

    pub(super) fn is_unreachable(&self) -> bool {
        self.is_unreachable
    }

    /// It sent something else under the name that was asked for.
    pub(super) fn lied(&mut self, now: Timestamp, span: Duration) {
        self.failed(now, Some(Duration::ZERO), 0);
        self.disqualified_until = now.after(span);
    }

    /// When it may be asked again; `None`: now. A clock that stepped back by more than any wait frees it.
    pub(super) fn waits_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.not_before.max(self.disqualified_until);
        let longest = RETRY_AFTER_MAX * 24;
        (until > now && until <= now.after(longest)).then_some(until)
    }

    /// Successes out of attempts, where an error counts as three more attempts.
    #[expect(clippy::float_arithmetic, reason = "an order, not an amount")]
    pub(super) fn score(&self) -> f64 {
        let tried = f64::from(self.attempts) + 3.0 * f64::from(self.errors);
        // One that nobody has tried yet comes before one that failed once.
        (f64::from(self.successes) + 1.0) / (tried + 1.0)
    }

    /// A quarter more than what 95 of 100 answers took; `None` while few are known.
    pub(super) fn usual(&self) -> Option<Duration> {
        if self.times.len() < 8 {
            return None;
        }
        let mut times = self.times.clone();
        times.sort_unstable();
        let micros = times.get(times.len() * 95 / 100).copied().unwrap_or_default();
        Some(Duration::from_micros(micros.saturating_add(micros / 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    #[test]
    fn c55_waits_grow_by_chance_and_what_was_asked_for_is_kept() {
        let mut record = Record::default();
        record.failed(second(0), None, u64::MAX / 2);
        let first = record.waits_until(second(0));
        assert!(first.is_none_or(|until| until <= second(0).after(Duration::from_millis(250))));
        for chance in [12_345, 99_999, 400_001] {
            record.failed(second(100), None, chance);
            let longest = second(100).after(Duration::from_millis(BACKOFF_MAX_MS));
            assert!(record.waits_until(second(100)).is_none_or(|until| until <= longest));
        }
        record.failed(second(200), Some(Duration::from_secs(7)), 0);
        assert_eq!(record.waits_until(second(206)), Some(second(207)));
        assert_eq!(record.waits_until(second(207)), None);
        // An hour at most, whatever it asks for.
        record.failed(second(300), Some(Duration::MAX), 0);
        assert_eq!(record.waits_until(second(300)), Some(second(3_900)));
        // A clock that stepped back by days does not shut it out for days.
        assert_eq!(record.waits_until(second(-1_000_000)), None);
    }

    #[test]
    fn c55_a_liar_is_left_alone_and_errors_weigh_three_times() {
        let (mut one, mut other) = (Record::default(), Record::default());
        for record in [&mut one, &mut other] {
            for _ in 0..9 {
                record.answered(1_000);
                record.served();
            }
        }
        assert!((one.score() - 1.0).abs() < 1e-9);
        assert_eq!(one.usual(), Some(Duration::from_micros(1_250)));
        one.failed(second(1), None, 0);
        assert!((one.score() - 10.0 / 14.0).abs() < 1e-9);
        other.lied(second(1), Duration::from_secs(600));
        assert_eq!(other.waits_until(second(601)), None);
        assert_eq!(other.waits_until(second(2)), Some(second(601)));
    }
}
