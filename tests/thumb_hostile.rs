//! Pictures from strangers: cut, changed, too large, or no pictures at all.

#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/pictures.rs"]
mod pictures;

use finalmile::thumb::{ThumbError, ThumbSpec, render_set};
use image::ImageFormat;

use pictures::*;

#[test]
fn t1_a_file_cut_anywhere_is_a_picture_or_a_typed_error() {
    for (name, file) in samples() {
        render(&file).unwrap();
        for percent in 0..100 {
            let cut = &file[..file.len() * percent / 100];
            if let Err(error) = render(cut) {
                let code = error.code();
                assert!(
                    ["NOT_AN_IMAGE", "IMAGE_TRUNCATED"].contains(&code),
                    "{name} cut to {percent} %: {code}, {error:?}"
                );
            }
        }
    }
}

#[test]
fn half_a_file_is_truncated_whatever_its_format() {
    for (name, file) in samples() {
        let error = render(&file[..file.len() / 2]);
        // Half a progressive file is a whole picture with less detail.
        if name != "progressive JPEG" {
            assert_eq!(error.unwrap_err().code(), "IMAGE_TRUNCATED", "{name}");
        }
    }
}

#[test]
fn a_jpeg_that_lacks_only_its_end_marker_or_has_more_behind_it_is_accepted() {
    let whole = jpeg(&stored_card(1, 720, 480), false);
    let expected = render(&whole).unwrap();
    assert_eq!(render(&whole[..whole.len() - 2]).unwrap(), expected);
    let motion = [&whole[..], &jpeg(&stored_card(3, 64, 64), false), b"ftypmp42"].concat();
    assert_eq!(render(&motion).unwrap(), expected);
}

#[test]
fn t1_changed_files_never_panic() {
    let mut spec = ThumbSpec::default();
    // A changed header may claim any size; small limits keep thousands of rounds short.
    spec.limits.max_pixels = 200_000;
    let mut random = Xorshift(0xC0FFEE);
    for (name, file) in samples() {
        for _ in 0..1_000 {
            let mut changed = file.clone();
            for _ in 0..=random.below(6) {
                let at = random.below(changed.len());
                match random.below(4) {
                    0 => changed[at] ^= 1 << random.below(8),
                    1 => changed[at] = [0x00, 0x7F, 0x80, 0xFF][random.below(4)],
                    2 => changed.truncate(at.max(12)),
                    _ => drop(changed.splice(at..at, [0xFF, 0xD8].into_iter().take(1 + at % 2))),
                }
            }
            if let Err(error) = render_set(&changed, &spec) {
                assert_ne!(error.code(), "INTERNAL_ERROR", "{name}: {error:?}");
            }
        }
    }
}

#[test]
fn t2_a_header_that_claims_billions_of_pixels_is_refused_at_once() {
    let mut big_jpeg = jpeg(&scene(16, 16), false);
    let frame = big_jpeg.windows(2).position(|window| window == [0xFF, 0xC0]).unwrap();
    big_jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);

    let header =
        [&65_500_u32.to_be_bytes()[..], &65_500_u32.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    let (png, named) = (plain(1, 1), [b"IHDR", &header[..]].concat());
    let big_png = [&png[..12], &named, &crc32(&named).to_be_bytes(), &png[33..]].concat();

    let mut big_gif = encode(&scene(16, 16).into(), ImageFormat::Gif);
    big_gif[6..10].copy_from_slice(&[0xDC, 0xFF, 0xDC, 0xFF]);

    let lossless = encode(&scene(16, 16).into(), ImageFormat::WebP);
    let mut big_webp = webp_with_exif(&lossless, 16_384, 16_384, &[]);
    // A small canvas around a frame that claims the largest size there is.
    let mut big_frame = unhex(LOSSY_WEBP);
    big_frame[26..30].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    let big_frame = webp_with_exif(&big_frame, 40, 24, &[]);
    // A lossless header of 16,384 by 16,384.
    let mut big_lossless = lossless;
    big_lossless[21..25].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0x0F]);
    big_webp.extend_from_slice(b"behind the picture");

    for (name, file) in [
        ("JPEG", big_jpeg),
        ("PNG", big_png),
        ("GIF", big_gif),
        ("WebP canvas", big_webp),
        ("WebP frame", big_frame),
        ("WebP lossless", big_lossless),
    ] {
        let error = render(&file).unwrap_err();
        assert!(matches!(error, ThumbError::TooLarge { what: "pixels", .. }), "{name}: {error:?}");
        assert_eq!(error.code(), "IMAGE_TOO_LARGE");
    }
}

