//! Pictures for tests, made by the test that uses them.
//!
//! The test card has four corners of four colours, so each of the eight ways to turn or mirror it
//! looks different.
//!
//! ```ignore
//! #[path = "support/pictures.rs"]
//! mod pictures;
//! ```

#![allow(dead_code, reason = "no test needs all of them")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::io::Cursor;

use finalmile::thumb::{Format, Picture, ThumbError, ThumbSpec, ThumbnailSet, render_set};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

pub(crate) const RED: [u8; 3] = [220, 30, 30];
pub(crate) const GREEN: [u8; 3] = [30, 180, 30];
pub(crate) const BLUE: [u8; 3] = [30, 30, 220];
pub(crate) const YELLOW: [u8; 3] = [230, 220, 40];

/// The colours of the upright card: top left, top right, bottom left, bottom right.
pub(crate) const CORNERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

/// 40 x 24, lossy, a smooth picture: made by libwebp at quality 60.
pub(crate) const LOSSY_WEBP: &str = "\
    524946469c0000005745425056503820900000009004009d012a280018003e953c9649aba3a2213aa8017012896a\
    00bb335a3347b900a083e6a7332a1b77ffbe0000fef79606dddf913af18f7b3abffd0a15c1659872b6a9ddc63ed7\
    b9d6e29f51021b4c79de9f27f92106b7fe5b6ff937d833fcd7ff2ff21f575ef90ec71a0f9ecfd76cd857a56aad89\
    8643fce26c1ac6473515814eae0fb865b3b8e299cf2213800000";
/// The same size; the left half is transparent and hides pure red.
pub(crate) const ALPHA_WEBP: &str = "\
    52494646c600000057454250565038580a00000010000000270000170000414c50480f00000001101210fe9f5675\
    25222680d4f44b0056503820900000001005009d012a280018003e99429749a5a422213abcc800b013096600b11f\
    84fb5faab2bff74000fc7cca81de973d57676c00feee431ff152b8baadffdb43feb43feb43fea3bcbe7f2824b4c7\
    a206b5db6bd2b2fab350f2fe1e437537b590d6effe72c7aee6ffa711ec028c03b6c1572f9d66808103fa5fd41222\
    f501ead56067a912d7bc3ab3598372d02bc347d80000";
/// Two frames of 40 x 24: blue, then black.
pub(crate) const ANIMATED_WEBP: &str = "\
    52494646d200000057454250565038580a00000002000000270000170000414e494d06000000000000000000414e\
    4d465c0000000000000000002700001700006400000256503820440000005003009d012a280018003eb55aa74ea7\
    2523a2256800e016896700d144ec55dfc3803000fef1958fffae03fff9c07fff380fe65bf8340a0007ff04ad77ff\
    049dc1400000414e4d464200000000000000000027000017000064000000565038202a0000007402009d012a2800\
    18002e855aad5680000844b4800121794d22838000fef9d28bfd76d2ff2b98000000";

pub(crate) fn render(bytes: &[u8]) -> Result<ThumbnailSet, ThumbError> {
    render_set(bytes, &ThumbSpec::default())
}

pub(crate) fn pixels(picture: &Picture) -> RgbImage {
    let format = match picture.format {
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        _ => ImageFormat::Jpeg,
    };
    let decoded = image::load_from_memory_with_format(&picture.bytes, format).unwrap();
    let decoded = decoded.to_rgb8();
    assert_eq!(decoded.dimensions(), (picture.width_px, picture.height_px));
    decoded
}

pub(crate) fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn jpeg(picture: &RgbImage, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_progressive(progressive);
    let side = |length: u32| u16::try_from(length).unwrap();
    let (width, height) = (side(picture.width()), side(picture.height()));
    encoder.encode(picture, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

pub(crate) fn plain(width: u32, height: u32) -> Vec<u8> {
    encode(&GrayImage::from_pixel(width, height, Luma([90])).into(), ImageFormat::Png)
}

/// Smooth colours with some texture, so that no two places look alike.
pub(crate) fn scene(width: u32, height: u32) -> RgbImage {
    let byte = |number: u32| number.to_le_bytes()[0];
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([byte(x * 255 / width), byte(y * 255 / height), byte(x / 3 * 7 + y / 5 * 11)])
    })
}

pub(crate) fn close(found: &Rgb<u8>, wanted: [u8; 3]) -> bool {
    found.0.iter().zip(wanted).all(|(&found, wanted)| found.abs_diff(wanted) <= 12)
}

/// The upright card as a camera stores it that must be turned by EXIF `code`.
///
/// Written from the definition: where the visible picture has its 0th stored row and column.
/// Source: Exif 3.0, section 4.6.5.1.5.
pub(crate) fn stored_card(code: u16, width: u32, height: u32) -> RgbImage {
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

pub(crate) fn assert_upright(picture: &Picture) {
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
pub(crate) fn tiff(code: u16, big_endian: bool) -> Vec<u8> {
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

pub(crate) fn jpeg_with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let body = [b"Exif\0\0", tiff].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &body, &jpeg[2..]].concat()
}

/// Puts a chunk before the one named `before`.
pub(crate) fn png_with_chunk(png: &[u8], before: &[u8; 4], name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let at = png.windows(4).position(|window| window == before).unwrap() - 4;
    let named = [name, body].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&png[..at], &length, &named, &crc32(&named).to_be_bytes(), &png[at..]].concat()
}

/// Source: PNG, third edition, annex D.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

/// Turns a plain WebP into an extended one with an `EXIF` chunk behind the picture.
pub(crate) fn webp_with_exif(webp: &[u8], width: u32, height: u32, tiff: &[u8]) -> Vec<u8> {
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

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// One small file of each kind, for cutting and changing.
pub(crate) fn samples() -> Vec<(&'static str, Vec<u8>)> {
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

/// A small generator of test numbers; a failure names its seed by the test it is in.
///
/// Source: Marsaglia, "Xorshift RNGs", 2003.
pub(crate) struct Xorshift(pub(crate) u64);

impl Xorshift {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
