//! Idempotency: the same key with the same content gives the first answer again.
//!
//! # Invariants
//!
//! - **O1** A key is claimed with the change that it names, in one transaction.
//! - **O2** The same key with other content is a conflict and changes nothing.

use std::fmt::Display;

use sha2::{Digest as _, Sha256};

use crate::{IdempotencyKey, Refusal, Timestamp, record, storage::Rows};

/// A key that was used, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    /// Whose keys: an operation and an account.
    pub(crate) scope: String,
    pub(crate) key: IdempotencyKey,
    /// Of the request's canonical fields.
    pub(crate) digest: [u8; 32],
    /// The first answer.
    pub(crate) outcome: String,
    pub(crate) at: Timestamp,
}

record! {
    Once: "fm_once",
    key: (scope: String, key: IdempotencyKey),
    columns: (digest, outcome, at),
    shard: scope,
    indexes: [],
}

/// The first answer under this key, if there was one (**O1**).
///
/// # Errors
///
/// [`Refusal::Conflict`] when the key was used for other content (**O2**).
pub(crate) fn replay<'r>(
    rows: &'r Rows,
    id: &(String, IdempotencyKey),
    digest: [u8; 32],
) -> Result<Option<&'r str>, Refusal> {
    match rows.get::<Once>(id) {
        None => Ok(None),
        Some(once) if once.digest == digest => Ok(Some(&once.outcome)),
        Some(_) => Err(Refusal::Conflict { what: "idempotency key", field: "request" }),
    }
}

/// Remembers the answer under the key (**O1**).
pub(crate) fn remember(
    rows: &mut Rows,
    (scope, key): (String, IdempotencyKey),
    digest: [u8; 32],
    outcome: impl Display,
    at: Timestamp,
) {
    rows.put(Once { scope, key, digest, outcome: outcome.to_string(), at });
}

/// The digest of a request's fields.
pub(crate) fn digest(fields: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha::default();
    fields.iter().for_each(|field| hash.field(field));
    hash.finish()
}

/// SHA-256 over fields, each with its length, so that no two lists run together.
#[derive(Clone, Default)]
pub(crate) struct Sha(Sha256);

impl Sha {
    pub(crate) fn field(&mut self, field: &[u8]) {
        self.0.update((field.len() as u64).to_be_bytes());
        self.0.update(field);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