#[test]
fn t2_every_limit_is_kept() {
    let picture = scene(400, 300);
    let (baseline, progressive) = (jpeg(&picture, false), jpeg(&picture, true));
    let refused = |file: &[u8], change: fn(&mut ThumbSpec)| {
        let mut spec = ThumbSpec::default();
        change(&mut spec);
        match render_set(file, &spec) {
            Err(ThumbError::TooLarge { what, found, limit }) => (found > limit).then_some(what),
            _ => None,
        }
    };
    assert_eq!(refused(&baseline, |spec| spec.limits.max_input_bytes = 999), Some("input bytes"));
    assert_eq!(refused(&baseline, |spec| spec.limits.max_pixels = 119_999), Some("pixels"));
    assert_eq!(refused(&baseline, |spec| spec.limits.max_pixels = 120_000), None);
    assert_eq!(refused(&progressive, |spec| spec.limits.max_scans = 3), Some("scans"));
    // 360,000 bytes of pixels; a progressive file keeps 720,000 of coefficients beside them.
    let memory: fn(&mut ThumbSpec) = |spec| spec.limits.max_alloc_bytes = 600_000;
    assert_eq!(refused(&baseline, memory), None);
    assert_eq!(refused(&progressive, memory), Some("bytes of memory"));
}

/// What is said of a HEIC that ends behind its first box.
const HEIC_CUT: &str = if cfg!(feature = "heic") { "IMAGE_TRUNCATED" } else { "UNSUPPORTED_IMAGE" };

#[test]
fn what_is_no_picture_is_said_so_and_what_is_not_decoded_as_well() {
    for (bytes, code) in [
        (&b""[..], "NOT_AN_IMAGE"),
        (b"\xFF", "NOT_AN_IMAGE"),
        (b"<html>502 Bad Gateway</html>", "NOT_AN_IMAGE"),
        (b"%PDF-1.7", "NOT_AN_IMAGE"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", HEIC_CUT),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", HEIC_CUT),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "UNSUPPORTED_IMAGE"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "UNSUPPORTED_IMAGE"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "UNSUPPORTED_IMAGE"),
        (b"II\x2A\0\x08\0\0\0", "UNSUPPORTED_IMAGE"),
        (b"\xFF\xD8\xFF", "IMAGE_TRUNCATED"),
        (b"\x89PNG\r\n\x1a\n", "IMAGE_TRUNCATED"),
        (b"RIFF\x04\0\0\0WEBP", "IMAGE_DAMAGED"),
    ] {
        let error = render(bytes).unwrap_err();
        assert_eq!(error.code(), code, "{bytes:02x?}: {error:?}");
        assert!(!error.is_retryable());
    }
}

#[test]
fn a_video_is_refused_with_the_name_of_what_takes_it() {
    for video in [&b"\0\0\0\x18ftypmp42\0\0\0\0"[..], b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81"] {
        let error = render(video).unwrap_err();
        assert!(matches!(error, ThumbError::Unsupported { .. }), "{error:?}");
        assert!(
            error.to_string().ends_with("; `render_poster_set_file` would handle it"),
            "{error}"
        );
    }
}

#[test]
fn t8_a_cut_picture_is_partial_if_enough_of_it_is_there() {
    let card = stored_card(1, 800, 640);
    let png = encode(&card.into(), ImageFormat::Png);
    // The card's colours pack so well that its rows end long before the file does; noise does not.
    let noisy = encode(&scene(800, 640).into(), ImageFormat::Png);
    for (name, file) in [("JPEG", jpeg(&scene(800, 640), false)), ("PNG", noisy)] {
        let whole = render(&file).unwrap();
        assert!(!whole.partial);
        let most = render(&file[..file.len() * 8 / 10]).unwrap();
        assert!(most.partial, "{name}");
        assert_eq!((most.source, most.thumbnail.width_px), (whole.source, 300));
        // What is there is right.
        let (one, other) = (pixels(&whole.preview.unwrap()), pixels(&most.preview.unwrap()));
        for x in [20, 300, 580] {
            assert!(close(other.get_pixel(x, 60), one.get_pixel(x, 60).0), "{name} at {x}");
        }
        let mut spec = ThumbSpec::default();
        spec.min_rows_percent = 95;
        let error = render_set(&file[..file.len() * 8 / 10], &spec).unwrap_err();
        assert_eq!(error.code(), "IMAGE_TRUNCATED", "{name}");
    }
    assert!(!render(&png).unwrap().partial);
}
