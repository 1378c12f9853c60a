//! Why no pictures were rendered.
//!
//! Each variant is for a caller who would act differently: choose another file, ask for a smaller
//! one, convert it, try again. Nothing is left behind by any of them.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use crate::error::may_pass;

use super::format::Format;

/// Why a rendering did not happen. Nothing was written and no memory is kept.
///
/// `Display` carries the detail an operator wants; a user gets [`ThumbError::public_text`] and
/// [`ThumbError::code`], which name no path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThumbError {
    /// The bytes do not begin like any picture.
    #[error("the data does not begin like a picture")]
    NotAnImage,

    /// A picture or video, but of a kind that is not decoded here.
    #[error("unsupported: {what}; {handled_by} would handle it")]
    Unsupported {
        /// The format or its special feature.
        what: String,
        /// What would decode it: a feature of this crate, a
        /// [`PlatformDecoder`](super::PlatformDecoder), another program.
        handled_by: &'static str,
    },

    /// The source passes one of the [`Limits`](super::Limits).
    #[error("picture too large: {found} {what}, at most {limit} allowed")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// What the source has or claims, or the least it must have.
        found: u64,
        /// The limit.
        limit: u64,
    },

    /// It took longer than [`Limits::max_time`](super::Limits::max_time).
    #[error("not done after {limit_ms} ms")]
    TimedOut {
        /// The limit.
        limit_ms: u64,
    },

    /// The host asked to stop, through [`Hooks::cancel`](super::Hooks::cancel).
    #[error("cancelled")]
    Cancelled,

    /// The file ends before the picture does: an interrupted transfer.
    #[error("{format} ends before the picture does")]
    Truncated {
        /// What the file is otherwise.
        format: Format,
    },

    /// The file is of this format but its content contradicts it.
    #[error("{format} cannot be decoded")]
    Damaged {
        /// What the first bytes promised.
        format: Format,
        /// The decoder's complaint.
        source: Box<dyn StdError + Send + Sync>,
    },

    /// The host's own decoder failed.
    #[error("the platform's decoder failed on {what}: {said}")]
    Platform {
        /// What it was asked to decode.
        what: Format,
        /// Its complaint.
        said: String,
    },

    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The system refused memory that the limits allow.
    #[error("no memory for {bytes} bytes of pixels")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },

    /// A step that cannot fail failed: a fault of this crate.
    #[error("internal fault while rendering")]
    Internal {
        /// The step's complaint.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl ThumbError {
    /// The stable public name of this error.
    ///
    /// # Example
    ///
    /// ```
    /// use finalmile::thumb::{ThumbSpec, render_set};
    ///
    /// let error = render_set(b"<html>", &ThumbSpec::default()).unwrap_err();
    /// assert_eq!(error.code(), "NOT_AN_IMAGE");
    /// assert_eq!(error.public_text(), "This file is not a picture");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnImage => "NOT_AN_IMAGE",
            Self::Unsupported { .. } => "UNSUPPORTED_IMAGE",
            Self::TooLarge { .. } => "IMAGE_TOO_LARGE",
            Self::TimedOut { .. } => "IMAGE_TIMED_OUT",
            Self::Cancelled => "CANCELLED",
            Self::Truncated { .. } => "IMAGE_TRUNCATED",
            Self::Damaged { .. } | Self::Platform { .. } => "IMAGE_DAMAGED",
            Self::Unreadable { .. } => "FILE_UNREADABLE",
            Self::OutOfMemory { .. } | Self::Internal { .. } => "INTERNAL_ERROR",
        }
    }

    /// One sentence for the user, without any path or number.
    #[must_use]
    pub const fn public_text(&self) -> &'static str {
        match self {
            Self::NotAnImage => "This file is not a picture",
            Self::Unsupported { .. } => "This kind of picture is not supported",
            Self::TooLarge { .. } => "This picture is too large",
            Self::TimedOut { .. } => "This picture took too long",
            Self::Cancelled => "This was cancelled",
            Self::Truncated { .. } => "This picture is incomplete. Please send it again",
            Self::Damaged { .. } | Self::Platform { .. } => "This picture is damaged",
            Self::Unreadable { .. } => "The file could not be read",
            Self::OutOfMemory { .. } | Self::Internal { .. } => {
                "Something went wrong. Please try again"
            }
        }
    }

    /// Whether the same call may work later without anyone changing the file.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } | Self::TimedOut { .. } | Self::Cancelled => true,
            Self::Unreadable { source, .. } => may_pass(source),
            _ => false,
        }
    }

    /// Wraps the failure of a step that has no reason to fail.
    pub(super) fn internal(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Internal { source: Box::new(source) }
    }
}
