//! Content ids and archives: what naming and proving a file costs above reading it.
//!
//! Memory is measured in a process of its own, which says the most that it ever had (`VmHWM`); an
//! empty one says what a process takes anyway.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use finalmile::ipfs::{
    Cid, ImportOptions, Importer, Limits, Profile, cid_of_file, import_reader, verify_car,
    write_car,
};
use sha2::{Digest, Sha256};

use crate::{
    args::Args,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
};

const MIB: usize = 1 << 20;
/// What all sides are given at a time.
const PIECE: usize = MIB;
/// What a process may take above an empty one.
const MEMORY_BUDGET: u64 = 8 << 20;

/// The bytes that all sides have.
fn pattern(length: usize) -> Vec<u8> {
    let byte = |i: usize| (i * 31 + (i >> 8) * 17 + (i >> 16) * 7).to_le_bytes()[0];
    (0..length).map(byte).collect()
}

/// How long it takes.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let from = Instant::now();
    let done = work();
    (from.elapsed(), done)
}

fn imported(bytes: &[u8], profile: Profile) -> Cid {
    let mut importer = Importer::new(profile);
    bytes.chunks(PIECE).for_each(|piece| importer.update(piece));
    importer.finish()
}

fn hashed(bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    bytes.chunks(PIECE).for_each(|piece| hasher.update(piece));
    hasher.finalize().to_vec()
}

/// The named profiles, and what they are called in the table.
const PROFILES: [(&str, Profile); 2] =
    [("unixfs-v1-2025", Profile::UNIXFS_V1_2025), ("unixfs-v0-2015", Profile::UNIXFS_V0_2015)];

/// Importing against plain SHA2-256 over the same bytes.
pub fn hashing(args: &Args, report: &mut Report) {
    for (name, profile) in PROFILES {
        let figure = format!("import, MiB, one lane, `{name}`");
        if !args.wants(&figure) {
            continue;
        }
        let mebibytes = if args.quick { 32 } else { 128 };
        let bytes = pattern(mebibytes * MIB);
        let mut runs = [Runs::default(), Runs::default()];
        for round in 0..if args.quick { 5 } else { 15 } {
            let (ours, _) = timed(|| imported(&bytes, profile));
            let (plain, _) = timed(|| hashed(&bytes));
            // The first round warms up.
            if round > 0 {
                runs[0].push(mebibytes as f64 / ours.as_secs_f64());
                runs[1].push(mebibytes as f64 / plain.as_secs_f64());
            }
        }
        let rival = "plain `sha2` over the same bytes".to_owned();
        report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar: Bar::AtLeast(0.9) });
    }
}

/// Importing against npm's importer.
pub fn importers(args: &Args, report: &mut Report, place: &str) {
    let bars = [Bar::AtLeast(1.5), Bar::AtLeast(2.5)];
    let mebibytes = if args.quick { 64 } else { 256 };
    let rows = PROFILES.into_iter().zip(bars);
    let rows = rows.flat_map(|((name, profile), bar)| {
        [(1, "one thread"), (2, "two threads")].map(|(threads, on)| {
            let figure = format!("import {mebibytes} MiB, MiB, `{name}`, {on}");
            let threads = NonZeroUsize::MIN.saturating_add(threads - 1);
            let options = ImportOptions { profile, threads, ..ImportOptions::default() };
            (figure, name, options, bar)
        })
    });
    let rows: Vec<_> = rows.filter(|(figure, ..)| args.wants(figure)).collect();
    if rows.is_empty() {
        return;
    }
    let Some(mut npm) = Npm::start(place) else {
        eprintln!(
            "left out: the rows of npm's importer, which cannot be installed or started here"
        );
        return;
    };
    let bytes = pattern(mebibytes * MIB);
    for (figure, name, options, bar) in rows {
        let profile = options.profile;
        let mut runs = [Runs::default(), Runs::default()];
        for round in 0..if args.quick { 4 } else { 10 } {
            let (ours, cid) = timed(|| match options.threads.get() {
                1 => imported(&bytes, profile),
                _ => import_reader(&bytes[..], options).expect("memory can be read").cid(),
            });
            let (theirs, their_cid) = npm.import(name, mebibytes);
            assert_eq!(profile.spell(&cid), their_cid, "both give one id");
            if round > 0 {
                runs[0].push(mebibytes as f64 / ours.as_secs_f64());
                runs[1].push(mebibytes as f64 / theirs.as_secs_f64());
            }
        }
        let rival = "npm `ipfs-unixfs-importer` 17.1.1, node's OpenSSL inside".to_owned();
        report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar });
    }
}

