//! Media shares: what a feed shows, and which of their pictures.
//!
//! A share bears its upload's name. The client may write it down before the upload is finalized; it
//! is then a draft, which nobody else sees.
//!
//! # Invariants
//!
//! - **U1** A feed never shows a video in place of a picture: a share's `display_cid` is its
//!   thumbnail, else its preview, else its poster, else the file itself for images only.
//! - **U7** A draft is in no feed, and goes with its upload: it is adopted when that is finalized and
//!   removed when it fails.

use crate::{
    AccountId, ShareId, Timestamp, UploadId,
    once::digest,
    record,
    storage::{Only, text_enum},
    upload::{ContentId, ProcessingStatus},
};

text_enum! {
    /// What was shared.
    MediaType {
        /// A picture.
        Image = "image",
        /// A moving picture.
        Video = "video",
    }
}

text_enum! {
    /// Who sees a share.
    ShareState {
        /// Its upload is not finalized: only its owner.
        Draft = "draft",
        /// Everybody.
        Live = "live",
        /// It was deleted: only admins.
        Deleted = "deleted",
    }
}

/// What a finished upload shares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewShare {
    /// Image or video.
    pub media_type: MediaType,
    /// The file itself.
    pub ipfs_cid: ContentId,
    /// Its 300-pixel square.
    pub thumbnail_cid: Option<ContentId>,
    /// Its 600-pixel preview; `None` for a small picture.
    pub preview_cid: Option<ContentId>,
    /// A video's poster.
    pub video_poster_cid: Option<ContentId>,
    /// Whether the small pictures that are wanted are above, as the client made them, or are still
    /// to be made by a service ([`Processing::Later`]).
    pub processing: Processing,
}

/// Who makes the small pictures.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "they are made, or not")]
pub enum Processing {
    /// The client did, before it came here.
    #[default]
    Done,
    /// A service will: see [`Uploads::process`](crate::upload::Uploads::process).
    Later,
}

impl NewShare {
    fn digest(&self) -> [u8; 32] {
        let picture = |cid: &Option<ContentId>| cid.as_ref().map_or(vec![], ContentId::canonical);
        digest(&[
            self.media_type.as_str().as_bytes(),
            &self.ipfs_cid.canonical(),
            &picture(&self.thumbnail_cid),
            &picture(&self.preview_cid),
            &picture(&self.video_poster_cid),
            if self.processing == Processing::Later { b"later" } else { b"done" },
        ])
    }

    /// A share of this file, without small pictures.
    #[must_use]
    pub fn new(media_type: MediaType, ipfs_cid: ContentId) -> Self {
        let (thumbnail_cid, preview_cid, video_poster_cid) = (None, None, None);
        let processing = Processing::Done;
        Self { media_type, ipfs_cid, thumbnail_cid, preview_cid, video_poster_cid, processing }
    }
}

/// One item of the feed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MediaShare {
    /// Its name.
    pub id: ShareId,
    /// Whose.
    pub account: AccountId,
    /// The upload it came from.
    pub upload: UploadId,
    /// Image or video.
    pub media_type: MediaType,
    /// How far its small pictures are.
    pub processing_status: ProcessingStatus,
    /// The file itself.
    pub ipfs_cid: ContentId,
    /// Its 300-pixel square.
    pub thumbnail_cid: Option<ContentId>,
    /// Its 600-pixel preview.
    pub preview_cid: Option<ContentId>,
    /// A video's poster.
    pub video_poster_cid: Option<ContentId>,
    /// When it was shared; of a draft, when it was written down.
    pub created_at: Timestamp,
    /// Since when it is deleted.
    pub deleted_at: Option<Timestamp>,
    /// Who sees it.
    pub state: ShareState,
    /// Since when somebody waits for its small pictures; `None`: nobody does.
    pub waiting_since: Option<Timestamp>,
    /// SHA-256 of the request that made it, which a repetition is compared with.
    pub(crate) given: Option<[u8; 32]>,
}

record! {
    MediaShare: "fm_media_share",
    key: (id: ShareId),
    columns: (
        account, upload, media_type, processing_status, ipfs_cid, thumbnail_cid, preview_cid,
        video_poster_cid, created_at, deleted_at, state, waiting_since, given
    ),
    shard: id,
    indexes: [
        ("fm_media_share_feed", (created_at), Only::Equals("state", "live")),
        // What the dashboards count.
        ("fm_media_share_bare", (state), Only::Absent("thumbnail_cid")),
        ("fm_media_share_waiting", (waiting_since), Only::Present("waiting_since")),
    ],
}

impl MediaShare {
    /// The share of `upload` as the client described it.
    pub(crate) fn of(
        account: &AccountId,
        upload: UploadId,
        share: &NewShare,
        state: ShareState,
        now: Timestamp,
    ) -> Self {
        let NewShare { media_type, ipfs_cid, thumbnail_cid, preview_cid, .. } = share.clone();
        let (processing_status, waiting_since) = match share.processing {
            Processing::Done => (ProcessingStatus::Complete, None),
            // Nobody can work on a draft.
            Processing::Later => {
                (ProcessingStatus::Pending, (state == ShareState::Live).then_some(now))
            }
        };
        Self {
            id: super::begin::share(upload),
            account: account.clone(),
            upload,
            media_type,
            processing_status,
            ipfs_cid,
            thumbnail_cid,
            preview_cid,
            video_poster_cid: share.video_poster_cid.clone(),
            created_at: now,
            deleted_at: None,
            state,
            waiting_since,
            given: Some(share.digest()),
        }
    }

    /// A draft that becomes part of the feed.
    pub(crate) fn published(self, now: Timestamp) -> Self {
        let waits = self.processing_status == ProcessingStatus::Pending;
        let (state, waiting_since) = (ShareState::Live, waits.then_some(now));
        Self { state, created_at: now, waiting_since, ..self }
    }

    /// What a feed shows (**U1**); `None` for a video without pictures.
    #[must_use]
    pub fn display_cid(&self) -> Option<&ContentId> {
        let full = (self.media_type == MediaType::Image).then_some(&self.ipfs_cid);
        let small = self.thumbnail_cid.as_ref().or(self.preview_cid.as_ref());
        small.or(self.video_poster_cid.as_ref()).or(full)
    }

    /// Whether `viewer` sees it.
    #[must_use]
    pub fn is_visible_to(&self, viewer: &AccountId) -> bool {
        match self.state {
            ShareState::Live => true,
            ShareState::Draft => self.account == *viewer,
            ShareState::Deleted => false,
        }
    }

    /// The first field in which `share` is not the request that made it; its small pictures may have
    /// changed since.
    pub(crate) fn differs(&self, share: &NewShare) -> Option<&'static str> {
        if self.given == Some(share.digest()) {
            return None;
        }
        let same = [
            ("media_type", self.media_type == share.media_type),
            ("ipfs_cid", self.ipfs_cid == share.ipfs_cid),
            ("thumbnail_cid", self.thumbnail_cid == share.thumbnail_cid),
            ("preview_cid", self.preview_cid == share.preview_cid),
            ("video_poster_cid", self.video_poster_cid == share.video_poster_cid),
            // Rows of before the digest was kept have none.
            ("processing", self.given.is_none()),
        ];
        same.iter().find(|(_, same)| !same).map(|(field, _)| *field)
    }
}
