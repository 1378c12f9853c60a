//! Files as phones, cameras and the web write them, beside what the standards' examples show.

#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/pictures.rs"]
mod pictures;

use finalmile::thumb::{Format, ThumbSpec, render_set};
use image::{ImageFormat, Rgb, RgbImage};
use pictures::*;

fn be(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}

/// A JPEG with one more segment in front of its own.
fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, marker], &length, body, &jpeg[2..]].concat()
}

/// The index of a file of several pictures, which tells where each lies.
///
/// Source: CIPA DC-007, section 5.2 (MP Format).
fn index(first: usize, second: usize) -> Vec<u8> {
    let mut mpf = b"MPF\0MM\0\x2A\0\0\0\x08".to_vec();
    mpf.extend([0, 3]);
    for (tag, kind, count, value) in
        [(0xB000_u16, 7_u16, 4, *b"0100"), (0xB001, 4, 1, be(2)), (0xB002, 7, 32, be(50))]
    {
        mpf.extend(tag.to_be_bytes());
        mpf.extend(kind.to_be_bytes());
        mpf.extend(be(count));
        mpf.extend(value);
    }
    mpf.extend([0; 4]);
    for (kind, length, start) in [(0x2003_0000, first, 0), (0, second, first)] {
        mpf.extend(be(kind));
        mpf.extend(be(length));
        mpf.extend(be(start));
        mpf.extend([0; 4]);
    }
    mpf
}

#[test]
fn of_several_pictures_in_a_jpeg_the_first_is_shown() {
    let base = jpeg(&scene(720, 480), false);
    let expected = render(&base).unwrap();
    // A stereo pair, as cameras write it; a brightness map, as phones do; a film behind the picture.
    let other = with_segment(&jpeg(&stored_card(1, 720, 480), false), 0xE2, &index(0, 0));
    let map = with_segment(
        &encode(&image::GrayImage::from_pixel(180, 120, image::Luma([99])).into(), ImageFormat::Jpeg),
        0xE1,
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" \
          hdrgm:Version=\"1.0\" hdrgm:GainMapMax=\"3.5\"/>",
    );
    let film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08mdat";
    for (name, second) in [("stereo", &other[..]), ("gain map", &map), ("film", film)] {
        let xmp = b"http://ns.adobe.com/xap/1.0/\0<Container:Directory/>";
        let indexed = with_segment(&base, 0xE2, &index(base.len() + 94, second.len()));
        let file = [&with_segment(&indexed, 0xE1, xmp)[..], second].concat();
        assert_eq!(render(&file).unwrap(), expected, "{name}");
        // What is cut behind the first picture is nobody's loss.
        let cut = &file[..file.len() - second.len() / 2];
        assert_eq!(render(cut).unwrap(), expected, "{name}, cut");
    }
}

#[test]
fn bytes_before_a_jpeg_are_passed_over() {
    let file = jpeg(&stored_card(1, 700, 480), false);
    let expected = render(&file).unwrap();
    for junk in [&b"\n"[..], b"\r\n", b"\xEF\xBB\xBF", &[0; 16], b"\xFF", b"\xFF\xFF\xFF"] {
        let late = [junk, &file].concat();
        assert_eq!(Format::from_first_bytes(&late), Some(Format::Jpeg), "{junk:?}");
        assert_eq!(render(&late).unwrap(), expected, "{junk:?}");
    }
    // More than that is another kind of file, which may well hold a JPEG.
    let far = [&[b' '; 17][..], &file].concat();
    assert_eq!(render(&far).unwrap_err().code(), "NOT_AN_IMAGE");
}

/// A PNG by hand: filter 0 on every row, stored without packing.
///
/// Source: PNG, third edition, section 5; RFC 1950 and 1951, section 3.2.4.
fn png(header: &[u8], chunks: &[(&[u8; 4], &[u8])], rows: &[Vec<u8>]) -> Vec<u8> {
    let mut raw = Vec::new();
    for row in rows {
        raw.push(0);
        raw.extend(row);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in &raw {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let mut packed = vec![0x78, 0x01];
    let mut blocks = raw.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        packed.push(u8::from(blocks.peek().is_none()));
        let length = u16::try_from(block.len()).unwrap();
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend(block);
    }
    packed.extend((b << 16 | a).to_be_bytes());
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let all = [(b"IHDR", header)].into_iter().chain(chunks.iter().copied());
    for (name, body) in all.chain([(b"IDAT", &packed[..]), (b"IEND", &[])]) {
        let named = [&name[..], body].concat();
        file.extend(be(body.len()));
        file.extend(&named);
        file.extend(crc32(&named).to_be_bytes());
    }
    file
}

fn header(width: u32, height: u32, depth: u8, kind: u8, interlaced: bool) -> Vec<u8> {
    let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
    [&width[..], &height, &[depth, kind, 0, 0, u8::from(interlaced)]].concat()
}

#[test]
fn an_interlaced_png_looks_like_a_plain_one() {
    let picture = scene(333, 259);
    let plain: Vec<Vec<u8>> =
        (0..259).map(|y| (0..333).flat_map(|x| picture.get_pixel(x, y).0).collect()).collect();
    let mut passes = Vec::new();
    for (left, top, across, down) in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ] {
        for y in (top..259).step_by(down) {
            passes.push(
                (left..333).step_by(across).flat_map(|x| picture.get_pixel(x, y).0).collect(),
            );
        }
    }
    let whole = png(&header(333, 259, 8, 2, true), &[], &passes);
    let expected = render(&png(&header(333, 259, 8, 2, false), &[], &plain)).unwrap();
    assert_eq!(render(&whole).unwrap(), expected);
    // Of a cut one the later passes are missing, so all of it is coarse and none of it counts.
    let error = render(&whole[..whole.len() * 9 / 10]).unwrap_err();
    assert_eq!(error.code(), "IMAGE_TRUNCATED");
}

