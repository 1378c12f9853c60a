//! An upload's states, as data.
//!
//! ```text
//! (none)  --begin-----> pending
//! pending --finalize--> complete
//! pending --fail------> failed
//! pending --expire----> failed      after two hours
//! ```

use crate::{
    AccountId, Credits, Refusal, ReservationId, ShareId, Timestamp, UploadId, record,
    storage::{Only, text_enum},
    upload::begin::reservation,
};

text_enum! {
    /// Where an upload stands.
    UploadStatus {
        /// It was begun; its credits are set aside.
        Pending = "pending",
        /// It was finalized; its credits are spent.
        Complete = "complete",
        /// It failed or was given up; its credits are free again.
        Failed = "failed",
    }
}

/// What can happen to an upload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the table below lists each of them")]
pub enum UploadEvent {
    /// The client has stored the file.
    Finalize,
    /// The client gave up.
    Fail,
    /// Nobody came for two hours.
    Expire,
}

/// Every transition there is.
pub const TRANSITIONS: &[(UploadStatus, UploadEvent, UploadStatus)] = &[
    (UploadStatus::Pending, UploadEvent::Finalize, UploadStatus::Complete),
    (UploadStatus::Pending, UploadEvent::Fail, UploadStatus::Failed),
    (UploadStatus::Pending, UploadEvent::Expire, UploadStatus::Failed),
];

/// One upload.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Upload {
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub id: UploadId,
    /// Where it stands.
    pub status: UploadStatus,
    /// How large the file is.
    pub file_size_bytes: i64,
    /// What it costs.
    pub credits: Credits,
    /// What it became.
    pub share: Option<ShareId>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

record! {
    Upload: "fm_upload",
    key: (account: AccountId, id: UploadId),
    columns: (status, file_size_bytes, credits, share, failure, created_at, completed_at),
    shard: account,
    indexes: [
        ("fm_upload_stuck", (created_at), Only::Equals("status", "pending")),
        // What the dashboards add up.
        ("fm_upload_made", (status, created_at, file_size_bytes)),
    ],
}

impl Upload {
    /// What its credits are set aside under: its own name.
    #[must_use]
    pub const fn reservation(&self) -> ReservationId {
        reservation(self.id)
    }

    /// Refuses what only a pending upload can do.
    pub(crate) fn refuse_ended(&self) -> Result<(), Refusal> {
        match self.status {
            UploadStatus::Pending => Ok(()),
            UploadStatus::Complete | UploadStatus::Failed => {
                Err(Refusal::UploadEnded { upload: self.id, status: self.status.as_str() })
            }
        }
    }

    /// The upload after `event`.
    pub(crate) fn after(self, event: UploadEvent, now: Timestamp) -> Result<Self, Refusal> {
        let status = match (self.status, event) {
            (UploadStatus::Pending, UploadEvent::Finalize) => UploadStatus::Complete,
            (UploadStatus::Pending, UploadEvent::Fail | UploadEvent::Expire) => {
                UploadStatus::Failed
            }
            (
                UploadStatus::Complete | UploadStatus::Failed,
                UploadEvent::Finalize | UploadEvent::Fail | UploadEvent::Expire,
            ) => {
                let status = self.status.as_str();
                return Err(Refusal::UploadEnded { upload: self.id, status });
            }
        };
        Ok(Self { status, completed_at: Some(now), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_exactly_what_the_function_allows() {
        let now = Timestamp::default();
        for status in UploadStatus::ALL {
            for event in [UploadEvent::Finalize, UploadEvent::Fail, UploadEvent::Expire] {
                let upload = Upload {
                    account: "ada".parse().unwrap(),
                    id: UploadId::from_bytes([1; 16]),
                    status: *status,
                    file_size_bytes: 1,
                    credits: Credits::new(1),
                    share: None,
                    failure: None,
                    created_at: now,
                    completed_at: None,
                };
                let next = upload.after(event, now).map(|upload| upload.status).ok();
                let row = TRANSITIONS.iter().find(|row| (row.0, row.1) == (*status, event));
                assert_eq!(next, row.map(|row| row.2), "{status} {event:?}");
            }
        }
    }
}
