//! Begin: a token, the freeze and the credits in one decision.
//!
//! # Invariants
//!
//! - **U2** The same key and size give the same upload and cost nothing more, no token either; the
//!   same key with another size is a conflict.
//! - **U3** Refusals come in this order: conflict of the key, frozen, rate, credits.

use std::time::Duration;

use crate::{
    AccountId, Credits, EndpointName, IdempotencyKey, Refusal, ReservationId, ShareId, Timestamp,
    UploadId,
    ledger::{
        Account, Origin,
        account::existing,
        reservation::{Hold, hold},
    },
    limit::take,
    once::{Once, digest, remember, replay},
    storage::{Command, KeySet, Rows},
    upload::{
        refused,
        state::{Upload, UploadStatus},
    },
};

/// How long an upload may take, and its credits stay set aside.
pub const UPLOAD_TTL: Duration = Duration::from_secs(2 * 3_600);

/// Before the account in the scope of its keys.
pub(crate) const BEGIN_SCOPE: &str = "begin-upload:";

/// What beginning an upload came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Begun {
    /// The upload. Its media share will bear the same name.
    pub upload_id: UploadId,
    /// What it will cost.
    pub credits_to_charge: Credits,
    /// Whether it had been begun before, and nothing changed.
    pub replayed: bool,
}

/// Begins an upload: the command behind [`Uploads::begin`](crate::upload::Uploads::begin), for a
/// transaction of the host's own.
#[derive(Clone, Debug)]
pub struct BeginUpload {
    account: AccountId,
    size_bytes: u64,
    key: IdempotencyKey,
    id: UploadId,
    endpoint: EndpointName,
}

impl BeginUpload {
    /// An upload of `size_bytes` under a fresh id.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a file of no bytes, or of more than 2^63 - 1.
    pub fn new(
        account: &AccountId,
        size_bytes: u64,
        key: &IdempotencyKey,
        id: UploadId,
    ) -> Result<Self, Refusal> {
        let why = "it is 0 or more than 2^63 - 1 bytes";
        if size_bytes == 0 || i64::try_from(size_bytes).is_err() {
            return Err(Refusal::Invalid { field: "size", why });
        }
        let (account, key) = (account.clone(), key.clone());
        Ok(Self { account, size_bytes, key, id, endpoint: EndpointName::new("begin-upload")? })
    }

    fn once(&self) -> (String, IdempotencyKey) {
        (format!("{BEGIN_SCOPE}{}", self.account), self.key.clone())
    }
}

/// The credits of an upload are set aside under the upload's own name.
pub(crate) const fn reservation(id: UploadId) -> ReservationId {
    ReservationId::from_bytes(*id.as_bytes())
}

/// And so is its media share.
pub(crate) fn share(id: UploadId) -> ShareId {
    ShareId::from_bytes(*id.as_bytes())
}

impl Command for BeginUpload {
    type Out = Result<Begun, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Once>(&self.once());
        keys.own::<Account>(&self.account);
        take::keys(keys, &self.endpoint, self.account.as_str());
        refused::keys(keys, &self.account, self.id);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let (once, digest) = (self.once(), digest(&[b"begin", &self.size_bytes.to_be_bytes()]));
        let credits_to_charge = Credits::for_bytes(self.size_bytes);
        if let Some(first) = replay(rows, &once, digest)? {
            return Ok(Begun { upload_id: first.parse()?, credits_to_charge, replayed: true });
        }
        let account = existing(rows, &self.account)?;
        account.refuse_frozen(now)?;
        let _taken = take::take(rows, &self.endpoint, self.account.as_str(), 1, now)?;
        let (id, expires_at) = (reservation(self.id), now.after(UPLOAD_TTL));
        let (amount, origin) = (credits_to_charge, Origin::Upload);
        let held = hold(rows, &account, &Hold { id, amount, expires_at, origin }, now);
        if let Err(refusal) = held {
            refused::count(rows, &self.account, self.id, &refusal, now);
            return Err(refusal);
        }
        rows.add(Upload {
            account: self.account.clone(),
            id: self.id,
            status: UploadStatus::Pending,
            file_size_bytes: i64::try_from(self.size_bytes).unwrap_or(i64::MAX),
            credits: credits_to_charge,
            share: None,
            failure: None,
            created_at: now,
            completed_at: None,
        });
        remember(rows, once, digest, self.id, now);
        Ok(Begun { upload_id: self.id, credits_to_charge, replayed: false })
    }
}
