//! HEIC pictures, through the public face of `thumb`. Feature `heic`.
//!
//! `tests/data/heic/card.heic` shows four corners in four colours, and `grid.heic` the same in tiles; the
//! script beside them made them. Turns and mirrors are put into the card's boxes here.
#![cfg(feature = "heic")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::disallowed_methods, reason = "a test may look at the clock")]

use std::time::{Duration, Instant};

use finalmile::thumb::{Format, Picture, ThumbError, ThumbSpec, ThumbnailSet, render_set};

const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 180, 30];
const BLUE: [u8; 3] = [30, 30, 220];
const YELLOW: [u8; 3] = [230, 220, 40];

fn card() -> Vec<u8> {
    include_bytes!("data/heic/card.heic").to_vec()
}

fn render(bytes: &[u8]) -> Result<ThumbnailSet, ThumbError> {
    let mut spec = ThumbSpec::default();
    spec.thumbnail_side_px = 40;
    render_set(bytes, &spec)
}

fn assert_corners(picture: &Picture, wanted: [[u8; 3]; 4], what: &str) {
    let seen = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
    let (right, bottom) = (seen.width() - 4, seen.height() - 4);
    let found = [(3, 3), (right, 3), (3, bottom), (right, bottom)];
    let found = found.map(|(x, y)| seen.get_pixel(x, y).0);
    let near = |(found, wanted): (&[u8; 3], &[u8; 3])| {
        found.iter().zip(wanted).all(|(found, wanted)| found.abs_diff(*wanted) <= 16)
    };
    assert!(found.iter().zip(&wanted).all(near), "{what}: {found:?}, not {wanted:?}");
}

/// The card with one more property: a box of nine bytes, and its number among the picture's.
fn card_with(kind: &[u8; 4], value: u8) -> Vec<u8> {
    let mut bytes = card();
    let find =
        |bytes: &[u8], kind: &[u8; 4]| bytes.windows(4).position(|window| window == kind).unwrap();
    let grow = |bytes: &mut Vec<u8>, kind: &[u8; 4], by: u32| {
        let at = find(bytes, kind) - 4;
        let length = u32::from_be_bytes(*bytes[at..].first_chunk().unwrap()) + by;
        bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
    };
    // The last first: associations, then properties, then what lies around, then the media's place.
    let ipma = find(&bytes, b"ipma");
    let count = ipma + 14;
    let associations = usize::from(bytes[count]);
    bytes.insert(count + 1 + associations, 0x80 | 4);
    bytes[count] += 1;
    let property = [&[0, 0, 0, 9], &kind[..], &[value]].concat();
    let end_of_properties = ipma - 4;
    bytes.splice(end_of_properties..end_of_properties, property);
    grow(&mut bytes, b"ipma", 1);
    grow(&mut bytes, b"ipco", 9);
    grow(&mut bytes, b"iprp", 10);
    grow(&mut bytes, b"meta", 10);
    // iloc: one item, whose only extent has a base offset of four bytes.
    let offset = find(&bytes, b"iloc") + 16;
    let moved = u32::from_be_bytes(*bytes[offset..].first_chunk().unwrap()) + 10;
    bytes[offset..offset + 4].copy_from_slice(&moved.to_be_bytes());
    bytes
}

#[test]
fn a_heic_picture_becomes_a_set() {
    let set = render(&card()).unwrap();
    assert_eq!((set.source.width_px, set.source.height_px), (128, 80));
    assert_eq!(set.source.format, Format::Heic);
    assert_corners(&set.preview.unwrap(), [RED, GREEN, BLUE, YELLOW], "plain");
    assert_eq!((set.thumbnail.width_px, set.thumbnail.height_px), (40, 40));
}

#[test]
fn a_picture_in_tiles_as_iphones_write_it_is_put_together() {
    let bytes = include_bytes!("data/heic/grid.heic");
    let set = render(bytes).unwrap();
    // What the last tiles have beyond the picture does not show, and its EXIF does not turn it.
    assert_eq!((set.source.width_px, set.source.height_px), (160, 100));
    let preview = set.preview.unwrap();
    assert_eq!((preview.width_px, preview.height_px), (160, 100));
    assert_corners(&preview, [RED, GREEN, BLUE, YELLOW], "tiles");
    let seen = image::load_from_memory(&preview.bytes).unwrap().to_rgb8();
    for (x, y, wanted) in [(70, 40, RED), (90, 40, GREEN), (70, 60, BLUE), (90, 60, YELLOW)] {
        let found = seen.get_pixel(x, y).0;
        let near = found.iter().zip(wanted).all(|(found, wanted)| found.abs_diff(wanted) <= 16);
        assert!(near, "{found:?} at {x}, {y}, not {wanted:?}");
    }
}

#[test]
fn a_cut_heic_picture_is_truncated_however_much_of_it_is_there() {
    for bytes in [&card()[..], include_bytes!("data/heic/grid.heic")] {
        for cut in [1, 20, 100] {
            let error = render(&bytes[..bytes.len() - cut]).unwrap_err();
            assert_eq!(error.code(), "IMAGE_TRUNCATED", "{cut} bytes less: {error:?}");
        }
    }
}

#[test]
fn turns_and_mirrors_of_the_container_are_applied() {
    for (kind, value, wanted) in [
        (b"irot", 0, [RED, GREEN, BLUE, YELLOW]),
        // Counter-clockwise.
        (b"irot", 1, [GREEN, YELLOW, RED, BLUE]),
        (b"irot", 2, [YELLOW, BLUE, GREEN, RED]),
        (b"irot", 3, [BLUE, RED, YELLOW, GREEN]),
        // As the edition of 2022 says and libheif does: 0 exchanges top and bottom.
        (b"imir", 0, [BLUE, YELLOW, RED, GREEN]),
        (b"imir", 1, [GREEN, RED, YELLOW, BLUE]),
    ] {
        let set = render(&card_with(kind, value)).unwrap();
        let sideways = kind == b"irot" && value % 2 == 1;
        let size = if sideways { (80, 128) } else { (128, 80) };
        assert_eq!((set.source.width_px, set.source.height_px), size);
        assert_corners(&set.preview.unwrap(), wanted, &format!("{} {value}", kind.escape_ascii()));
    }
}

#[test]
fn limits_hold_for_what_is_claimed() {
    let mut spec = ThumbSpec::default();
    spec.limits.max_pixels = 10_000;
    assert_eq!(render_set(&card(), &spec).unwrap_err().code(), "IMAGE_TOO_LARGE");
    let mut spec = ThumbSpec::default();
    spec.limits.max_alloc_bytes = 100_000;
    assert_eq!(render_set(&card(), &spec).unwrap_err().code(), "IMAGE_TOO_LARGE");
}

#[test]
fn a_heic_picture_cut_or_changed_anywhere_is_a_picture_or_an_error_in_bounded_time() {
    let bytes = card();
    for length in 0..bytes.len() {
        assert!(render(&bytes[..length]).is_err(), "{length} bytes");
    }
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let (mut pictures, mut slowest) = (0, Duration::ZERO);
    for _ in 0..4_000 {
        let mut changed = bytes.clone();
        for _ in 0..=random(3) {
            let at = random(changed.len());
            changed[at] = if random(2) == 0 { changed[at] ^ 1 << random(8) } else { 0xFF };
        }
        let start = Instant::now();
        pictures += u32::from(render(&changed).is_ok());
        slowest = slowest.max(start.elapsed());
    }
    println!("{pictures} pictures, slowest {slowest:?}");
    assert!(pictures > 100, "{pictures} pictures");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
