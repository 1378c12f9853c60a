//! The cache among processes: two that share a folder, one that is killed, one whose disk is full.
//!
//! This program runs itself again as the other processes. To weigh the folder at a moment when nothing
//! moves, they are stopped (`SIGSTOP`), weighed and let go on.
#![cfg(all(feature = "ipfs", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use finalmile::ipfs::{Cache, CacheOptions, Check, Kind, cid_of_bytes};

const LIMIT: u64 = 2 << 20;
const FOLDER: &str = "FINALMILE_TEST_CACHE_FOLDER";
const SEED: &str = "FINALMILE_TEST_CACHE_SEED";

fn open(folder: &Path) -> Cache {
    let options = CacheOptions { limit_bytes: LIMIT, ..CacheOptions::default() };
    Cache::with(folder, options).unwrap()
}

fn content(object: u64) -> Vec<u8> {
    let length = usize::try_from(1_000 + object * 7_919 % 60_000).unwrap();
    let mut bytes = object.to_le_bytes().to_vec();
    bytes.resize(length, u8::try_from(object % 256).unwrap());
    bytes
}

/// This program again, as one of the tests below.
fn child(test: &str, folder: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "{name}");
}

/// What counts towards the limit, when nothing moves.
fn on_disk(folder: &Path) -> u64 {
    let sum_of = |folder: &Path| -> u64 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| entry.metadata().ok().map(|meta| (entry, meta)));
        let files = files.filter(|(entry, meta)| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            meta.is_file() && !name.starts_with("index.db") && name != "lock" && name != "claim"
        });
        files.map(|(_, meta)| meta.len()).sum()
    };
    let base = folder.join(".finalmile");
    let homes = fs::read_dir(&base).into_iter().flatten().flatten();
    sum_of(folder) + homes.map(|home| sum_of(&home.path())).sum::<u64>()
}

#[test]
#[ignore = "runs as another process of the tests here"]
fn puts_gets_removes_and_verifies_until_it_is_ended() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut number: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let cache = open(Path::new(&folder));
    let threads: Vec<_> = (0..2_u64)
        .map(|thread| {
            let cache = cache.clone();
            number += thread;
            let mut number = number * 2 + 1;
            thread::spawn(move || {
                for _ in 0..u64::MAX {
                    number ^= number << 13;
                    number ^= number >> 7;
                    number ^= number << 17;
                    let bytes = content(number % 300);
                    let cid = cid_of_bytes(&bytes);
                    match number / 300 % 10 {
                        0..5 => match cache.put_bytes(&bytes, Kind::Media) {
                            Ok(_) => {}
                            Err(error) => assert_eq!(error.code(), "CACHE_FULL", "{error:?}"),
                        },
                        5..8 => {
                            if let Some(found) = cache.get_bytes(&cid).unwrap() {
                                assert_eq!(*found, *bytes);
                            }
                        }
                        8 => _ = cache.remove(&cid).unwrap(),
                        _ => assert!(matches!(
                            cache.verify(&cid).unwrap(),
                            Check::Intact | Check::Missing
                        )),
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        // One that panics ends the process, which the parent sees.
        thread.join().unwrap();
    }
}

#[test]
fn c20_two_processes_keep_one_limit_and_one_that_is_killed_takes_nothing_along() {
    let folder = tempfile::tempdir().unwrap();
    let name = "puts_gets_removes_and_verifies_until_it_is_ended";
    let mut children: Vec<Child> =
        (0..2).map(|seed| child(name, folder.path(), seed * 1_000 + 7)).collect();
    let mut most = 0;
    for round in 0..40_u64 {
        thread::sleep(Duration::from_millis(60));
        children.iter().for_each(|child| signal("-STOP", child));
        // Stopping takes its time.
        thread::sleep(Duration::from_millis(20));
        let found = on_disk(folder.path());
        most = most.max(found);
        assert!(found <= LIMIT, "round {round}: {found} bytes");
        children.iter().for_each(|child| signal("-CONT", child));
        if round % 8 == 7 {
            // Killed in the middle of whatever it does; another one comes.
            let mut victim = children.remove(0);
            victim.kill().unwrap();
            victim.wait().unwrap();
            children.push(child(name, folder.path(), round * 31));
        }
    }
    for mut child in children {
        assert!(child.try_wait().unwrap().is_none(), "it works until it is ended");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(most > LIMIT / 2, "they did put something: {most}");
    let cache = open(folder.path());
    assert_eq!(cache.verify_all().unwrap().damaged, []);
    let stats = cache.stats().unwrap();
    assert_eq!(stats.bytes, on_disk(folder.path()), "what the dead left half-written is gone");
    for object in 0..300 {
        let bytes = content(object);
        if let Some(found) = cache.get_bytes(&cid_of_bytes(&bytes)).unwrap() {
            assert_eq!(*found, *bytes);
        }
    }
    for object in 1_000..1_100 {
        cache.put_bytes(&content(object), Kind::Media).unwrap();
    }
    assert!(on_disk(folder.path()) <= LIMIT);
}

#[test]
#[ignore = "runs as another process of the test below"]
fn puts_where_no_file_may_grow_beyond_forty_kilobytes() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let cache = open(Path::new(&folder));
    let kept = cache.put_bytes(&content(1)[..8_000], Kind::Media).unwrap();
    let (mut full, mut fine) = (0, 0);
    for object in 0..60 {
        let bytes = content(object);
        match cache.put_bytes(&bytes, Kind::Media) {
            Ok(entry) => {
                fine += 1;
                assert_eq!(fs::read(&entry.path).unwrap(), bytes);
            }
            Err(error) => {
                full += 1;
                assert_eq!((error.code(), error.is_retryable()), ("DISK_FULL", true), "{error:?}");
                assert!(!cache.contains(&cid_of_bytes(&bytes)));
            }
        }
    }
    assert!(full > 5 && fine > 5, "{full} were full, {fine} fine");
    assert!(cache.get(&kept.cid).unwrap().is_some(), "what is there is served");
    assert_eq!(cache.verify_all().unwrap().damaged, []);
}

#[test]
fn c5_a_full_disk_refuses_what_does_not_fit_and_serves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    // Where a file may not grow, writing fails as on a full disk, for the index as well.
    let mut limited = Command::new("bash");
    let script = "trap '' XFSZ; ulimit -f 40; exec \"$0\" \"$@\"";
    limited.args(["-c", script]).arg(std::env::current_exe().unwrap());
    limited.args(["--exact", "puts_where_no_file_may_grow_beyond_forty_kilobytes", "--ignored"]);
    let output = limited.env(FOLDER, folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let cache = open(folder.path());
    assert_eq!(cache.verify_all().unwrap().damaged, []);
    let stats = cache.stats().unwrap();
    assert_eq!(stats.bytes, on_disk(folder.path()), "no half file is left");
}
