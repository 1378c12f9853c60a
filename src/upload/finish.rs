//! Finalize, fail, expire: how an upload ends.
//!
//! # Invariants
//!
//! - **U4** Finalizing settles the credits and writes the share in one transaction, or neither.
//! - **U5** Repeating an end gives the same answer and changes nothing; only the first share counts. Once it
//!   was deleted, the answer says so.
//! - **U6** A viewer ends only his own uploads; of others he does not even learn that they exist.

use crate::{
    AccountId, EndpointName, Refusal, ShareId, Timestamp, UploadId,
    ledger::{
        Account, End,
        account::existing,
        reservation::{Reservation, end},
    },
    limit::take,
    storage::{Command, KeySet, Rows},
    upload::{
        MediaShare, NewShare, ShareState,
        begin::{UPLOAD_TTL, reservation, share},
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
/// [`Uploads::finalize`](crate::upload::Uploads::finalize) and
/// [`Uploads::adopt`](crate::upload::Uploads::adopt), for a transaction of the host's own.
#[derive(Clone, Debug)]
pub struct FinalizeUpload {
    viewer: AccountId,
    upload: UploadId,
    share: Option<NewShare>,
    adopts: Option<ShareId>,
    endpoint: EndpointName,
}

impl FinalizeUpload {
    /// `viewer` finalizes an upload with this share. A draft of it, if there is one, is replaced.
    ///
    /// # Errors
    ///
    /// None today; a later check of the share may refuse it.
    pub fn new(viewer: &AccountId, upload: UploadId, share: NewShare) -> Result<Self, Refusal> {
        let (viewer, endpoint) = (viewer.clone(), EndpointName::new("finalize-upload")?);
        Ok(Self { viewer, upload, share: Some(share), adopts: None, endpoint })
    }

    /// `viewer` finalizes an upload with the draft that was written down for it; what is given here
    /// replaces what stands there.
    ///
    /// # Errors
    ///
    /// As [`FinalizeUpload::new`].
    pub fn adopt(
        viewer: &AccountId,
        upload: UploadId,
        draft: ShareId,
        share: Option<NewShare>,
    ) -> Result<Self, Refusal> {
        let (viewer, endpoint) = (viewer.clone(), EndpointName::new("finalize-upload")?);
        Ok(Self { viewer, upload, share, adopts: Some(draft), endpoint })
    }

    /// The share to be, from what was given and what was drafted.
    fn shared(&self, draft: Option<&MediaShare>, now: Timestamp) -> Result<MediaShare, Refusal> {
        let draft = draft.filter(|draft| draft.state == ShareState::Draft);
        if let Some(adopts) = self.adopts
            && draft.is_none_or(|draft| draft.id != adopts)
        {
            return Err(Refusal::ShareUnknown { share: adopts });
        }
        let live = ShareState::Live;
        match (&self.share, draft) {
            (Some(share), _) => Ok(MediaShare::of(&self.viewer, self.upload, share, live, now)),
            (None, Some(draft)) => Ok(draft.clone().published(now)),
            (None, None) => Err(Refusal::ShareUnknown { share: share(self.upload) }),
        }
    }
}

fn owned(keys: &mut KeySet, account: &AccountId, upload: UploadId) {
    keys.own::<Account>(account);
    keys.own::<Upload>(&(account.clone(), upload));
    keys.own::<Reservation>(&(account.clone(), reservation(upload)));
    keys.own::<MediaShare>(&share(upload));
}

pub(crate) fn find(rows: &Rows, viewer: &AccountId, upload: UploadId) -> Result<Upload, Refusal> {
    let found = rows.get::<Upload>(&(viewer.clone(), upload)).cloned();
    found.ok_or(Refusal::UploadUnknown { upload })
}

impl Command for FinalizeUpload {
    type Out = Result<Finalized, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        owned(keys, &self.viewer, self.upload);
        take::keys(keys, &self.endpoint, self.viewer.as_str());
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let upload = find(rows, &self.viewer, self.upload)?;
        let found = rows.get::<MediaShare>(&share(self.upload)).cloned();
        if upload.status == UploadStatus::Complete {
            // What was deleted is not handed out again.
            let found = found.filter(|share| share.state == ShareState::Live);
            let ended = Refusal::UploadEnded { upload: self.upload, status: "deleted" };
            let share = found.ok_or(ended)?;
            let differs = self.share.as_ref().and_then(|given| share.differs(given));
            let foreign = self.adopts.is_some_and(|adopts| adopts != share.id);
            return match differs.or(foreign.then_some("media share")) {
                None => Ok(Finalized { upload, share, replayed: true }),
                Some(field) => Err(Refusal::Conflict { what: "upload", field }),
            };
        }
        let upload = upload.after(UploadEvent::Finalize, now)?;
        existing(rows, &self.viewer)?.refuse_frozen(now)?;
        let held = rows.get::<Reservation>(&(self.viewer.clone(), reservation(self.upload)));
        if held.is_some_and(|held| now >= held.expires_at) {
            // Nobody came in time, though no cleanup has said so yet. No token is spent on it.
            return Err(Refusal::UploadEnded { upload: self.upload, status: "expired" });
        }
        let share = self.shared(found.as_ref(), now)?;
        let _taken = take::take(rows, &self.endpoint, self.viewer.as_str(), 1, now)?;
        rows.attempt(|rows| {
            let held = (self.viewer.clone(), reservation(self.upload));
            let settled = end(rows, &held, End::Settle, now);
            settled.map_err(|refusal| match refusal {
                // Its credits were freed before it.
                Refusal::ReservationEnded { state } => {
                    Refusal::UploadEnded { upload: self.upload, status: state }
                }
                other => other,
            })?;
            let upload = Upload { share: Some(share.id), ..upload };
            rows.put(upload.clone());
            rows.put(share.clone());
            Ok(Finalized { upload, share, replayed: false })
        })
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
        let found = rows.get::<Reservation>(&held);
        let lapsed = found.is_some_and(|held| now >= held.expires_at);
        let expires = self.event == UploadEvent::Expire && lapsed;
        match end(rows, &held, if expires { End::Expire } else { End::Release }, now) {
            // Its credits were freed before it: the upload still ends.
            Ok(_) | Err(Refusal::ReservationEnded { .. } | Refusal::ReservationUnknown { .. }) => {}
            Err(refusal) => return Err(refusal),
        }
        rows.put(upload.clone());
        // A draft goes with it (**U7**).
        rows.remove::<MediaShare>(&share(self.upload));
        Ok(upload)
    }

    fn is_background(&self) -> bool {
        self.event == UploadEvent::Expire
    }
}
