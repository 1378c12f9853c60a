//! The cache: hits, reads, puts and opens beside `cacache` and bare system calls, and what its eviction keeps
//! beside a plain LRU.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use finalmile::ipfs::{Cache, CacheOptions, Cid, Kind, Replay, cid_of_bytes};
use lru::LruCache;

use crate::{
    args::Args,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    traces::{self, Request},
};

/// A thumbnail's.
const BYTES: usize = 20_000;

fn content(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(BYTES, 7);
    bytes
}

/// Nanoseconds an operation.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn each(count: u64, mut work: impl FnMut(u64)) -> f64 {
    let from = Instant::now();
    (0..count).for_each(&mut work);
    from.elapsed().as_nanos() as f64 / count as f64
}

/// Both sides in turns; the first round warms up.
fn in_turns(
    rounds: u32,
    mut ours: impl FnMut(u32) -> f64,
    mut rival: impl FnMut(u32) -> f64,
) -> [Runs; 2] {
    let mut runs = [Runs::default(), Runs::default()];
    for round in 0..=rounds {
        let pair = [ours(round), rival(round)];
        if round > 0 {
            runs.iter_mut().zip(pair).for_each(|(runs, figure)| runs.push(figure));
        }
    }
    runs
}

/// Hits, reads and puts of thumbnails.
pub fn operations(args: &Args, report: &mut Report, place: &str) {
    let hit = ("hit: the path of 20 kB", "a bare `stat` of the file");
    let look = ("hit: the path of 20 kB", "`cacache`: `metadata_sync`");
    let read = ("read and verify 20 kB", "`cacache`: `read_sync`");
    let put = ("put 20 kB, not synced", "`cacache`: `write_sync`");
    if ![hit, look, read, put].iter().any(|(figure, _)| args.wants(figure)) {
        return;
    }
    let folder = tempfile::tempdir_in(place).expect("the disk has room");
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    // No memory tier: it would spare the reads that are measured.
    let options = CacheOptions { memory_bytes: 0, limit_bytes: 4 << 30, ..CacheOptions::default() };
    let cache = Cache::with(&ours, options).expect("it opens");
    let files: Vec<(Cid, String, PathBuf)> = (0..200)
        .map(|number| {
            let bytes = content(number);
            let entry = cache.put_bytes(&bytes, Kind::Thumbnail).expect("there is room");
            let key = entry.cid.to_string();
            cacache::write_sync(&theirs, &key, &bytes).expect("there is room");
            (entry.cid, key, entry.path)
        })
        .collect();
    let file = |at: u64| &files[usize::try_from(at % 200).expect("small")];
    let rounds = if args.quick { 5 } else { 21 };
    let count = if args.quick { 2_000 } else { 10_000 };
    let hits = |_| each(count, |at| assert!(cache.get(&file(at).0).expect("no fault").is_some()));
    let mut row = |(figure, rival): (&str, &str), runs, bar| {
        let (figure, rival) = (figure.to_owned(), rival.to_owned());
        report.row(&Row { figure, rival, unit: Unit::Micros, runs, bar });
    };
    if args.wants(hit.0) {
        let bare = |_| each(count, |at| assert!(fs::symlink_metadata(&file(at).2).is_ok()));
        row(hit, in_turns(rounds, hits, bare), Bar::AtMost(1.5));
        let looks = |_| {
            each(count / 4, |at| {
                let found = cacache::metadata_sync(&theirs, &file(at).1);
                assert!(found.expect("no fault").is_some());
            })
        };
        row(look, in_turns(rounds, hits, looks), Bar::AtMost(0.5));
    }
    if args.wants(read.0) {
        let count = count / 8;
        let ours = |_| {
            each(count, |at| {
                let bytes = cache.get_bytes(&file(at).0).expect("no fault");
                assert!(bytes.is_some_and(|bytes| bytes.len() == BYTES));
            })
        };
        let theirs = |_| {
            each(count, |at| {
                assert_eq!(
                    cacache::read_sync(&theirs, &file(at).1).expect("no fault").len(),
                    BYTES
                );
            })
        };
        row(read, in_turns(rounds, ours, theirs), Bar::AtMost(0.75));
    }
    if args.wants(put.0) {
        let count = 200;
        let number = |round: u32, at: u64| 1_000 + u64::from(round) * count + at;
        let ours = |round| {
            each(count, |at| {
                cache.put_bytes(&content(number(round, at)), Kind::Thumbnail).expect("room");
            })
        };
        let theirs = |round| {
            each(count, |at| {
                let key = format!("key-{}", number(round, at));
                cacache::write_sync(&theirs, key, content(number(round, at))).expect("room");
            })
        };
        row(put, in_turns(rounds, ours, theirs), Bar::AtMost(0.5));
    }
}

