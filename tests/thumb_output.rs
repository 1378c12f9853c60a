//! What thumbnails are made of: nothing but pixels, the same bytes everywhere, within their budget.

#![cfg(all(feature = "thumb", feature = "ipfs"))]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/pictures.rs"]
mod pictures;

use std::thread;

use finalmile::ipfs::cid_of_bytes;
use finalmile::thumb::{Encoding, Fit, Format, Gravity, ThumbSpec, paint_thumbhash, render_set};
use image::{ImageBuffer, ImageFormat, Rgb, RgbImage, Rgba};

use pictures::*;

#[test]
fn t5_output_has_no_segment_but_those_that_make_pixels() {
    let mut exif = tiff(6, true);
    exif.extend_from_slice(b"GPS 48.8584 N");
    let set = render(&jpeg_with_exif(&jpeg(&scene(800, 700), false), &exif)).unwrap();
    for picture in [set.thumbnail, set.preview.unwrap()] {
        let file = &picture.bytes;
        assert!(file.starts_with(&[0xFF, 0xD8]) && file.ends_with(&[0xFF, 0xD9]));
        let (mut at, mut frame) = (2, None);
        while file[at + 1] != 0xDA {
            let length = usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
            match file[at + 1] {
                0xE0 => assert_eq!((&file[at + 4..at + 9], length), (&b"JFIF\0"[..], 16)),
                0xC0 => frame = Some(&file[at + 4..at + 2 + length]),
                marker => assert!([0xDB, 0xC4].contains(&marker), "segment {marker:02x}"),
            }
            at += 2 + length;
        }
        // Baseline, 8 bits, three planes; luma at 2x2 against chroma: 4:2:0.
        let frame = frame.unwrap();
        assert_eq!((frame[0], frame[5], frame[7], frame[10], frame[13]), (8, 3, 0x22, 0x11, 0x11));
        assert!(!file.windows(3).any(|window| window == b"GPS"));
    }
}

#[test]
fn t6_the_same_input_gives_the_same_bytes_on_every_thread() {
    let file = jpeg(&scene(900, 640), false);
    let first = render(&file).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert!(render(&file).unwrap() == first));
        }
    });
}

#[test]
fn t6_the_bytes_are_those_of_every_other_machine() {
    // A change here is a change of every thumbnail's id: decide it, do not let it happen.
    let ids = |file: &[u8]| {
        let set = render(file).unwrap();
        let id = |bytes: &[u8]| cid_of_bytes(bytes).to_string();
        [id(&set.thumbnail.bytes), id(&set.preview.unwrap().bytes)]
    };
    let found = [
        ids(&encode(&scene(900, 640).into(), ImageFormat::Png)),
        ids(&jpeg(&scene(641, 903), true)),
        ids(&jpeg(&scene(1_641, 1_203), false)),
    ];
    let wanted = [
        [
            "bafkreiali2yuocpdblkxwyjiwy4aae7avt2kyusr4fjxsysxoranuppb6i",
            "bafkreieq377apcl4rioksglszlrbv3az6v7ky3wykyynhfzluucbcubtsy",
        ],
        [
            "bafkreif47eu2gka6ujkfx5ssoyh3x4zsxjcmw57e2g6gav6cd5sshr4zz4",
            "bafkreie3wy3cp36m4fdn2fv7i6emvdvvqqeqzr6lqsk7e46p7der6nkfii",
        ],
        [
            "bafkreigltcanveywk33hwpankoznftdfycj5matb72ocoje25dumlxqsf4",
            "bafkreibsa4des257ewvfvubosmidloat2zwbghomnx67k3lm4evwcqmsoq",
        ],
    ];
    assert_eq!(found, wanted);
}

