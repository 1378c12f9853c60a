//! Peak memory of a set: what a process needs above its input.
//!
//! Each figure comes from a process of its own, this program started anew: it reads the file, notes
//! the most that it ever had in memory, makes the set and notes that again.

use std::{env, fs, path::Path, process::Command};

use finalmile::thumb::{ThumbSpec, render_set};

use crate::{
    args::Args,
    photos::{self, Kind},
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    sharp::Sharp,
};

const PEAK: &str = "--peak";

/// Does a child's work, if this process is one; call it before anything else.
#[must_use]
pub fn was_child() -> bool {
    let words: Vec<_> = env::args().skip(1).collect();
    let [peak, file] = &words[..] else { return false };
    if peak != PEAK {
        return false;
    }
    let bytes = fs::read(file).expect("the file was there before");
    let before = most();
    let set = render_set(&bytes, &ThumbSpec::default()).expect("the set was made before");
    println!("{}", most() - before);
    drop(set);
    true
}

/// The rows of memory.
///
/// # Errors
///
/// What is missing.
pub fn rows(
    args: &Args,
    report: &mut Report,
    place: &Path,
    sharp: &mut Sharp,
) -> Result<(), String> {
    let large = Kind { kind: "jpeg", width: 8_064, height: 6_048 };
    for (figure, kind, megabytes) in [
        ("12 MP baseline JPEG, peak memory", Kind::phone("jpeg"), 6.0),
        ("48 MP baseline JPEG, peak memory", large, 6.0),
        ("12 MP progressive JPEG, peak memory", Kind::phone("progressive"), 12.0),
        ("12 MP PNG, peak memory", Kind::phone("png"), 0.0),
    ] {
        if !args.wants(figure) {
            continue;
        }
        let (mut ours, mut budget) = (Runs::default(), Runs::default());
        for photo in photos::of(kind, place, sharp)? {
            ours.push(child(&photo)?);
        }
        let bar = if megabytes > 0.0 { Bar::AtMost(1.0) } else { Bar::None };
        budget.push(if megabytes > 0.0 {
            megabytes
        } else {
            f64::from(kind.width * kind.height * 3) / 1e6
        });
        let rival = if megabytes > 0.0 { "what is allowed" } else { "its pixels" };
        report.row(&Row {
            figure: figure.to_owned(),
            rival: rival.to_owned(),
            unit: Unit::Megabytes,
            runs: [ours, budget],
            bar,
        });
    }
    Ok(())
}

/// Megabytes that a child needed.
fn child(photo: &Path) -> Result<f64, String> {
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let out = Command::new(program).arg(PEAK).arg(photo).output().map_err(|e| e.to_string())?;
    let bytes = String::from_utf8_lossy(&out.stdout).trim().parse::<f64>();
    bytes.map(|bytes| bytes / 1e6).map_err(|_| String::from_utf8_lossy(&out.stderr).into_owned())
}

/// The most bytes that this process ever had in memory.
fn most() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.parse::<u64>().ok()).expect("Linux says it in kB") * 1_024
}
