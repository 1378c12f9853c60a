//! Posters of videos, through their public face.
//!
//! The clips lie in `tests/data/video` beside the script that made them. All show a card of four
//! corners in four colours, so each of the eight ways to turn or mirror it looks different. What
//! differs only in its index is made here, by changing the boxes of a clip.
#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::disallowed_methods, reason = "a test may look at the clock")]

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use finalmile::thumb::{
    Format, Orientation, Picture, PosterSet, PosterSpec, ThumbError, ThumbSpec, render_poster_set,
    render_poster_set_file,
};
use image::{DynamicImage, ImageFormat, RgbImage};

const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 180, 30];
const BLUE: [u8; 3] = [30, 30, 220];
const YELLOW: [u8; 3] = [230, 220, 40];

/// The colours of the stored card: top left, top right, bottom left, bottom right.
const CORNERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/video").join(name)
}

fn clip(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

fn render(bytes: &[u8]) -> Result<PosterSet, ThumbError> {
    render_poster_set(Cursor::new(bytes), &ThumbSpec::default(), &PosterSpec::default())
}

/// With pictures so small that thousands of them take seconds.
fn render_tiny(bytes: &[u8]) -> Result<PosterSet, ThumbError> {
    let mut spec = ThumbSpec::default();
    (spec.thumbnail_side_px, spec.preview_side_px) = (8, 24);
    render_poster_set(Cursor::new(bytes), &spec, &PosterSpec::default())
}

fn at(ms: u64) -> PosterSpec {
    let mut poster = PosterSpec::default();
    poster.at_ms = Some(ms);
    poster
}

fn pixels(picture: &Picture) -> RgbImage {
    let decoded = image::load_from_memory_with_format(&picture.bytes, ImageFormat::Jpeg).unwrap();
    let decoded = decoded.to_rgb8();
    assert_eq!(decoded.dimensions(), (picture.width_px, picture.height_px));
    decoded
}

fn corners(picture: &Picture) -> [[u8; 3]; 4] {
    let seen = pixels(picture);
    let (right, bottom) = (seen.width() - 5, seen.height() - 5);
    [(4, 4), (right, 4), (4, bottom), (right, bottom)].map(|(x, y)| seen.get_pixel(x, y).0)
}

fn assert_corners(picture: &Picture, wanted: [[u8; 3]; 4], what: &str) {
    let found = corners(picture);
    let near = |(found, wanted): (&[u8; 3], &[u8; 3])| {
        found.iter().zip(wanted).all(|(found, wanted)| found.abs_diff(*wanted) <= 14)
    };
    assert!(found.iter().zip(&wanted).all(near), "{what}: {found:?}, not {wanted:?}");
}

/// Makes a box's kind and content into another kind and content, or into nothing.
type Change<'c> = &'c mut dyn FnMut(&[u8; 4], &[u8]) -> Option<([u8; 4], Vec<u8>)>;

/// Rebuilds a file with what `change` makes of each box that holds no others.
fn changed(bytes: &[u8], change: Change<'_>) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = bytes;
    while let Some(head) = rest.first_chunk::<8>() {
        let length = u32::from_be_bytes(*head.first_chunk().unwrap()) as usize;
        let kind: [u8; 4] = *head.last_chunk().unwrap();
        let body = &rest[8..length];
        rest = &rest[length..];
        let is_container =
            [*b"moov", *b"trak", *b"edts", *b"mdia", *b"minf", *b"stbl"].contains(&kind);
        let new =
            if is_container { Some((kind, changed(body, change))) } else { change(&kind, body) };
        if let Some((kind, body)) = new {
            result.extend(u32::try_from(body.len() + 8).unwrap().to_be_bytes());
            result.extend(kind);
            result.extend(body);
        }
    }
    result
}

/// The same file with the content of its boxes of one kind changed in place.
fn with(bytes: &[u8], kind: &[u8; 4], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    changed(bytes, &mut |found, body| {
        let mut body = body.to_vec();
        if found == kind {
            change(&mut body);
        }
        Some((*found, body))
    })
}

fn without(bytes: &[u8], kind: &[u8; 4]) -> Vec<u8> {
    changed(bytes, &mut |found, body| (found != kind).then(|| (*found, body.to_vec())))
}

/// The file with chunk offsets that are larger by `shift`, in 64 bits each when `is_wide`.
fn shifted(bytes: &[u8], shift: u64, is_wide: bool) -> Vec<u8> {
    changed(bytes, &mut |kind, body| {
        if kind != b"stco" {
            return Some((*kind, body.to_vec()));
        }
        let mut table = body[..8].to_vec();
        for offset in body[8..].as_chunks().0 {
            let offset = u64::from(u32::from_be_bytes(*offset)) + shift;
            if is_wide {
                table.extend(offset.to_be_bytes());
            } else {
                table.extend(u32::try_from(offset).unwrap().to_be_bytes());
            }
        }
        Some((if is_wide { *b"co64" } else { *b"stco" }, table))
    })
}

/// Where the box of that kind begins among those of the file's first level.
fn start_of(bytes: &[u8], wanted: &[u8; 4]) -> usize {
    let mut at = 0;
    while &bytes[at + 4..at + 8] != wanted {
        at += u32::from_be_bytes(*bytes[at..].first_chunk().unwrap()) as usize;
    }
    at
}

/// A reader that counts what is read from it.
struct Counted<R> {
    inner: R,
    bytes: u64,
    reads: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        self.reads += 1;
        Ok(read)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn every_way_of_writing_h264_into_a_file_gives_the_card() {
    for name in [
        "first.mp4",
        "last.mp4",
        "quicktime.mov",
        "baseline.mp4",
        "all-key.mp4",
        "fragments.mp4",
        "dash.mp4",
        "interlaced.mp4",
        "deep.mp4",
        "tall-colour.mp4",
        "full-range.mp4",
        "sound.mp4",
        "trimmed.mp4",
    ] {
        let set = render(&clip(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(set.source.codec, "H.264", "{name}");
        let preview = set.preview.unwrap();
        assert_corners(&preview, CORNERS, name);
        assert_corners(&set.thumbnail, CORNERS, name);
        assert_eq!(set.thumbnail.width_px, set.thumbnail.height_px, "{name}");
        assert_eq!(
            (preview.width_px, preview.height_px),
            (set.source.width_px, set.source.height_px)
        );
    }
}

#[test]
fn a_gray_video_stays_gray() {
    let picture = render(&clip("gray.mp4")).unwrap().preview.unwrap();
    for [red, green, blue] in corners(&picture) {
        assert!(red.abs_diff(green) <= 2 && green.abs_diff(blue) <= 2);
    }
}

#[test]
fn the_set_tells_what_was_read() {
    let set = render(&clip("last.mp4")).unwrap();
    let info = &set.source;
    assert_eq!((info.width_px, info.height_px), (360, 200));
    assert_eq!((info.format, info.orientation), (Format::Mp4, Orientation::Upright));
    assert_eq!(info.duration_ms, Some(2_000));
    assert_eq!(info.frame_ms, 0);
    assert_eq!(render(&clip("quicktime.mov")).unwrap().source.format, Format::QuickTime);
    assert_eq!((set.thumbnail.width_px, set.preview.unwrap().width_px), (200, 360));
}

#[test]
fn a_frame_looks_as_ffmpeg_shows_it() {
    let reference = image::load_from_memory(&clip("scene.png")).unwrap().to_luma8();
    let mut spec = ThumbSpec::default();
    spec.quality = 100;
    let clip = Cursor::new(clip("scene.mp4"));
    let set = render_poster_set(clip, &spec, &PosterSpec::default()).unwrap();
    let seen = DynamicImage::from(pixels(&set.preview.unwrap())).to_luma8();
    assert_eq!(seen.dimensions(), reference.dimensions());
    let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
    let sum: f64 = seen.as_raw().iter().zip(reference.as_raw()).map(square).sum();
    let psnr = 10.0 * (255.0 * 255.0 / (sum / seen.as_raw().len() as f64)).log10();
    println!("{psnr:.1} dB");
    assert!(psnr > 36.0, "{psnr:.1} dB");
}

#[test]
fn vp3_all_eight_turns_of_a_track_are_applied() {
    let bytes = clip("first.mp4");
    let [tl, tr, bl, br] = CORNERS;
    for (matrix, orientation, wanted) in [
        ([1, 0, 0, 1], Orientation::Upright, [tl, tr, bl, br]),
        ([0, 1, -1, 0], Orientation::Rotate90, [bl, tl, br, tr]),
        ([-1, 0, 0, -1], Orientation::Rotate180, [br, bl, tr, tl]),
        ([0, -1, 1, 0], Orientation::Rotate270, [tr, br, tl, bl]),
        ([-1, 0, 0, 1], Orientation::MirrorHorizontal, [tr, tl, br, bl]),
        ([1, 0, 0, -1], Orientation::MirrorVertical, [bl, br, tl, tr]),
        ([0, 1, 1, 0], Orientation::Transpose, [tl, bl, tr, br]),
        ([0, -1, -1, 0], Orientation::Transverse, [br, tr, bl, tl]),
    ] {
        let turned = with(&bytes, b"tkhd", |tkhd| {
            for (place, number) in [40, 44, 52, 56].into_iter().zip(matrix) {
                tkhd[place..place + 4].copy_from_slice(&(number * 65_536_i32).to_be_bytes());
            }
        });
        let set = render(&turned).unwrap();
        assert_eq!(set.source.orientation, orientation);
        let sideways = orientation.swaps_sides();
        let size = if sideways { (200, 360) } else { (360, 200) };
        assert_eq!((set.source.width_px, set.source.height_px), size);
        assert_corners(&set.preview.unwrap(), wanted, &format!("{orientation:?}"));
        assert_corners(&set.thumbnail, wanted, &format!("{orientation:?}"));
    }
}

#[test]
fn a_matrix_that_is_no_turn_counts_as_none() {
    let slanted = with(&clip("first.mp4"), b"tkhd", |tkhd| tkhd[44..48].fill(1));
    assert_eq!(render(&slanted).unwrap().source.orientation, Orientation::Upright);
}

#[test]
fn vp4_a_black_beginning_is_passed_over() {
    // Key frames at 0, 1 and 2 seconds; the first two are black, and the nearest to 0.3 s is one.
    let set = render(&clip("black.mp4")).unwrap();
    assert_corners(&set.preview.unwrap(), CORNERS, "black.mp4");
    assert_eq!(set.source.frame_ms, 2_000);
}

#[test]
fn vp4_of_a_black_video_the_poster_is_black() {
    let set = render(&clip("all-black.mp4")).unwrap();
    assert_eq!(corners(&set.preview.unwrap()), [[0; 3]; 4]);
}

#[test]
fn a_wish_for_a_moment_is_met_with_the_key_frame_nearest_to_it() {
    let (clip, spec) = (clip("last.mp4"), ThumbSpec::default());
    let shown =
        |poster| render_poster_set(Cursor::new(&clip), &spec, &poster).unwrap().source.frame_ms;
    assert_eq!(shown(at(0)), 0);
    assert_eq!(shown(at(900)), 1_000);
    assert_eq!(shown(at(u64::MAX)), 1_000);
}

#[test]
fn an_edit_that_trims_the_beginning_moves_the_start() {
    // One edit: play from 1.5 s on for 1.5 s. Its ticks are those of the track.
    let bytes = clip("black.mp4");
    let mut timescale = 0;
    changed(&bytes, &mut |kind, body| {
        if kind == b"mdhd" {
            timescale = u32::from_be_bytes(*body[12..].first_chunk().unwrap());
        }
        None
    });
    let trimmed = with(&bytes, b"elst", |elst| {
        elst[8..12].copy_from_slice(&1_500_u32.to_be_bytes());
        elst[12..16].copy_from_slice(&(timescale * 3 / 2).to_be_bytes());
    });
    let set = render_poster_set(Cursor::new(trimmed), &ThumbSpec::default(), &at(400)).unwrap();
    assert_eq!(set.source.duration_ms, Some(1_500));
    assert_corners(&set.preview.unwrap(), CORNERS, "trimmed");
    // Key frames are shown at 0.4, 1.4 and 2.4 s of the track's own time.
    assert_eq!(set.source.frame_ms, 900);
}

#[test]
fn tables_may_be_left_out_or_written_in_other_ways() {
    let bytes = clip("last.mp4");
    // Without the list every sample counts as a key frame, and the first is one.
    assert_corners(&render(&without(&bytes, b"stss")).unwrap().thumbnail, CORNERS, "no stss");
    let compact = changed(&bytes, &mut |kind, body| {
        if kind != b"stsz" {
            return Some((*kind, body.to_vec()));
        }
        let mut table = [&body[..4], &[0, 0, 0, 16], &body[8..12]].concat();
        for size in body[12..].as_chunks::<4>().0 {
            table.extend(&size[2..]);
        }
        Some((*b"stz2", table))
    });
    assert_corners(&render(&compact).unwrap().thumbnail, CORNERS, "stz2");
    let wide = shifted(&bytes, 0, true);
    assert_corners(&render(&wide).unwrap().thumbnail, CORNERS, "co64");
    let elsewhere = with(&bytes, b"stsd", |stsd| stsd[12..16].copy_from_slice(b"avc3"));
    assert_corners(&render(&elsewhere).unwrap().thumbnail, CORNERS, "avc3");
}

#[test]
fn a_disabled_track_serves_when_there_is_no_other() {
    let disabled = with(&clip("first.mp4"), b"tkhd", |tkhd| tkhd[3] = 0);
    assert!(render(&disabled).is_ok());
}

/// A file of `hole` bytes more than its clip: behind the first box lies a hole.
fn sparse(folder: &Path, name: &str, hole: u64, is_wide: bool) -> PathBuf {
    let bytes = clip(name);
    let media = start_of(&bytes, b"mdat");
    let moved = shifted(&bytes, hole, is_wide);
    let target = folder.join("sparse");
    let mut file = File::create(&target).unwrap();
    file.write_all(&moved[..media]).unwrap();
    file.write_all(&[&[0, 0, 0, 1], &b"free"[..], &hole.to_be_bytes()].concat()).unwrap();
    file.seek(SeekFrom::Start(media as u64 + hole)).unwrap();
    file.write_all(&moved[media..]).unwrap();
    target
}

#[test]
fn vp1_of_a_gigabyte_a_few_kilobytes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = sparse(folder.path(), "last.mp4", 1 << 30, false);
    let mut counted = Counted { inner: File::open(&path).unwrap(), bytes: 0, reads: 0 };
    assert!(counted.inner.metadata().unwrap().len() > 1 << 30);
    let set = render_poster_set(&mut counted, &ThumbSpec::default(), &PosterSpec::default());
    assert_corners(&set.unwrap().thumbnail, CORNERS, "a gigabyte");
    println!("read {} bytes in {} reads", counted.bytes, counted.reads);
    assert!(counted.bytes < 4_096, "{} bytes", counted.bytes);
    assert!(counted.reads < 100, "{} reads", counted.reads);
}

#[test]
fn vp1_offsets_beyond_four_gigabytes_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = sparse(folder.path(), "last.mp4", 5 << 30, true);
    let set = render_poster_set_file(&path, &ThumbSpec::default(), &PosterSpec::default());
    assert_corners(&set.unwrap().thumbnail, CORNERS, "five gigabytes");
}

#[test]
fn vp5_limits_hold_for_what_is_claimed() {
    let code = |change: fn(&mut ThumbSpec)| {
        let mut spec = ThumbSpec::default();
        change(&mut spec);
        let error = render_poster_set(Cursor::new(clip("first.mp4")), &spec, &at(0)).unwrap_err();
        error.code()
    };
    assert_eq!(code(|spec| spec.limits.max_pixels = 70_000), "IMAGE_TOO_LARGE");
    assert_eq!(code(|spec| spec.limits.max_alloc_bytes = 1_000_000), "IMAGE_TOO_LARGE");
    assert_eq!(code(|spec| spec.limits.max_input_bytes = 1_000), "IMAGE_TOO_LARGE");
}

#[test]
fn vp5_a_table_that_claims_billions_of_samples_is_refused() {
    let forged = with(&clip("first.mp4"), b"stsz", |stsz| stsz[4..12].fill(0xFF));
    assert_eq!(render(&forged).unwrap_err().code(), "IMAGE_TOO_LARGE");
}

#[test]
fn what_is_no_video_or_has_none_is_said() {
    let code = |bytes: &[u8]| render(bytes).unwrap_err().code();
    assert_eq!(code(b""), "NOT_AN_IMAGE");
    assert_eq!(code(b"<html>"), "NOT_AN_IMAGE");
    assert_eq!(code(&clip("scene.png")), "UNSUPPORTED_IMAGE");
    assert_eq!(code(&clip("no-video.mp4")), "UNSUPPORTED_IMAGE");
}

#[test]
fn what_is_not_decoded_here_is_named_with_what_would() {
    for (name, codec) in [
        ("hevc.mp4", "HEVC"),
        ("vp9.mp4", "VP9"),
        ("vp9.webm", "VP9"),
        ("hevc.mkv", "HEVC"),
        ("every-colour.mp4", "H.264 with 4:4:4 chroma"),
    ] {
        let error = render(&clip(name)).unwrap_err();
        assert!(matches!(error, ThumbError::Unsupported { .. }), "{name}: {error}");
        let text = error.to_string();
        assert!(text.contains(codec), "{name}: {text}");
        assert!(
            text.contains("`PlatformDecoder` or the") && text.contains("`ffmpeg`"),
            "{name}: {text}"
        );
    }
}

#[test]
fn vp2_a_video_cut_anywhere_gives_a_picture_or_says_that_it_is_cut() {
    for name in ["first.mp4", "last.mp4", "fragments.mp4", "quicktime.mov", "vp9.webm"] {
        let bytes = clip(name);
        let mut pictures = 0;
        for percent in 0..100 {
            let cut = &bytes[..bytes.len() * percent / 100];
            match render_tiny(cut) {
                Ok(_) => pictures += 1,
                Err(error) => {
                    let code = error.code();
                    let wanted = ["IMAGE_TRUNCATED", "NOT_AN_IMAGE", "UNSUPPORTED_IMAGE"];
                    assert!(wanted.contains(&code), "{name} at {percent} %: {error}");
                }
            }
        }
        // With the index in front, the first key frame alone is enough.
        assert_eq!(pictures > 0, ["first.mp4", "fragments.mp4"].contains(&name), "{name}");
    }
}

#[test]
fn a_cut_video_shows_what_is_there_and_says_that_it_is_cut() {
    let bytes = clip("first.mp4");
    let whole = render(&bytes).unwrap();
    assert!(!whole.partial);
    // With the index in front, the last key frame is lost and the first one shown.
    let mut cut = ThumbSpec::default();
    cut.thumbnail_side_px = 40;
    let cut =
        render_poster_set(Cursor::new(&bytes[..bytes.len() - 200]), &cut, &at(1_900)).unwrap();
    assert!(cut.partial);
    assert_eq!((cut.source.frame_ms, cut.source.width_px), (0, 360));
    assert_corners(&cut.preview.unwrap(), CORNERS, "cut");
}

/// The clip with one more box in the entry that says how its frames are coded.
fn with_property(bytes: &[u8], kind: &[u8; 4], numbers: &[u32]) -> Vec<u8> {
    let mut property = Vec::new();
    property.extend(u32::try_from(8 + numbers.len() * 4).unwrap().to_be_bytes());
    property.extend(kind);
    numbers.iter().for_each(|number| property.extend(number.to_be_bytes()));
    let grown = u32::try_from(property.len()).unwrap();
    let moved = with(bytes, b"stsd", |stsd| {
        let length = u32::from_be_bytes(*stsd[8..].first_chunk().unwrap()) + grown;
        stsd[8..12].copy_from_slice(&length.to_be_bytes());
        // Before those that are there, so that it is found if it comes twice.
        let end = usize::try_from(8 + length - grown).unwrap();
        stsd.splice(end..end, property.clone());
    });
    // The media behind the index have moved.
    let is_in_front = start_of(bytes, b"moov") < start_of(bytes, b"mdat");
    shifted(&moved, if is_in_front { grown.into() } else { 0 }, false)
}

#[test]
fn pixels_that_are_no_squares_become_squares() {
    for (name, numbers, size) in [
        ("last.mp4", [4, 3], (360, 150)),
        ("first.mp4", [16, 11], (360, 138)),
        ("quicktime.mov", [3, 4], (270, 200)),
        ("last.mp4", [0, 4], (360, 200)),
    ] {
        let mut spec = ThumbSpec::default();
        spec.thumbnail_side_px = 40;
        let clip = Cursor::new(with_property(&clip(name), b"pasp", &numbers));
        let set = render_poster_set(clip, &spec, &PosterSpec::default()).unwrap();
        assert_eq!((set.source.width_px, set.source.height_px), size, "{name} {numbers:?}");
        let preview = set.preview.unwrap();
        assert_eq!((preview.width_px, preview.height_px), size);
        assert_corners(&preview, CORNERS, name);
    }
}

#[test]
fn of_a_frame_only_its_clean_part_is_shown() {
    // 180 x 100, its middle 90 to the right of the frame's and 50 below: the last corner.
    let clap = [180, 1, 100, 1, 90, 1, 50, 1];
    let set = render(&with_property(&clip("last.mp4"), b"clap", &clap)).unwrap();
    assert_eq!((set.source.width_px, set.source.height_px), (180, 100));
    assert_corners(&set.thumbnail, [CORNERS[3]; 4], "clean");
}

#[test]
fn a_video_in_high_dynamic_range_is_left_to_who_maps_its_tones() {
    let folder = tempfile::tempdir().unwrap();
    for (name, codec) in [("last.mp4", "H.264"), ("hevc.mp4", "HEVC")] {
        for (transfer, range) in [(16, "PQ"), (18, "HLG")] {
            let nclx = [u32::from_be_bytes(*b"nclx"), 9 << 16 | transfer, 9 << 16];
            let high = with_property(&clip(name), b"colr", &nclx);
            // As a file too: the program would show it pale.
            let path = folder.path().join(name);
            fs::write(&path, &high).unwrap();
            let (spec, poster) = (ThumbSpec::default(), PosterSpec::default());
            for set in [render(&high), render_poster_set_file(&path, &spec, &poster)] {
                let text = set.unwrap_err().to_string();
                let wanted = format!("{codec} in HDR ({range}); a `PlatformDecoder` would");
                assert!(text.contains(&wanted), "{text}");
            }
        }
    }
}

#[test]
fn vp2_changed_videos_give_pictures_or_typed_errors_in_bounded_time() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let names =
        ["first.mp4", "last.mp4", "fragments.mp4", "dash.mp4", "interlaced.mp4", "vp9.webm"];
    let clips = names.map(clip);
    let (mut pictures, mut slowest) = (0, Duration::ZERO);
    for _ in 0..6_000 {
        let mut bytes = clips[random(clips.len())].clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random(5)],
                2 => bytes.truncate(at.max(64)),
                _ => {
                    let end = (at + random(16)).min(bytes.len());
                    bytes[at..end].fill(0xFF);
                }
            }
        }
        let start = Instant::now();
        pictures += u32::from(render_tiny(&bytes).is_ok());
        slowest = slowest.max(start.elapsed());
    }
    println!("{pictures} pictures, slowest {slowest:?}");
    assert!(pictures > 100, "{pictures} pictures");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[cfg(feature = "ffmpeg")]
