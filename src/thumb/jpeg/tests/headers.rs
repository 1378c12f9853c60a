//! What files say about themselves, in the ways in which they say it.

use jpeg_encoder::{ColorType, Encoder};

use super::super::error::Feature;
use super::super::{Colour, JpegError, Scale, read_header};
use super::{decoded, file, position, replaced};

/// A file with four planes as `encoded` by another hand: an Adobe segment tells the transform.
fn inks(kind: ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels: Vec<u8> = (0..240_u8).map(|at| at.wrapping_mul(7)).collect();
    let pixels = pixels.repeat(16);
    Encoder::new(&mut bytes, 90).encode(&pixels, 40, 24, kind).unwrap();
    bytes
}

/// Without its Adobe segment.
fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let at = position(bytes, b"\xFF\xEE\0\x0EAdobe").unwrap();
    [&bytes[..at], &bytes[at + 16..]].concat()
}

/// With another segment behind the start marker.
fn with_segment(bytes: &[u8], code: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&bytes[..2], &[0xFF, code], &length, body, &bytes[2..]].concat()
}

fn colour(bytes: &[u8]) -> Colour {
    read_header(bytes).unwrap().colour
}

#[test]
fn a_header_tells_size_planes_and_coding() {
    let header = read_header(&file("4x2-prog.jpg")).unwrap();
    assert_eq!((header.width, header.height, header.progressive), (83, 61, true));
    let shares: Vec<_> =
        header.components.iter().map(|c| (c.id, c.horizontal, c.vertical)).collect();
    assert_eq!(shares, [(1, 4, 2), (2, 1, 1), (3, 1, 1)]);
    assert!(!read_header(&file("2x2-base.jpg")).unwrap().progressive);
}

#[test]
fn colours_are_told_as_libjpeg_tells_them() {
    let (rgb, plain) = (file("rgb.jpg"), file("1x1-base.jpg"));
    assert_eq!(colour(&file("grey.jpg")), Colour::Grey);
    assert_eq!(colour(&plain), Colour::YCbCr);
    assert_eq!(colour(&rgb), Colour::Rgb);
    assert_eq!(colour(&unsigned(&rgb)), Colour::Rgb, "by the names of its planes");
    // A JFIF segment says YCbCr, whatever else is said.
    assert_eq!(
        colour(&with_segment(&rgb, 0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0")),
        Colour::YCbCr
    );

    let (cmyk, ycck) = (inks(ColorType::Cmyk), inks(ColorType::CmykAsYcck));
    assert_eq!((colour(&cmyk), colour(&ycck)), (Colour::Cmyk, Colour::Ycck));
    assert_eq!(colour(&unsigned(&ycck)), Colour::Cmyk, "without a word about it");
    assert_eq!(read_header(&ycck).unwrap().adobe_transform, Some(2));
    assert_eq!(read_header(&unsigned(&ycck)).unwrap().adobe_transform, None);
    assert_eq!(decoded(&cmyk, Scale::Quarter).unwrap().planes.len(), 4);
}

#[test]
fn codings_that_are_not_decoded_are_named() {
    let plain = file("1x1-base.jpg");
    let refused = |bytes: &[u8]| read_header(bytes).unwrap_err();
    let with_code = |code| refused(&replaced(&plain, &[0xFF, 0xC0], &[0xFF, code]));
    let unsupported = JpegError::Unsupported;
    assert_eq!(refused(&file_of("unsupported-arithmetic.jpg")), unsupported(Feature::Arithmetic));
    assert_eq!(with_code(0xC3), unsupported(Feature::Lossless));
    assert_eq!(with_code(0xC5), unsupported(Feature::Hierarchical));
    assert_eq!(with_code(0xF7), unsupported(Feature::Lossless));
    for code in [0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF] {
        assert_eq!(with_code(code), unsupported(Feature::Arithmetic));
    }
    let deep = replaced(&plain, b"\xFF\xC0\0\x11\x08", b"\xFF\xC0\0\x11\x0C");
    assert_eq!(refused(&deep), unsupported(Feature::Precision(12)));
    assert_eq!(refused(&deep).to_string(), "JPEG with 12-bit samples");
    let two = replaced(&plain, b"\0\x3D\0\x53\x03", b"\0\x3D\0\x53\x02");
    assert_eq!(refused(&two), unsupported(Feature::Components(2)));
    assert_eq!(refused(b"GIF89a"), JpegError::NotJpeg);
    assert_eq!(refused(&plain[..100]), JpegError::Truncated);
}

fn file_of(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jpeg");
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn what_every_viewer_forgives_is_forgiven() {
    for name in ["2x2-base.jpg", "2x2-prog.jpg"] {
        let plain = file(name);
        let wanted = decoded(&plain, Scale::Quarter).unwrap();
        let same = |what: &str, bytes: &[u8]| {
            assert_eq!(decoded(bytes, Scale::Quarter).as_ref(), Ok(&wanted), "{what} in {name}");
        };
        let thumbnail = [b"Exif\0\0".as_slice(), &file("1x1-prog.jpg")].concat();
        same("a thumbnail inside", &with_segment(&plain, 0xE1, &thumbnail));
        same("junk before", &[b"\0\xFFjunk\xFF\0".as_slice(), &plain].concat());
        same("fill bytes", &[&plain[..2], &[0xFF; 9], &plain[2..]].concat());
        same("junk between", &[&plain[..2], b"between", &plain[2..]].concat());
        same("an endless segment", &[&plain[..2], &[0xFF, 0xE5, 0xFF, 0xFF], &plain[2..]].concat());
        same("an empty Adobe segment", &with_segment(&plain, 0xEE, b"Adobe"));
        same("no end marker", &plain[..plain.len() - 2]);
        same("half an end marker", &plain[..plain.len() - 1]);
    }
}

#[test]
fn jd7_what_comes_behind_the_end_is_not_looked_at() {
    for name in ["2x2-base.jpg", "2x2-prog.jpg", "1x1-apart.jpg"] {
        let (plain, other) = (file(name), file("fine.jpg"));
        let wanted = decoded(&plain, Scale::Half).unwrap();
        // The next picture of an MPO file, a gain map, a motion photo's video.
        assert_eq!(decoded(&[plain.clone(), other].concat(), Scale::Half), Ok(wanted.clone()));
        assert_eq!(decoded(&[&plain, b"ftypmp42".as_slice()].concat(), Scale::Half), Ok(wanted));
    }
}

#[test]
fn a_height_behind_the_first_scan_is_found() {
    let plain = file("2x1-rst5.jpg");
    let open = replaced(&plain, b"\0\x3D\0\x53\x03", b"\0\0\0\x53\x03");
    assert_eq!(read_header(&open), Err(JpegError::Damaged("frame header: no height")));
    let told = [&open[..open.len() - 2], b"\xFF\xDC\0\x04\0\x3D\xFF\xD9"].concat();
    assert_eq!(read_header(&told).unwrap().height, 61);
    assert_eq!(decoded(&told, Scale::Half), decoded(&plain, Scale::Half));
}

#[test]
fn files_without_code_tables_mean_those_of_the_standard() {
    let plain = file("2x2-base.jpg");
    let wanted = decoded(&plain, Scale::Full);
    let mut bare = plain;
    while let Some(at) = position(&bare, &[0xFF, 0xC4]) {
        let length = usize::from(bare[at + 2]) << 8 | usize::from(bare[at + 3]);
        drop(bare.drain(at..at + 2 + length));
    }
    assert_eq!(decoded(&bare, Scale::Full), wanted);
}
