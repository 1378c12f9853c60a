//! Thumbnails and previews, through their public face: upright, of the right size, from every format.

#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/pictures.rs"]
mod pictures;

use std::fs;

use finalmile::thumb::{Format, Orientation, ThumbSpec, render_set, render_set_file};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba};

use pictures::*;

// Upright

#[test]
fn t3_a_photo_turned_by_exif_comes_out_upright_whatever_its_code() {
    for code in 1..=8 {
        let file = jpeg_with_exif(&jpeg(&stored_card(code, 720, 480), false), &tiff(code, true));
        let set = render(&file).unwrap();
        assert_eq!(set.source.orientation.exif_code(), code);
        assert_eq!((set.source.width_px, set.source.height_px), (720, 480), "code {code}");
        let preview = set.preview.unwrap();
        assert_eq!((preview.width_px, preview.height_px), (600, 400), "code {code}");
        assert_eq!((set.thumbnail.width_px, set.thumbnail.height_px), (300, 300));
        assert_upright(&preview);
        assert_upright(&set.thumbnail);
    }
}

#[test]
fn t3_every_format_that_carries_exif_is_turned_by_it() {
    for code in 1..=8 {
        let card = stored_card(code, 120, 80);
        let dynamic = DynamicImage::from(card.clone());
        let (width, height) = card.dimensions();
        let webp = encode(&dynamic, ImageFormat::WebP);
        let png = encode(&dynamic, ImageFormat::Png);
        let prefixed = [b"Exif\0\0", &tiff(code, true)[..]].concat();
        for (name, file) in [
            ("JPEG, Intel order", jpeg_with_exif(&jpeg(&card, true), &tiff(code, false))),
            ("PNG", png_with_chunk(&png, b"IDAT", b"eXIf", &tiff(code, false))),
            ("PNG, EXIF last", png_with_chunk(&png, b"IEND", b"eXIf", &tiff(code, true))),
            ("WebP", webp_with_exif(&webp, width, height, &tiff(code, false))),
            ("WebP, EXIF as in JPEG", webp_with_exif(&webp, width, height, &prefixed)),
        ] {
            let set = render(&file).unwrap();
            assert_eq!(set.source.orientation.exif_code(), code, "{name}");
            assert_eq!((set.source.width_px, set.source.height_px), (120, 80), "{name} {code}");
            assert_upright(&set.thumbnail);
        }
    }
}

#[test]
fn t3_the_square_of_a_panorama_is_the_same_however_it_was_stored() {
    // The margin is odd and nothing is scaled, so a square off by one pixel would show.
    let upright = |code| {
        let card = DynamicImage::from(stored_card(code, 41, 20));
        let png = encode(&card, ImageFormat::Png);
        let file = png_with_chunk(&png, b"IDAT", b"eXIf", &tiff(code, true));
        render(&file).unwrap().thumbnail
    };
    let first = upright(1);
    assert_eq!((first.width_px, first.height_px), (20, 20));
    for code in 2..=8 {
        assert_eq!(upright(code), first, "code {code}");
    }
}

#[test]
fn t3_broken_exif_counts_as_none() {
    let card = jpeg(&stored_card(1, 150, 100), false);
    let good = tiff(6, true);
    let mut far = good.clone();
    far[4..8].copy_from_slice(&[0xFF; 4]);
    let mut many = good.clone();
    many[8..10].copy_from_slice(&[0xFF; 2]);
    many[10..12].copy_from_slice(&[0; 2]);
    let mut text = good.clone();
    text[13] = 2;
    let cut = &good[..16];
    for exif in [
        &b""[..],
        b"MM",
        b"junk junk junk",
        cut,
        &far,
        &many,
        &text,
        &tiff(0, true),
        &tiff(9, true),
    ] {
        let set = render(&jpeg_with_exif(&card, exif)).unwrap();
        assert_eq!(set.source.orientation, Orientation::Upright, "{exif:02x?}");
        assert_upright(&set.thumbnail);
    }
}

#[test]
fn t3_the_thumbnail_inside_exif_is_not_mistaken_for_the_picture() {
    let inner = jpeg(&stored_card(3, 160, 120), false);
    let exif = [&tiff(1, true)[..], &inner].concat();
    let set = render(&jpeg_with_exif(&jpeg(&stored_card(1, 720, 480), false), &exif)).unwrap();
    assert_eq!(set.source.width_px, 720);
    assert_upright(&set.thumbnail);
}

// Sizes

