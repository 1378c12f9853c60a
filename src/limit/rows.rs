//! What dashboards read: counters by minute, the busiest keys, and the log.
//!
//! Every row of counters belongs to one instance, which writes the whole row anew, so writing it
//! twice counts nothing twice.

use crate::{
    EndpointName, Refusal, Timestamp,
    limit::{bucket::Bucket, meter::Meter, policy::Policy},
    record,
    storage::{Command, KeySet, Rows},
};

/// One endpoint in one minute, as one instance counted it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Minute {
    /// Minutes since 1970.
    pub(crate) minute: i64,
    pub(crate) endpoint: EndpointName,
    pub(crate) instance: [u8; 16],
    pub(crate) allowed: i64,
    pub(crate) refused: i64,
}

record! {
    Minute: "fm_limit_minute",
    key: (minute: i64, endpoint: EndpointName, instance: [u8; 16]),
    columns: (allowed, refused),
    shard: endpoint,
    indexes: [],
}

/// One of the busiest keys of ten minutes, as one instance saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TopKey {
    /// Ten minutes each since 1970.
    pub(crate) slot: i64,
    pub(crate) key: String,
    pub(crate) instance: [u8; 16],
    pub(crate) requests: i64,
    pub(crate) refused: i64,
}

record! {
    TopKey: "fm_limit_top",
    key: (slot: i64, key: String, instance: [u8; 16]),
    columns: (requests, refused),
    shard: key,
    indexes: [],
}

/// One request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LogRow {
    /// Whose: an account's id, or a control character and what the caller was told apart by.
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// Tells requests of one microsecond apart.
    pub id: [u8; 16],
    /// Where.
    pub endpoint: EndpointName,
    /// Whether it was allowed.
    pub is_allowed: bool,
    /// Why not: `rate_limited`, `frozen`, `cost_exceeds_burst`, `at_capacity`; empty if it was.
    pub reason: String,
    /// For how many checks it asked at once.
    pub tokens: i64,
    /// How many were left; `None`: nothing was limited.
    pub remaining: Option<i64>,
}

record! {
    LogRow: "fm_limit_log",
    key: (key: String, at: Timestamp, id: [u8; 16]),
    columns: (endpoint, is_allowed, reason, tokens, remaining),
    shard: key,
    indexes: [("fm_limit_log_at", (at))],
}

/// Writes buckets behind: each as the greater of what is stored and what this instance knows, so
/// instances never undo each other.
#[derive(Clone, Debug)]
pub(crate) struct FlushBuckets(pub(crate) Vec<Bucket>);

impl Command for FlushBuckets {
    type Out = Result<(), Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        for bucket in &self.0 {
            keys.own::<Bucket>(&(bucket.key.clone(), bucket.endpoint.clone()));
            keys.peek::<Policy>(&bucket.endpoint);
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let now_us = now.micros();
        for bucket in &self.0 {
            let Some(policy) = rows.get::<Policy>(&bucket.endpoint) else { continue };
            let Some(meter) = Meter::of(policy) else { continue };
            let id = (bucket.key.clone(), bucket.endpoint.clone());
            let level = |row: &Bucket| meter.level(row.state(policy, &meter), now_us);
            let stored = rows.get::<Bucket>(&id);
            let merged = match stored {
                // As of now, so that a mark of a clock that ran ahead is no longer ahead of ours.
                Some(stored) => meter.emptier(level(stored), level(bucket)),
                None => level(bucket),
            };
            let touched_at = stored.map_or(bucket.touched_at, |stored| stored.touched_at);
            let state = meter.state(merged, now_us);
            let merged = Bucket::new(id, &meter, state, touched_at);
            if stored != Some(&merged) {
                rows.put(Bucket { touched_at: bucket.touched_at.max(touched_at), ..merged });
            }
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.0.len() * 256
    }

    fn is_background(&self) -> bool {
        true
    }
}

/// Writes counters, busiest keys and log rows, each whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlushFigures {
    pub(crate) minutes: Vec<Minute>,
    pub(crate) top: Vec<TopKey>,
    pub(crate) log: Vec<LogRow>,
}

impl Command for FlushFigures {
    type Out = Result<(), Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        for Minute { minute, endpoint, instance, .. } in &self.minutes {
            keys.own::<Minute>(&(*minute, endpoint.clone(), *instance));
        }
        for TopKey { slot, key, instance, .. } in &self.top {
            keys.own::<TopKey>(&(*slot, key.clone(), *instance));
        }
        for LogRow { key, at, id, .. } in &self.log {
            keys.own::<LogRow>(&(key.clone(), *at, *id));
        }
    }

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> Self::Out {
        self.minutes.iter().for_each(|row| rows.put(row.clone()));
        self.top.iter().for_each(|row| rows.put(row.clone()));
        self.log.iter().for_each(|row| rows.put(row.clone()));
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        (self.minutes.len() + self.top.len() + self.log.len()) * 256
    }

    fn is_background(&self) -> bool {
        true
    }
}