#[test]
fn t7_colours_that_a_png_declares_transparent_are() {
    let white = [255; 3];
    // Left half one colour, right half another; `tRNS` names the left one.
    let rows =
        |left: &[u8], right: &[u8]| vec![[left.repeat(160), right.repeat(160)].concat(); 320];
    let deep = [0x12, 0x34, 0x80, 0x00, 0x40, 0x01];
    let other = [0x12, 0x34, 0x80, 0x00, 0x40, 0x02];
    for (name, file, right) in [
        (
            "palette",
            png(
                &header(320, 320, 8, 3, false),
                &[(b"PLTE", &[200, 0, 0, 0, 160, 0]), (b"tRNS", &[0])],
                &rows(&[0], &[1]),
            ),
            [0, 160, 0],
        ),
        (
            "palette of four bits, interlaced",
            png(
                &header(16, 1, 4, 3, true),
                &[(b"PLTE", &[200, 0, 0, 0, 160, 0]), (b"tRNS", &[255, 255])],
                &[vec![0x11], vec![0x11], vec![0x11, 0x11], vec![0x11; 4]],
            ),
            [0, 160, 0],
        ),
        (
            "half transparent palette",
            png(
                &header(320, 320, 8, 3, false),
                &[(b"PLTE", &[200, 0, 0, 0, 0, 0]), (b"tRNS", &[0, 128])],
                &rows(&[0], &[1]),
            ),
            [127; 3],
        ),
        (
            "gray",
            png(&header(320, 320, 8, 0, false), &[(b"tRNS", &[0, 50])], &rows(&[50], &[51])),
            [51; 3],
        ),
        (
            "deep gray",
            png(
                &header(320, 320, 16, 0, false),
                &[(b"tRNS", &[0x80, 0x00])],
                &rows(&[0x80, 0x00], &[0x80, 0x01]),
            ),
            [128; 3],
        ),
        (
            "deep colours",
            png(&header(320, 320, 16, 2, false), &[(b"tRNS", &deep)], &rows(&deep, &other)),
            [0x12, 0x80, 0x40],
        ),
    ] {
        let set = render(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let seen = pixels(&set.thumbnail);
        let (width, middle) = (seen.width(), seen.height() / 2);
        let found = seen.get_pixel(width - 1 - width / 8, middle);
        assert!(close(found, right), "{name}: {found:?}, not {right:?}");
        if set.source.width_px == 320 {
            let found = seen.get_pixel(40, middle);
            assert!(close(found, white), "{name}: {found:?} is not the background");
        }
    }
}

#[test]
fn a_cut_gif_is_partial_if_enough_of_it_is_there() {
    let noise = |width, height| {
        let mut random = Xorshift(7);
        RgbImage::from_fn(width, height, |_, y| {
            let sample = u8::try_from(random.below(40) + (y as usize / 2) % 200).unwrap();
            Rgb([sample, 255 - sample, 90])
        })
    };
    let file = encode(&noise(320, 400).into(), ImageFormat::Gif);
    let whole = render(&file).unwrap();
    assert!(!whole.partial);
    let cut = render(&file[..file.len() * 3 / 4]).unwrap();
    assert!(cut.partial);
    assert_eq!((cut.source, cut.thumbnail.width_px), (whole.source, 300));
    let (one, other) = (pixels(&whole.preview.unwrap()), pixels(&cut.preview.unwrap()));
    for y in [10, 100, 250] {
        assert!(close(other.get_pixel(100, y), one.get_pixel(100, y).0), "row {y}");
    }
    assert!(close(other.get_pixel(100, 395), [255; 3]), "what is missing shows the background");
    let mut spec = ThumbSpec::default();
    spec.min_rows_percent = 95;
    let error = render_set(&file[..file.len() * 3 / 4], &spec).unwrap_err();
    assert_eq!(error.code(), "IMAGE_TRUNCATED");
    assert_eq!(render(&file[..file.len() / 4]).unwrap_err().code(), "IMAGE_TRUNCATED");
}

#[test]
fn t1_a_gif_without_width_or_height_is_damaged() {
    for side in [6, 8] {
        let mut file = encode(&scene(24, 17).into(), ImageFormat::Gif);
        file[side..side + 2].fill(0);
        assert_eq!(render(&file).unwrap_err().code(), "IMAGE_DAMAGED");
    }
}

#[test]
fn a_file_with_half_a_table_is_encoded_anew_so_that_every_reader_takes_it() {
    // Found by fuzzing: a table announces twelve symbols and holds five. Nothing that is read needs the
    // others, and the source would have been smaller than what is made of it.
    let file = data_encoding::BASE64.decode(
        b"/9j/4AAQSkZJRgABAQAAAQABAAD/wgARCAARABADASIAAhEBAxEB/8QAGAABAQEBAQAAAAAAAAAAAAAAAAQDAQX/\
        xAAYAQACAwAABwAAAAAAAAAAAAACAAEDBf/aAAwDAQACEAMQAAAB83ajegAAUDggcgAAAJAEAL0BKhgACQA/BW6wUK+m\
        pSKwDAEiBBB4qy4wYP/Z",
    );
    let mut spec = ThumbSpec::default();
    (spec.thumbnail_side_px, spec.preview_side_px) = (8, 32);
    let set = render_set(&file.unwrap(), &spec).unwrap();
    for picture in [set.thumbnail, set.preview.unwrap()] {
        let read = image::load_from_memory_with_format(&picture.bytes, ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (picture.width_px, picture.height_px));
    }
}