#[test]
fn t4_sizes_follow_from_the_source() {
    for (source, square, preview) in [
        ((1, 1), 1, None),
        ((299, 301), 299, Some((299, 301))),
        ((300, 300), 300, None),
        ((301, 300), 300, Some((301, 300))),
        ((300, 200), 200, None),
        ((500, 400), 300, Some((500, 400))),
        ((600, 600), 300, Some((600, 600))),
        ((601, 601), 300, Some((600, 600))),
        ((1200, 800), 300, Some((600, 400))),
        ((800, 1200), 300, Some((400, 600))),
        ((4000, 1000), 300, Some((600, 150))),
        ((1000, 7), 7, Some((600, 4))),
        ((1, 10_000), 1, Some((1, 600))),
        ((10_000, 1), 1, Some((600, 1))),
        ((65_535, 2), 2, Some((600, 1))),
    ] {
        let set = render(&plain(source.0, source.1)).unwrap();
        assert_eq!(
            (set.thumbnail.width_px, set.thumbnail.height_px),
            (square, square),
            "{source:?}"
        );
        let found = set.preview.map(|preview| (preview.width_px, preview.height_px));
        assert_eq!(found, preview, "{source:?}");
    }
}

#[test]
fn sizes_can_be_chosen_and_senseless_ones_are_moved_to_sense() {
    let mut spec = ThumbSpec::default();
    (spec.thumbnail_side_px, spec.preview_side_px, spec.quality) = (64, 200, 255);
    let set = render_set(&plain(400, 300), &spec).unwrap();
    let preview = set.preview.unwrap();
    assert_eq!((set.thumbnail.width_px, preview.width_px, preview.height_px), (64, 200, 150));

    (spec.thumbnail_side_px, spec.preview_side_px, spec.quality) = (0, 0, 0);
    let set = render_set(&plain(400, 300), &spec).unwrap();
    assert_eq!((set.thumbnail.width_px, set.preview.unwrap().width_px), (1, 1));
}

#[test]
fn a_preview_looks_like_its_source_and_the_thumbnail_like_its_middle() {
    let source = scene(1_500, 1_000);
    let smooth = |picture: &RgbImage, x: u32, y: u32| {
        let red_green = picture.get_pixel(x, y).0;
        [red_green[0], red_green[1]]
    };
    let set = render(&encode(&source.clone().into(), ImageFormat::Png)).unwrap();
    let (preview, square) = (pixels(&set.preview.unwrap()), pixels(&set.thumbnail));
    let mut worst = 0;
    for step in 1..29 {
        let pairs = [
            (smooth(&preview, step * 20, step * 13), smooth(&source, step * 50, step * 65 / 2)),
            (
                smooth(&square, step * 10, step * 10),
                smooth(&source, 250 + step * 100 / 3, step * 100 / 3),
            ),
        ];
        for (found, wanted) in pairs {
            worst = worst.max(found[0].abs_diff(wanted[0])).max(found[1].abs_diff(wanted[1]));
        }
    }
    assert!(worst <= 24, "differs by {worst}");
}

// Formats

#[test]
fn each_format_is_recognised_by_its_bytes() {
    let card = DynamicImage::from(stored_card(1, 400, 320));
    for (format, encoded) in [
        (Format::Jpeg, jpeg(&card.to_rgb8(), false)),
        (Format::Jpeg, jpeg(&card.to_rgb8(), true)),
        (Format::Png, encode(&card, ImageFormat::Png)),
        (Format::WebP, encode(&card, ImageFormat::WebP)),
        (Format::Gif, encode(&card, ImageFormat::Gif)),
    ] {
        let set = render(&encoded).unwrap();
        assert_eq!(set.source.format, format);
        assert_upright(&set.thumbnail);
        assert_upright(&set.preview.unwrap());
    }
}

#[test]
fn lossy_and_animated_webp_show_their_first_frame() {
    let set = render(&unhex(LOSSY_WEBP)).unwrap();
    assert_eq!((set.source.width_px, set.source.height_px), (40, 24));
    let set = render(&unhex(ANIMATED_WEBP)).unwrap();
    let found = *pixels(&set.thumbnail).get_pixel(12, 12);
    assert!(close(&found, [0, 0, 250]), "{found:?}");
}

#[test]
fn a_gif_shows_its_first_frame_over_the_background() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for color in [[0, 0, 250, 255], [0, 0, 0, 255]] {
        let frame =
            ImageBuffer::from_fn(64, 64, |x, _| if x < 32 { Rgba([0; 4]) } else { Rgba(color) });
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let seen = pixels(&render(&bytes).unwrap().thumbnail);
    assert!(close(seen.get_pixel(8, 32), [255; 3]) && close(seen.get_pixel(56, 32), [0, 0, 250]));
}

