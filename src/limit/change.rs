//! The change sequence: what instances must hear of within a second.
//!
//! Commands read accounts and policies from the store, so they obey a freeze or a new limit at
//! once. Tables in memory follow this sequence: each change has a number, one higher than the last,
//! under one row that every change owns. Changes are an admin's acts, so that row is not hot; and
//! because it is locked until the commit, nobody ever sees number 8 before number 7.

use crate::{
    AccountId, EndpointName, Timestamp, record,
    storage::{KeySet, Rows},
};

/// The last number.
#[derive(Clone, Debug)]
pub(crate) struct ChangeHead {
    /// There is one head, at 0.
    pub(crate) id: i64,
    pub(crate) last: i64,
}

/// One change: look again at this.
#[derive(Clone, Debug)]
pub(crate) struct ChangeRow {
    pub(crate) head: i64,
    pub(crate) seq: i64,
    /// `account`, `endpoint` or `reset`.
    pub(crate) kind: String,
    pub(crate) name: String,
    /// The instance that has done it already; `None`: doing it again changes nothing.
    pub(crate) instance: Option<[u8; 16]>,
    pub(crate) at: Timestamp,
}

record! {
    ChangeHead: "fm_limit_change_head",
    key: (id: i64),
    columns: (last),
    version: last,
    shard: id,
    indexes: [],
}

record! {
    ChangeRow: "fm_limit_change",
    key: (head: i64, seq: i64),
    columns: (kind, name, instance, at),
    parent: ChangeHead,
    shard: head,
    indexes: [],
}

/// What changed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'c> {
    /// An account was frozen, or its freeze lifted.
    Account(&'c AccountId),
    /// An endpoint's policy.
    Endpoint(&'c EndpointName),
    /// An account was given back what it had spent, by an instance that did so already.
    Reset(&'c AccountId, [u8; 16]),
}

/// The one head's key.
const HEAD: i64 = 0;

/// Asks for what [`note`] writes.
pub(crate) fn keys(keys: &mut KeySet) {
    keys.own::<ChangeHead>(&HEAD);
}

/// Tells all instances, with the transaction of the change itself.
pub(crate) fn note(rows: &mut Rows, change: Change<'_>, now: Timestamp) {
    let (kind, name, instance) = match change {
        Change::Account(account) => ("account", account.as_str(), None),
        Change::Endpoint(endpoint) => ("endpoint", endpoint.as_str(), None),
        Change::Reset(account, instance) => ("reset", account.as_str(), Some(instance)),
    };
    let last = rows.get::<ChangeHead>(&HEAD).map_or(0, |head| head.last) + 1;
    rows.put(ChangeHead { id: HEAD, last });
    let (kind, name) = (kind.to_owned(), name.to_owned());
    rows.add(ChangeRow { head: HEAD, seq: last, kind, name, instance, at: now });
}
