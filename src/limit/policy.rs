//! Policies: how often a key may act at an endpoint, as configured in the store.
//!
//! # Invariants
//!
//! - **B1** A policy that exists cannot overflow, today or in the year 2200: what would is refused
//!   when it is configured, never when it is checked.

use std::time::Duration;

use crate::{
    EndpointName, Refusal, Timestamp,
    limit::{decision::Quota, meter::Meter},
    record,
    storage::text_enum,
};

text_enum! {
    /// How tokens come back.
    Rule {
        /// Continuously, `tokens` every period, up to the capacity: a token bucket.
        Greedy = "greedy",
        /// All at once when a period ends: a fixed window.
        Window = "window",
    }
}

text_enum! {
    /// Where a window begins.
    Align {
        /// At multiples of its period since 1970.
        Epoch = "epoch",
        /// At the first request after the last window ended.
        First = "first",
    }
}

text_enum! {
    /// Where an endpoint's buckets live: one place each, so nothing is counted twice.
    Home {
        /// In each instance's memory, in nanoseconds: written behind, so a crash gives back at most
        /// what was spent in the last second, and N instances admit up to N times the limit.
        Local = "local",
        /// In the store, taken only inside commands: exact across instances.
        Store = "store",
    }
}

/// The limit of one endpoint.
///
/// ```
/// # use finalmile::limit::Policy;
/// # use std::time::Duration;
/// let search = Policy::greedy("search".parse()?, 60, Duration::from_secs(60))?.burst(120)?;
/// assert_eq!(search.capacity(), 120);
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    pub(crate) endpoint: EndpointName,
    pub(crate) rule: Rule,
    pub(crate) align: Align,
    pub(crate) home: Home,
    pub(crate) tokens: i64,
    pub(crate) capacity: i64,
    pub(crate) period_us: i64,
    pub(crate) cost: i64,
    pub(crate) is_active: bool,
    /// Counts the changes.
    pub(crate) version: i64,
    pub(crate) updated_at: Timestamp,
}

record! {
    Policy: "fm_limit_config",
    key: (endpoint: EndpointName),
    columns: (
        rule, tokens, capacity, period_us, cost, is_active, updated_at, align, home, version
    ),
    shard: endpoint,
    indexes: [],
}

/// The most tokens, and the longest period, that a policy may have.
const TOKENS_MAX: i64 = 1_000_000_000;
const PERIOD_MAX: Duration = Duration::from_secs(366 * 86_400);

impl Policy {
    /// A token bucket that gains `tokens` every `period` and holds as many, unless
    /// [`Policy::burst`] says more.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for no tokens or more than 10^9, a period of less than a microsecond or
    /// more than a year (**B1**).
    pub fn greedy(endpoint: EndpointName, tokens: u32, period: Duration) -> Result<Self, Refusal> {
        Self::new(endpoint, Rule::Greedy, tokens, period)
    }

    /// A fixed window: at most `max_requests` in each `period`, counted from 1970 unless
    /// [`Policy::aligned`] says otherwise. A caller may spend twice as many around a boundary; a
    /// token bucket does not allow that.
    ///
    /// # Errors
    ///
    /// As [`Policy::greedy`].
    pub fn window(
        endpoint: EndpointName,
        max_requests: u32,
        period: Duration,
    ) -> Result<Self, Refusal> {
        Self::new(endpoint, Rule::Window, max_requests, period)
    }

    fn new(
        endpoint: EndpointName,
        rule: Rule,
        tokens: u32,
        period: Duration,
    ) -> Result<Self, Refusal> {
        let tokens = i64::from(tokens);
        let period_us = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
        if !(1..=TOKENS_MAX).contains(&tokens) {
            return Err(Refusal::Invalid { field: "tokens", why: "it is not within 1 and 10^9" });
        }
        if period_us == 0 || period > PERIOD_MAX {
            let why = "it is not within a microsecond and a year";
            return Err(Refusal::Invalid { field: "period", why });
        }
        Self {
            endpoint,
            rule,
            align: Align::Epoch,
            home: Home::Local,
            tokens,
            capacity: tokens,
            period_us,
            cost: 1,
            is_active: true,
            version: 1,
            updated_at: Timestamp::default(),
        }
        .counted()
    }

    /// Refuses what one word could not count exactly (**B1**).
    fn counted(self) -> Result<Self, Refusal> {
        let why = "together with the period it is finer than can be counted exactly";
        match Meter::of(&self) {
            Some(_) => Ok(self),
            None => Err(Refusal::Invalid { field: "tokens", why }),
        }
    }

