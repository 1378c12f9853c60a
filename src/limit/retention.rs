//! Retention: rows of the limiter that nobody needs any more.

use std::time::Duration;

use crate::{
    Timestamp,
    expiry::Expiry,
    limit::{
        LimitOptions, Policy, Rule,
        bucket::Bucket,
        counts::{MINUTE_US, SLOT_US},
        meter::Meter,
        rows::{LogRow, Minute, TopKey},
    },
    storage::{Command, KeyParts, KeySet, Record, Rows},
};

/// A kind of row that is kept for a time.
pub(crate) trait Kept: Record {
    /// When it was written.
    fn at(&self) -> Timestamp;
    /// How long it is kept.
    fn kept(&self, options: &LimitOptions) -> Duration;
    /// Whether it says nothing any more. A bucket that takes a year to fill stays until it has.
    fn is_spent(&self, _rows: &Rows, _now: Timestamp) -> bool {
        true
    }
}

impl Kept for Bucket {
    fn at(&self) -> Timestamp {
        self.touched_at
    }
    fn kept(&self, options: &LimitOptions) -> Duration {
        match self.rule {
            Rule::Greedy => options.buckets_kept,
            Rule::Window => options.windows_kept,
        }
    }
    /// Under the policy in force, which may be slower than the one that it was written under.
    fn is_spent(&self, rows: &Rows, now: Timestamp) -> bool {
        let policy = rows.get::<Policy>(&self.endpoint);
        let meter = policy.and_then(|policy| Some((policy, Meter::of(policy)?)));
        meter.is_none_or(|(policy, meter)| {
            meter.level(self.state(policy, &meter), now.micros()).used == 0
        })
    }
}

impl Kept for LogRow {
    fn at(&self) -> Timestamp {
        self.at
    }
    fn kept(&self, options: &LimitOptions) -> Duration {
        options.log_kept
    }
}

impl Kept for Minute {
    fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.minute.saturating_mul(MINUTE_US))
    }
    fn kept(&self, options: &LimitOptions) -> Duration {
        options.log_kept
    }
}

impl Kept for TopKey {
    fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.slot.saturating_mul(SLOT_US))
    }
    fn kept(&self, options: &LimitOptions) -> Duration {
        options.log_kept
    }
}

/// Whether a row's time is over.
pub(crate) fn is_over<R: Kept>(row: &R, options: &LimitOptions, now: Timestamp) -> bool {
    row.at() <= now.before(row.kept(options))
}

/// Removes one row, if its time is still over.
#[derive(Clone, Debug)]
pub(crate) struct Purge<K> {
    pub(crate) key: K,
    pub(crate) options: LimitOptions,
}

/// Says which record a key names.
pub(crate) trait Names: KeyParts + Clone + Send + 'static {
    type Row: Kept<Key = Self>;
    /// Asks for what else is needed to judge the row.
    fn also(&self, _keys: &mut KeySet) {}
}

impl Names for (String, crate::EndpointName) {
    type Row = Bucket;
    fn also(&self, keys: &mut KeySet) {
        keys.peek::<Policy>(&self.1);
    }
}
impl Names for (String, Timestamp, [u8; 16]) {
    type Row = LogRow;
}
impl Names for (i64, crate::EndpointName, [u8; 16]) {
    type Row = Minute;
}
impl Names for (i64, String, [u8; 16]) {
    type Row = TopKey;
}

impl<K: Names> Command for Purge<K> {
    /// Whether it was removed.
    type Out = bool;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<K::Row>(&self.key);
        self.key.also(keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> bool {
        let found = rows.get::<K::Row>(&self.key);
        let is_due =
            found.is_some_and(|row| is_over(row, &self.options, now) && row.is_spent(rows, now));
        if is_due {
            rows.remove::<K::Row>(&self.key);
        }
        is_due
    }
}

impl<K: Names> Expiry for Purge<K> {
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        self.decide(rows, now)
    }
}
