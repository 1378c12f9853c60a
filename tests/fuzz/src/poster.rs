//! Videos from strangers: posters or refusals, in bounded time and memory.
//!
//! The bytes are a file. The limits are lower than the defaults, so that what a limit lets through
//! stays far below what libFuzzer allows one input; the pictures are small, so that the reader of the
//! container and the decoder are what takes the time.

use std::io::Cursor;

use finalmile::thumb::{Picture, PosterSet, PosterSpec, ThumbError, ThumbSpec, render_poster_set};

fn poster(data: &[u8]) -> Result<PosterSet, ThumbError> {
    let mut spec = ThumbSpec::default();
    (spec.thumbnail_side_px, spec.preview_side_px) = (8, 16);
    spec.limits.max_input_bytes = 1 << 20;
    spec.limits.max_pixels = 1 << 18;
    spec.limits.max_alloc_bytes = 32 << 20;
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
    assert!(u64::from(width) * u64::from(height) <= 1 << 18, "beyond the limit");
    let side = 8.min(width).min(height);
    assert_eq!(size(&set.thumbnail), (side, side), "the thumbnail of {width} x {height}");
    match &set.preview {
        Some(preview) => {
            let (wide, high) = size(preview);
            assert_eq!(
                wide.max(high),
                16.min(width.max(height)),
                "the preview of {width} x {height}"
            );
        }
        None => assert!(width.max(height) <= 8, "no preview of {width} x {height}"),
    }
}

/// What another reader sees, which must be what is said.
fn size(picture: &Picture) -> (u32, u32) {
    let format = image::ImageFormat::Jpeg;
    let read = image::load_from_memory_with_format(&picture.bytes, format);
    let read = read.expect("a picture of ours can be read");
    assert_eq!((read.width(), read.height()), (picture.width_px, picture.height_px));
    (picture.width_px, picture.height_px)
}
