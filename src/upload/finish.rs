//! Finalize, fail, expire: how an upload ends.
//!
//! # Invariants
//!
//! - **U4** Finalizing settles the credits and writes the share in one transaction, or neither.
//! - **U5** Repeating an end gives the same answer and changes nothing; only the first share counts.
//! - **U6** A viewer ends only his own uploads; of others he does not even learn that they exist.

use crate::{
    AccountId, EndpointName, Refusal, ShareId, Timestamp, TransferId, UploadId,
    ledger::{
        Account, EntryKind,
        account::existing,
        reservation::{End, Reservation, end},
    },
    limit::take,
    storage::{Command, KeySet, Rows},
    upload::{
        begin::{UPLOAD_TTL, reservation},
        share::{MediaShare, NewShare, ProcessingStatus},
        state::{Upload, UploadEvent, UploadStatus},
    },
};

/// What finalizing an upload came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finalized {
    /// The upload, complete.
    pub upload: Upload,
    /// The item of the feed.
    pub share: MediaShare,
    /// Whether it had been finalized before, and nothing changed.
    pub replayed: bool,
}

/// Finalizes an upload: the command behind
/// [`Uploads::finalize`](crate::upload::Uploads::finalize), for a transaction of the host's own.
#[derive(Clone, Debug)]
pub struct FinalizeUpload {
    viewer: AccountId,
    upload: UploadId,
    share: NewShare,
    id: ShareId,
    transfer: TransferId,
    endpoint: EndpointName,
}

impl FinalizeUpload {
    /// `viewer` finalizes an upload with this share. The ids must be fresh.
    ///
    /// # Errors
    ///
    /// None today; a later check of the share may refuse it.
    pub fn new(
        viewer: &AccountId,
        upload: UploadId,
        share: NewShare,
        id: ShareId,
        transfer: TransferId,
    ) -> Result<Self, Refusal> {
        let endpoint = EndpointName::new("finalize-upload")?;
        Ok(Self { viewer: viewer.clone(), upload, share, id, transfer, endpoint })
    }
}

fn owned(keys: &mut KeySet, account: &AccountId, upload: UploadId) {
    keys.own::<Account>(account);
    keys.own::<Upload>(&(account.clone(), upload));
    keys.own::<Reservation>(&(account.clone(), reservation(upload)));
}

fn find(rows: &Rows, viewer: &AccountId, upload: UploadId) -> Result<Upload, Refusal> {
    let found = rows.get::<Upload>(&(viewer.clone(), upload)).cloned();
    found.ok_or(Refusal::UploadUnknown { upload })
}

impl Command for FinalizeUpload {
    type Out = Result<Finalized, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        owned(keys, &self.viewer, self.upload);
        take::keys(keys, &self.endpoint, self.viewer.as_str());
        // Only an upload that is complete already names a share to compare with.
        let known = seen.get::<Upload>(&(self.viewer.clone(), self.upload));
        if let Some(share) = known.and_then(|upload| upload.share) {
            keys.peek::<MediaShare>(&share);
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let upload = find(rows, &self.viewer, self.upload)?;
        if let (UploadStatus::Complete, Some(id)) = (upload.status, upload.share) {
            let found = rows.get::<MediaShare>(&id).cloned();
            let share = found.ok_or(Refusal::UploadUnknown { upload: self.upload })?;
            return match share.shows(&self.share) {
                None => Ok(Finalized { upload, share, replayed: true }),
                Some(field) => Err(Refusal::Conflict { what: "upload", field }),
            };
        }
        let upload = Upload { share: Some(self.id), ..upload.after(UploadEvent::Finalize, now)? };
        existing(rows, &self.viewer)?.refuse_frozen(now)?;
        let held = rows.get::<Reservation>(&(self.viewer.clone(), reservation(self.upload)));
        if held.is_some_and(|held| now >= held.expires_at) {
            // Nobody came in time, though no cleanup has said so yet. No token is spent on it.
            return Err(Refusal::UploadEnded { upload: self.upload, status: "expired" });
        }
        let _taken = take::take(rows, &self.endpoint, self.viewer.as_str(), 1, now)?;
        rows.attempt(|rows| {
            let held = (self.viewer.clone(), reservation(self.upload));
            let (kind, transfer) = (EntryKind::Upload, self.transfer);
            let settled = end(rows, &held, End::Settle { amount: None, kind, transfer }, now);
            settled.map_err(|refusal| match refusal {
                // The operator freed its credits by hand.
                Refusal::ReservationEnded { state } => {
                    Refusal::UploadEnded { upload: self.upload, status: state }
                }
                other => other,
            })?;
            rows.put(upload.clone());
            let share = self.share();
            let share = MediaShare { created_at: now, ..share };
            rows.add(share.clone());
            Ok(Finalized { upload, share, replayed: false })
        })
    }
}

impl FinalizeUpload {
    fn share(&self) -> MediaShare {
        let NewShare { media_type, ipfs_cid, thumbnail_cid, preview_cid, video_poster_cid } =
            self.share.clone();
        MediaShare {
            id: self.id,
            account: self.viewer.clone(),
            upload: self.upload,
            media_type,
            // The client made the pictures before it came here.
            processing_status: ProcessingStatus::Complete,
            ipfs_cid,
            thumbnail_cid,
            preview_cid,
            video_poster_cid,
            created_at: Timestamp::default(),
            deleted_at: None,
        }
    }
}

/// Ends an upload without a share: its credits are free again.
#[derive(Clone, Debug)]
pub(crate) struct AbandonUpload {
    pub(crate) account: AccountId,
    pub(crate) upload: UploadId,
    pub(crate) reason: String,
    /// Given up by the client, or too old: then it is left alone unless it really is.
    pub(crate) event: UploadEvent,
}

impl Command for AbandonUpload {
    type Out = Result<Upload, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        owned(keys, &self.account, self.upload);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let upload = find(rows, &self.account, self.upload)?;
        // By the time of the decision: whoever made the list may have another clock.
        let young = upload.created_at > now.before(UPLOAD_TTL) && self.event == UploadEvent::Expire;
        // Failing twice is failing once; and cleanup re-checks what its page of keys said.
        if upload.status == UploadStatus::Failed || young {
            return Ok(upload);
        }
        let upload = upload.after(self.event, now)?;
        let upload = Upload { failure: Some(self.reason.clone()), ..upload };
        let held = (self.account.clone(), reservation(self.upload));
        match end(rows, &held, End::Release, now) {
            // Its credits were freed before it: the upload still ends.
            Ok(_) | Err(Refusal::ReservationEnded { .. } | Refusal::ReservationUnknown { .. }) => {}
            Err(refusal) => return Err(refusal),
        }
        rows.put(upload.clone());
        Ok(upload)
    }

    fn is_background(&self) -> bool {
        self.event == UploadEvent::Expire
    }
}
