//! Thousands of damaged files of every kind: pictures or typed errors, soon, within the memory that
//! was allowed (**T1**, **T2**, **VP2**, **VP5**).
//!
//! Each allocation is counted, so there is one test here and nothing beside it. A file may take two
//! seconds of the processor under the default limits; what it takes is told at the end, with the
//! most memory that one took.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../support/pictures.rs"]
mod pictures;

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use finalmile::thumb::{
    Format, Limits, PosterSpec, ThumbError, ThumbSpec, render_poster_set, render_set,
};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use peak_alloc::PeakAlloc;

use pictures::*;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Changes of each file, under each set of limits.
const CHANGES: usize = 250;
/// What one file may take of the processor, whatever it claims.
const MOST_TIME: Duration = Duration::from_secs(2);
/// What stays outside of the estimate for decoding: both pictures, their encoders, tables.
const BESIDE: u64 = 6 << 20;

/// Files of every kind that is decoded here.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> =
        samples().into_iter().map(|(name, file)| (name.to_owned(), file)).collect();
    let deep: Vec<u8> = scene(90, 70).into_raw().iter().flat_map(|&byte| [byte, 7]).collect();
    let mut png = Vec::new();
    let encoder = PngEncoder::new(Cursor::new(&mut png));
    encoder.write_image(&deep, 90, 70, ExtendedColorType::Rgb16).unwrap();
    all.push(("deep PNG".to_owned(), png));

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let kept = [
        "fuzz/seeds/thumbnail/interlaced.png",
        "fuzz/seeds/thumbnail/animated.gif",
        "data/jpeg/2x2-prst.jpg",
        "data/jpeg/2x1-apart.jpg",
        "data/heic/card.heic",
        "data/video/first.mp4",
        "data/video/fragments.mp4",
        "data/video/interlaced.mp4",
        "data/video/quicktime.mov",
        "data/video/vp9.webm",
    ];
    all.extend(kept.map(|name| (name.to_owned(), fs::read(tests.join(name)).unwrap())));
    all
}

/// A copy with damage: bits, bytes, lengths that claim the most there is, pieces that are gone, doubled
/// or another file's. Half of it hits the beginning, where the claims are.
fn changed(file: &[u8], other: &[u8], random: &mut Xorshift) -> Vec<u8> {
    let mut changed = file.to_vec();
    for _ in 0..=random.below(5) {
        let reach = if random.below(2) == 0 { changed.len().min(200) } else { changed.len() };
        let at = random.below(reach.max(1));
        let length = 1 + random.below(64);
        let end = (at + length).min(changed.len());
        match random.below(8) {
            0 | 1 => changed[at] ^= 1 << random.below(8),
            2 => changed[at] = [0x00, 0x7F, 0x80, 0xFF][random.below(4)],
            3 => changed[at..end.min(at + 2)].fill(0xFF),
            4 => changed.truncate(at.max(12)),
            5 => drop(changed.drain(at..end)),
            6 => {
                let piece = changed[at..end].to_vec();
                changed.splice(at..at, piece);
            }
            _ => {
                let from = random.below(other.len());
                let piece = other[from..(from + length).min(other.len())].to_vec();
                changed.splice(at..end, piece);
            }
        }
        if changed.len() < 12 {
            break;
        }
    }
    changed
}

fn render(file: &[u8], spec: &ThumbSpec) -> Result<bool, ThumbError> {
    if Format::from_first_bytes(file).is_some_and(Format::is_video) {
        let set = render_poster_set(Cursor::new(file), spec, &PosterSpec::default())?;
        return Ok(set.partial);
    }
    render_set(file, spec).map(|set| set.partial)
}

/// Processor time of this thread where it can be asked, otherwise time.
fn clock() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(spent).unwrap()
    }
    #[cfg(not(target_os = "linux"))]
    {
        use std::{sync::OnceLock, time::Instant};
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

#[test]
fn t1_t2_damaged_files_cost_little_and_end_in_pictures_or_typed_errors() {
    let files = files();
    let usual = Limits::default();
    let mut tight = usual;
    (tight.max_pixels, tight.max_scaled_pixels) = (1 << 18, 1 << 20);
    tight.max_alloc_bytes = 4 << 20;
    let mut random = Xorshift(0xFEED);
    let mut told: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut slowest, mut largest) = ((Duration::ZERO, ""), [(0, ""); 2]);
    for (name, file) in &files {
        for (which, limits) in [usual, tight].into_iter().enumerate() {
            let mut spec = ThumbSpec::default();
            spec.limits = limits;
            for _ in 0..CHANGES {
                let (_, other) = &files[random.below(files.len())];
                let changed = changed(file, other, &mut random);
                let (before, start) = (MEMORY.current_usage() as u64, clock());
                MEMORY.reset_peak_usage();
                let answer = render(&changed, &spec);
                let taken = (MEMORY.peak_usage() as u64).saturating_sub(before);
                let spent = clock() - start;
                let code = match &answer {
                    Ok(true) => "partial",
                    Ok(false) => "whole",
                    Err(error) => error.code(),
                };
                *told.entry(code).or_default() += 1;
                let hex = || data_encoding::HEXLOWER.encode(&changed);
                assert_ne!(code, "INTERNAL_ERROR", "{name}: {answer:?} from {}", hex());
                assert!(spent < MOST_TIME, "{name}: {spent:?}, {code} from {}", hex());
                let most = limits.max_alloc_bytes + BESIDE;
                assert!(taken <= most, "{name}: {taken} bytes, {code} from {}", hex());
                slowest = slowest.max((spent, name));
                largest[which] = largest[which].max((taken, name));
            }
        }
    }
    let tried = files.len() * CHANGES * 2;
    println!("{tried} files: {told:?}; slowest {slowest:?}; most memory {largest:?}");
    assert!(told["whole"] > 500 && told["partial"] > 50, "{told:?}");
}