#[test]
fn t7_transparent_parts_show_the_background_and_never_their_hidden_colour() {
    // Opaque green beside a transparent half, at an edge that the resize blurs.
    let half = |hidden: [u8; 3]| {
        let transparent = Rgba([hidden[0], hidden[1], hidden[2], 0]);
        let picture = ImageBuffer::from_fn(901, 640, |x, _| {
            if x < 455 { transparent } else { Rgba([0, 160, 0, 255]) }
        });
        encode(&picture.into(), ImageFormat::Png)
    };
    let mut spec = ThumbSpec::default();
    for background in [[255, 255, 255], [20, 40, 200]] {
        spec.background = background;
        let set = render_set(&half([255, 0, 0]), &spec).unwrap();
        assert!(
            set == render_set(&half([0, 0, 255]), &spec).unwrap(),
            "hidden colours do not count"
        );
        let seen = pixels(&set.preview.unwrap());
        assert!(close(seen.get_pixel(10, 200), background));
        assert!(close(seen.get_pixel(590, 200), [0, 160, 0]));
    }
    let seen = pixels(&render(&unhex(ALPHA_WEBP)).unwrap().thumbnail);
    assert!(close(seen.get_pixel(1, 12), [255; 3]), "{:?}", seen.get_pixel(1, 12));
}

#[test]
fn a_jpeg_whose_planes_lie_apart_is_read_right_or_refused() {
    let card = stored_card(1, 400, 320);
    for factor in [
        jpeg_encoder::SamplingFactor::R_4_4_4,
        jpeg_encoder::SamplingFactor::R_4_2_2,
        jpeg_encoder::SamplingFactor::R_4_4_0,
        jpeg_encoder::SamplingFactor::R_4_2_0,
    ] {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        encoder.set_sampling_factor(factor);
        encoder.set_optimized_huffman_tables(true);
        encoder.encode(&card, 400, 320, jpeg_encoder::ColorType::Rgb).unwrap();
        match render(&bytes) {
            Ok(set) => assert_upright(&set.thumbnail),
            Err(error) => assert_eq!(error.code(), "UNSUPPORTED_IMAGE"),
        }
    }
}

#[test]
fn gray_and_deep_samples_keep_their_brightness() {
    let pictures: [(DynamicImage, [u8; 3]); 6] = [
        (GrayImage::from_pixel(320, 320, Luma([77])).into(), [77; 3]),
        (ImageBuffer::from_pixel(320, 320, Luma([0x8080_u16])).into(), [128; 3]),
        (ImageBuffer::from_pixel(320, 320, Rgb([0xFFFF_u16, 0x4040, 0])).into(), [255, 64, 0]),
        (ImageBuffer::from_pixel(320, 320, Rgba([0_u16, 0, 0, 0x8080])).into(), [127; 3]),
        (ImageBuffer::from_pixel(320, 320, image::LumaA([0_u8, 64])).into(), [191; 3]),
        (ImageBuffer::from_pixel(320, 320, image::LumaA([0_u16, 0x4040])).into(), [191; 3]),
    ];
    for (picture, wanted) in pictures {
        let set = render(&encode(&picture, ImageFormat::Png)).unwrap();
        for small in [set.thumbnail, set.preview.unwrap()] {
            let found = *pixels(&small).get_pixel(150, 150);
            assert!(close(&found, wanted), "{:?}: {found:?}, not {wanted:?}", picture.color());
        }
    }
}

// Files

#[test]
fn a_file_gives_what_its_bytes_give() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo");
    let bytes = jpeg(&scene(640, 480), false);
    fs::write(&path, &bytes).unwrap();
    let spec = ThumbSpec::default();
    assert_eq!(render_set_file(&path, &spec).unwrap(), render_set(&bytes, &spec).unwrap());
}

#[test]
fn t2_a_file_too_large_is_refused_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge");
    // Sparse: a terabyte in name only.
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = render_set_file(&path, &ThumbSpec::default()).unwrap_err();
    assert_eq!(error.code(), "IMAGE_TOO_LARGE");
}

#[test]
fn a_path_without_a_readable_file_is_an_error_that_keeps_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing.jpg"), folder.path().to_path_buf()] {
        let error = render_set_file(&path, &ThumbSpec::default()).unwrap_err();
        assert_eq!(error.code(), "FILE_UNREADABLE");
        assert!(std::error::Error::source(&error).unwrap().is::<std::io::Error>());
        assert!(error.to_string().contains(path.to_str().unwrap()), "the log names the file");
        assert!(!error.public_text().contains('/'), "the user does not see it");
    }
}
