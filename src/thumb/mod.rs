//! Pictures made small: an upright square thumbnail and a preview, from any photo a user may send.
//!
//! [`render_set`] decodes a picture once, as small as it may be, makes the preview of it, the thumbnail
//! of the preview, and encodes both. Sizes, looks, encoding and limits come from a [`ThumbSpec`], whose
//! defaults give their reasons; a flag that stops it, progress and the phone's own decoder from
//! [`Hooks`]. Input is JPEG, PNG, WebP, GIF (the first frame), with the feature `heic` HEIC; of videos
//! [`render_poster_set_file`] makes the same pictures.
//!
//! # Promises
//!
//! - **T1** Any input, cut or changed at any point, ends in pictures or in a [`ThumbError`]. It
//!   never panics, also when a decoder does (this needs `panic = "unwind"`).
//! - **T2** Limits are compared with what the headers claim before memory for pixels is taken, and the
//!   time with its limit between rows.
//! - **T3** Pictures are upright: the EXIF orientation is applied once, to the small picture, and a
//!   broken EXIF block counts as none.
//! - **T4** Nothing is enlarged. The thumbnail is a square or, if so asked, lies within one; the preview
//!   keeps the whole picture and its shape, and is left out only when the source fits into the
//!   thumbnail's square.
//! - **T5** Output carries pixels and nothing else: no EXIF, no place, no colour profile, no text.
//! - **T6** The same input and spec give the same bytes, whatever the processor offers, so the
//!   content id of a thumbnail is stable. What a platform's decoder or a program gave is theirs.
//! - **T7** Transparent parts show the background; their hidden colour never bleeds into an edge.
//! - **T8** A JPEG, PNG or GIF that is cut is rendered, and said to be partial, if
//!   [`ThumbSpec::min_rows_percent`] of its rows are there.
//! - **T9** Colours are sRGB: a profile is converted on the small picture, a broken one counts as none.
//!
//! # What it does not do yet
//!
//! AVIF and TIFF need a [`PlatformDecoder`], and so does HEIC without the feature `heic`. A cut WebP or
//! HEIC, and a PNG or GIF whose rows are interlaced, is [`ThumbError::Truncated`], however much of it is
//! there: their decoders give nothing before the end, or nothing that could be shown.

#![allow(clippy::float_arithmetic, reason = "places and shares of pictures are fractions")]

mod colour;
mod container;
mod control;
mod decode;
mod diagonal;
mod encode;
mod error;
mod format;
mod geometry;
mod icc;
mod jpeg;
mod light;
mod orient;
mod placeholder;
mod platform;
mod raster;
mod resize;
mod set;
mod signal;
mod spec;
mod strip;
mod video;

use std::io::Read;
use std::path::Path;

use crate::regular;

pub use control::Hooks;
pub use error::ThumbError;
pub use format::Format;
pub use orient::Orientation;
pub use placeholder::paint_thumbhash;
pub use platform::{PlatformDecoder, PlatformPicture, PlatformRequest};
pub use spec::{Encoding, Fit, Gravity, Limits, ThumbSpec};
pub use video::{
    PosterSet, PosterSpec, VideoInfo, render_poster_set, render_poster_set_file,
    render_poster_set_file_with, render_poster_set_with,
};

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use jpeg::{decode_quarter as decode_jpeg_quarter, probe as probe_jpeg};

use control::Control;

/// The small pictures of one source, and what the source was.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ThumbnailSet {
    /// With [`Fit::Cover`] a square, its side `min(thumbnail_side_px, the source's short side)`; with
    /// [`Fit::Contain`] the whole picture in such a square.
    pub thumbnail: Picture,
    /// The whole picture, fitted into the preview's square. `None`: the source is so small that it
    /// fits into the thumbnail's square, so it serves as its own preview.
    pub preview: Option<Picture>,
    /// The thumbnail as a BlurHash of 28 characters, to be shown while it loads.
    pub blurhash: String,
    /// The thumbnail as a ThumbHash of at most 25 bytes, which knows its shape and transparency.
    pub thumbhash: Vec<u8>,
    /// The source was cut, and what is missing of the picture is filled. A whole one is better.
    pub partial: bool,
    /// What was read.
    pub source: SourceInfo,
}

/// One encoded picture.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Picture {
    /// A complete file without metadata.
    pub bytes: Vec<u8>,
    /// What kind of file.
    pub format: Format,
    /// Pixels from left to right.
    pub width_px: u32,
    /// Pixels from top to bottom.
    pub height_px: u32,
}

