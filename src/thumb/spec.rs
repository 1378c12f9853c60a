//! What to render, and how much a source may cost.
//!
//! A [`ThumbSpec`] is plain numbers. Every number is usable: one that makes no sense (a side of 0,
//! a quality of 200) is moved to the nearest that does, so rendering cannot fail because of it.

use super::error::ThumbError;

/// Sizes, quality and limits of a rendering. The defaults are those of a feed of photos.
///
/// # Example
///
/// ```
/// use finalmile::thumb::ThumbSpec;
///
/// let mut spec = ThumbSpec::default();
/// spec.quality = 70;
/// assert_eq!((spec.thumbnail_side_px, spec.preview_side_px), (300, 600));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ThumbSpec {
    /// Side of the square thumbnail in pixels; 0 counts as 1. Default 300: a tile of a grid three
    /// wide stays sharp on a phone, at about 20 KB.
    pub thumbnail_side_px: u16,
    /// Side of the square into which the preview fits, in pixels; 0 counts as 1. Default 600:
    /// twice the thumbnail, so that the thumbnail can be made from the preview.
    pub preview_side_px: u16,
    /// JPEG quality, 1 to 100, on the scale of libjpeg. Default 80: above it files grow faster
    /// than eyes notice at these sizes.
    pub quality: u8,
    /// The colour (red, green, blue) under transparent parts. Default white, because logos and
    /// screenshots with transparency are drawn for paper.
    pub background: [u8; 3],
    /// What a source may cost.
    pub limits: Limits,
}

impl Default for ThumbSpec {
    fn default() -> Self {
        Self {
            thumbnail_side_px: 300,
            preview_side_px: 600,
            quality: 80,
            background: [255; 3],
            limits: Limits::default(),
        }
    }
}

impl ThumbSpec {
    /// The thumbnail's side, at least 1.
    pub(super) fn thumbnail_side(&self) -> u32 {
        u32::from(self.thumbnail_side_px.max(1))
    }

    /// The preview's side, at least 1.
    pub(super) fn preview_side(&self) -> u32 {
        u32::from(self.preview_side_px.max(1))
    }
}

/// What one source may cost. Passing any of them is [`ThumbError::TooLarge`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Encoded bytes. Default 64 MiB: a photo of 100 million pixels at the best quality a camera
    /// offers is about 50 MB.
    pub max_input_bytes: u64,
    /// Width times height. Default 100 million: about a second of decoding.
    pub max_pixels: u64,
    /// Memory for decoding, by estimate: the decoded pixels and what the format's decoder keeps
    /// beside them. Default 512 MiB: 100 million pixels in red, green and blue, and some more.
    pub max_alloc_bytes: u64,
    /// Scans of one JPEG. Default 100: encoders write about ten, and each scan of a forged file
    /// costs a walk over the whole picture for a few bytes.
    pub max_scans: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_input_bytes: 64 << 20,
            max_pixels: 100_000_000,
            max_alloc_bytes: 512 << 20,
            max_scans: 100,
        }
    }
}

impl Limits {
    pub(super) fn check_input_bytes(&self, found: u64) -> Result<(), ThumbError> {
        check("input bytes", found, self.max_input_bytes)
    }

    pub(super) fn check_pixels(&self, width: u32, height: u32) -> Result<(), ThumbError> {
        check("pixels", u64::from(width) * u64::from(height), self.max_pixels)
    }

    pub(super) fn check_alloc_bytes(&self, found: u64) -> Result<(), ThumbError> {
        check("bytes of memory", found, self.max_alloc_bytes)
    }

    pub(super) fn check_scans(&self, found: u32) -> Result<(), ThumbError> {
        check("scans", u64::from(found), u64::from(self.max_scans))
    }
}

fn check(what: &'static str, found: u64, limit: u64) -> Result<(), ThumbError> {
    if found > limit { Err(ThumbError::TooLarge { what, found, limit }) } else { Ok(()) }
}