/// The other importer, in a process that waits for work.
struct Npm {
    child: Child,
    asked: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Npm {
    fn start(place: &str) -> Option<Self> {
        let folder = Path::new(place).join("npm");
        fs::create_dir_all(&folder).ok()?;
        let script = folder.join("importer.mjs");
        fs::write(&script, include_str!("rivals/importer.mjs")).ok()?;
        if !folder.join("node_modules/ipfs-unixfs-importer").is_dir() {
            let mut install = Command::new("npm");
            install.args(["install", "--silent", "--no-save", "--prefix"]).arg(&folder);
            install.arg("ipfs-unixfs-importer@17.1.1").stdout(Stdio::null());
            install.status().ok().filter(std::process::ExitStatus::success)?;
        }
        let mut node = Command::new("node");
        node.arg(&script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.spawn().ok()?;
        let (asked, said) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        Some(Self { child, asked, said })
    }

    fn import(&mut self, profile: &str, mebibytes: usize) -> (Duration, String) {
        writeln!(self.asked, "{profile} {mebibytes}").expect("it listens");
        let mut line = String::new();
        self.said.read_line(&mut line).expect("it answers");
        let (nanos, cid) = line.trim().split_once(' ').expect("a time and an id");
        (Duration::from_nanos(nanos.parse().expect("nanoseconds")), cid.to_owned())
    }
}

impl Drop for Npm {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A file, its archive and its id, on the disk.
struct Packed {
    file: PathBuf,
    car: PathBuf,
    out: PathBuf,
    root: Cid,
}

impl Packed {
    fn new(place: &str, mebibytes: usize, profile: Profile) -> Self {
        let at = |name: &str| Path::new(place).join(format!("{name}-{mebibytes}"));
        let (file, car, out) = (at("content"), at("content.car"), at("content.out"));
        fs::write(&file, pattern(mebibytes * MIB)).expect("the disk has room");
        let options = ImportOptions { profile, ..ImportOptions::default() };
        let mut archive = fs::File::create(&car).expect("the disk has room");
        let root = write_car(&file, options, &mut archive).expect("it is written").cid();
        Self { file, car, out, root }
    }

    fn verify(&self) {
        let car = fs::File::open(&self.car).expect("it was written");
        let wanted = self.root.clone().into();
        verify_car(car, &wanted, &self.out, Limits::default()).expect("it is right");
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        for path in [&self.file, &self.car, &self.out] {
            drop(fs::remove_file(path));
        }
    }
}

/// From an archive to a file, against naming the file alone.
pub fn archives(args: &Args, report: &mut Report, place: &str) {
    let figure = "archive to verified file, 64 MiB".to_owned();
    if !args.wants(&figure) {
        return;
    }
    let packed = Packed::new(place, 64, Profile::default());
    let mut runs = [Runs::default(), Runs::default()];
    for round in 0..if args.quick { 5 } else { 15 } {
        // As into a cache: where a file is replaced, the file system waits for the disk.
        drop(fs::remove_file(&packed.out));
        let (ours, ()) = timed(|| packed.verify());
        let (plain, cid) = timed(|| cid_of_file(&packed.file).expect("it is there"));
        assert_eq!(cid, packed.root);
        if round > 0 {
            runs[0].push(ours.as_nanos() as f64);
            runs[1].push(plain.as_nanos() as f64);
        }
    }
    let written = cid_of_file(&packed.out).expect("it was verified");
    assert_eq!(written, packed.root, "the file is what its id names");
    let rival = "importing the file, which is read and hashed as well".to_owned();
    report.row(&Row { figure, rival, unit: Unit::Micros, runs, bar: Bar::AtMost(1.5) });
}

/// Says to a child what it is to do.
const TASK: &str = "--task";

/// Does a child's work, if this process is one; call it before anything else.
#[must_use]
pub fn was_child() -> bool {
    let words: Vec<_> = env::args().skip(1).collect();
    let [task, what, paths @ ..] = &words[..] else { return false };
    if task != TASK {
        return false;
    }
    match (what.as_str(), paths) {
        ("import", [file]) => drop(cid_of_file(Path::new(file)).expect("it is there")),
        ("verify", [car, root, out]) => {
            let wanted = root.parse::<Cid>().expect("an id").into();
            let car = fs::File::open(car).expect("it is there");
            verify_car(car, &wanted, Path::new(out), Limits::default()).expect("it is right");
        }
        _ => {}
    }
    println!("{}", peak());
    true
}

/// The most that a process ever had in memory, against a budget above an empty one.
pub fn memory(args: &Args, report: &mut Report, place: &str) {
    let tasks = ["import", "verify"]
        .map(|task| (task, format!("peak memory above an empty process, {task} 256 MiB")));
    let tasks: Vec<_> = tasks.into_iter().filter(|(_, figure)| args.wants(figure)).collect();
    if tasks.is_empty() {
        return;
    }
    for (name, profile) in PROFILES {
        let packed = Packed::new(place, 256, profile);
        for (task, figure) in &tasks {
            let [file, car, out] = [&packed.file, &packed.car, &packed.out];
            let root = packed.root.to_string();
            let words: Vec<&Path> = match *task {
                "import" => vec![file],
                _ => vec![car, Path::new(&root), out],
            };
            let mut runs = [Runs::default(), Runs::default()];
            for _ in 0..3 {
                let empty = child("nothing", &[]);
                runs[0].push(child(task, &words) - empty);
                runs[1].push(MEMORY_BUDGET as f64);
            }
            let figure = format!("{figure}, `{name}`");
            let rival = "a budget of 8 MiB".to_owned();
            report.row(&Row { figure, rival, unit: Unit::Bytes, runs, bar: Bar::AtMost(1.0) });
        }
    }
}

/// What a child says.
fn child(task: &str, paths: &[&Path]) -> f64 {
    let program = env::current_exe().expect("a program knows where it is");
    let out = Command::new(program).args([TASK, task]).args(paths).output();
    let out = out.expect("it starts again");
    let text = String::from_utf8_lossy(&out.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
}

/// The most bytes of this process that were ever in memory.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.parse::<u64>().ok()).expect("Linux says it in kB") * 1_024
}
