//! What to render, and how much a source may cost.
//!
//! A [`ThumbSpec`] is plain values. Every one is usable: a number that makes no sense (a side of 0,
//! a quality of 200) is moved to the nearest that does, so rendering cannot fail because of it.

use std::time::Duration;

use super::error::ThumbError;

/// Sizes, looks and limits of a rendering. The defaults are those of a feed of photos.
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
    /// Side of the square of the thumbnail in pixels; 0 counts as 1. Default 300: a tile of a grid
    /// three wide stays sharp on a phone, at about 20 KB.
    pub thumbnail_side_px: u16,
    /// Side of the square into which the preview fits, in pixels; 0 counts as 1. Default 600:
    /// twice the thumbnail, so that the thumbnail can be made from the preview.
    pub preview_side_px: u16,
    /// How the thumbnail meets its square. Default [`Fit::Cover`], its middle. The preview always
    /// keeps the whole picture.
    pub fit: Fit,
    /// What the pictures are encoded as. Default [`Encoding::Jpeg`]: every program reads it.
    pub encoding: Encoding,
    /// 1 to 100, on the scale of libjpeg. Default 80: above it files grow faster than eyes notice
    /// at these sizes.
    pub quality: u8,
    /// The most bytes one picture may have. Quality is lowered until it fits, at worst to 1.
    /// Default `None`; a picture is never larger than its source in any case.
    pub max_picture_bytes: Option<u32>,
    /// The colour (red, green, blue) under transparent parts. Default white, because logos and
    /// screenshots with transparency are drawn for paper.
    pub background: [u8; 3],
    /// Keep transparent parts instead of laying them over the background. Default `false`; JPEG
    /// cannot.
    pub keep_alpha: bool,
    /// Mix colours as light does, not as their numbers say: fine bright detail stays brighter.
    /// Default `false`: no phone and no browser does it, and it costs several times as much.
    pub linear_light: bool,
    /// The share of a cut picture's rows that must be there for it to be rendered, in percent.
    /// What is rendered then says that it is [partial](super::ThumbnailSet::partial). Default 50:
    /// its middle, at least, can be seen.
    pub min_rows_percent: u8,
    /// Decode large JPEGs that are not progressive on two threads; pictures are the same. Default
    /// `false`: whoever renders many pictures has other work for the second core.
    #[cfg(feature = "parallel")]
    pub parallel: bool,
    /// What a source may cost.
    pub limits: Limits,
}

impl Default for ThumbSpec {
    fn default() -> Self {
        Self {
            thumbnail_side_px: 300,
            preview_side_px: 600,
            fit: Fit::default(),
            encoding: Encoding::Jpeg,
            quality: 80,
            max_picture_bytes: None,
            background: [255; 3],
            keep_alpha: false,
            linear_light: false,
            min_rows_percent: 50,
            #[cfg(feature = "parallel")]
            parallel: false,
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

    /// Whether that many of all rows are enough for a partial picture.
    pub(super) fn rows_suffice(&self, found: u32, all: u32) -> bool {
        u64::from(found) * 100 >= u64::from(all) * u64::from(self.min_rows_percent) && found > 0
    }

    /// Whether a second thread helps.
    #[cfg_attr(not(feature = "parallel"), expect(clippy::unused_self, reason = "it never does"))]
    pub(super) const fn is_parallel(&self) -> bool {
        #[cfg(feature = "parallel")]
        return self.parallel;
        #[cfg(not(feature = "parallel"))]
        false
    }

    /// Whether transparency reaches the output.
    pub(super) fn keeps_alpha(&self) -> bool {
        self.keep_alpha && self.encoding != Encoding::Jpeg
    }
}

/// How a picture of any shape meets the thumbnail's square. Nothing is ever enlarged.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a picture fills a box or lies within it")]
pub enum Fit {
    /// The square is filled; what sticks out is cut off, and the gravity says what stays.
    Cover(Gravity),
    /// The whole picture lies within the square and keeps its shape.
    Contain,
}

impl Default for Fit {
    fn default() -> Self {
        Self::Cover(Gravity::Center)
    }
}

/// Which part of an upright picture stays when the rest is cut off.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a square has a middle, four sides and four corners")]
pub enum Gravity {
    /// The middle.
    #[default]
    Center,
    /// The upper edge, its middle: portraits, where faces are.
    Top,
    /// The lower edge, its middle.
    Bottom,
    /// The left edge, its middle.
    Left,
    /// The right edge, its middle.
    Right,
    /// A corner.
    TopLeft,
    /// A corner.
    TopRight,
    /// A corner.
    BottomLeft,
    /// A corner.
    BottomRight,
}

impl Gravity {
    /// How much of the surplus lies before the part that stays, in halves: left and above.
    pub(super) const fn halves(self) -> (u32, u32) {
        match self {
            Self::TopLeft => (0, 0),
            Self::Top => (1, 0),
            Self::TopRight => (2, 0),
            Self::Left => (0, 1),
            Self::Center => (1, 1),
            Self::Right => (2, 1),
            Self::BottomLeft => (0, 2),
            Self::Bottom => (1, 2),
            Self::BottomRight => (2, 2),
        }
    }
}

/// What pictures are encoded as.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Encoding {
    /// Baseline JPEG, 4:2:0, Huffman tables made for the picture.
    Jpeg,
    /// PNG, without loss: for drawings with transparency. Photos become large.
    Png,
    /// WebP. With the feature `libwebp` lossy at the same quality number; without it lossless, as
    /// there is no lossy encoder in Rust that could be used: photos become large.
    WebP,
}

/// What one source may cost. Passing any of them is [`ThumbError::TooLarge`] or
/// [`ThumbError::TimedOut`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Encoded bytes. Default 64 MiB: a photo of 100 million pixels at the best quality a camera
    /// offers is about 50 MB.
    pub max_input_bytes: u64,
    /// Width times height. Default 100 million: about a second of decoding. JPEG, which is decoded
    /// at a fraction of its size, may have 268 million, see [`Limits::max_scaled_pixels`].
    pub max_pixels: u64,
    /// Width times height of what is decoded at a fraction of its size. Default 268 million, a
    /// square of 16,384.
    pub max_scaled_pixels: u64,
    /// Memory for decoding, by estimate: the decoded pixels and what the format's decoder keeps
    /// beside them. Default 512 MiB: 100 million pixels in red, green and blue, and some more.
    pub max_alloc_bytes: u64,
    /// Scans of one JPEG. Default 100: encoders write about ten, and each scan of a forged file
    /// costs a walk over the whole picture for a few bytes.
    pub max_scans: u32,
    /// Time from the first byte to the last, looked at between rows. Default 30 seconds: the
    /// slowest photo takes one, and a phone is ten times slower. Zero is no time at all.
    pub max_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_input_bytes: 64 << 20,
            max_pixels: 100_000_000,
            max_scaled_pixels: 1 << 28,
            max_alloc_bytes: 512 << 20,
            max_scans: 100,
            max_time: Duration::from_secs(30),
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
