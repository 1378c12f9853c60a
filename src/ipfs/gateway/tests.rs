//! Room and waits, with a gateway in memory and a clock of the test's own.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::fetch::{FetchError, Request, Response, Timeouts};
use crate::ipfs::varint;
use crate::ipfs::{Codec, ImportOptions, Profile, write_car};
use crate::time::Simulated;

const KINDS: [(&str, &str); 2] =
    [("raw", "application/vnd.ipld.raw"), ("car", "application/vnd.ipld.car")];

type Answer = dyn Fn(usize, &Request) -> Option<Response> + Send + Sync;

/// Gateways `https://0`, `https://1`, … that hold one file, unless `answer` says something else.
struct Held {
    cid: Cid,
    file: Vec<u8>,
    car: Vec<u8>,
    blocks: HashMap<String, Vec<u8>>,
    forms: &'static [&'static str],
    answer: Box<Answer>,
    asked: Mutex<Vec<usize>>,
}

impl Held {
    fn new(length: usize, profile: Profile, forms: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let file: Vec<u8> =
            (0..length).map(|at| (at * 31 + (at >> 8) * 17).to_le_bytes()[0]).collect();
        fs::write(&path, &file).expect("a file");
        let mut car = Vec::new();
        let options = ImportOptions { profile, ..ImportOptions::default() };
        let cid = write_car(&path, options, &mut car).expect("an archive").cid();
        let mut blocks = HashMap::from([("bafkqaaa".to_owned(), Vec::new())]);
        // The root is the first block; with ranges nothing else is needed.
        if cid.codec() == Codec::DagPb {
            let mut rest = car.as_slice();
            let header = varint::take(&mut rest).expect("a length");
            rest = &rest[usize::try_from(header).expect("a short one")..];
            let length = usize::try_from(varint::take(&mut rest).expect("a length"));
            let section = &rest[..length.expect("a short one")];
            let (first, used) = Cid::from_front(section).expect("an id");
            assert_eq!(first, cid);
            blocks.insert(cid.to_string(), section[used..].to_vec());
        } else {
            blocks.insert(cid.to_string(), file.clone());
        }
        let (answer, asked) = (Box::new(|_: usize, _: &Request| None), Mutex::default());
        Self { cid, file, car, blocks, forms, answer, asked }
    }

    fn asked(&self) -> Vec<usize> {
        self.asked.lock().expect("it is whole").clone()
    }
}

impl Fetcher for Held {
    fn get(&self, request: &Request) -> Result<Response, FetchError> {
        let rest = request.url.strip_prefix("https://").expect("it is one of ours");
        let (host, rest) = rest.split_once("/ipfs/").expect("it is a path gateway");
        let host = host.parse().expect("a number");
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path != "bafkqaaa" {
            self.asked.lock().expect("it is whole").push(host);
            if let Some(answer) = (self.answer)(host, request) {
                return Ok(answer);
            }
        }
        let ok = |kind: &str, body: &[u8]| {
            let headers = vec![("content-type".to_owned(), kind.to_owned())];
            Ok(Response::new(200, headers, std::io::Cursor::new(body.to_vec())))
        };
        for (form, kind) in KINDS {
            if query.contains(form) {
                return match (self.forms.contains(&form), form) {
                    (true, "car") => ok(kind, &self.car),
                    (true, _) if self.blocks.contains_key(path) => ok(kind, &self.blocks[path]),
                    (true, _) => Ok(Response::new(404, Vec::new(), &b""[..])),
                    (false, _) => Ok(Response::new(406, Vec::new(), &b""[..])),
                };
            }
        }
        if !self.forms.contains(&"plain") {
            return Ok(Response::new(406, Vec::new(), &b""[..]));
        }
        ok("application/octet-stream", &self.file)
    }
}

fn gateways(
    held: &Arc<Held>,
    count: usize,
    options: FetchOptions,
    world: &Arc<Simulated>,
) -> Gateways {
    let list = (0..count).map(|host| Gateway::new(format!("https://{host}")).expect("it is one"));
    let world: Arc<dyn World> = Arc::clone(world) as _;
    Gateways::with_world(Arc::clone(held) as _, list.collect(), options, world)
}

fn options() -> FetchOptions {
    let ms = Duration::from_millis;
    FetchOptions {
        timeouts: Timeouts { idle: ms(2_000), ..Timeouts::default() },
        hedge_after: ms(100),
        patience: ms(5_000),
        skeleton_from: 0,
        ..FetchOptions::default()
    }
}

fn clock() -> Arc<Simulated> {
    Arc::new(Simulated::new(Timestamp::from_millis(1_000_000), 7))
}

/// Room up to a bound; it looks that nobody wrote before asking.
struct Bounded {
    most: u64,
    granted: u64,
    folder: PathBuf,
}