impl std::fmt::Debug for Picture {
    /// Tells the size instead of printing thousands of bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("width_px", &self.width_px)
            .field("height_px", &self.height_px)
            .field("format", &self.format)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// What the source picture said about itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SourceInfo {
    /// Pixels from left to right once upright.
    pub width_px: u32,
    /// Pixels from top to bottom once upright.
    pub height_px: u32,
    /// The file format, told from its first bytes.
    pub format: Format,
    /// How the stored pixels had to be turned. Already applied to everything here.
    pub orientation: Orientation,
}

/// Renders the small pictures of the encoded picture in `bytes`.
///
/// A JPEG of 12 million pixels is decoded at a quarter of its size and takes some 4 MB, a PNG row by
/// row, everything else whole; never more than [`Limits::max_alloc_bytes`] by estimate. It computes
/// and does not wait, so call it on a worker thread.
///
/// # Errors
///
/// See [`ThumbError`]: every variant but [`ThumbError::Unreadable`] may come from here.
///
/// # Example
///
/// ```
/// use finalmile::thumb::{ThumbSpec, render_set};
///
/// // The smallest PNG: one black pixel.
/// let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
///     \0\0\0\x0aIDAT\x78\x9c\x63\x60\0\0\0\x02\0\x01\x48\xaf\xa4\x71\0\0\0\0IEND\xae\x42\x60\x82";
/// let set = render_set(png, &ThumbSpec::default())?;
/// assert_eq!((set.thumbnail.width_px, set.thumbnail.height_px), (1, 1));
/// assert!(set.preview.is_none());
/// # Ok::<(), finalmile::thumb::ThumbError>(())
/// ```
pub fn render_set(bytes: &[u8], spec: &ThumbSpec) -> Result<ThumbnailSet, ThumbError> {
    render_set_with(bytes, spec, &Hooks::new())
}

/// As [`render_set`], with what the host lends: a flag that stops it, a function that is told how far
/// it is, a decoder for what is not decoded here.
///
/// # Errors
///
/// Those of [`render_set`], [`ThumbError::Cancelled`] and [`ThumbError::Platform`].
pub fn render_set_with(
    bytes: &[u8],
    spec: &ThumbSpec,
    hooks: &Hooks<'_>,
) -> Result<ThumbnailSet, ThumbError> {
    let control = Control::new(hooks, &spec.limits);
    let decoded = decode::decode(bytes, None, spec, &control)?;
    set::make(decoded, bytes.len() as u64, Some(bytes), spec, &control)
}

/// Renders the small pictures of the file at `path`; see [`render_set`].
///
/// The file's size is compared with [`Limits::max_input_bytes`] before it is read.
///
/// # Errors
///
/// [`ThumbError::Unreadable`] when `path` is not a regular file or cannot be read, and all errors
/// of [`render_set`].
///
/// # Example
///
/// ```
/// use finalmile::thumb::{ThumbSpec, render_set_file};
///
/// let missing = render_set_file("no/such/photo.jpg".as_ref(), &ThumbSpec::default());
/// assert_eq!(missing.unwrap_err().code(), "FILE_UNREADABLE");
/// ```
pub fn render_set_file(path: &Path, spec: &ThumbSpec) -> Result<ThumbnailSet, ThumbError> {
    render_set_file_with(path, spec, &Hooks::new())
}

/// As [`render_set_file`], with what the host lends; see [`render_set_with`].
///
/// # Errors
///
/// Those of [`render_set_file`], [`ThumbError::Cancelled`] and [`ThumbError::Platform`].
pub fn render_set_file_with(
    path: &Path,
    spec: &ThumbSpec,
    hooks: &Hooks<'_>,
) -> Result<ThumbnailSet, ThumbError> {
    let control = Control::new(hooks, &spec.limits);
    let bytes = read_file(path, &spec.limits)?;
    let decoded = decode::decode(&bytes, Some(path), spec, &control)?;
    set::make(decoded, bytes.len() as u64, Some(&bytes), spec, &control)
}

fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>, ThumbError> {
    let unreadable = |source| ThumbError::Unreadable { path: path.to_path_buf(), source };
    let (file, meta) = regular::open(path).map_err(unreadable)?;
    limits.check_input_bytes(meta.len())?;
    let mut bytes = Vec::new();
    // The file may grow while it is read, so the limit holds for the reading as well.
    let cap = limits.max_input_bytes.saturating_add(1);
    file.take(cap).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
