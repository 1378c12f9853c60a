//! Room, downloads and what they leave, from inside: where the limit is made and could be broken.

use std::fs;
use std::io::Write;
use std::sync::Barrier;
use std::thread;

use crate::ipfs::cid::{Cid, Codec};
use crate::ipfs::room::Room;
use crate::ipfs::{Profile, cid_of, cid_of_bytes};
use crate::time::{SystemWorld, World};

use super::*;

const LIMIT: u64 = 1 << 20;

fn options(limit_bytes: u64) -> CacheOptions {
    CacheOptions { limit_bytes, ..CacheOptions::default() }
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.resize(length, u8::try_from(seed % 251).unwrap_or_default());
    bytes
}

/// A cache whose index is the folder, as where there is no database.
fn without_database(folder: &Path) -> Cache {
    let mut shared = Shared::new(folder.to_path_buf(), options(LIMIT));
    shared.has_database = false;
    let shared = Arc::new(shared);
    shared.index(|_| Ok(())).expect("it opens");
    Cache(shared)
}

/// All bytes on the disk that count towards the limit, when nothing moves: files, downloads, leftovers.
fn on_disk(folder: &Path) -> u64 {
    let files = |folder: &Path| -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| (entry.path(), entry.metadata().map_or(0, |meta| meta.len()))).collect()
    };
    let base = folder.join(home::BASE);
    let mut sum: u64 = 0;
    for (path, length) in files(folder).into_iter().filter(|(path, _)| path.is_file()) {
        assert!(path.file_name().is_some_and(|name| name.len() >= 8), "{path:?}");
        sum += length;
    }
    for (path, _) in files(&base).into_iter().filter(|(path, _)| path.is_dir()) {
        for (path, length) in files(&path) {
            let ending = path.extension().unwrap_or_default();
            let counts = ending != "passing" && path.file_name().is_none_or(|name| name != "claim");
            sum += if counts { length } else { 0 };
        }
    }
    sum
}

/// A download that writes in pieces, asking for room before each.
struct Download {
    reservation: Reservation,
    file: fs::File,
    path: PathBuf,
    content: Vec<u8>,
    written: usize,
}

impl Download {
    fn begin(cache: &Cache, content: Vec<u8>, kind: Kind) -> Self {
        let cid = cid_of_bytes(&content);
        let reservation = cache.reserve(Some(&cid), kind).expect("room for what was begun");
        let path = reservation.folder().join(format!("{cid}.part"));
        let file = fs::OpenOptions::new().create(true).append(true).open(&path).expect("a home");
        let written = usize::try_from(file.metadata().expect("open").len()).expect("small");
        Self { reservation, file, path, content, written }
    }

    /// Whether there was room.
    fn write(&mut self, bytes: usize) -> bool {
        let end = (self.written + bytes).min(self.content.len());
        if self.reservation.grow_to(end as u64).is_err() {
            return false;
        }
        self.file.write_all(&self.content[self.written..end]).expect("room was granted");
        self.written = end;
        true
    }

    fn publish(mut self) -> Option<Entry> {
        let is_whole = self.write(self.content.len());
        let cid = cid_of_bytes(&self.content);
        is_whole.then(|| self.reservation.publish(&cid, &self.path).expect("it is whole"))
    }
}

#[test]
fn c20_the_limit_holds_at_every_moment_for_eight_threads_that_put_and_download() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let (step, look) = (Barrier::new(9), Barrier::new(9));
    let rounds = 60;
    let (mut most, mut refused) = (0, 0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|thread| {
                let (cache, step, look) = (&cache, &step, &look);
                scope.spawn(move || {
                    let (mut downloads, mut refused): (Vec<Download>, u32) = (Vec::new(), 0);
                    for round in 0..rounds {
                        let seed = thread * 1_000 + round;
                        let length =
                            1_000 + usize::try_from(seed * 7_919 % 120_000).expect("small");
                        let kind =
                            if seed.is_multiple_of(3) { Kind::Thumbnail } else { Kind::Media };
                        match seed % 5 {
                            0 | 1 => {
                                let put = cache.put_bytes(&bytes(seed, length), kind);
                                refused += u32::from(put.is_err());
                            }
                            2 => downloads.push(Download::begin(cache, bytes(seed, length), kind)),
                            3 => downloads.iter_mut().for_each(|download| {
                                refused += u32::from(!download.write(20_000));
                            }),
                            // One is published, one is given up.
                            _ => {
                                drop(downloads.pop());
                                if let Some(download) = downloads.pop() {
                                    refused += u32::from(download.publish().is_none());
                                }
                            }
                        }
                        step.wait();
                        // Nothing moves here: the folder is looked at.
                        look.wait();
                    }
                    refused
                })
            })
            .collect();
        for round in 0..rounds {
            step.wait();
            let found = on_disk(folder.path());
            most = most.max(found);
            assert!(found <= LIMIT, "round {round}: {found} bytes");
            look.wait();
        }
        refused = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<u32>();
    });
    // The limit is not held by holding back.
    assert!(most > LIMIT * 8 / 10, "{most}");
    assert!(refused < 100, "{refused} of 480 refused");
    let stats = cache.stats().expect("figures");
    let files = on_disk(folder.path());
    assert!(stats.bytes + stats.left_bytes == files, "{stats:?} {files}");
    assert_eq!(cache.verify_all().expect("a folder").damaged, []);
    let state = cache.0.state();
    assert!(state.used == 0 && state.granted <= LIMIT, "{} of {}", state.used, state.granted);
}