impl Room for Bounded {
    fn grow_to(&mut self, total_bytes: u64) -> Result<(), IpfsError> {
        assert!(written(&self.folder) <= self.granted, "it was written before it was asked for");
        if total_bytes > self.most {
            return Err(IpfsError::TooLarge { what: "bytes in this room", most: self.most });
        }
        self.granted = self.granted.max(total_bytes);
        Ok(())
    }
}

/// Bytes on the disk: files may have holes, which take none. The pattern has no long zeros.
fn written(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("it is there").flatten();
    let bytes = entries.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "part"));
    let bytes = bytes.map(|entry| fs::read(entry.path()).unwrap_or_default());
    bytes
        .flat_map(|bytes| bytes.chunks(4_096).map(<[u8]>::to_vec).collect::<Vec<_>>())
        .filter(|chunk| chunk.iter().any(|byte| *byte != 0))
        .map(|chunk| chunk.len() as u64)
        .sum()
}

#[test]
fn c57_no_way_writes_before_it_has_room() {
    let small = Profile::custom(64 << 10, 174, true, 1).expect("a profile");
    for (profile, forms) in [
        (Profile::UNIXFS_V1_2025, &["raw"][..]),
        (small, &["raw", "plain"]),
        (small, &["car"]),
        (Profile::UNIXFS_V0_2015, &["plain"]),
    ] {
        let held = Arc::new(Held::new(700_000, profile, forms));
        for most in [2_000_000, 300_000, 0] {
            let folder = tempfile::tempdir().expect("a folder");
            let room = Bounded { most, granted: 0, folder: folder.path().to_path_buf() };
            let room = Arc::new(Mutex::new(room));
            let gateways = gateways(&held, 1, options(), &clock());
            let wanted = held.cid.clone().into();
            let shared: Arc<Mutex<dyn Room>> = Arc::clone(&room) as _;
            let control = FetchControl::default();
            let done = gateways.fetch_within(&wanted, folder.path(), &control, shared);
            let granted = room.lock().expect("it is whole").granted;
            assert!(written(folder.path()) <= granted, "{forms:?}, {most}");
            match done {
                Ok(fetched) => {
                    assert!(most == 2_000_000 && granted >= 700_000, "{forms:?}, {granted}");
                    assert!(fs::read(fetched.path).expect("it is there") == held.file);
                }
                Err(error) => {
                    assert!(most < 700_000, "{forms:?}: {error}");
                    assert_eq!(error.code(), "CONTENT_TOO_LARGE");
                }
            }
        }
    }
}

#[test]
fn c54_a_second_gateway_is_asked_when_the_first_is_slow_and_the_first_answer_counts() {
    let mut held = Held::new(1_000, Profile::default(), &["raw"]);
    let is_let_go = Arc::new(AtomicBool::new(false));
    let let_go = Arc::clone(&is_let_go);
    held.answer = Box::new(move |host, _| {
        while host == 0 && !let_go.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        None
    });
    let held = Arc::new(held);
    let (gateways, folder) =
        (gateways(&held, 3, options(), &clock()), tempfile::tempdir().unwrap());
    let fetch =
        || gateways.fetch(&held.cid.clone().into(), folder.path(), &FetchControl::default());
    assert_eq!(fetch().unwrap().gateway.as_deref(), Some("https://1"));
    assert_eq!(held.asked(), [0, 1], "the third one was not needed");
    is_let_go.store(true, Ordering::SeqCst);
    // A loser is not blamed.
    assert!(
        gateways.inner.sites[0].record().waits_until(Timestamp::from_millis(1_000_000)).is_none()
    );
}

#[test]
fn c54_a_body_that_stands_still_is_left_for_another() {
    /// Gives a few bytes, and then nothing until it is let go.
    struct Stuck(usize, Arc<AtomicBool>);
    impl std::io::Read for Stuck {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            while self.0 == 0 && !self.1.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
            let count = self.0.min(buffer.len());
            self.0 -= count;
            buffer[..count].fill(0);
            Ok(count)
        }
    }
    let is_let_go = Arc::new(AtomicBool::new(false));
    for (profile, forms) in [
        (Profile::UNIXFS_V1_2025, &["raw"][..]),
        (Profile::UNIXFS_V0_2015, &["car"]),
        (Profile::UNIXFS_V0_2015, &["raw", "plain"]),
    ] {
        let mut held = Held::new(600_000, profile, forms);
        let let_go = Arc::clone(&is_let_go);
        held.answer = Box::new(move |host, request| {
            let kind = KINDS.iter().find(|(form, _)| request.url.contains(&format!("={form}")));
            let kind = kind.map_or("application/octet-stream", |(_, kind)| kind);
            let headers = vec![("content-type".to_owned(), kind.to_owned())];
            (host == 0).then(|| Response::new(200, headers, Stuck(50, Arc::clone(&let_go))))
        });
        let held = Arc::new(held);
        let mut options = options();
        options.timeouts.idle = Duration::from_secs(60);
        let (gateways, folder) =
            (gateways(&held, 2, options, &clock()), tempfile::tempdir().unwrap());
        let ended = crate::time::Deadline::after(Duration::from_secs(10));
        let wanted = held.cid.clone().into();
        let fetched = gateways.fetch(&wanted, folder.path(), &FetchControl::default()).unwrap();
        assert!(fs::read(fetched.path).unwrap() == held.file, "{forms:?}");
        assert!(!ended.is_over(), "{forms:?}");
    }
    is_let_go.store(true, Ordering::SeqCst);
}

