//! Thumbnails and previews, through their public face.
//!
//! Every picture here is made by the test that uses it. The test card has four corners of four
//! colours, so each of the eight ways to turn or mirror it looks different.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::io::Cursor;
use std::thread;

use finalmile::ipfs::cid_of_bytes;
use finalmile::thumb::{
    Format, Orientation, Picture, ThumbError, ThumbSpec, ThumbnailSet, render_set, render_set_file,
};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba};

const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 180, 30];
const BLUE: [u8; 3] = [30, 30, 220];
const YELLOW: [u8; 3] = [230, 220, 40];

/// The colours of the upright card: top left, top right, bottom left, bottom right.
const CORNERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

/// 40 x 24, lossy, a smooth picture: made by libwebp at quality 60.
const LOSSY_WEBP: &str = "\
    524946469c0000005745425056503820900000009004009d012a280018003e953c9649aba3a2213aa8017012896a\
    00bb335a3347b900a083e6a7332a1b77ffbe0000fef79606dddf913af18f7b3abffd0a15c1659872b6a9ddc63ed7\
    b9d6e29f51021b4c79de9f27f92106b7fe5b6ff937d833fcd7ff2ff21f575ef90ec71a0f9ecfd76cd857a56aad89\
    8643fce26c1ac6473515814eae0fb865b3b8e299cf2213800000";
/// The same size; the left half is transparent and hides pure red.
const ALPHA_WEBP: &str = "\
    52494646c600000057454250565038580a00000010000000270000170000414c50480f00000001101210fe9f5675\
    25222680d4f44b0056503820900000001005009d012a280018003e99429749a5a422213abcc800b013096600b11f\
    84fb5faab2bff74000fc7cca81de973d57676c00feee431ff152b8baadffdb43feb43feb43fea3bcbe7f2824b4c7\
    a206b5db6bd2b2fab350f2fe1e437537b590d6effe72c7aee6ffa711ec028c03b6c1572f9d66808103fa5fd41222\
    f501ead56067a912d7bc3ab3598372d02bc347d80000";
/// Two frames of 40 x 24: blue, then black.
const ANIMATED_WEBP: &str = "\
    52494646d200000057454250565038580a00000002000000270000170000414e494d06000000000000000000414e\
    4d465c0000000000000000002700001700006400000256503820440000005003009d012a280018003eb55aa74ea7\
    2523a2256800e016896700d144ec55dfc3803000fef1958fffae03fff9c07fff380fe65bf8340a0007ff04ad77ff\
    049dc1400000414e4d464200000000000000000027000017000064000000565038202a0000007402009d012a2800\
    18002e855aad5680000844b4800121794d22838000fef9d28bfd76d2ff2b98000000";

fn render(bytes: &[u8]) -> Result<ThumbnailSet, ThumbError> {
    render_set(bytes, &ThumbSpec::default())
}

fn pixels(picture: &Picture) -> RgbImage {
    let decoded = image::load_from_memory_with_format(&picture.bytes, ImageFormat::Jpeg).unwrap();
    let decoded = decoded.to_rgb8();
    assert_eq!(decoded.dimensions(), (picture.width_px, picture.height_px));
    decoded
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(picture: &RgbImage, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_progressive(progressive);
    let side = |length: u32| u16::try_from(length).unwrap();
    let (width, height) = (side(picture.width()), side(picture.height()));
    encoder.encode(picture, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

fn plain(width: u32, height: u32) -> Vec<u8> {
    encode(&GrayImage::from_pixel(width, height, Luma([90])).into(), ImageFormat::Png)
}

/// Smooth colours with some texture, so that no two places look alike.
fn scene(width: u32, height: u32) -> RgbImage {
    let byte = |number: u32| number.to_le_bytes()[0];
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([byte(x * 255 / width), byte(y * 255 / height), byte(x / 3 * 7 + y / 5 * 11)])
    })
}

fn close(found: &Rgb<u8>, wanted: [u8; 3]) -> bool {
    found.0.iter().zip(wanted).all(|(&found, wanted)| found.abs_diff(wanted) <= 12)
}

/// The upright card as a camera stores it that must be turned by EXIF `code`.
///
/// Written from the definition: where the visible picture has its 0th stored row and column.
/// Source: Exif 3.0, section 4.6.5.1.5.
fn stored_card(code: u16, width: u32, height: u32) -> RgbImage {
    let (row_side, column_side) = match code {
        1 => ("top", "left"),
        2 => ("top", "right"),
        3 => ("bottom", "right"),
        4 => ("bottom", "left"),
        5 => ("left", "top"),
        6 => ("right", "top"),
        7 => ("right", "bottom"),
        _ => ("left", "bottom"),
    };
    let sideways = code >= 5;
    let (rows, columns) = if sideways { (width, height) } else { (height, width) };
    RgbImage::from_fn(columns, rows, |column, row| {
        let (mut x, mut y) = (0, 0);
        for (side, steps) in [(row_side, row), (column_side, column)] {
            match side {
                "left" => x = steps,
                "right" => x = width - 1 - steps,
                "top" => y = steps,
                _ => y = height - 1 - steps,
            }
        }
        let corner = usize::from(x >= width / 2) + 2 * usize::from(y >= height / 2);
        Rgb(CORNERS[corner])
    })
}

fn assert_upright(picture: &Picture) {
    let seen = pixels(picture);
    let (right, bottom) = (seen.width() - 1, seen.height() - 1);
    for (place, wanted) in
        [(0, 0), (right, 0), (0, bottom), (right, bottom)].into_iter().zip(CORNERS)
    {
        let found = seen.get_pixel(place.0, place.1);
        assert!(close(found, wanted), "{wanted:?} at {place:?}, not {found:?}");
    }
}

/// A TIFF structure with one tag, as cameras write it.
fn tiff(code: u16, big_endian: bool) -> Vec<u8> {
    let short = |n: u16| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let long = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut bytes = if big_endian { b"MM\0\x2A".to_vec() } else { b"II\x2A\0".to_vec() };
    bytes.extend(long(8));
    bytes.extend(short(1));
    bytes.extend(short(0x0112));
    bytes.extend(short(3));
    bytes.extend(long(1));
    bytes.extend(short(code));
    bytes.extend(short(0));
    bytes.extend(long(0));
    bytes
}

fn jpeg_with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let body = [b"Exif\0\0", tiff].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &body, &jpeg[2..]].concat()
}

