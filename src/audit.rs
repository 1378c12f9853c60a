//! The audit: who did what to which item, when and why, chained per item.
//!
//! Each row hashes the one before it, so a changed, missing or reordered row is found; the head lies
//! in a row of its own that guards the chain.
//!
//! # Invariants
//!
//! - **A1** Every admin's act leaves one row, in the transaction of the act.
//! - **A2** A chain verifies from its first row to its head.

use crate::{
    AccountId, Actor, Timestamp,
    once::digest,
    record,
    storage::{KeySet, Rows, Scan, Store, StoreError},
};

/// The last link of one item's chain.
#[derive(Clone, Debug)]
pub(crate) struct AuditHead {
    pub(crate) subject: String,
    pub(crate) length: i64,
    pub(crate) hash: [u8; 32],
}

/// One act.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The item: `account:ada`, `endpoint:search`.
    pub subject: String,
    /// Its place in the item's chain, from 1.
    pub seq: i64,
    /// Who.
    pub actor: Actor,
    /// What: `freeze`, `configure`.
    pub action: String,
    /// Why, in the actor's words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// SHA-256 over the previous hash and this row's fields.
    pub hash: [u8; 32],
}

record! {
    AuditHead: "fm_audit_head",
    key: (subject: String),
    columns: (length, hash),
    version: length,
    shard: subject,
    indexes: [],
}

record! {
    AuditEntry: "fm_audit",
    key: (subject: String, seq: i64),
    columns: (actor, action, reason, at, hash),
    parent: AuditHead,
    shard: subject,
    indexes: [],
}

/// The chain that tells of an account.
pub(crate) fn of_account(account: &AccountId) -> String {
    format!("account:{account}")
}

/// Asks for what [`note`] writes.
pub(crate) fn keys(subject: &str, keys: &mut KeySet) {
    keys.own::<AuditHead>(&subject.to_owned());
}

/// Adds one act to the item's chain (**A1**).
pub(crate) fn note(
    rows: &mut Rows,
    subject: &str,
    actor: &Actor,
    action: &str,
    reason: &str,
    now: Timestamp,
) {
    let subject = subject.to_owned();
    let head = rows.get::<AuditHead>(&subject);
    let (length, previous) = head.map_or((0, [0; 32]), |head| (head.length, head.hash));
    let mut entry = AuditEntry {
        subject: subject.clone(),
        seq: length + 1,
        actor: actor.clone(),
        action: action.to_owned(),
        reason: reason.to_owned(),
        at: now,
        hash: [0; 32],
    };
    entry.hash = link(&previous, &entry);
    rows.put(AuditHead { subject, length: entry.seq, hash: entry.hash });
    rows.add(entry);
}

fn link(previous: &[u8; 32], entry: &AuditEntry) -> [u8; 32] {
    let (seq, at) = (entry.seq.to_be_bytes(), entry.at.micros().to_be_bytes());
    let fields: [&[u8]; 7] = [
        previous,
        entry.subject.as_bytes(),
        &seq,
        entry.actor.as_str().as_bytes(),
        entry.action.as_bytes(),
        entry.reason.as_bytes(),
        &at,
    ];
    digest(&fields)
}

/// Reads an item's whole chain and checks it (**A2**).
///
/// # Errors
///
/// [`StoreError::Corrupt`] when a row was changed, is missing or stands elsewhere.
pub(crate) fn read(store: &Store, subject: &str) -> Result<Vec<AuditEntry>, StoreError> {
    let subject = subject.to_owned();
    // The head first: rows that come after it was read are more than it promises, never fewer.
    let head = store.get::<AuditHead>(&subject).wait()?;
    let mut entries: Vec<AuditEntry> = Vec::new();
    store.for_each(&Scan::of::<AuditEntry>().under(&subject), |entry| {
        entries.push(entry);
        true
    })?;
    let mut previous = [0; 32];
    for (seq, entry) in (1..).zip(&entries) {
        if entry.seq != seq || entry.hash != link(&previous, entry) {
            let text = format!("the audit of {subject} breaks at {seq}");
            return Err(StoreError::Corrupt(text));
        }
        previous = entry.hash;
    }
    if let Some(head) = head {
        let last = usize::try_from(head.length).ok().and_then(|length| length.checked_sub(1));
        if last.and_then(|last| entries.get(last)).map(|entry| entry.hash) != Some(head.hash) {
            return Err(StoreError::Corrupt(format!("the audit of {subject} lost its end")));
        }
    }
    Ok(entries)
}
