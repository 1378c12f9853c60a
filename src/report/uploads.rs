//! Figures of uploads and of the media shares that they became.
//!
//! One index holds all that they ask for: status, time and size of each upload.

use std::{collections::BTreeMap, time::Duration};

use super::{natural, share_bp, total};
use crate::{
    AccountId, Day, Timestamp,
    day::DAY_US,
    storage::{By, Field as _, Reader, StoreError, Tally, Value},
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

/// Uploads in this state, begun after `since`.
fn made(status: UploadStatus, since: Option<Timestamp>) -> Tally {
    let made = Tally::of::<Upload>().in_index("fm_upload_made").under(&status);
    match since {
        Some(since) => made.beyond(since.to_value()),
        None => made,
    }
}

pub(super) fn outcomes(
    reader: &mut dyn Reader,
    now: Timestamp,
) -> Result<UploadOutcomes, StoreError> {
    let since = Some(now.before(DAY));
    let mut count = |status| Ok::<_, StoreError>(total(reader, &made(status, since))?.0);
    Ok(UploadOutcomes {
        completed: count(UploadStatus::Complete)?,
        failed: count(UploadStatus::Failed)?,
        pending: count(UploadStatus::Pending)?,
    })
}

pub(super) fn bytes(reader: &mut dyn Reader, now: Timestamp) -> Result<BytesUploaded, StoreError> {
    let mut sum = |since| {
        let complete = made(UploadStatus::Complete, since).sum("file_size_bytes");
        Ok::<_, StoreError>(total(reader, &complete)?.1)
    };
    Ok(BytesUploaded { all_time: sum(None)?, last_7_days: sum(Some(now.before(7 * DAY)))? })
}

pub(super) fn thumbnails(reader: &mut dyn Reader) -> Result<ThumbnailCoverage, StoreError> {
    let live = Tally::of::<MediaShare>().in_index("fm_media_share_feed");
    let with = Tally::of::<MediaShare>().in_index("fm_media_share_thumbnail");
    let (total_shares, _) = total(reader, &live)?;
    let (shares_with_thumbnail, _) = total(reader, &with.under(&ShareState::Live))?;
    Ok(ThumbnailCoverage { total_shares, shares_with_thumbnail })
}

pub(super) fn days(
    reader: &mut dyn Reader,
    now: Timestamp,
) -> Result<Vec<UploadedDay>, StoreError> {
    let complete = made(UploadStatus::Complete, Some(now.before(30 * DAY)));
    let by_day = complete.sum("file_size_bytes").by(By::Span("created_at", DAY_US));
    let mut days = Vec::new();
    for line in reader.tally(&by_day)? {
        if let Value::Int(day) = line.group {
            days.push(UploadedDay { day: Day(day), bytes: natural(line.sum) });
        }
    }
    days.sort_unstable_by_key(|one| std::cmp::Reverse(one.day));
    Ok(days)
}

pub(super) fn suspicious(
    reader: &mut dyn Reader,
    now: Timestamp,
) -> Result<Vec<SuspiciousUser>, StoreError> {
    let mut users: BTreeMap<AccountId, [u64; 2]> = BTreeMap::new();
    for status in UploadStatus::ALL {
        let recent = made(*status, Some(now.before(HOUR))).sum("file_size_bytes");
        for line in reader.tally(&recent.by(By::Value("account")))? {
            if let Some(account) = AccountId::from_value(line.group) {
                let sums = users.entry(account).or_default();
                sums[0] += natural(line.count);
                sums[1] = sums[1].saturating_add(natural(line.sum));
            }
        }
    }
    let user = |(account, sums): (_, [u64; 2])| {
        let [uploads, bytes] = sums;
        SuspiciousUser { account, uploads, bytes }
    };
    let mut users: Vec<_> = users.into_iter().map(user).collect();
    users.retain(|user| user.uploads > SUSPICIOUS_UPLOADS || user.bytes > SUSPICIOUS_BYTES);
    // The sort keeps the order of names.
    users.sort_by_key(|user| std::cmp::Reverse(user.uploads));
    Ok(users)
}