#[test]
fn c20_two_caches_keep_one_limit_where_the_folder_is_the_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let caches = [without_database(folder.path()), without_database(folder.path())];
    let pinned = caches[0].put_bytes(&bytes(1, 50_000), Kind::Media).expect("room");
    caches[1].pin(&pinned.cid).expect("a marker");
    let mut downloads = Vec::new();
    for seed in 10..80_u64 {
        let cache = &caches[usize::try_from(seed % 2).expect("small")];
        let length = 5_000 + usize::try_from(seed * 7_919 % 60_000).expect("small");
        if seed.is_multiple_of(7) {
            let mut download = Download::begin(cache, bytes(seed, length), Kind::Media);
            assert!(download.write(length / 2));
            downloads.push(download);
        } else {
            cache.put_bytes(&bytes(seed, length), Kind::Media).expect("room");
        }
        if downloads.len() > 3 {
            downloads.remove(0).publish().expect("room");
        }
        let found = on_disk(folder.path());
        assert!(found <= LIMIT, "{seed}: {found}");
    }
    assert!(on_disk(folder.path()) > LIMIT * 7 / 10);
    drop(downloads);
    assert!(caches.iter().all(|cache| cache.contains(&pinned.cid)));
    let [one, other] = caches;
    drop(other);
    let stats = one.stats().expect("figures");
    assert_eq!(
        (stats.pinned_bytes, stats.bytes + stats.left_bytes),
        (50_000, on_disk(folder.path()))
    );
    drop(one);
    assert!(!folder.path().join(home::BASE).join("index.db").exists());
}

#[test]
fn c25_where_the_folder_is_the_index_every_file_is_checked_at_its_first_hit() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = without_database(folder.path());
    let entries: Vec<Entry> = (0..3)
        .map(|seed| cache.put_bytes(&bytes(seed, 20_000), Kind::Media).expect("room"))
        .collect();
    drop(cache);
    fs::write(&entries[1].path, vec![1; 20_000]).expect("it is there");
    let cache = without_database(folder.path());
    assert!(cache.get(&entries[0].cid).expect("no fault").is_some());
    assert!(cache.get(&entries[1].cid).expect("no fault").is_none());
    cache.trim(25_000).expect("no fault");
    assert!(on_disk(folder.path()) <= 25_000, "it knows what it has not met");
}

#[test]
fn a_download_is_taken_up_where_it_was_left_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let content = bytes(1, 100_000);
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let mut download = Download::begin(&cache, content.clone(), Kind::Media);
    assert!(download.write(60_000));
    let leaves = download.path.with_extension("leaves");
    fs::write(&leaves, b"bitmap").expect("a home");
    drop(download);
    assert_eq!(cache.stats().expect("figures").left_bytes, 60_006);
    drop(cache);

    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let download = Download::begin(&cache, content.clone(), Kind::Media);
    assert_eq!(download.written, 60_000);
    assert_eq!(fs::read(download.path.with_extension("leaves")).expect("it came along"), b"bitmap");
    let entry = download.publish().expect("there is room");
    assert!(entry.kept && entry.added);
    assert_eq!(fs::read(&entry.path).expect("it is kept"), content);
    let stats = cache.stats().expect("figures");
    assert_eq!((stats.bytes, stats.left_bytes), (100_000, 0));
    assert_eq!(on_disk(folder.path()), 100_000);
}

