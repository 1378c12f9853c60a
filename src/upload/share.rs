//! Media shares: what a feed shows, and which of their pictures.
//!
//! # Invariants
//!
//! - **U1** A feed never shows a video in place of a picture: a share's `display_cid` is its
//!   thumbnail, else its preview, else its poster, else the file itself for images only.

use std::fmt;

use crate::{
    AccountId, Refusal, ShareId, Timestamp, UploadId, record,
    storage::{Field, Kind, Only, Value, text_enum},
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
    /// How far its small pictures are.
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

/// A content id in text form, as the client computed or was told it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ContentId(Box<str>);

impl ContentId {
    /// Checks the shape: letters and digits only, 8 to 128 of them.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for anything else.
    pub fn new(text: impl AsRef<str>) -> Result<Self, Refusal> {
        let text = text.as_ref();
        let shaped = text.bytes().all(|b| b.is_ascii_alphanumeric());
        if !shaped || !(8..=128).contains(&text.len()) {
            let why = "it is not 8 to 128 letters and digits";
            return Err(Refusal::Invalid { field: "content id", why });
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Field for ContentId {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.0.to_string())
    }
    fn from_value(value: Value) -> Option<Self> {
        String::from_value(value).map(|text| Self(text.into()))
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
    /// When it was shared.
    pub created_at: Timestamp,
    /// Since when it is deleted.
    pub deleted_at: Option<Timestamp>,
}

record! {
    MediaShare: "fm_media_share",
    key: (id: ShareId),
    columns: (
        account, upload, media_type, processing_status, ipfs_cid, thumbnail_cid, preview_cid,
        video_poster_cid, created_at, deleted_at
    ),
    shard: id,
    indexes: [("fm_media_share_feed", (created_at), Only::Absent("deleted_at"))],
}

impl MediaShare {
    /// What a feed shows (**U1**); `None` for a video without pictures.
    #[must_use]
    pub fn display_cid(&self) -> Option<&ContentId> {
        let full = (self.media_type == MediaType::Image).then_some(&self.ipfs_cid);
        let small = self.thumbnail_cid.as_ref().or(self.preview_cid.as_ref());
        small.or(self.video_poster_cid.as_ref()).or(full)
    }

    /// Whether it shows what `share` says.
    pub(crate) fn shows(&self, share: &NewShare) -> Option<&'static str> {
        let same = [
            ("media_type", self.media_type == share.media_type),
            ("ipfs_cid", self.ipfs_cid == share.ipfs_cid),
            ("thumbnail_cid", self.thumbnail_cid == share.thumbnail_cid),
            ("preview_cid", self.preview_cid == share.preview_cid),
            ("video_poster_cid", self.video_poster_cid == share.video_poster_cid),
        ];
        same.iter().find(|(_, same)| !same).map(|(field, _)| *field)
    }
}
