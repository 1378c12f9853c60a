//! Placeholders: what is to be shown until a picture comes.

use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use finalmile::thumb::{ThumbSpec, paint_thumbhash};

use crate::call;
use crate::door::Loan;
use crate::failure::Failure;
use crate::host::PictureDecoder;
use crate::pool::Lane;
use crate::render::{Rendered, Wanted, rendered};
use crate::thumbnails::{MediaKind, SourceInfo};

/// A source whose placeholders are wanted.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host fills it in")]
pub struct PlaceholderRequest {
    /// The picture or video.
    pub path: String,
    /// Which of the two.
    pub kind: MediaKind,
    /// The moment of a video, in milliseconds. `None`: early, but not black.
    #[uniffi(default = None)]
    pub at_ms: Option<u32>,
    /// How long it may take, the host's decoder included.
    #[uniffi(default = 30000)]
    pub timeout_ms: u32,
}

/// A picture in some twenty bytes.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct Placeholder {
    /// A BlurHash of 28 characters.
    pub blurhash: String,
    /// A ThumbHash, at most 25 bytes, which `paint_placeholder` paints.
    pub thumbhash: Vec<u8>,
    /// The source's pixels from left to right once upright.
    pub width_px: u32,
    /// The source's pixels from top to bottom once upright.
    pub height_px: u32,
    /// The source was cut, and what is missing is filled.
    pub partial: bool,
}

/// Makes the placeholders of a picture or a video, the same as its set has, and no file.
///
/// # Errors
///
/// Those of `generate_thumbnail_set` but those of writing.
#[uniffi::export(default(decoder = None))]
pub async fn generate_placeholder(
    request: PlaceholderRequest,
    decoder: Option<Box<dyn PictureDecoder>>,
) -> Result<Placeholder, Failure> {
    let decoder = decoder.map(Loan::new);
    call::run(Lane::Compute, move |given_up| {
        let PlaceholderRequest { path, kind, at_ms, timeout_ms } = request;
        let mut spec = ThumbSpec::default();
        spec.limits.max_time = Duration::from_millis(timeout_ms.into());
        let wanted = Wanted { path: Path::new(&path), kind, at_ms, spec };
        let rendered = rendered(&wanted, decoder.as_ref(), None, given_up)?;
        let Rendered { blurhash, thumbhash, partial, source, .. } = rendered;
        let SourceInfo { width_px, height_px, .. } = source;
        Ok(Placeholder { blurhash, thumbhash, width_px, height_px, partial })
    })
    .await
}

/// Paints a ThumbHash as a picture of at most 32 pixels a side: a `data:` URI of a PNG. Computes for some
/// ten microseconds, and answers at once.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for what is no ThumbHash.
#[uniffi::export]
#[expect(clippy::needless_pass_by_value, reason = "what crosses is owned")]
pub fn paint_placeholder(thumbhash: Vec<u8>) -> Result<String, Failure> {
    let painted = paint_thumbhash(&thumbhash);
    let painted = painted.map_err(|_| Failure::argument("This is no ThumbHash"))?;
    Ok(format!("data:image/png;base64,{}", BASE64.encode(&painted.bytes)))
}
