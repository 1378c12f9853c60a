//! The answer to a check: whether, why not, when again, and the same in HTTP's words.
//!
//! | header | what |
//! |---|---|
//! | `RateLimit-Policy` | `"search";q=120;w=120`: so many tokens in so many seconds |
//! | `RateLimit` | `"search";r=119;t=1`: so many left, all back in so many seconds |
//! | `Retry-After` | seconds until the same check can pass |
//!
//! Source: draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4 (structured fields of RFC
//! 9651); RFC 9110, section 10.2.3.

use std::{collections::BTreeMap, fmt::Write as _, sync::Mutex, time::Duration};

use crate::{
    PublicError, Refusal,
    error::{ACCOUNT_FROZEN, Face, RATE_LIMITED},
    limit::{
        meter::{Level, Meter},
        sync::lock,
    },
};

/// Why a check was refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The bucket holds too few tokens.
    RateLimited,
    /// An admin froze the account.
    Frozen,
    /// It asks for more than the bucket ever holds.
    CostExceedsBurst,
    /// The table is full of buckets in use, and this key has none.
    AtCapacity,
}

impl Reason {
    /// The name in the log and on dashboards.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Frozen => "frozen",
            Self::CostExceedsBurst => "cost_exceeds_burst",
            Self::AtCapacity => "at_capacity",
        }
    }
}

/// An endpoint's name and meter, as decisions point to it.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct Quota {
    pub(crate) name: &'static str,
    /// `None`: nothing is limited.
    pub(crate) meter: Option<Meter>,
}

impl Quota {
    /// The one copy of it. A program sees few policies, and those it sees may come again, so each is
    /// kept for good: decisions, handles and threads share it for nothing.
    pub(crate) fn of(name: &str, meter: Option<Meter>) -> &'static Self {
        static KNOWN: Mutex<BTreeMap<String, Vec<&'static Quota>>> = Mutex::new(BTreeMap::new());
        let mut known = lock(&KNOWN);
        if let Some(same) = known.get(name).and_then(|all| all.iter().find(|q| q.meter == meter)) {
            return same;
        }
        let all = known.entry(name.to_owned()).or_default();
        let name = match all.first() {
            Some(first) => first.name,
            None => Box::leak(name.to_owned().into_boxed_str()),
        };
        let quota: &'static Self = Box::leak(Box::new(Self { name, meter }));
        all.push(quota);
        quota
    }
}

/// The answer to a check. What was refused spent nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a refused caller must be turned away"]
pub struct Decision {
    quota: &'static Quota,
    /// The bucket's level after the check.
    level: Level,
    now_us: i64,
    /// Microseconds. `u64::MAX`: it never can.
    wait_us: u64,
    reason: Option<Reason>,
}

impl Decision {
    /// Allowed, by a bucket that stands at `level` now.
    #[inline]
    pub(crate) fn of(quota: &'static Quota, level: Level, now_us: i64) -> Self {
        Self { quota, level, now_us, wait_us: 0, reason: None }
    }

    /// The same bucket, but it says no.
    #[inline]
    pub(crate) fn denied(self, reason: Reason, wait_us: Option<u64>) -> Self {
        Self { reason: Some(reason), wait_us: wait_us.unwrap_or(u64::MAX), ..self }
    }

    /// By a bucket that nothing was spent of.
    pub(crate) fn untouched(quota: &'static Quota, now_us: i64) -> Self {
        Self::of(quota, Level { used: 0, start_us: now_us }, now_us)
    }

    /// Whether the tokens were spent.
    #[must_use]
    #[inline]
    pub const fn is_allowed(&self) -> bool {
        self.reason.is_none()
    }

