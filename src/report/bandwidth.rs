//! Bandwidth: how much of a gateway's plan is used.
//!
//! What was uploaded is an estimate ([`UploadedDay`](super::UploadedDay)); what was fetched only the
//! gateway knows. Pinata tells it at `https://api.pinata.cloud/data/usage`. finalmile does not ask
//! there by itself yet: the host does, and gives the figure to [`bandwidth`].
//!
//! # Invariants
//!
//! - **RT5** There is a warning from 80 % of the plan on, and none below.

/// From how many percent of a plan on there is a warning.
pub const BANDWIDTH_WARN_PERCENT: u64 = 80;

/// Pinata's plan: 500 GB a month, of which 400 are the target. Pinata counts 10^9 bytes as one.
pub const PINATA_PLAN_BYTES: u64 = 500_000_000_000;

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
