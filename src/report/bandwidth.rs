//! Bandwidth: how much of a gateway's plan is used.
//!
//! What was uploaded is an estimate ([`UploadedDay`](super::UploadedDay)); what was fetched only the
//! gateway knows. [`Pinata`] asks it, over whatever [`Fetcher`] the host has; another gateway's figure goes
//! to [`bandwidth`].
//!
//! # Invariants
//!
//! - **RT5** There is a warning from 80 % of the plan on, and none below.
//! - **RT6** The token goes to the gateway's host and is in no log, no error and no `Debug`.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    Error,
    fetch::{FetchError, Fetcher, Request, fetch_small},
};

/// From how many percent of a plan on there is a warning.
pub const BANDWIDTH_WARN_PERCENT: u64 = 80;

/// Pinata's plan: 500 GB a month, of which 400 are the target. Pinata counts 10^9 bytes as one.
pub const PINATA_PLAN_BYTES: u64 = 500_000_000_000;

/// Where Pinata tells what was used: `{"bandwidth_used": bytes}`.
const PINATA_USAGE: &str = "https://api.pinata.cloud/data/usage";
/// How long its answer may be.
const ANSWER_MAX: u64 = 64 << 10;

/// A gateway of Pinata's, and the plan that the host has there.
///
/// ```no_run
/// # #[cfg(feature = "http")] {
/// use finalmile::{fetch::HttpFetcher, report::Pinata};
///
/// let token = std::env::var("PINATA_JWT").unwrap_or_default();
/// let used = Pinata::new(token).usage(&HttpFetcher::new())?;
/// println!("{} of {} bytes", used.used_bytes, used.plan_bytes);
/// # }
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone)]
pub struct Pinata {
    token: Zeroizing<String>,
    url: String,
    plan_bytes: u64,
}

impl Pinata {
    /// The plan of [500 GB](PINATA_PLAN_BYTES) of whoever has this token.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        let (token, url) = (Zeroizing::new(token.into()), PINATA_USAGE.to_owned());
        Self { token, url, plan_bytes: PINATA_PLAN_BYTES }
    }

    /// With another plan.
    #[must_use]
    pub fn plan(self, plan_bytes: u64) -> Self {
        Self { plan_bytes, ..self }
    }

    /// At another address: a proxy's, or a test's.
    #[must_use]
    pub fn at(self, url: impl Into<String>) -> Self {
        Self { url: url.into(), ..self }
    }

    /// Asks how much is used, and warns as [`bandwidth`] does. Waits for the answer: one request.
    ///
    /// # Errors
    ///
    /// [`Error::Fetch`]: whatever keeps the figure away, or an answer without one.
    pub fn usage(&self, fetcher: &dyn Fetcher) -> Result<Bandwidth, Error> {
        let bearer = format!("Bearer {}", *self.token);
        let request = Request::new(&self.url)
            .header("accept", "application/json")
            .secret("authorization", bearer);
        let asked = fetch_small(fetcher, &request, ANSWER_MAX);
        let used = asked.and_then(|body| used_bytes(&body)).map_err(|why| {
            let error = Error::from(why);
            error.log("bandwidth", None);
            error
        })?;
        Ok(bandwidth(used, self.plan_bytes))
    }
}

/// The figure of an answer.
fn used_bytes(body: &[u8]) -> Result<u64, FetchError> {
    let answer: serde_json::Value =
        serde_json::from_slice(body).map_err(|_| FetchError::Answer("it is no JSON"))?;
    let used = &answer["bandwidth_used"];
    // Written as a fraction, or as large as no traffic is, it would be another unit.
    used.as_u64().ok_or(FetchError::Answer("it has no whole number `bandwidth_used`"))
}

impl fmt::Debug for Pinata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, plan_bytes, .. } = self;
        f.debug_struct("Pinata").field("url", url).field("plan_bytes", plan_bytes).finish()
    }
}

/// How much of a plan is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Bandwidth {
    /// How much was used, as the gateway says.
    pub used_bytes: u64,
    /// How much the plan has.
    pub plan_bytes: u64,
    /// How much of it is used, in percent, rounded down; `None` of a plan of nothing.
    pub used_percent: Option<u64>,
    /// Whether it is so much that somebody should act (**RT5**).
    pub is_high: bool,
}

/// Looks at a gateway's figure of used bandwidth, and logs a warning if it is
/// [high](BANDWIDTH_WARN_PERCENT) (`action = "bandwidth_high"`). Reads nothing by itself.
///
/// ```
/// use finalmile::report::{PINATA_PLAN_BYTES, bandwidth};
///
/// assert!(!bandwidth(399_999_999_999, PINATA_PLAN_BYTES).is_high);
/// let found = bandwidth(400_000_000_000, PINATA_PLAN_BYTES);
/// assert_eq!((found.used_percent, found.is_high), (Some(80), true));
/// ```
#[must_use]
pub fn bandwidth(used_bytes: u64, plan_bytes: u64) -> Bandwidth {
    let (used, plan) = (u128::from(used_bytes), u128::from(plan_bytes));
    let percent = (used * 100).checked_div(plan);
    let used_percent = percent.map(|percent| u64::try_from(percent).unwrap_or(u64::MAX));
    let is_high = used * 100 >= plan * u128::from(BANDWIDTH_WARN_PERCENT);
    if is_high {
        tracing::warn!(
            service = "bandwidth",
            used_bytes,
            plan_bytes,
            used_percent,
            action = "bandwidth_high",
            "the gateway's plan is nearly used up"
        );
    }
    Bandwidth { used_bytes, plan_bytes, used_percent, is_high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rt5_the_warning_begins_at_80_percent() {
        let high = |used, plan| bandwidth(used, plan).is_high;
        assert!(!high(79, 100) && high(80, 100) && high(101, 100));
        assert!(!high(0, 1) && high(0, 0) && high(u64::MAX, u64::MAX));
        assert_eq!(bandwidth(1, 0).used_percent, None);
        assert_eq!(bandwidth(u64::MAX, 1).used_percent, Some(u64::MAX));
        assert_eq!(bandwidth(799, 1_000).used_percent, Some(79));
    }
}