    /// Why not; `None` if it was allowed.
    #[must_use]
    #[inline]
    pub const fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The endpoint's name.
    #[must_use]
    pub const fn endpoint(&self) -> &'static str {
        self.quota.name
    }

    /// The most tokens that the bucket holds; `None`: nothing is limited.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.quota.meter.map(|meter| narrow(meter.capacity()))
    }

    /// Whole tokens left; `None`: nothing is limited.
    #[must_use]
    pub fn remaining(&self) -> Option<u32> {
        let left = |meter: Meter| meter.full.saturating_sub(self.level.used) / meter.unit;
        self.quota.meter.map(|meter| narrow(left(meter)))
    }

    /// Until the bucket is full again, to the microsecond.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        let left_us = self.quota.meter.map(|meter| meter.reset_us(self.level, self.now_us));
        Duration::from_micros(left_us.unwrap_or(0))
    }

    /// Until the same check can pass, rounded up to the microsecond. `None`: it was allowed, it
    /// never can, or nobody knows, as with a frozen account.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let known = self.reason.is_some() && self.wait_us != u64::MAX;
        known.then(|| Duration::from_micros(self.wait_us))
    }

    /// The headers of an answer, allowed or not: `RateLimit-Policy` and `RateLimit` where something
    /// is limited, `Retry-After` where it is worth coming back. Names in lower case, as HTTP/2 wants
    /// them.
    ///
    /// ```
    /// # use finalmile::{Timestamp, limit::{Policy, TokenBucket}};
    /// # use std::{num::NonZeroU32, time::Duration};
    /// let policy = Policy::greedy("search".parse()?, 60, Duration::from_secs(60))?.burst(120)?;
    /// let decision = TokenBucket::new(&policy).check(Timestamp::default(), NonZeroU32::MIN);
    /// assert_eq!(
    ///     decision.headers(),
    ///     [
    ///         ("ratelimit-policy", r#""search";q=120;w=120"#.to_owned()),
    ///         ("ratelimit", r#""search";r=119;t=1"#.to_owned()),
    ///     ]
    /// );
    /// # Ok::<(), finalmile::Refusal>(())
    /// ```
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(meter) = self.quota.meter {
            let (name, limit) = (quoted(self.quota.name), meter.capacity());
            let window = seconds(Duration::from_micros(meter.fill_us())).max(1);
            headers.push(("ratelimit-policy", format!("{name};q={limit};w={window}")));
            let (left, reset) = (self.remaining().unwrap_or(0), seconds(self.reset_after()));
            headers.push(("ratelimit", format!("{name};r={left};t={reset}")));
        }
        if let Some(wait) = self.retry_after() {
            headers.push(("retry-after", seconds(wait).max(1).to_string()));
        }
        headers
    }

    /// What a client may see; `None` if it was allowed.
    #[must_use]
    pub fn public_error(&self) -> Option<PublicError> {
        self.face().map(|(code, _, error)| PublicError { error, code })
    }

    /// The status of an HTTP answer: 200, 429, or 403 for a frozen account.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self.face() {
            Some((_, status, _)) => status,
            None => 200,
        }
    }

    const fn face(&self) -> Option<Face> {
        match self.reason {
            None => None,
            Some(Reason::Frozen) => Some(ACCOUNT_FROZEN),
            Some(Reason::RateLimited | Reason::CostExceedsBurst | Reason::AtCapacity) => {
                Some(RATE_LIMITED)
            }
        }
    }

    /// The bucket's level after the check, and when that was.
    pub(crate) fn level(&self) -> (Level, i64) {
        (self.level, self.now_us)
    }

    /// As a refusal, for whoever holds this key.
    pub(crate) fn refusal(&self, key: &str) -> Option<Refusal> {
        self.reason?;
        let millis = self.retry_after().map(|wait| wait.as_micros().div_ceil(1_000));
        let millis = millis.and_then(|millis| u64::try_from(millis).ok());
        Some(Refusal::RateLimited {
            key: key.to_owned(),
            endpoint: crate::EndpointName::new(self.quota.name).ok()?,
            retry_after_ms: millis.and_then(std::num::NonZeroU64::new),
        })
    }
}

/// A structured field's string holds printable ASCII only (RFC 9651, section 3.3.3).
fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    text.push('"');
    for letter in name.chars() {
        match letter {
            '"' | '\\' => {
                let _ = write!(text, "\\{letter}");
            }
            ' '..='~' => text.push(letter),
            _ => text.push('?'),
        }
    }
    text.push('"');
    text
}

/// Rounded up: who comes back then is not early.
fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn narrow(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}
