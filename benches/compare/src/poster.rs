//! A poster set of a 1080p H.264 video, against the program `ffmpeg` doing the same.
//!
//! Both sides begin with a file and end with two JPEG files' bytes, one of 600 x 338 and a square of
//! 300, at about the same quality. Measured is processor time, all threads, the program's start
//! included: that is what making posters with it costs. The clip is made before, at a phone's rate of
//! bits: 17 Mb/s, High profile, a key frame a second, with grain.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use finalmile::thumb::{PosterSpec, ThumbSpec, render_poster_set_file};
use rustix::time::{ClockId, clock_gettime};

use crate::{
    args::Args,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
};

const FIGURE: &str = "1080p H.264 poster set";

/// Measures the rows of posters; `place` is a folder for the clip. Without `ffmpeg` there are none.
///
/// # Errors
///
/// What the system said, or that a side made no pictures.
pub fn rows(args: &Args, report: &mut Report, place: &Path) -> io::Result<()> {
    if !args.wants(FIGURE) || Command::new("ffmpeg").arg("-version").output().is_err() {
        return Ok(());
    }
    let folder = tempfile::tempdir_in(place)?;
    let clip = folder.path().join("phone.mp4");
    film(&clip)?;
    let (rounds, sets) = if args.quick { (3, 2) } else { (7, 5) };
    let (mut ours, mut rivals) = (Runs::default(), Runs::default());
    for _ in 0..rounds {
        let before = own_micros();
        for _ in 0..sets {
            let set = render_poster_set_file(&clip, &ThumbSpec::default(), &PosterSpec::default());
            let set = set.map_err(io::Error::other)?;
            assert_eq!(set.preview.map(|preview| preview.width_px), Some(600));
        }
        ours.push((own_micros() - before) / f64::from(sets));
        let before = childrens_micros()?;
        for _ in 0..sets {
            by_program(&clip, folder.path())?;
        }
        rivals.push((childrens_micros()? - before) / f64::from(sets));
    }
    report.row(&Row {
        figure: FIGURE.to_owned(),
        rival: "`ffmpeg -ss 1 -frames:v 1`".to_owned(),
        unit: Unit::CpuMicros,
        runs: [ours, rivals],
        bar: Bar::AtMost(0.6),
    });
    Ok(())
}

/// Three seconds of a picture full of detail, moving, with grain.
fn film(clip: &Path) -> io::Result<()> {
    let source = "mandelbrot=s=1920x1080:r=30:start_scale=0.5,noise=alls=10:allf=t";
    let mut program = Command::new("ffmpeg");
    program.args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-t", "3", "-i", source]);
    program.args(["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-g", "30"]);
    program.args(["-profile:v", "high", "-b:v", "17M", "-maxrate", "17M", "-bufsize", "17M"]);
    succeeded(program.arg(clip))
}

/// The preview and the thumbnail in one run of the program, as one who counts would have it.
fn by_program(clip: &Path, folder: &Path) -> io::Result<()> {
    let [preview, thumbnail]: [PathBuf; 2] = ["600.jpg", "300.jpg"].map(|name| folder.join(name));
    let graph = "[0:v]scale=600:-2,split[a][b];[b]crop=ih:ih,scale=300:300[c]";
    let mut program = Command::new("ffmpeg");
    program.args(["-v", "error", "-nostdin", "-y", "-ss", "1", "-i"]).arg(clip);
    program.args(["-filter_complex", graph]);
    program.args(["-map", "[a]", "-frames:v", "1", "-q:v", "4"]).arg(&preview);
    program.args(["-map", "[c]", "-frames:v", "1", "-q:v", "4"]).arg(&thumbnail);
    succeeded(&mut program)?;
    assert!(fs::metadata(&preview)?.len() > 0 && fs::metadata(&thumbnail)?.len() > 0);
    Ok(())
}

fn succeeded(program: &mut Command) -> io::Result<()> {
    let status = program.stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("ffmpeg: {status}"))) }
}

fn own_micros() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Processor time of all children that have ended; Linux counts it in hundredths of a second.
fn childrens_micros() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name may hold blanks; behind its bracket stands the third field.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 * 1e4)
}