#[test]
fn what_downloads_left_is_the_first_to_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let kept: Vec<Entry> = (0..8)
        .map(|seed| cache.put_bytes(&bytes(seed, 100_000), Kind::Media).expect("room"))
        .collect();
    let mut download = Download::begin(&cache, bytes(100, 120_000), Kind::Media);
    assert!(download.write(110_000));
    drop(download);
    assert_eq!(cache.stats().expect("figures").left_bytes, 110_000);
    // 800 kB are kept and 110 kB left; another 130 kB fit only without the latter.
    assert!(cache.put_bytes(&bytes(101, 130_000), Kind::Media).expect("room").kept);
    assert_eq!(cache.stats().expect("figures").left_bytes, 0);
    assert!(kept.iter().all(|entry| cache.contains(&entry.cid)));
}

#[test]
fn a_full_cache_takes_downloads_up_and_makes_room_for_the_rest_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let mut download = Download::begin(&cache, bytes(100, 120_000), Kind::Media);
    assert!(download.write(110_000));
    for seed in 0..30 {
        cache.put_bytes(&bytes(seed, 60_000), Kind::Media).expect("room");
    }
    drop(download);
    assert!(on_disk(folder.path()) > LIMIT - 80_000);
    let download = Download::begin(&cache, bytes(100, 120_000), Kind::Media);
    assert_eq!(download.written, 110_000);
    assert!(on_disk(folder.path()) <= LIMIT);
    assert!(download.publish().expect("room is made").kept);
    assert!(on_disk(folder.path()) <= LIMIT);
}

#[test]
fn a_large_download_is_left_where_that_pushes_nothing_out_and_else_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let mut download = Download::begin(&cache, bytes(1, 900_000), Kind::Media);
    assert!(download.write(700_000));
    drop(download);
    assert_eq!(cache.stats().expect("figures").left_bytes, 700_000);
    let mut download = Download::begin(&cache, bytes(1, 900_000), Kind::Media);
    assert_eq!(download.written, 700_000);
    // Meanwhile it passes, and the room is others'.
    for seed in 10..30 {
        cache.put_bytes(&bytes(seed, 60_000), Kind::Media).expect("room");
    }
    assert!(download.write(100_000));
    let entries = cache.stats().expect("figures").entries;
    drop(download);
    let stats = cache.stats().expect("figures");
    assert_eq!((stats.left_bytes, stats.entries), (0, entries));
    assert!(on_disk(folder.path()) <= LIMIT);
}

#[test]
fn c23_a_download_of_more_than_an_eighth_passes_and_a_pin_keeps_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let small: Vec<Entry> = (0..9)
        .map(|seed| cache.put_bytes(&bytes(seed, 100_000), Kind::Media).expect("room"))
        .collect();
    // Larger than the whole cache.
    let large = bytes(50, 1_500_000);
    let entry = Download::begin(&cache, large.clone(), Kind::Media).publish().expect("it passes");
    assert!(!entry.kept && cache.get(&entry.cid).expect("no fault").is_none());
    assert_eq!(fs::read(&entry.path).expect("the caller's"), large);
    assert!(small.iter().all(|entry| cache.contains(&entry.cid)), "it pushes nothing out");
    let other = entry.clone();
    drop(entry);
    assert!(other.path.exists());
    let path = other.path.clone();
    drop(other);
    assert!(!path.exists(), "gone with the last clone");

    let pinned = bytes(51, 500_000);
    cache.pin(&cid_of_bytes(&pinned)).expect("a marker");
    let entry = Download::begin(&cache, pinned, Kind::Media).publish().expect("room is made");
    assert!(entry.kept && cache.contains(&entry.cid));
    assert!(on_disk(folder.path()) <= LIMIT);
    cache.pin(&cid_of_bytes(&large)).expect("a marker");
    let mut too_large = Download::begin(&cache, large, Kind::Media);
    assert!(too_large.write(300_000) && !too_large.write(1_200_000), "more than there is");
}

#[test]
fn content_of_any_shape_is_checked_again_by_the_digest_of_when_it_was_proved() {
    let folder = tempfile::tempdir().expect("a folder");
    let content = bytes(7, 90_000);
    // Chunks of 1,000 bytes: no tool's default, so the bytes alone do not tell the id.
    let profile = Profile::custom(1_000, 7, true, 1).expect("a shape");
    let cid = cid_of(&content[..], profile).expect("an id");
    assert_eq!(cid.codec(), Codec::DagPb);
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let mut reservation = cache.reserve(Some(&cid), Kind::Media).expect("room");
    reservation.grow_to(90_000).expect("room");
    let path = reservation.folder().join("whole");
    fs::write(&path, &content).expect("a home");
    let entry = reservation.publish(&cid, &path).expect("it is whole");
    assert_eq!(cache.verify(&cid).expect("no fault"), Check::Intact);
    drop(cache);
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    assert_eq!(cache.get_bytes(&cid).expect("no fault").as_deref(), Some(&content[..]));
    // Without an index nobody can prove it any more, so it is fetched again.
    drop(cache);
    fs::remove_dir_all(folder.path().join(home::BASE)).expect("it is there");
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    assert_eq!(cache.get(&cid).expect("no fault"), None);
    assert!(!entry.path.exists());
}