/// Puts a chunk before the one named `before`.
fn png_with_chunk(png: &[u8], before: &[u8; 4], name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let at = png.windows(4).position(|window| window == before).unwrap() - 4;
    let named = [name, body].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&png[..at], &length, &named, &crc32(&named).to_be_bytes(), &png[at..]].concat()
}

/// Source: PNG, third edition, annex D.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

/// Turns a plain WebP into an extended one with an `EXIF` chunk behind the picture.
fn webp_with_exif(webp: &[u8], width: u32, height: u32, tiff: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8; 4], body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let padding = if body.len() % 2 == 1 { &[0][..] } else { &[] };
        [name, &length[..], body, padding].concat()
    };
    let mut canvas = vec![0x08, 0, 0, 0];
    canvas.extend(&(width - 1).to_le_bytes()[..3]);
    canvas.extend(&(height - 1).to_le_bytes()[..3]);
    let body = [b"WEBP", &chunk(b"VP8X", &canvas)[..], &webp[12..], &chunk(b"EXIF", tiff)].concat();
    chunk(b"RIFF", &body)
}

fn unhex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

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

// Output

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
    for (file, thumbnail, preview) in [
        (
            encode(&scene(900, 640).into(), ImageFormat::Png),
            "bafkreid5qskzaa76yzmjw3htx5e4dxkquknyakro5ear3n2dzebvhbplwi",
            "bafkreifs5s4vtau2k7gvb26hutmr3bvnkhzjfrngovb3mbme4xklnnsl6i",
        ),
        (
            jpeg(&scene(641, 903), true),
            "bafkreibkgcplqerwwi4nv3upxjfg5a6ir7eugvu4kqsyybqil62tf3yjfi",
            "bafkreieyjrawqtjn4hg3pyzunx5tagbn763naovqtzhhj6bsx3gs6lj2pm",
        ),
    ] {
        let set = render(&file).unwrap();
        assert_eq!(cid_of_bytes(&set.thumbnail.bytes).to_string(), thumbnail);
        assert_eq!(cid_of_bytes(&set.preview.unwrap().bytes).to_string(), preview);
    }
}

// Hostile input

/// One small file of each kind, for cutting and changing.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let picture = scene(96, 64);
    let dynamic = DynamicImage::from(picture.clone());
    let turned = DynamicImage::from(dynamic.to_rgba8());
    vec![
        ("JPEG", jpeg_with_exif(&jpeg(&picture, false), &tiff(6, true))),
        ("progressive JPEG", jpeg(&picture, true)),
        (
            "PNG",
            png_with_chunk(&encode(&turned, ImageFormat::Png), b"IDAT", b"eXIf", &tiff(5, true)),
        ),
        ("WebP", webp_with_exif(&encode(&dynamic, ImageFormat::WebP), 96, 64, &tiff(7, false))),
        ("lossy WebP", unhex(LOSSY_WEBP)),
        ("WebP with alpha", unhex(ALPHA_WEBP)),
        ("animated WebP", unhex(ANIMATED_WEBP)),
        ("GIF", encode(&dynamic, ImageFormat::Gif)),
    ]
}

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

#[test]
fn what_is_no_picture_is_said_so_and_what_is_not_decoded_as_well() {
    for (bytes, code) in [
        (&b""[..], "NOT_AN_IMAGE"),
        (b"\xFF", "NOT_AN_IMAGE"),
        (b"<html>502 Bad Gateway</html>", "NOT_AN_IMAGE"),
        (b"%PDF-1.7", "NOT_AN_IMAGE"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "UNSUPPORTED_IMAGE"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "UNSUPPORTED_IMAGE"),
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

/// A small generator of test numbers; a failure names its seed by the test it is in.
///
/// Source: Marsaglia, "Xorshift RNGs", 2003.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
