//! Credit refusals: who wanted to upload more than there were credits for, and on which day.
//!
//! A refused begin leaves no upload behind, so a dashboard could not know of it. One row a user and
//! day counts them; the first of a day inserts it, the next ones change it.
//!
//! # Invariants
//!
//! - **RT2** Every begin that is refused for want of credits is counted once for its user and day, in
//!   the transaction of the refusal; no other refusal is, nor a begin that happened.
//! - **RT3** Counts are kept for 90 days.

use crate::{
    AccountId, Day, Refusal, Timestamp, UploadId,
    expiry::Expiry,
    record,
    storage::{Command, KeySet, Rows},
};

/// For how many days refusals are counted.
pub const REFUSALS_KEPT_DAYS: i64 = 90;

/// How often one user was refused on one day.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RefusalDay {
    /// When: the day of the asking instance's clock.
    pub day: Day,
    /// Who.
    pub account: AccountId,
    /// How often.
    pub count: i64,
}

record! {
    RefusalDay: "fm_refusal_day",
    key: (day: Day, account: AccountId),
    columns: (count),
    shard: account,
    indexes: [],
}

/// The row that would count a refusal. A command names its rows before it knows the time, so the day
/// is that of the upload's id, which was made when it was asked for.
fn row(account: &AccountId, id: UploadId) -> (Day, AccountId) {
    (Day::of(id.made_at()), account.clone())
}

pub(super) fn keys(keys: &mut KeySet, account: &AccountId, id: UploadId) {
    keys.own::<RefusalDay>(&row(account, id));
}

/// Counts `refusal` if it is for want of credits (**RT2**).
pub(super) fn count(
    rows: &mut Rows,
    account: &AccountId,
    id: UploadId,
    refusal: &Refusal,
    now: Timestamp,
) {
    let key = row(account, id);
    // An id that was not made by a clock says no day; a row of the far future would stay for ever.
    let is_fresh = key.0.0.abs_diff(Day::of(now).0) <= 1;
    if is_fresh && matches!(refusal, Refusal::InsufficientCredits { .. }) {
        let count = rows.get::<RefusalDay>(&key).map_or(0, |row| row.count).saturating_add(1);
        let (day, account) = key;
        rows.put(RefusalDay { day, account, count });
    }
}

/// Forgets the refusals of one user and day, if it is so many days ago (**RT3**).
#[derive(Clone, Debug)]
pub(crate) struct ForgetRefusals {
    pub(crate) key: (Day, AccountId),
    pub(crate) kept_days: i64,
}

impl Command for ForgetRefusals {
    type Out = bool;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<RefusalDay>(&self.key);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> bool {
        let is_over = self.key.0 <= Day::of(now).before(self.kept_days)
            && rows.get::<RefusalDay>(&self.key).is_some();
        if is_over {
            rows.remove::<RefusalDay>(&self.key);
        }
        is_over
    }

    fn is_background(&self) -> bool {
        true
    }
}

impl Expiry for ForgetRefusals {
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        self.decide(rows, now)
    }
}