#[test]
fn c55_who_asks_for_later_is_asked_then_and_not_before() {
    let mut held = Held::new(1_000, Profile::default(), &["raw"]);
    let is_busy = Arc::new(AtomicBool::new(true));
    let busy = Arc::clone(&is_busy);
    held.answer = Box::new(move |_, _| {
        busy.load(Ordering::SeqCst).then(|| {
            let headers = vec![("retry-after".to_owned(), "3".to_owned())];
            Response::new(429, headers, &b"later"[..])
        })
    });
    let (held, world) = (Arc::new(held), clock());
    let (patient, folder) = (gateways(&held, 1, options(), &world), tempfile::tempdir().unwrap());
    thread::scope(|scope| {
        let control = FetchControl::default();
        let fetch = scope.spawn({
            let (patient, held, folder) = (&patient, &held, &folder);
            move || patient.fetch(&held.cid.clone().into(), folder.path(), &control)
        });
        thread::sleep(Duration::from_millis(200));
        let before = held.asked().len();
        is_busy.store(false, Ordering::SeqCst);
        world.advance(Duration::from_millis(2_900));
        thread::sleep(Duration::from_millis(200));
        assert_eq!((before, held.asked().len()), (1, 1), "not before");
        world.advance(Duration::from_millis(200));
        assert_eq!(fetch.join().unwrap().unwrap().bytes, 1_000);
        assert_eq!(held.asked().len(), 2);
    });
    // Longer than anybody waits: the error says when.
    is_busy.store(true, Ordering::SeqCst);
    let mut short = options();
    short.patience = Duration::from_secs(2);
    let impatient = gateways(&held, 1, short, &world);
    let other = crate::ipfs::cid_of_bytes(b"other").into();
    let error = impatient.fetch(&other, folder.path(), &FetchControl::default()).unwrap_err();
    assert!(error.is_retryable());
    let IpfsError::NoGateway { retry_after_ms: Some(3_000), why, .. } = error else {
        panic!("{error:?}")
    };
    assert!(why.contains("429"), "{why}");
}

#[test]
fn c59_absence_is_forgotten_by_the_clock_and_a_step_back_does_not_prolong_it() {
    let held = Arc::new(Held::new(1_000, Profile::default(), &["raw"]));
    let world = clock();
    let (gateways, folder) = (gateways(&held, 2, options(), &world), tempfile::tempdir().unwrap());
    let other = crate::ipfs::cid_of_bytes(b"other").into();
    let mut ask = |wait: i64| {
        world.set(Timestamp::from_millis(1_000_000 + wait * 1_000));
        held.asked.lock().unwrap().clear();
        let error = gateways.fetch(&other, folder.path(), &FetchControl::default()).unwrap_err();
        assert_eq!(error.code(), "CONTENT_UNAVAILABLE");
        !held.asked().is_empty()
    };
    assert_eq!([0, 1, 59, 61, 100, 10].map(&mut ask), [true, false, false, true, false, true]);
}

#[test]
fn c59_an_offline_device_says_so_and_is_served_as_soon_as_it_is_back() {
    struct Away(Arc<Held>, AtomicBool);
    impl Fetcher for Away {
        fn get(&self, request: &Request) -> Result<Response, FetchError> {
            if self.1.load(Ordering::SeqCst) {
                return Err(FetchError::Transport("the network is away".to_owned()));
            }
            self.0.get(request)
        }
    }
    let held = Arc::new(Held::new(1_000, Profile::default(), &["raw"]));
    let away = Arc::new(Away(Arc::clone(&held), AtomicBool::new(true)));
    let list = ["https://0", "https://1"].map(|url| Gateway::new(url).unwrap());
    let mut options = options();
    options.patience = Duration::from_millis(300);
    let gateways = Gateways::new(Arc::clone(&away) as _, list.to_vec(), options);
    let folder = tempfile::tempdir().unwrap();
    let wanted = held.cid.clone().into();
    for _ in 0..5 {
        let error = gateways.fetch(&wanted, folder.path(), &FetchControl::default()).unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("OFFLINE", true), "{error}");
    }
    away.1.store(false, Ordering::SeqCst);
    thread::sleep(Duration::from_millis(4_000));
    let fetched = gateways.fetch(&wanted, folder.path(), &FetchControl::default()).unwrap();
    assert!(fs::read(fetched.path).unwrap() == held.file);
}
