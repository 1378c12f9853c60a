//! Figures of uploads and of the media shares that they became.
//!
//! One index holds all that they ask for: status, time and size of each upload.

use std::{collections::BTreeMap, time::Duration};

use super::{Report, natural, share_bp, total};
use crate::{
    AccountId, Day, Timestamp,
    day::DAY_US,
    storage::{By, Field as _, Reader, StoreError, Tallied, Tally, Value},
    upload::{MediaShare, ShareState, Upload, UploadStatus},
};

/// More uploads within an hour than this are suspicious.
pub const SUSPICIOUS_UPLOADS: u64 = 100;

/// More bytes within an hour than this are suspicious: 10 GiB.
pub const SUSPICIOUS_BYTES: u64 = 10 << 30;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A: how the uploads went that were begun within the last 24 hours.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct UploadOutcomes {
    /// How many were finalized.
    pub completed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many go on.
    pub pending: u64,
}

impl UploadOutcomes {
    /// Of ten thousand that ended, how many were finalized; `None`: none ended.
    #[must_use]
    pub fn success_rate_bp(&self) -> Option<u64> {
        share_bp(self.completed, self.completed.saturating_add(self.failed))
    }
}

/// B: bytes of complete uploads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct BytesUploaded {
    /// Of all.
    pub all_time: u64,
    /// Of those that were begun within the last 7 days.
    pub last_7_days: u64,
}

/// E: how many of the feed's shares have a thumbnail.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ThumbnailCoverage {
    /// Live shares: neither drafts nor deleted ones.
    pub total_shares: u64,
    /// Those of them with a thumbnail.
    pub shares_with_thumbnail: u64,
}

impl ThumbnailCoverage {
    /// Of ten thousand shares, how many have one; `None`: there are no shares.
    #[must_use]
    pub fn coverage_bp(&self) -> Option<u64> {
        share_bp(self.shares_with_thumbnail, self.total_shares)
    }
}

/// F: bytes of complete uploads that were begun on one day: an estimate of the bandwidth that they
/// took, without what was fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UploadedDay {
    /// The day; the first of the 30 days' window is only in part in it.
    pub day: Day,
    /// How many bytes.
    pub bytes: u64,
}

/// G: a user with more than [`SUSPICIOUS_UPLOADS`] uploads or more than [`SUSPICIOUS_BYTES`] bytes
/// within the last hour, whatever became of them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SuspiciousUser {
    /// Who.
    pub account: AccountId,
    /// How many uploads were begun.
    pub uploads: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Uploads in this state that were begun within that time.
fn made(status: UploadStatus, after: Option<Timestamp>, until: Option<Timestamp>) -> Tally {
    let made = Tally::of::<Upload>().in_index("fm_upload_made").under(&status);
    let (beyond, until) = (after.map(|at| at.to_value()), until.map(|at| at.to_value()));
    Tally { beyond, until, ..made.sum("file_size_bytes") }
}

/// The parts of the last hour, cut at midnight, each with its day; what is dated later is the last.
fn last_hour(now: Timestamp) -> Vec<(Timestamp, Option<Timestamp>, Option<Day>)> {
    let (today, mut low) = (Day::of(now), now.before(HOUR));
    let end = |day: Day| Timestamp::from_micros(day.0.saturating_add(1).saturating_mul(DAY_US) - 1);
    let mut parts = Vec::new();
    for day in [today.before(1), today] {
        if end(day) > low {
            parts.push((low, Some(end(day)), Some(day)));
            low = end(day);
        }
    }
    parts.push((low, None, None));
    parts
}

/// A, B, F and G. No upload is read twice: each window is what is in it and in no smaller one, and the
/// smaller ones.
pub(super) fn read(reader: &mut dyn Reader, report: &mut Report) -> Result<(), StoreError> {
    let now = report.now;
    let ago = |span| Some(now.before(span));
    let mut users: BTreeMap<AccountId, [u64; 2]> = BTreeMap::new();
    let mut days: BTreeMap<Day, u64> = BTreeMap::new();
    let mut add_day = |day, bytes| {
        let sum = days.entry(day).or_default();
        *sum = sum.saturating_add(bytes);
    };
    let day_bytes = |line: Tallied| match line.group {
        Value::Int(day) => (Day(day), natural(line.sum)),
        _ => (Day::default(), 0),
    };
    let by_day = By::Span("created_at", DAY_US);
    let complete = UploadStatus::Complete;
    for status in UploadStatus::ALL {
        let (mut count, mut bytes) = (0, 0_u64);
        for (after, until, day) in last_hour(now) {
            let part = made(*status, Some(after), until);
            let mut sum = 0_u64;
            for line in reader.tally(&part.clone().by(By::Value("account")))? {
                let (uploads, bytes) = (natural(line.count), natural(line.sum));
                if let Some(account) = AccountId::from_value(line.group) {
                    let sums = users.entry(account).or_default();
                    sums[0] += uploads;
                    sums[1] = sums[1].saturating_add(bytes);
                }
                count += uploads;
                sum = sum.saturating_add(bytes);
            }
            bytes = bytes.saturating_add(sum);
            match day {
                _ if *status != complete => {}
                Some(day) => add_day(day, sum),
                None => reader
                    .tally(&part.by(by_day))?
                    .into_iter()
                    .map(day_bytes)
                    .for_each(|(day, bytes)| add_day(day, bytes)),
            }
        }
        let (more, more_bytes) = total(reader, &made(*status, ago(DAY), ago(HOUR)))?;
        count += more;
        match status {
            UploadStatus::Complete => {
                report.uploads.completed = count;
                let (_, week) = total(reader, &made(complete, ago(7 * DAY), ago(DAY)))?;
                let (_, older) = total(reader, &made(complete, None, ago(7 * DAY)))?;
                let last_7_days = bytes.saturating_add(more_bytes).saturating_add(week);
                let all_time = last_7_days.saturating_add(older);
                report.bytes = BytesUploaded { all_time, last_7_days };
            }
            UploadStatus::Failed => report.uploads.failed = count,
            UploadStatus::Pending => report.uploads.pending = count,
        }
    }
    for line in reader.tally(&made(complete, ago(30 * DAY), ago(HOUR)).by(by_day))? {
        let (day, bytes) = day_bytes(line);
        add_day(day, bytes);
    }
    let days = days.into_iter().rev().filter(|(_, bytes)| *bytes > 0);
    report.bandwidth = days.map(|(day, bytes)| UploadedDay { day, bytes }).collect();
    let user = |(account, sums): (_, [u64; 2])| {
        let [uploads, bytes] = sums;
        SuspiciousUser { account, uploads, bytes }
    };
    report.suspicious = users.into_iter().map(user).collect();
    let is_over =
        |user: &SuspiciousUser| user.uploads > SUSPICIOUS_UPLOADS || user.bytes > SUSPICIOUS_BYTES;
    report.suspicious.retain(is_over);
    // The sort keeps the order of names.
    report.suspicious.sort_by_key(|user| std::cmp::Reverse(user.uploads));
    Ok(())
}

pub(super) fn thumbnails(reader: &mut dyn Reader) -> Result<ThumbnailCoverage, StoreError> {
    let live = Tally::of::<MediaShare>().in_index("fm_media_share_feed");
    let bare = Tally::of::<MediaShare>().in_index("fm_media_share_bare");
    let (total_shares, _) = total(reader, &live)?;
    let (without, _) = total(reader, &bare.under(&ShareState::Live))?;
    let shares_with_thumbnail = total_shares.saturating_sub(without);
    Ok(ThumbnailCoverage { total_shares, shares_with_thumbnail })
}
