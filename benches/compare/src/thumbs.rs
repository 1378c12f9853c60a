//! Sets of pictures against sharp: processor time and bytes.
//!
//! Both sides begin with a file's bytes in memory and end with two JPEG files' bytes, a preview of at
//! most 600 pixels and a square of 300 made from it, quality 80, 4:2:0. Both work on one thread. A
//! round is each photograph once, ours and then sharp's.

use std::path::Path;

use finalmile::thumb::{ThumbSpec, render_set};
use rustix::time::ClockId;

use crate::{
    args::Args,
    checks::reading,
    photos::{self, Kind},
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    sharp::Sharp,
};

/// Every row of time against sharp.
const ROWS: [(&str, Kind, f64); 8] = [
    ("12 MP baseline JPEG, a set", Kind::phone("jpeg"), 0.60),
    ("24 MP baseline JPEG, a set", Kind { kind: "jpeg", width: 5_664, height: 4_248 }, 0.60),
    ("48 MP baseline JPEG, a set", Kind { kind: "jpeg", width: 8_064, height: 6_048 }, 0.60),
    ("12 MP progressive JPEG, a set", Kind::phone("progressive"), 0.80),
    ("1920 px JPEG, a set", Kind { kind: "jpeg", width: 1_920, height: 1_440 }, 0.45),
    ("640 px JPEG, a set", Kind { kind: "jpeg", width: 640, height: 480 }, 0.30),
    ("12 MP PNG, a set", Kind::phone("png"), 0.85),
    ("12 MP WebP, a set, feature `libwebp`", Kind::phone("webp"), 1.1),
];

/// The rows of time, and that of bytes.
///
/// # Errors
///
/// What is missing, or what a side says.
pub fn rows(
    args: &Args,
    report: &mut Report,
    place: &Path,
    sharp: &mut Sharp,
) -> Result<(), String> {
    let rival = "sharp, 600 then 300";
    for (figure, kind, bar) in ROWS {
        if !args.wants(figure) {
            continue;
        }
        let photos = photos::of(kind, place, sharp)?;
        let mut sizes = [0_u64; 2];
        let all = photos::rounds(&photos, args.quick, |photo, bytes| {
            let (ours, size) = set(bytes)?;
            let (rivals, rival_size) = sharp.set(photo)?;
            sizes = [sizes[0] + size, sizes[1] + rival_size];
            Ok([ours, rivals / 1e3])
        })?;
        let (figure, bar) = (figure.to_owned(), Bar::AtMost(bar));
        let row = Row { figure, rival: rival.to_owned(), unit: Unit::CpuMillis, runs: all, bar };
        report.row(&row);
        if kind.kind == "jpeg" && kind.width == 4_032 {
            let mut runs = [Runs::default(), Runs::default()];
            for (runs, size) in runs.iter_mut().zip(sizes) {
                runs.push(size as f64);
            }
            report.row(&Row {
                figure: "bytes of both pictures, of all rounds".to_owned(),
                rival: rival.to_owned(),
                unit: Unit::Bytes,
                runs,
                bar: Bar::AtMost(1.02),
            });
        }
    }
    Ok(())
}

/// Milliseconds of processor time for a set, and its bytes.
fn set(bytes: &[u8]) -> Result<(f64, u64), String> {
    let before = reading(ClockId::ProcessCPUTime);
    let set = render_set(bytes, &ThumbSpec::default()).map_err(|e| e.to_string())?;
    let took = reading(ClockId::ProcessCPUTime) - before;
    let preview = set.preview.map_or(0, |preview| preview.bytes.len());
    Ok((took.as_secs_f64() * 1e3, (preview + set.thumbnail.bytes.len()) as u64))
}

/// The time that passes for a set of 48 megapixels, the slowest of 100, against what the documents
/// allow.
///
/// # Errors
///
/// What is missing.
pub fn slowest(
    args: &Args,
    report: &mut Report,
    place: &Path,
    sharp: &mut Sharp,
) -> Result<(), String> {
    let figure = "48 MP baseline JPEG, a set, p99 of the time that passes";
    if !args.wants(figure) {
        return Ok(());
    }
    let photos = photos::of(Kind { kind: "jpeg", width: 8_064, height: 6_048 }, place, sharp)?;
    let mut times = Runs::default();
    for photo in photos.iter().cycle().take(if args.quick { 20 } else { 100 }) {
        let bytes = photos::read(photo)?;
        let before = reading(ClockId::Monotonic);
        render_set(&bytes, &ThumbSpec::default()).map_err(|e| e.to_string())?;
        times.push((reading(ClockId::Monotonic) - before).as_secs_f64() * 1e3);
    }
    let (mut ours, mut budget) = (Runs::default(), Runs::default());
    ours.push(times.percentile(99));
    budget.push(2_000.0);
    report.row(&Row {
        figure: figure.to_owned(),
        rival: "the 2 s of the documents".to_owned(),
        unit: Unit::Millis,
        runs: [ours, budget],
        bar: Bar::AtMost(0.05),
    });
    Ok(())
}

/// The time that passes for a set on two threads, against the same on one.
///
/// # Errors
///
/// What is missing.
pub fn in_two(
    args: &Args,
    report: &mut Report,
    place: &Path,
    sharp: &mut Sharp,
) -> Result<(), String> {
    let mut in_two = ThumbSpec::default();
    in_two.parallel = true;
    for (figure, kind, _) in [ROWS[0], ROWS[2]] {
        let figure = format!("{figure} on two threads, time that passes");
        if !args.wants(&figure) {
            continue;
        }
        let photos = photos::of(kind, place, sharp)?;
        let runs = photos::rounds(&photos, args.quick, |_, bytes| {
            let mut millis = [0.0; 2];
            for (spec, millis) in [in_two, ThumbSpec::default()].iter().zip(&mut millis) {
                let before = reading(ClockId::Monotonic);
                render_set(bytes, spec).map_err(|e| e.to_string())?;
                *millis = (reading(ClockId::Monotonic) - before).as_secs_f64() * 1e3;
            }
            Ok(millis)
        })?;
        let rival = "the same on one".to_owned();
        report.row(&Row { figure, rival, unit: Unit::Millis, runs, bar: Bar::None });
    }
    Ok(())
}