#[test]
fn fit_and_gravity_say_what_the_thumbnail_shows() {
    let wide = encode(&stored_card(1, 800, 400).into(), ImageFormat::Png);
    let shown = |fit| {
        let mut spec = ThumbSpec::default();
        spec.fit = fit;
        let set = render_set(&wide, &spec).unwrap();
        assert_eq!(set.preview.unwrap().width_px, 600, "the preview keeps the whole picture");
        set.thumbnail
    };
    let whole = shown(Fit::Contain);
    assert_eq!((whole.width_px, whole.height_px), (300, 150));
    assert_upright(&whole);
    // The left half of the card has red above blue, the right one green above yellow.
    for (gravity, above, below) in [
        (Gravity::Left, CORNERS[0], CORNERS[2]),
        (Gravity::TopLeft, CORNERS[0], CORNERS[2]),
        (Gravity::Right, CORNERS[1], CORNERS[3]),
        (Gravity::BottomRight, CORNERS[1], CORNERS[3]),
    ] {
        let square = shown(Fit::Cover(gravity));
        assert_eq!((square.width_px, square.height_px), (300, 300));
        let seen = pixels(&square);
        for x in [10, 150, 290] {
            assert!(close(seen.get_pixel(x, 20), above), "{gravity:?} above");
            assert!(close(seen.get_pixel(x, 280), below), "{gravity:?} below");
        }
    }
}

#[test]
fn gravity_means_the_upright_picture_however_it_is_stored() {
    let mut spec = ThumbSpec::default();
    spec.fit = Fit::Cover(Gravity::Top);
    for code in 1..=8 {
        let file = jpeg_with_exif(&jpeg(&stored_card(code, 400, 800), false), &tiff(code, true));
        let seen = pixels(&render_set(&file, &spec).unwrap().thumbnail);
        assert!(close(seen.get_pixel(10, 290), CORNERS[0]), "code {code}");
        assert!(close(seen.get_pixel(290, 290), CORNERS[1]), "code {code}");
    }
}

#[test]
fn alpha_is_kept_where_the_format_can_and_the_host_wants_it() {
    let picture = ImageBuffer::from_fn(800, 700, |x, _| {
        if x < 400 { Rgba([255_u8, 0, 0, 0]) } else { Rgba([0, 160, 0, 128]) }
    });
    let file = encode(&picture.into(), ImageFormat::Png);
    let mut spec = ThumbSpec::default();
    (spec.encoding, spec.keep_alpha) = (Encoding::Png, true);
    let set = render_set(&file, &spec).unwrap();
    assert_eq!(set.thumbnail.format, Format::Png);
    let seen = image::load_from_memory(&set.thumbnail.bytes).unwrap().to_rgba8();
    assert_eq!(seen.get_pixel(10, 150)[3], 0);
    let half = seen.get_pixel(290, 150).0;
    assert!(half[0] == 0 && half[1].abs_diff(160) <= 2 && half[3] == 128, "{half:?}");

    spec.keep_alpha = false;
    let flat = pixels(&render_set(&file, &spec).unwrap().thumbnail);
    assert!(
        close(flat.get_pixel(10, 150), [255; 3])
            && close(flat.get_pixel(290, 150), [127, 207, 127])
    );
}

#[test]
fn every_encoding_shows_the_same_picture() {
    let file = encode(&stored_card(1, 800, 700).into(), ImageFormat::Png);
    for (encoding, format) in [
        (Encoding::Jpeg, Format::Jpeg),
        (Encoding::Png, Format::Png),
        (Encoding::WebP, Format::WebP),
    ] {
        let mut spec = ThumbSpec::default();
        spec.encoding = encoding;
        let set = render_set(&file, &spec).unwrap();
        assert_eq!(set.thumbnail.format, format);
        assert_upright(&set.thumbnail);
        assert_upright(&set.preview.unwrap());
    }
}

#[test]
fn a_budget_lowers_the_quality_until_it_is_kept() {
    let file = jpeg(&scene(1_200, 900), false);
    let whole = render(&file).unwrap();
    let mut spec = ThumbSpec::default();
    for share in [2, 4] {
        let most = whole.thumbnail.bytes.len() / share;
        spec.max_picture_bytes = Some(u32::try_from(most).unwrap());
        let set = render_set(&file, &spec).unwrap();
        let (small, large) = (set.thumbnail.bytes.len(), set.preview.unwrap().bytes.len());
        assert!(small <= most && large <= most, "{small} and {large} of {most}");
        assert!(small * 10 >= most * 8, "{small} wastes what {most} allow");
    }
}