/// Opening a cache of 100,000 entries.
pub fn opening(args: &Args, report: &mut Report, place: &str) {
    let figure = "open with 100,000 entries".to_owned();
    if !args.wants(&figure) {
        return;
    }
    let folder = tempfile::tempdir_in(place).expect("the disk has room");
    let open = || Cache::open(folder.path()).expect("it opens");
    let cache = open();
    for number in 0..100_000_u64 {
        cache.put_bytes(&number.to_le_bytes(), Kind::Thumbnail).expect("there is room");
    }
    assert_eq!(cache.stats().expect("figures").entries, 100_000);
    drop(cache);
    let wanted = cid_of_bytes(&77_u64.to_le_bytes());
    let mut runs = [Runs::default(), Runs::default()];
    for _ in 0..if args.quick { 5 } else { 21 } {
        let mut opened = None;
        runs[0].push(each(1, |_| {
            let cache = open();
            assert!(cache.get(&wanted).expect("no fault").is_some());
            opened = Some(cache);
        }));
        runs[1].push(Duration::from_millis(20).as_nanos() as f64);
        drop(opened);
    }
    let rival = "a budget of 20 ms".to_owned();
    report.row(&Row { figure, rival, unit: Unit::Micros, runs, bar: Bar::AtMost(1.0) });
}

/// A plain LRU by bytes.
struct Plain {
    files: LruCache<u64, u64>,
    bytes: u64,
    limit: u64,
}

impl Plain {
    fn request(&mut self, request: Request) -> bool {
        if self.files.get(&request.object).is_some() {
            return true;
        }
        if request.bytes <= self.limit {
            self.bytes += request.bytes;
            self.files.put(request.object, request.bytes);
        }
        while self.bytes > self.limit {
            let Some((_, gone)) = self.files.pop_lru() else { break };
            self.bytes -= gone;
        }
        false
    }
}

/// Makes a trace from a seed.
type Trace = fn(u64) -> Vec<Request>;

/// What of a trace is found, by objects and by bytes.
fn ratios(trace: &[Request], mut request: impl FnMut(Request) -> bool) -> [f64; 2] {
    let (mut objects, mut bytes, mut all) = (0_u64, 0, 0);
    for asked in trace {
        all += asked.bytes;
        if request(*asked) {
            objects += 1;
            bytes += asked.bytes;
        }
    }
    [objects as f64 / trace.len() as f64, bytes as f64 / all as f64].map(|part| part * 100.0)
}

/// Hit ratios of the cache's own eviction and of the crate `lru`, on three traces and three sizes.
pub fn hit_ratios(args: &Args, report: &mut Report) {
    let traces: [(&str, Trace); 3] = [
        ("feed scroll", traces::feed),
        ("zipf with scans", traces::scans),
        ("revisits", traces::revisits),
    ];
    for (name, make) in traces {
        for mebibytes in [100, 250, 1_024] {
            let figures =
                ["objects", "bytes"].map(|what| format!("hits of {what}, {name}, {mebibytes} MiB"));
            if !figures.iter().any(|figure| args.wants(figure)) {
                continue;
            }
            let mut runs = [[Runs::default(), Runs::default()], [Runs::default(), Runs::default()]];
            for seed in 1..=3 {
                let trace = make(seed);
                let limit = mebibytes << 20;
                let options = CacheOptions { limit_bytes: limit, ..CacheOptions::default() };
                let mut ours = Replay::new(options);
                let mut plain = Plain { files: LruCache::unbounded(), bytes: 0, limit };
                let of_ours =
                    ratios(&trace, |asked| ours.request(asked.object, asked.bytes, asked.kind));
                assert!(ours.bytes() <= limit, "the limit holds");
                let of_plain = ratios(&trace, |asked| plain.request(asked));
                for (what, runs) in runs.iter_mut().enumerate() {
                    runs[0].push(of_ours[what]);
                    runs[1].push(of_plain[what]);
                }
            }
            for (figure, runs) in figures.into_iter().zip(runs) {
                let rival = "the crate `lru` by bytes".to_owned();
                report.row(&Row {
                    figure,
                    rival,
                    unit: Unit::Percent,
                    runs,
                    bar: Bar::AtLeast(1.0),
                });
            }
        }
    }
}
