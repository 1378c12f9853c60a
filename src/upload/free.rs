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
    fn subject(&self) -> String {
        format!("account:{}", self.account)
    }

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
        audit::keys(&self.subject(), keys);
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
            let action = "release-reservation";
            audit::note(rows, &self.subject(), &self.actor, action, &self.reason, now);
            Ok(held)
        })
    }
}
