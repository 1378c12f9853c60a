//! Reports: the figures of the dashboards.
//!
//! Each is read in two ways that agree: by [`Admin::report`](crate::Admin::report) on every engine,
//! at one moment, and as a view of SQLite and PostgreSQL, for Metabase or Grafana.
//!
//! | figure | read model | view | reads |
//! |---|---|---|---|
//! | A: uploads of 24 hours | [`UploadOutcomes`] | `v_upload_success` | the index entries of 24 hours |
//! | B: bytes uploaded | [`BytesUploaded`] | `v_bytes_uploaded` | the index entries of all complete uploads |
//! | C: credits set aside | [`CreditsReserved`] | `v_credits_reserved` | pending reservations, their accounts |
//! | D: users blocked a day | [`BlockedDay`] | `v_storage_limit_reached` | a row a user and day, of 7 days |
//! | E: thumbnails | [`ThumbnailCoverage`] | `v_thumbnail_coverage` | the index entries of all live shares |
//! | F: bandwidth a day | [`UploadedDay`] | `v_bandwidth_daily` | the index entries of 30 days |
//! | G: abuse | [`SuspiciousUser`] | `v_suspicious_uploads` | the index entries of one hour |
//!
//! An index entry costs about 0.1 µs, so the totals over all time take about a tenth of a second a
//! million. The read models read an upload once, and 0.3 µs of the last hour's, for G; the views read
//! it once each. Nothing is written for them beyond the indexes: no counter that every writer changes.
//!
//! Windows go back from now, to the microsecond; days are those of UTC, so the first of F's may be
//! part of one. A gigabyte is 2^30 bytes, as 102,400 credits are, but for [`Bandwidth`].
//!
//! # Invariants
//!
//! - **RT4** A read model and its view show the same figures on every database that has views.

mod accounts;
mod bandwidth;
mod uploads;

use std::time::Duration;

use crate::{
    FinalMile, Timestamp,
    storage::{Pending, Reader, StoreError, Tally},
};
pub use accounts::{BlockedDay, CreditsReserved};
pub use bandwidth::{BANDWIDTH_WARN_PERCENT, Bandwidth, PINATA_PLAN_BYTES, Pinata, bandwidth};
pub use uploads::{
    BytesUploaded, SUSPICIOUS_BYTES, SUSPICIOUS_UPLOADS, SuspiciousUser, ThumbnailCoverage,
    UploadOutcomes, UploadedDay,
};

/// How long reading may take: a snapshot keeps SQLite's log from being emptied.
const DEADLINE: Duration = Duration::from_secs(60);

/// All figures, as they were at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Where its windows end.
    pub now: Timestamp,
    /// A: how the uploads of the last 24 hours went.
    pub uploads: UploadOutcomes,
    /// B: how much was uploaded.
    pub bytes: BytesUploaded,
    /// C: what is set aside.
    pub reserved: CreditsReserved,
    /// D: users who hit their limit, by day, the last 7 days, the newest first. Days without any are
    /// left out.
    pub blocked: Vec<BlockedDay>,
    /// E: how many shares have a thumbnail.
    pub thumbnails: ThumbnailCoverage,
    /// F: what was uploaded, by day, the last 30 days, the newest first. Days without any are left
    /// out.
    pub bandwidth: Vec<UploadedDay>,
    /// G: whoever uploaded suspiciously much within the last hour, the most first.
    pub suspicious: Vec<SuspiciousUser>,
}

/// Reads all of it in one snapshot.
pub(crate) fn read(fm: &FinalMile, now: Timestamp) -> Pending<Report> {
    fm.store().snapshot_in(DEADLINE, FinalMile::fault("report", None), move |reader| {
        let mut report = Report {
            now,
            reserved: accounts::reserved(reader)?,
            blocked: accounts::blocked(reader, now)?,
            thumbnails: uploads::thumbnails(reader)?,
            ..Report::default()
        };
        uploads::read(reader, &mut report)?;
        Ok(report)
    })
}

/// Count and sum of a tally without groups.
fn total(reader: &mut dyn Reader, tally: &Tally) -> Result<(u64, u64), StoreError> {
    let lines = reader.tally(tally)?;
    let line = lines.first().map_or((0, 0), |line| (line.count, line.sum));
    Ok((natural(line.0), natural(line.1)))
}

fn natural(n: i64) -> u64 {
    n.max(0).cast_unsigned()
}

/// How many of ten thousand, to the nearest; `None` of none.
fn share_bp(part: u64, whole: u64) -> Option<u64> {
    let (part, whole) = (u128::from(part), u128::from(whole));
    let bp = (part * 10_000 + whole / 2).checked_div(whole)?;
    u64::try_from(bp).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_to_the_nearest_hundredth_of_a_percent() {
        let cases = [(0, 0), (0, 3), (1, 3), (2, 3), (3, 3), (1, 20_000), (u64::MAX, u64::MAX)];
        let shares = cases.map(|(part, whole)| share_bp(part, whole));
        let expected = [None, Some(0), Some(3_333), Some(6_667), Some(10_000), Some(1)];
        assert_eq!(shares[..6], expected);
        assert_eq!(shares[6], Some(10_000));
    }
}
