//! Pictures from strangers: rendered as promised or refused, in bounded time and memory.
//!
//! The bytes are a file. The limits are lower than the defaults, so that what a limit lets through
//! stays far below what libFuzzer allows one input in memory and time; the pictures are small, so
//! that small seeds are shrunk at all.

use finalmile::thumb::{
    Encoding, Fit, Format, Gravity, Picture, ThumbSpec, ThumbnailSet, render_set,
};

const THUMBNAIL_PX: u32 = 12;
const PREVIEW_PX: u32 = 20;

fn spec() -> ThumbSpec {
    let mut spec = ThumbSpec::default();
    (spec.thumbnail_side_px, spec.preview_side_px) = (12, 20);
    spec.limits.max_input_bytes = 1 << 20;
    spec.limits.max_pixels = 1 << 20;
    spec.limits.max_scaled_pixels = 1 << 20;
    spec.limits.max_alloc_bytes = 32 << 20;
    spec.limits.max_scans = 10;
    spec
}

/// Renders the bytes.
///
/// # Panics
///
/// When the pictures are not those that were promised (**T1**, **T4**, **T6**).
pub fn run(data: &[u8]) {
    if let Ok(set) = render_set(data, &spec()) {
        is_as_promised(&set);
        assert_eq!(render_set(data, &spec()).ok(), Some(set), "the second rendering differs");
    }
    // What a host may choose instead, by the number of bytes.
    let mut other = spec();
    other.linear_light = data.len() & 1 == 1;
    other.keep_alpha = data.len() & 2 == 2;
    other.encoding = if data.len() & 4 == 4 { Encoding::Png } else { Encoding::Jpeg };
    other.fit = if data.len() & 8 == 8 { Fit::Contain } else { Fit::Cover(Gravity::BottomRight) };
    other.max_picture_bytes = (data.len() & 16 == 16).then_some(400);
    other.min_rows_percent = 1;
    if let Ok(set) = render_set(data, &other) {
        let (width, height) = size(&set.thumbnail);
        assert!(width.max(height) <= THUMBNAIL_PX, "a thumbnail of {width} x {height}");
        set.preview.iter().for_each(|preview| {
            size(preview);
        });
    }
}

fn is_as_promised(set: &ThumbnailSet) {
    let (width, height) = (set.source.width_px, set.source.height_px);
    assert!(u64::from(width) * u64::from(height) <= spec().limits.max_pixels, "beyond the limit");

    let side = THUMBNAIL_PX.min(width).min(height);
    assert_eq!(size(&set.thumbnail), (side, side), "the thumbnail of {width} x {height}");
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
    assert_eq!(size(preview), (scaled(width), scaled(height)), "the preview of {width} x {height}");
}

/// What another reader sees, which must be what is said.
fn size(picture: &Picture) -> (u32, u32) {
    let format = match picture.format {
        Format::Png => image::ImageFormat::Png,
        _ => image::ImageFormat::Jpeg,
    };
    let read = image::load_from_memory_with_format(&picture.bytes, format);
    let read = read.expect("a picture of ours can be read");
    assert_eq!((read.width(), read.height()), (picture.width_px, picture.height_px));
    (picture.width_px, picture.height_px)
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
