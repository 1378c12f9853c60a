//! Growth: what beginning an upload costs when there are many already.
//!
//! Two stores, one with few uploads and one with many, begin more in turns. Counted is processor
//! time of the whole process, because whoever leads decides for all: the disk's speed stays out.

use finalmile::Error;
use rustix::time::ClockId;

use crate::{
    args::Args,
    checks::reading,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    uploads::{CHUNK, MANY, Uploads},
};

/// The store with few uploads.
const FEW: u64 = 1_000;

/// The rows of beginning an upload: one at a time, each with a commit of its own, and many at once.
///
/// Many at once is the hard case: 512 begins of 1,000 accounts touch each of a large file's pages
/// once, where in a small file they share them.
///
/// # Errors
///
/// Whatever a store answers.
pub fn begin_upload(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let many = MANY[usize::from(args.quick)];
    let figure = |how: &str| format!("`begin`, CPU at {many} uploads, {how}");
    let ways = [("one at a time", 1), ("512 at once", CHUNK)];
    if !ways.iter().any(|(how, _)| args.wants(&figure(how))) {
        return Ok(());
    }
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let filled = |name: &str, count| {
        let mut uploads = Uploads::open(&place.path().join(name))?;
        uploads.begin(count, CHUNK).map(|_| uploads)
    };
    let mut sides = [filled("many.db", many)?, filled("few.db", FEW)?];
    for (how, chunk) in ways {
        let mut runs = [Runs::default(), Runs::default()];
        for _ in 0..args.pace().rounds {
            for (side, runs) in sides.iter_mut().zip(&mut runs) {
                let before = reading(ClockId::ProcessCPUTime);
                drop(side.begin(CHUNK, chunk)?);
                let took = reading(ClockId::ProcessCPUTime) - before;
                let micros = took.as_secs_f64() * 1e6;
                runs.push(micros / f64::from(u16::try_from(CHUNK).unwrap_or(u16::MAX)));
                runs.ops += CHUNK;
            }
        }
        let (rival, bar) = (format!("the same at {FEW}"), Bar::AtMost(2.0));
        report.row(&Row { figure: figure(how), rival, unit: Unit::CpuMicros, runs, bar });
    }
    Ok(())
}