    /// The most tokens that a bucket holds.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for less than a check costs, more than 10^9, or a window.
    pub fn burst(self, burst: u32) -> Result<Self, Refusal> {
        let capacity = i64::from(burst);
        if self.rule == Rule::Window {
            return Err(Refusal::Invalid { field: "burst", why: "a window has none" });
        }
        if !(self.cost..=TOKENS_MAX).contains(&capacity) {
            let why = "it is not within the cost and 10^9";
            return Err(Refusal::Invalid { field: "burst", why });
        }
        Self { capacity, ..self }.counted()
    }

    /// Where a window begins.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a token bucket, or a window of so many requests in so long a time
    /// that its beginning could not be kept to the microsecond.
    pub fn aligned(self, align: Align) -> Result<Self, Refusal> {
        if self.rule == Rule::Greedy {
            return Err(Refusal::Invalid { field: "align", why: "a token bucket has no windows" });
        }
        Self { align, ..self }.counted()
    }

    /// What one check costs, 1 unless said otherwise.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for nothing, or more than a bucket holds.
    pub fn cost(self, cost: u32) -> Result<Self, Refusal> {
        let cost = i64::from(cost);
        if !(1..=self.capacity).contains(&cost) {
            let why = "it is not within 1 and the burst";
            return Err(Refusal::Invalid { field: "cost", why });
        }
        Ok(Self { cost, ..self })
    }

    /// Whether it limits. An inactive policy allows everything and keeps no state.
    #[must_use]
    pub fn active(self, is_active: bool) -> Self {
        Self { is_active, ..self }
    }

    /// Where a new endpoint's buckets live: in each instance's memory unless said otherwise. An
    /// endpoint that is configured already keeps its home.
    #[must_use]
    pub fn home(self, home: Home) -> Self {
        Self { home, ..self }
    }

    /// What decisions point to.
    pub(crate) fn quota(&self) -> &'static Quota {
        Quota::of(self.endpoint.as_str(), Meter::of(self).filter(|_| self.is_active))
    }

    /// Which endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointName {
        &self.endpoint
    }

    /// The most tokens that a bucket holds.
    #[must_use]
    pub fn capacity(&self) -> i64 {
        self.capacity
    }
}

/// The limits that a new database starts with: both documents' tables.
#[must_use]
pub(crate) fn defaults() -> Vec<Policy> {
    let minute = Duration::from_secs(60);
    let hour = minute * 60;
    let greedy = [
        ("search", 60, 120),
        ("content_access", 30, 60),
        ("admin_crud", 100, 200),
        ("stripe_webhook", 1_000, 2_000),
        ("user_auth", 10, 20),
        ("api_general", 120, 240),
    ];
    let windows = [("begin-upload", 50), ("finalize-upload", 50), ("feed", 100)];
    let greedy = greedy.into_iter().map(|(endpoint, tokens, burst)| {
        Policy::greedy(EndpointName::new(endpoint)?, tokens, minute)?.burst(burst)
    });
    let windows = windows.into_iter().map(|(endpoint, requests)| {
        // Begin and finalize are taken inside their commands.
        let home = if endpoint == "feed" { Home::Local } else { Home::Store };
        Ok(Policy::window(EndpointName::new(endpoint)?, requests, hour)?.home(home))
    });
    greedy.chain(windows).filter_map(|policy: Result<Policy, Refusal>| policy.ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_nine_endpoints_are_there() {
        assert_eq!(defaults().len(), 9);
    }

    #[test]
    fn b1_policies_that_could_overflow_are_refused_when_they_are_made() {
        let name = || EndpointName::new("x").unwrap();
        let second = Duration::from_secs(1);
        assert!(Policy::greedy(name(), 0, second).is_err());
        assert!(Policy::greedy(name(), u32::MAX, second).is_err());
        assert!(Policy::greedy(name(), 1, Duration::ZERO).is_err());
        assert!(Policy::greedy(name(), 1, Duration::MAX).is_err());
        assert!(Policy::greedy(name(), 5, second).unwrap().burst(0).is_err());
        assert!(Policy::greedy(name(), 5, second).unwrap().cost(6).is_err());
        let year = Duration::from_secs(365 * 86_400);
        assert!(Policy::greedy(name(), 999_999_937, year).is_err(), "2^63 parts and more");
        let window = Policy::window(name(), 1_000_000_000, year).unwrap();
        assert!(window.aligned(Align::First).is_err(), "30 bits of requests, 47 of time");
        assert!(Policy::greedy(name(), 5, second).unwrap().aligned(Align::First).is_err());
    }
}
