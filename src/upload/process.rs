//! Processing: small pictures that a service makes after the upload.
//!
//! ```text
//! pending    --start----> processing
//! pending    --complete-> complete
//! pending    --fail-----> failed
//! pending    --expire---> failed        after two hours
//! processing --complete-> complete
//! processing --fail-----> failed
//! processing --expire---> failed        after two hours
//! failed     --start----> processing    somebody tries again
//! ```
//!
//! # Invariants
//!
//! - **U8** Pictures come to a live share once: a share that is complete is not changed any more, and
//!   one that nobody finishes is failed after two hours.

use std::time::Duration;

use crate::{
    Refusal, ShareId, Timestamp,
    storage::{Command, KeySet, Rows, text_enum},
    upload::{ContentId, MediaShare, ShareState},
};

/// How long small pictures may take.
pub const PROCESSING_TTL: Duration = Duration::from_secs(2 * 3_600);

text_enum! {
    /// How far a share's small pictures are.
    ProcessingStatus {
        /// Nobody has begun.
        Pending = "pending",
        /// They are being made.
        Processing = "processing",
        /// They are there, or were not needed.
        Complete = "complete",
        /// They could not be made.
        Failed = "failed",
    }
}

/// What can happen to a share's small pictures.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the table below lists each of them")]
pub enum ProcessingEvent {
    /// A service begins to make them, or tries again.
    Start,
    /// They are made.
    Complete(Pictures),
    /// They cannot be made.
    Fail,
    /// Nobody finished within [`PROCESSING_TTL`], or what the host chose.
    Expire,
}

/// The small pictures that were made; those of `None` stay as they were.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pictures {
    /// The 300-pixel square.
    pub thumbnail_cid: Option<ContentId>,
    /// The 600-pixel preview.
    pub preview_cid: Option<ContentId>,
    /// A video's poster.
    pub video_poster_cid: Option<ContentId>,
}

/// The status after an event; `None`: the event is refused.
#[must_use]
pub const fn next_status(
    status: ProcessingStatus,
    event: &ProcessingEvent,
) -> Option<ProcessingStatus> {
    use ProcessingEvent as E;
    use ProcessingStatus as S;
    match (status, event) {
        (S::Pending | S::Failed, E::Start) => Some(S::Processing),
        (S::Pending | S::Processing, E::Complete(_)) => Some(S::Complete),
        (S::Pending | S::Processing, E::Fail | E::Expire) => Some(S::Failed),
        (S::Processing | S::Complete, E::Start)
        | (S::Failed | S::Complete, E::Complete(_) | E::Fail | E::Expire) => None,
    }
}

/// Moves a share's small pictures on.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) share: ShareId,
    pub(crate) event: ProcessingEvent,
    /// After what time nobody makes them any more.
    pub(crate) ttl: Duration,
}

impl Process {
    /// Whether it is a repetition, whose first answer may have been lost.
    fn is_done(&self, share: &MediaShare) -> bool {
        let same =
            |made: &Option<ContentId>, found: &Option<ContentId>| made.is_none() || made == found;
        match (&self.event, share.processing_status) {
            (ProcessingEvent::Complete(made), ProcessingStatus::Complete) => {
                same(&made.thumbnail_cid, &share.thumbnail_cid)
                    && same(&made.preview_cid, &share.preview_cid)
                    && same(&made.video_poster_cid, &share.video_poster_cid)
            }
            (ProcessingEvent::Fail, ProcessingStatus::Failed) => true,
            _ => false,
        }
    }

    /// Whether it is the share's time to be given up, by the time of the decision.
    fn is_due(&self, share: &MediaShare, now: Timestamp) -> bool {
        let is_old = |since: Timestamp| since <= now.before(self.ttl);
        self.event != ProcessingEvent::Expire || share.waiting_since.is_some_and(is_old)
    }
}

impl Command for Process {
    type Out = Result<MediaShare, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<MediaShare>(&self.share);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let found = rows.get::<MediaShare>(&self.share).cloned();
        let share = found.filter(|share| share.state == ShareState::Live);
        let share = share.ok_or(Refusal::ShareUnknown { share: self.share })?;
        if self.is_done(&share) {
            return Ok(share);
        }
        let next = next_status(share.processing_status, &self.event);
        let Some(processing_status) = next.filter(|_| self.is_due(&share, now)) else {
            let status = share.processing_status.as_str();
            return Err(Refusal::ProcessingEnded { share: self.share, status });
        };
        let made = match &self.event {
            ProcessingEvent::Complete(pictures) => pictures.clone(),
            ProcessingEvent::Start | ProcessingEvent::Fail | ProcessingEvent::Expire => {
                Pictures::default()
            }
        };
        let waiting = processing_status == ProcessingStatus::Processing;
        let share = MediaShare {
            processing_status,
            thumbnail_cid: made.thumbnail_cid.or(share.thumbnail_cid),
            preview_cid: made.preview_cid.or(share.preview_cid),
            video_poster_cid: made.video_poster_cid.or(share.video_poster_cid),
            waiting_since: waiting.then_some(now),
            ..share
        };
        rows.put(share.clone());
        Ok(share)
    }

    fn is_background(&self) -> bool {
        self.event == ProcessingEvent::Expire
    }
}
