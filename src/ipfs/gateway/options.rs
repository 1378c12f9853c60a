//! How patient fetching is, and what a caller may do meanwhile.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::fetch::{Cancel, Timeouts};

use super::super::limits::Limits;

/// How gateways are asked. The defaults are for phones and services alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "to be written down where it is used")]
pub struct FetchOptions {
    /// What content may take.
    pub limits: Limits,
    /// Of each request, `total` an hour; `idle` also ends an answer that pauses for so long.
    pub timeouts: Timeouts,
    /// Of one fetch, whatever it takes. Default: an hour.
    pub total: Duration,
    /// The slowest rate that is borne, in bytes a second over `rate_window`. Default: 1,024.
    pub min_bytes_per_second: u64,
    /// Over how long the rate is measured. Default: 20 s.
    pub rate_window: Duration,
    /// When the next gateway is asked too because the first has not answered. Where a gateway's usual
    /// times are known, a quarter more than nearly all of them (the 95th of 100) is waited, if that is
    /// sooner. An answer that stands still for four times as long is left for another gateway's, where
    /// there is one. Default: 1 s.
    pub hedge_after: Duration,
    /// How long a fetch waits until gateways that failed, or asked for later, may be asked again.
    /// Default: 10 s.
    pub patience: Duration,
    /// How often one fetch asks one gateway after it failed. Default: 4.
    pub tries: u32,
    /// How long "no gateway has it" is believed. Default: 60 s.
    pub absent_for: Duration,
    /// How long a gateway that sent a wrong block is not asked. Default: 10 min.
    pub disqualified_for: Duration,
    /// From which size on a file of several blocks is fetched by its skeleton, which can be resumed and
    /// shared among gateways; smaller ones come as an archive, in one request. Default: 1 MiB.
    pub skeleton_from: u64,
    /// Bytes of one range. Default: 8 MiB.
    pub range_bytes: u64,
    /// How many gateways are asked for ranges at once. Default: 3.
    pub parallel: usize,
}

impl Default for FetchOptions {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            limits: Limits::default(),
            // An archive comes in one request.
            timeouts: Timeouts { total: seconds(3_600), ..Timeouts::default() },
            total: seconds(3_600),
            min_bytes_per_second: 1_024,
            rate_window: seconds(20),
            hedge_after: seconds(1),
            patience: seconds(10),
            tries: 4,
            absent_for: seconds(60),
            disqualified_for: seconds(600),
            skeleton_from: 1 << 20,
            range_bytes: 8 << 20,
            parallel: 3,
        }
    }
}

/// What a caller may do while a file comes: stop it, and watch it.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Cancel, FetchControl};
///
/// let cancel = Cancel::default();
/// let control = FetchControl::default()
///     .cancelled_by(cancel.clone())
///     .told_to(|progress| println!("{} of {:?}", progress.bytes, progress.total_bytes));
/// cancel.cancel(); // from any thread
/// # let _ = control;
/// ```
#[derive(Clone, Default)]
pub struct FetchControl {
    pub(in super::super) cancel: Cancel,
    pub(in super::super) told: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the file that are on the disk. It may step back, when what came turns out to be wrong.
    pub bytes: u64,
    /// Bytes of the file; `None` while nobody has proved how many there are.
    pub total_bytes: Option<u64>,
}

impl FetchControl {
    /// Ends the fetch with [`IpfsError::Cancelled`](super::super::IpfsError::Cancelled) soon after
    /// `cancel` is raised. What is proved by then can be resumed.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Calls `told` as bytes come, on whichever thread they come to: it should be quick.
    #[must_use]
    pub fn told_to(mut self, told: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }
}

impl fmt::Debug for FetchControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchControl")
            .field("cancel", &self.cancel)
            .field("told", &self.told.is_some())
            .finish()
    }
}