#[test]
fn leftovers_of_a_week_ago_are_swept_at_open_and_younger_ones_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let left = folder.path().join(home::BASE).join("left");
    fs::create_dir_all(&left).expect("a folder");
    let aged = |seed: u64, days: u64| {
        let path = left.join(format!("{}.part", cid_of_bytes(&bytes(seed, 10))));
        let file = fs::File::create(&path).expect("a folder");
        let now = file.metadata().and_then(|meta| meta.modified()).expect("a time");
        let age = std::time::Duration::from_secs(days * 24 * 3_600 + 60);
        file.set_modified(now - age).expect("a time");
        path
    };
    let (old, young) = (aged(1, 7), aged(2, 6));
    drop(Cache::open(folder.path()).expect("it opens"));
    assert!(!old.exists() && young.exists());
}

#[test]
fn a_dead_process_leaves_its_downloads_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join(home::BASE).join("process-00000000000000aa");
    fs::create_dir_all(&home).expect("a folder");
    let cid = cid_of_bytes(b"x");
    for name in
        ["lock", "3.tmp", "4.passing", "claim", &format!("{cid}.part"), &format!("{cid}.leaves")]
    {
        fs::write(home.join(name), b"1234").expect("a folder");
    }
    let cache = Cache::open(folder.path()).expect("it opens");
    assert!(!home.exists());
    assert_eq!(cache.0.left.bytes_of(&cid), 8);
    // The lock of a living process keeps its home.
    let other = Cache::open(folder.path()).expect("it opens");
    let homes = || home::count(&folder.path().join(home::BASE));
    assert_eq!(homes(), 2);
    drop(Cache::open(folder.path()).expect("it opens"));
    assert_eq!(homes(), 2);
    drop((cache, other));
    assert_eq!(homes(), 0);
}

#[test]
fn a_claim_that_is_given_back_is_free_for_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    let mut held: Vec<Reservation> = (0..8_u64)
        .map(|seed| {
            let digest = *seed.to_le_bytes().repeat(4).first_chunk().expect("32 bytes");
            let cid = Cid::of_digest(Codec::Raw, &digest);
            let mut reservation = cache.reserve(Some(&cid), Kind::Media).expect("room");
            reservation.grow_to(LIMIT / 8).expect("eight eighths are the limit");
            reservation
        })
        .collect();
    // Nothing is on the disk, and yet all is taken.
    let refused = cache.put_bytes(&bytes(1, 5_000), Kind::Media).expect_err("no room");
    assert_eq!((refused.code(), refused.is_retryable()), ("CACHE_FULL", true));
    let other = Cache::with(folder.path(), options(LIMIT)).expect("it opens");
    assert!(other.put_bytes(&bytes(1, 5_000), Kind::Media).is_err(), "claims of others count");
    drop(held.pop());
    cache.put_bytes(&bytes(1, 5_000), Kind::Media).expect("room");
    drop(held);
    cache.0.flush(true).expect("an index");
    other.put_bytes(&bytes(2, 100_000), Kind::Media).expect("room");
}

#[test]
fn a_clock_that_steps_has_no_say_in_sweeping() {
    // Ages are differences between times that the file system wrote.
    #[derive(Debug)]
    struct Wrong;
    impl World for Wrong {
        fn now(&self) -> crate::Timestamp {
            crate::Timestamp::from_micros(i64::MAX / 2)
        }
        fn random(&self) -> u64 {
            SystemWorld.random()
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(folder.path()).expect("it opens");
    let mut download = Download::begin(&cache, bytes(1, 50_000), Kind::Media);
    assert!(download.write(10_000));
    drop((download, cache));
    let ahead = CacheOptions { world: Arc::new(Wrong), ..CacheOptions::default() };
    let cache = Cache::with(folder.path(), ahead).expect("it opens");
    assert_eq!(cache.stats().expect("figures").left_bytes, 10_000);
}
