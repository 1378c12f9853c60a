//! Pictures from strangers: rendered as promised or refused, in bounded time and memory.
//!
//! The bytes are a file. The limits are so low that one input takes a fraction of a millisecond, since
//! what counts is how many are tried; the pictures are small, so that small seeds are shrunk at all.
//! How many bytes there are chooses what a host may choose, so each input is rendered once or twice.

use std::io::Cursor;

use finalmile::thumb::{
    Encoding, Fit, Format, Gravity, Picture, ThumbSpec, ThumbnailSet, render_set,
};

const THUMBNAIL_PX: u32 = 12;
const PREVIEW_PX: u32 = 20;

fn spec() -> ThumbSpec {
    let mut spec = ThumbSpec::default();
    (spec.thumbnail_side_px, spec.preview_side_px) = (12, 20);
    spec.limits.max_input_bytes = 1 << 20;
    spec.limits.max_pixels = 1 << 12;
    spec.limits.max_scaled_pixels = 1 << 12;
    spec.limits.max_alloc_bytes = 1 << 20;
    spec.limits.max_scans = 10;
    spec
}

/// Renders the bytes.
///
/// # Panics
///
/// When the pictures are not those that were promised (**T1**, **T4**, **T6**).
pub fn run(data: &[u8]) {
    let chosen = data.len();
    if chosen.is_multiple_of(2) {
        if let Ok(set) = render_set(data, &spec()) {
            is_as_promised(&set, chosen.is_multiple_of(16));
            if chosen % 16 == 2 {
                assert_eq!(
                    render_set(data, &spec()).ok(),
                    Some(set),
                    "the second rendering differs"
                );
            }
        }
        return;
    }
    let mut other = spec();
    other.linear_light = chosen & 2 != 0;
    other.keep_alpha = chosen & 4 != 0;
    other.encoding = if chosen & 8 != 0 { Encoding::Png } else { Encoding::Jpeg };
    other.fit = if chosen & 16 != 0 { Fit::Contain } else { Fit::Cover(Gravity::BottomRight) };
    other.max_picture_bytes = (chosen & 32 != 0).then_some(400);
    other.min_rows_percent = 1;
    if let Ok(set) = render_set(data, &other) {
        let (width, height) = size(&set.thumbnail, chosen & 64 != 0);
        assert!(width.max(height) <= THUMBNAIL_PX, "a thumbnail of {width} x {height}");
        set.preview.iter().for_each(|preview| {
            size(preview, chosen & 64 != 0);
        });
    }
}

fn is_as_promised(set: &ThumbnailSet, whole: bool) {
    let (width, height) = (set.source.width_px, set.source.height_px);
    assert!(u64::from(width) * u64::from(height) <= spec().limits.max_pixels, "beyond the limit");

    let side = THUMBNAIL_PX.min(width).min(height);
    assert_eq!(size(&set.thumbnail, whole), (side, side), "the thumbnail of {width} x {height}");
    let Some(preview) = &set.preview else {
        assert!(width.max(height) <= THUMBNAIL_PX, "no preview of {width} x {height}");
        return;
    };
    let long = width.max(height);
    let most = PREVIEW_PX.min(long);
    let scaled = |length: u32| {
        let length = u64::from(length) * u64::from(most);
        // To the nearest pixel, and at least one.
        let nearest = (length + u64::from(long) / 2) / u64::from(long);
        u32::try_from(nearest).unwrap_or(u32::MAX).max(1)
    };
    let expected = (scaled(width), scaled(height));
    assert_eq!(size(preview, whole), expected, "the preview of {width} x {height}");
}

/// What another reader sees, which must be what is said: of the `whole` file, or of its header.
pub(crate) fn size(picture: &Picture, whole: bool) -> (u32, u32) {
    let format = match picture.format {
        Format::Png => image::ImageFormat::Png,
        _ => image::ImageFormat::Jpeg,
    };
    let read = if whole {
        let read = image::load_from_memory_with_format(&picture.bytes, format);
        read.map(|read| (read.width(), read.height()))
    } else {
        image::ImageReader::with_format(Cursor::new(&picture.bytes), format).into_dimensions()
    };
    let read = read.expect("a picture of ours can be read");
    assert_eq!(read, (picture.width_px, picture.height_px));
    read
}

/// Lets panics inside the decoders pass, which become an error (**T1**), and tells of each place
/// once. Any other panic ends the process, as libFuzzer wants it.
///
/// Decoders are what cargo fetched from a registry; everything else is ours or Rust's own.
pub fn tell_of_decoders_and_abort_for_others() {
    let told = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if !place.contains("/registry/src/") {
            before(info);
            std::process::abort();
        }
        if told.lock().is_ok_and(|mut told| told.insert(place)) {
            eprintln!("caught: {info}");
        }
    }));
}