mod with_ffmpeg {
    use super::*;

    /// `None` where live tests are left out.
    fn file(path: &Path) -> Option<Result<PosterSet, ThumbError>> {
        if std::env::var_os("FINALMILE_SKIP_LIVE").is_some_and(|value| value == "1") {
            return None;
        }
        let program = std::process::Command::new("ffmpeg").arg("-version").output();
        assert!(program.is_ok(), "no ffmpeg: install it, or set FINALMILE_SKIP_LIVE=1");
        Some(render_poster_set_file(path, &ThumbSpec::default(), &PosterSpec::default()))
    }

    #[test]
    fn the_program_shows_what_is_not_decoded_here() {
        for (name, codec) in [
            ("hevc.mp4", "HEVC"),
            ("vp9.mp4", "VP9"),
            ("vp9.webm", "VP9"),
            ("hevc.mkv", "HEVC"),
            ("every-colour.mp4", "H.264"),
        ] {
            let Some(set) = file(&path(name)) else { return };
            let set = set.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((set.source.codec.as_str(), set.source.width_px), (codec, 360), "{name}");
            assert_corners(&set.preview.unwrap(), CORNERS, name);
        }
    }

    #[test]
    fn the_program_makes_pixels_square() {
        let folder = tempfile::tempdir().unwrap();
        for (numbers, size) in [([4, 3], (360, 150)), ([3, 4], (270, 200))] {
            let path = folder.path().join("uneven.mp4");
            fs::write(&path, with_property(&clip("hevc.mp4"), b"pasp", &numbers)).unwrap();
            let Some(set) = file(&path) else { return };
            let source = set.unwrap().source;
            assert_eq!((source.width_px, source.height_px), size, "{numbers:?}");
        }
    }

    #[test]
    fn vp3_the_program_turns_what_the_track_turns() {
        let turned = with(&clip("hevc.mp4"), b"tkhd", |tkhd| {
            for (place, number) in [40, 44, 52, 56].into_iter().zip([0, 1, -1, 0]) {
                tkhd[place..place + 4].copy_from_slice(&(number * 65_536_i32).to_be_bytes());
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("-i http:turned");
        fs::write(&path, turned).unwrap();
        let Some(set) = file(&path) else { return };
        let set = set.unwrap();
        assert_eq!((set.source.width_px, set.source.height_px), (200, 360));
        let [tl, tr, bl, br] = CORNERS;
        assert_corners(&set.preview.unwrap(), [bl, tl, br, tr], "turned");
    }

    #[test]
    fn vp2_what_the_program_cannot_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.webm");
        let bytes = clip("vp9.webm");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let Some(set) = file(&path) else { return };
        assert!(set.is_err());
    }
}
