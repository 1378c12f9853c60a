//! Platform decoders: what a phone's own decoder does better, asked for through a trait.
//!
//! A phone has licensed, often hardware decoders for HEIC, AVIF and HEVC. A host that has one
//! implements [`PlatformDecoder`] and lends it with [`Hooks::platform`](super::Hooks::platform); the
//! rest (size, orientation, encoding, limits) stays here. Bytes that come from a platform differ
//! between platforms, so the content id of what is made from them does too.

use std::path::{Path, PathBuf};

use super::format::Format;

/// A file for a platform decoder.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlatformRequest<'r> {
    /// What it is.
    pub format: Format,
    /// Its bytes; empty for a video, which may be larger than memory.
    pub bytes: &'r [u8],
    /// Where it lies, if it came as a file.
    pub path: Option<&'r Path>,
    /// The moment of a video that is wanted, from its beginning. `None`: it is a picture.
    pub at_ms: Option<u64>,
    /// The longer side that is needed; more is shrunk here, less is not enlarged.
    pub wanted_side_px: u32,
}

/// What a platform decoder answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PlatformPicture {
    /// A JPEG, PNG, WebP or GIF in memory.
    Encoded(Vec<u8>),
    /// The same in a file. It is read and left where it is.
    File(PathBuf),
    /// Upright pixels in sRGB, four samples each (red, green, blue, alpha not multiplied in), rows
    /// from top to bottom without gaps.
    Rgba {
        /// `width_px * height_px * 4` bytes.
        pixels: Vec<u8>,
        /// Pixels from left to right.
        width_px: u32,
        /// Pixels from top to bottom.
        height_px: u32,
    },
}

/// A decoder that the host lends.
///
/// # Example
///
/// ```
/// use finalmile::thumb::{
///     Hooks, PlatformDecoder, PlatformPicture, PlatformRequest, ThumbSpec, render_set_with,
/// };
///
/// struct Phone;
///
/// impl PlatformDecoder for Phone {
///     fn decode(&self, _: &PlatformRequest<'_>) -> Result<Option<PlatformPicture>, String> {
///         let pixels = [200, 100, 50, 255].repeat(40 * 30);
///         Ok(Some(PlatformPicture::Rgba { pixels, width_px: 40, height_px: 30 }))
///     }
/// }
///
/// let hooks = Hooks::new().platform(&Phone);
/// let set = render_set_with(b"\0\0\0\x18ftypavif\0\0\0\0", &ThumbSpec::default(), &hooks)?;
/// assert_eq!(set.thumbnail.width_px, 30);
/// # Ok::<(), finalmile::thumb::ThumbError>(())
/// ```
pub trait PlatformDecoder: Sync {
    /// Decodes a file. `None`: not this kind.
    ///
    /// Called on the thread that renders, and may take as long as it must: put a timeout inside.
    ///
    /// # Errors
    ///
    /// A sentence for the log, when it should have worked and did not. The rendering ends with
    /// [`ThumbError::Platform`](super::ThumbError::Platform).
    fn decode(&self, request: &PlatformRequest<'_>) -> Result<Option<PlatformPicture>, String>;
}
