//! Freeing what is stuck: the operator's tool, which breaks no books.

use crate::{
    AccountId, Actor, Refusal, ReservationId, Timestamp, UploadId, audit,
    ledger::{
        End, Origin,
        reservation::{Reservation, ReservationState, end},
    },
    storage::{Command, KeySet, Rows},
    upload::{
        AbandonUpload, UploadEvent,
        finish::find,
        state::{Upload, UploadStatus},
    },
};

/// Frees a reservation, and fails the upload that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct FreeReservation {
    pub(crate) account: AccountId,
    pub(crate) id: ReservationId,
    pub(crate) actor: Actor,
    pub(crate) reason: String,
}

impl FreeReservation {
    fn upload(&self) -> AbandonUpload {
        AbandonUpload {
            account: self.account.clone(),
            upload: UploadId::from_bytes(*self.id.as_bytes()),
            reason: self.reason.clone(),
            event: UploadEvent::Fail,
        }
    }
}

impl Command for FreeReservation {
    type Out = Result<Reservation, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.upload().keys(seen, keys);
        audit::keys(&audit::of_account(&self.account), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let id = (self.account.clone(), self.id);
        let unknown = || Refusal::ReservationUnknown { account: self.account.clone() };
        let held = rows.get::<Reservation>(&id).ok_or_else(unknown)?;
        if held.state != ReservationState::Pending {
            return Err(Refusal::ReservationEnded { state: held.state.as_str() });
        }
        let is_upload = held.origin == Origin::Upload;
        rows.attempt(|rows| {
            let upload = (self.account.clone(), self.upload().upload);
            let found = rows.get::<Upload>(&upload).map(|upload| upload.status);
            let held = if is_upload && found == Some(UploadStatus::Pending) {
                self.upload().decide(rows, now)?;
                rows.get::<Reservation>(&id).cloned().ok_or_else(unknown)?
            } else {
                end(rows, &id, End::Release, now)?
            };
            let (subject, action) = (audit::of_account(&self.account), "release-reservation");
            audit::note(rows, &subject, &self.actor, action, &self.reason, now);
            Ok(held)
        })
    }
}

/// Fails a pending upload, whatever became of its reservation.
#[derive(Clone, Debug)]
pub(crate) struct FailUpload {
    pub(crate) account: AccountId,
    pub(crate) upload: UploadId,
    pub(crate) actor: Actor,
    pub(crate) reason: String,
}

impl FailUpload {
    fn abandon(&self) -> AbandonUpload {
        let (account, reason) = (self.account.clone(), self.reason.clone());
        AbandonUpload { account, upload: self.upload, reason, event: UploadEvent::Fail }
    }
}

impl Command for FailUpload {
    type Out = Result<Upload, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.abandon().keys(seen, keys);
        audit::keys(&audit::of_account(&self.account), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        find(rows, &self.account, self.upload)?.refuse_ended()?;
        rows.attempt(|rows| {
            let failed = self.abandon().decide(rows, now)?;
            let (subject, action) = (audit::of_account(&self.account), "fail-upload");
            audit::note(rows, &subject, &self.actor, action, &self.reason, now);
            Ok(failed)
        })
    }
}

/// Ends a reservation that is too old, and the upload that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Lapse {
    pub(crate) account: AccountId,
    pub(crate) id: ReservationId,
}

impl Lapse {
    fn upload(&self) -> AbandonUpload {
        AbandonUpload {
            account: self.account.clone(),
            upload: UploadId::from_bytes(*self.id.as_bytes()),
            reason: "not finished in time".to_owned(),
            event: UploadEvent::Expire,
        }
    }
}

impl Command for Lapse {
    type Out = Result<Reservation, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.upload().keys(seen, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let id = (self.account.clone(), self.id);
        rows.attempt(|rows| {
            let held = end(rows, &id, End::Expire, now)?;
            let upload = (self.account.clone(), self.upload().upload);
            let found = rows.get::<Upload>(&upload).map(|upload| upload.status);
            // An imported ledger has none.
            if held.origin == Origin::Upload && found == Some(UploadStatus::Pending) {
                self.upload().decide(rows, now)?;
            }
            Ok(held)
        })
    }

    fn is_background(&self) -> bool {
        true
    }
}
