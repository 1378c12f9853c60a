//! What a host may choose about its limits.

use std::time::Duration;

use crate::time::Precision;

/// Which requests are written to the log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum LogMode {
    /// Those that were refused: what an operator asks for. In a flood, the first 10,000 that are not
    /// written yet are kept and the others counted as dropped.
    #[default]
    Refusals,
    /// Those that were refused, and one in so many of the others, with the same bound.
    Sampled(u32),
    /// Every one, dropping none: the complete history. Each check then makes a row, and when rows
    /// come faster than the disk takes them, a check waits for the disk. A crash loses those of the
    /// last five seconds.
    All,
}

/// Options of the limiter, with defaults for a service on one machine.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LimitOptions {
    /// The most keys in memory, each with up to five endpoints: 1,000,000, about 64 to 200 MB when
    /// all of them are in debt. Beyond it, new keys are refused until others have paid.
    pub keys_max: usize,
    /// How exactly buckets in memory know the time. Precise, unless checks are so many that 5 ns
    /// count.
    pub precision: Precision,
    /// Which requests are logged. Refusals.
    pub log: LogMode,
    /// How long log rows and counters are kept. 7 days.
    pub log_kept: Duration,
    /// How long an idle token bucket's row is kept. 30 days; a full bucket needs no row, so this is
    /// for those who read the tables.
    pub buckets_kept: Duration,
    /// How long an ended window's row is kept. 24 hours.
    pub windows_kept: Duration,
}

impl Default for LimitOptions {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            keys_max: 1_000_000,
            precision: Precision::Precise,
            log: LogMode::Refusals,
            log_kept: day * 7,
            buckets_kept: day * 30,
            windows_kept: day,
        }
    }
}