#[test]
fn a_preview_is_never_larger_than_its_source() {
    // At a low quality and with its own tables, the source is smaller than what quality 80 makes of it.
    let mut source = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut source, 20);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    encoder.encode(&scene(600, 400), 600, 400, jpeg_encoder::ColorType::Rgb).unwrap();

    // As it is, but for the metadata.
    let tagged = jpeg_with_exif(&source, &[&tiff(1, true)[..], b"GPS 48.8584 N"].concat());
    let preview = render(&tagged).unwrap().preview.unwrap();
    assert!(preview.bytes.len() <= tagged.len());
    assert!(!preview.bytes.windows(3).any(|window| window == b"GPS"));
    let read = |bytes: &[u8]| image::load_from_memory(bytes).unwrap();
    assert!(
        read(&preview.bytes) == read(&source),
        "not one pixel is changed: {} bytes of {}",
        preview.bytes.len(),
        source.len()
    );

    // It must be turned, so it is encoded anew, at a lower quality.
    let turned = render(&jpeg_with_exif(&source, &tiff(6, true))).unwrap().preview.unwrap();
    assert!(turned.bytes.len() <= source.len() + 40, "{} of {}", turned.bytes.len(), source.len());
    assert_eq!((turned.width_px, turned.height_px), (400, 600));
}

#[test]
fn placeholders_tell_the_colours() {
    let red = render(&encode(&RgbImage::from_pixel(400, 300, Rgb(RED)).into(), ImageFormat::Png));
    let red = red.unwrap();
    // The second to fifth digit after the two of size are the mean colour, in base 83.
    assert_eq!(red.blurhash.len(), 28);
    assert!((5..=25).contains(&red.thumbhash.len()));
    let blue = render(&encode(&RgbImage::from_pixel(400, 300, Rgb(BLUE)).into(), ImageFormat::Png));
    assert_ne!(red.blurhash, blue.unwrap().blurhash);
}

#[test]
fn a_thumbhash_is_painted_in_its_shape_and_colour_and_nothing_else_is() {
    let red = RgbImage::from_pixel(400, 300, Rgb(RED));
    let hash = render(&encode(&red.into(), ImageFormat::Png)).unwrap().thumbhash;
    let painted = paint_thumbhash(&hash).unwrap();
    assert_eq!((painted.width_px, painted.height_px, painted.format), (32, 32, Format::Png));
    let [r, g, b] = pixels(&painted).get_pixel(16, 16).0;
    assert!(r > 180 && g < 90 && b < 90, "{r}, {g}, {b}");
    for cut in 0..hash.len() {
        assert_eq!(paint_thumbhash(&hash[..cut]).unwrap_err().code(), "NOT_AN_IMAGE", "{cut}");
    }
    // Whatever five bytes and more say, it is a small picture or none.
    let mut random = Xorshift(7);
    for length in 5..60 {
        for _ in 0..50 {
            let bytes: Vec<u8> = (0..length).map(|_| random.below(256).to_le_bytes()[0]).collect();
            if let Ok(painted) = paint_thumbhash(&bytes) {
                assert!((1..=32).contains(&painted.width_px.min(painted.height_px)));
            }
        }
    }
}

#[test]
fn light_is_mixed_as_light_where_that_is_wanted() {
    // Fine lines of black and white: as numbers they mix to 128, as light to 188.
    let lines = RgbImage::from_fn(1_200, 1_200, |x, _| Rgb([if x % 2 == 0 { 0 } else { 255 }; 3]));
    let file = encode(&lines.into(), ImageFormat::Png);
    let mut spec = ThumbSpec::default();
    let seen = |spec: &ThumbSpec| pixels(&render_set(&file, spec).unwrap().thumbnail);
    assert!(close(seen(&spec).get_pixel(150, 150), [128; 3]));
    spec.linear_light = true;
    assert!(close(seen(&spec).get_pixel(150, 150), [188; 3]));
}

#[cfg(feature = "parallel")]
#[test]
fn t6_two_threads_make_the_same_pictures_as_one() {
    // Large enough for the second to be asked.
    let source = jpeg(&scene(4_032, 3_024), false);
    assert!(source.len() > 300_000, "{} bytes", source.len());
    let mut spec = ThumbSpec::default();
    let one = render_set(&source, &spec).unwrap();
    spec.parallel = true;
    let two = render_set(&source, &spec).unwrap();
    assert_eq!(one.thumbnail.bytes, two.thumbnail.bytes);
    assert_eq!(one.preview.unwrap().bytes, two.preview.unwrap().bytes);
    assert_eq!((one.blurhash, one.partial), (two.blurhash, two.partial));
}
