//! Videos from strangers: posters or refusals, in bounded time and memory.
//!
//! The bytes are a file. The limits are so low that one input takes a fraction of a millisecond, since
//! what counts is how many are tried; the pictures are small, so that the reader of the container and
//! the decoder are what takes the time.

use std::io::Cursor;

use finalmile::thumb::{PosterSet, PosterSpec, ThumbError, ThumbSpec, render_poster_set};

use crate::thumbnail::size;

/// Of 64 x 64; the seeds have 48 x 32.
const MAX_PIXELS: u64 = 1 << 12;

fn poster(data: &[u8]) -> Result<PosterSet, ThumbError> {
    let mut spec = ThumbSpec::default();
    (spec.thumbnail_side_px, spec.preview_side_px) = (8, 16);
    spec.limits.max_input_bytes = 1 << 20;
    spec.limits.max_pixels = MAX_PIXELS;
    spec.limits.max_alloc_bytes = 1 << 20;
    render_poster_set(Cursor::new(data), &spec, &PosterSpec::default())
}

/// Renders the bytes.
///
/// # Panics
///
/// When the pictures are not those that were promised (**VP2**, **VP5**, **T4**).
pub fn run(data: &[u8]) {
    let Ok(set) = poster(data) else { return };
    let (width, height) = (set.source.width_px, set.source.height_px);
    assert!(u64::from(width) * u64::from(height) <= MAX_PIXELS, "beyond the limit");
    let whole = data.len().is_multiple_of(16);
    let side = 8.min(width).min(height);
    assert_eq!(size(&set.thumbnail, whole), (side, side), "the thumbnail of {width} x {height}");
    match &set.preview {
        Some(preview) => {
            let (wide, high) = size(preview, whole);
            assert_eq!(
                wide.max(high),
                16.min(width.max(height)),
                "the preview of {width} x {height}"
            );
        }
        None => assert!(width.max(height) <= 8, "no preview of {width} x {height}"),
    }
}
