//! The cache's promises, each tried from outside: pins, floors, time, and everything that systems and people
//! do to a folder under it.
#![cfg(feature = "ipfs")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finalmile::ipfs::{
    Cache, CacheOptions, Check, Cid, Entry, Eviction, IpfsError, Kind, cid_of_bytes, cid_of_file,
};
use finalmile::{Simulated, Timestamp};

const MIB: u64 = 1 << 20;

fn sized(limit_bytes: u64) -> CacheOptions {
    CacheOptions { limit_bytes, ..CacheOptions::default() }
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.resize(length.max(8), 7);
    bytes
}

fn put(cache: &Cache, seed: u64, length: usize, kind: Kind) -> Entry {
    cache.put_bytes(&bytes(seed, length), kind).unwrap()
}

fn index_of(folder: &Path) -> PathBuf {
    folder.join(".finalmile/index.db")
}

fn media(folder: &Path) -> Cache {
    Cache::with(folder, sized(MIB)).unwrap()
}

// What goes and what stays

#[test]
fn c21_media_never_push_thumbnails_below_their_floor() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let thumbnails: Vec<Entry> =
        (0..40).map(|seed| put(&cache, seed, 10_000, Kind::Thumbnail)).collect();
    // Five times the limit, in files so small that each is worth more than a thumbnail.
    for seed in 1_000..2_700 {
        put(&cache, seed, 3_000, Kind::Media);
    }
    let stats = cache.stats().unwrap();
    assert!(stats.bytes <= MIB);
    // A quarter of a mebibyte, less the one thumbnail that would have crossed the floor.
    let floor = MIB / 4;
    assert!(stats.thumbnails.bytes >= floor, "{stats:?}");
    assert!(
        stats.thumbnails.bytes < floor + 10_000,
        "what is above the floor is nobody's: {stats:?}"
    );
    let there = thumbnails.iter().filter(|entry| cache.contains(&entry.cid)).count();
    assert_eq!(there as u64, stats.thumbnails.entries);
    // Thumbnails may push thumbnails.
    for seed in 3_000..3_200 {
        put(&cache, seed, 10_000, Kind::Thumbnail);
    }
    assert!(cache.stats().unwrap().bytes <= MIB);
}

#[test]
fn c22_pinned_content_outlives_pressure_restarts_and_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let pinned: Vec<Entry> = (0..4).map(|seed| put(&cache, seed, 100_000, Kind::Media)).collect();
    pinned.iter().for_each(|entry| cache.pin(&entry.cid).unwrap());
    let all_there = |cache: &Cache| {
        for seed in 100..150 {
            put(cache, seed, 90_000, Kind::Media);
        }
        assert!(pinned.iter().all(|entry| cache.get(&entry.cid).unwrap().is_some()));
        let stats = cache.stats().unwrap();
        assert!(stats.bytes <= MIB && stats.pinned_bytes == 400_000, "{stats:?}");
    };
    all_there(&cache);
    drop(cache);
    let cache = media(folder.path());
    all_there(&cache);
    drop(cache);
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        drop(fs::remove_file(folder.path().join(".finalmile").join(name)));
    }
    let cache = media(folder.path());
    all_there(&cache);
    cache.trim(0).unwrap();
    assert_eq!(cache.stats().unwrap().bytes, 400_000);

    // More pins than there is room for are an error, and the first ones stay.
    let more: Vec<_> = (4..12).map(|seed| bytes(seed, 100_000)).collect();
    let refused = more.iter().filter(|content| {
        cache.pin(&cid_of_bytes(content)).unwrap();
        matches!(cache.put_bytes(content, Kind::Media), Err(IpfsError::NoRoom { .. }))
    });
    assert_eq!(refused.count(), 2);
    assert!(cache.stats().unwrap().bytes <= MIB);

    assert!(cache.unpin(&pinned[0].cid).unwrap() && !cache.unpin(&pinned[0].cid).unwrap());
    assert!(!cache.is_pinned(&pinned[0].cid) && cache.is_pinned(&pinned[1].cid));
    cache.trim(0).unwrap();
    assert!(!cache.contains(&pinned[0].cid) && cache.contains(&pinned[1].cid));
    cache.clear().unwrap();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes, stats.pinned_bytes), (0, 0, 0));
    assert!(!cache.is_pinned(&pinned[1].cid), "clearing takes the pins too");
}

#[test]
fn c23_a_large_file_passes_and_is_gone_with_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let kept = put(&cache, 1, 100_000, Kind::Media);
    let large = bytes(2, 131_073);
    let source = folder.path().join("source");
    fs::write(&source, &large).unwrap();
    for entry in [
        cache.put_bytes(&large, Kind::Media).unwrap(),
        cache.put(&source, Kind::Thumbnail).unwrap(),
    ] {
        assert!(!entry.kept && entry.size_bytes == 131_073 && entry.cid == cid_of_bytes(&large));
        assert_eq!(fs::read(&entry.path).unwrap(), large);
        assert_eq!(cache.get(&entry.cid).unwrap(), None);
        let path = entry.path.clone();
        drop(entry);
        assert!(!path.exists());
    }
    assert_eq!(cache.stats().unwrap().entries, 1);
    // One byte less is an eighth, and kept. A pin keeps what is larger.
    assert!(cache.put_bytes(&large[..131_072], Kind::Media).unwrap().kept);
    cache.pin(&cid_of_bytes(&large)).unwrap();
    assert!(cache.put(&source, Kind::Media).unwrap().kept);
    assert!(cache.contains(&kept.cid) && cache.contains(&cid_of_bytes(&large)));
}

#[test]
fn c26_a_file_that_is_used_stays_and_one_that_is_not_goes() {
    for eviction in [Eviction::Gdsf, Eviction::Lru] {
        let folder = tempfile::tempdir().unwrap();
        let open = || Cache::with(folder.path(), CacheOptions { eviction, ..sized(MIB) }).unwrap();
        let cache = open();
        let liked = put(&cache, 0, 50_000, Kind::Media);
        let ignored = put(&cache, 1, 50_000, Kind::Media);
        for seed in 2..60 {
            put(&cache, seed, 50_000, Kind::Media);
            assert!(cache.get(&liked.cid).unwrap().is_some(), "{eviction:?} {seed}");
        }
        assert_eq!(cache.get(&ignored.cid).unwrap(), None);
        // What was used is known after a restart.
        drop(cache);
        let cache = open();
        for seed in 60..75 {
            put(&cache, seed, 50_000, Kind::Media);
        }
        assert!(cache.contains(&liked.cid) || eviction == Eviction::Lru);
        let stats = cache.stats().unwrap();
        assert!(stats.evictions > 10 && stats.media.evictions == stats.evictions, "{stats:?}");
    }
}

#[test]
fn c27_what_is_too_old_is_a_miss_and_clocks_may_step() {
    let folder = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3_600);
    let start = Timestamp::from_millis(1_800_000_000_000);
    let world = Arc::new(Simulated::new(start, 1));
    let ttl = Some(24 * hour);
    let open = || {
        let options = CacheOptions { world: world.clone(), ttl, ..sized(MIB) };
        Cache::with(folder.path(), options).unwrap()
    };
    let cache = open();
    let [old, pinned, young] = [1, 2, 3].map(|seed| bytes(seed, 1_000));
    let [old, pinned] =
        [old, pinned].map(|content| cache.put_bytes(&content, Kind::Media).unwrap());
    cache.pin(&pinned.cid).unwrap();
    world.advance(23 * hour);
    let young = cache.put_bytes(&young, Kind::Media).unwrap();
    assert!(cache.get(&old.cid).unwrap().is_some());
    world.advance(hour);
    // A use does not make it younger.
    assert!(!cache.contains(&old.cid) && cache.contains(&young.cid));
    assert_eq!(cache.get(&old.cid).unwrap(), None);
    assert!(!old.path.exists(), "it is removed");
    assert!(cache.get(&pinned.cid).unwrap().is_some());
    drop(cache);

    // The clock steps back by a year: what was put "in a year" lives one time from now, not longer.
    world.set(start.before(24 * 365 * hour));
    let cache = open();
    assert!(cache.get(&young.cid).unwrap().is_some());
    world.advance(25 * hour);
    assert_eq!(cache.get(&young.cid).unwrap(), None);
    // And forward by a hundred years: misses, and the cache goes on.
    let next = cache.put_bytes(b"next", Kind::Media).unwrap();
    world.advance(24 * 36_500 * hour);
    assert_eq!(cache.get_bytes(&next.cid).unwrap(), None);
    let next = cache.put_bytes(b"next", Kind::Media).unwrap();
    assert_eq!(cache.get_bytes(&next.cid).unwrap().as_deref(), Some(&b"next"[..]));
}

// What the system and people do to the folder

#[test]
fn c24_an_index_that_is_deleted_or_damaged_costs_no_file() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 6] = [
        ("removed", |index| drop(fs::remove_file(index))),
        ("emptied", |index| drop(File::create(index))),
        ("of no form", |index| fs::write(index, [0x5A; 70_000]).unwrap()),
        ("overwritten in the middle", |index| {
            use std::io::{Seek, SeekFrom};
            let mut file = fs::OpenOptions::new().write(true).open(index).unwrap();
            let length = file.metadata().unwrap().len();
            file.seek(SeekFrom::Start(length.min(4_096))).unwrap();
            file.write_all(&vec![0xA5; 40_000]).unwrap();
        }),
        ("with all beside it", |index| fs::remove_dir_all(index.parent().unwrap()).unwrap()),
        ("with its log", |index| {
            drop(fs::remove_file(index));
            drop(fs::remove_file(index.with_extension("db-wal")));
            drop(fs::remove_file(index.with_extension("db-shm")));
        }),
    ];
    for (name, harm) in harms {
        for is_open in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let cache = media(folder.path());
            let entries: Vec<Entry> =
                (0..60).map(|seed| put(&cache, seed, 10_000, Kind::Media)).collect();
            let cache = if is_open {
                cache.stats().unwrap();
                harm(&index_of(folder.path()));
                cache
            } else {
                drop(cache);
                harm(&index_of(folder.path()));
                media(folder.path())
            };
            let there = |cache: &Cache| {
                entries.iter().filter(|entry| cache.get(&entry.cid).unwrap().is_some()).count()
            };
            assert_eq!(there(&cache), 60, "{name}, open: {is_open}");
            // The limit holds: the files are counted again.
            for seed in 100..200 {
                put(&cache, seed, 20_000, Kind::Media);
            }
            let on_disk: u64 = entries_of(folder.path()).iter().map(|(_, bytes)| bytes).sum();
            assert!(on_disk <= MIB, "{name}, open: {is_open}: {on_disk}");
            assert_eq!(cache.stats().unwrap().bytes, on_disk, "{name}, open: {is_open}");
            assert_eq!(cache.verify_all().unwrap().damaged, []);
        }
    }
}

/// Content files and their lengths.
fn entries_of(folder: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.path(), entry.metadata().unwrap().len()))
        .collect()
}

#[test]
fn c25_after_an_unclean_end_each_file_is_checked_at_its_first_hit() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let entries: Vec<Entry> = (0..6).map(|seed| put(&cache, seed, 20_000, Kind::Media)).collect();
    let damage = |entry: &Entry| {
        // Of the same length, which no look at the file's data would tell.
        let mut content = fs::read(&entry.path).unwrap();
        content[10_000] ^= 1;
        fs::write(&entry.path, content).unwrap();
    };
    assert!(cache.get(&entries[0].cid).unwrap().is_some());
    drop(cache);
    // As a process that was killed leaves it: a home without anybody in it.
    let home = folder.path().join(".finalmile/process-0000000000000001");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("lock"), b"").unwrap();
    damage(&entries[1]);
    damage(&entries[2]);
    fs::write(&entries[3].path, b"").unwrap();
    let cache = media(folder.path());
    assert!(cache.get(&entries[0].cid).unwrap().is_some());
    assert_eq!(cache.get(&entries[1].cid).unwrap(), None);
    assert!(!entries[1].path.exists(), "it is removed");
    assert_eq!(cache.get_bytes(&entries[2].cid).unwrap(), None);
    assert_eq!(cache.get(&entries[3].cid).unwrap(), None);
    // Once is enough: what was right is trusted again.
    damage(&entries[0]);
    assert!(cache.get(&entries[0].cid).unwrap().is_some());
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes), (3, 60_000));
    // What is read is always checked.
    assert_eq!(cache.get_bytes(&entries[0].cid).unwrap(), None);
}

#[test]
fn c25_what_was_put_in_the_last_minute_before_a_clean_end_is_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 1));
    let open = || {
        let options = CacheOptions { world: world.clone(), ..sized(MIB) };
        Cache::with(folder.path(), options).unwrap()
    };
    let cache = open();
    let early = put(&cache, 1, 20_000, Kind::Media);
    world.advance(Duration::from_secs(61));
    let late = put(&cache, 2, 20_000, Kind::Media);
    drop(cache);
    // A power cut after the end: the system had not written the late one yet.
    for entry in [&early, &late] {
        fs::write(&entry.path, vec![0; 20_000]).unwrap();
    }
    world.advance(Duration::from_secs(10));
    let cache = open();
    assert_eq!(cache.get(&late.cid).unwrap(), None);
    // The early one was on the disk long before; that somebody damaged it since shows when it is read.
    assert!(cache.get(&early.cid).unwrap().is_some());
    assert_eq!(cache.get_bytes(&early.cid).unwrap(), None);
}

#[test]
fn c29_files_that_are_deleted_changed_cut_or_replaced_under_us_are_misses() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let entries: Vec<Entry> = (0..7).map(|seed| put(&cache, seed, 20_000, Kind::Media)).collect();
    entries.iter().for_each(|entry| assert!(cache.get(&entry.cid).unwrap().is_some()));
    fs::remove_file(&entries[0].path).unwrap();
    fs::write(&entries[1].path, b"cut").unwrap();
    fs::OpenOptions::new().append(true).open(&entries[2].path).unwrap().write_all(b"x").unwrap();
    fs::remove_file(&entries[3].path).unwrap();
    fs::create_dir(&entries[3].path).unwrap();
    fs::write(&entries[4].path, vec![1; 20_000]).unwrap();
    let is_hit = |at: usize| {
        let cid = &entries[at].cid;
        (cache.get(cid).unwrap().is_some(), cache.get_bytes(cid).unwrap().is_some())
    };
    for gone in 0..4 {
        assert_eq!(is_hit(gone), (false, false), "{gone}");
    }
    // Of the same length: found out when it is read.
    assert_eq!(is_hit(4), (true, false));
    assert_eq!(is_hit(5), (true, true));
    #[cfg(unix)]
    {
        fs::remove_file(&entries[6].path).unwrap();
        std::os::unix::fs::symlink(&entries[5].path, &entries[6].path).unwrap();
        assert_eq!(is_hit(6), (false, false));
        assert!(!cache.export(&entries[6].cid, &folder.path().join("out")).unwrap());
    }
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes), (1, 20_000), "{stats:?}");
}

#[cfg(unix)]
#[test]
fn c29_a_file_that_may_not_be_read_is_a_miss() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let entry = put(&cache, 1, 20_000, Kind::Media);
    let locked = |mode| fs::set_permissions(&entry.path, fs::Permissions::from_mode(mode)).unwrap();
    locked(0o000);
    // The superuser may read anything.
    if File::open(&entry.path).is_err() {
        assert_eq!(cache.get_bytes(&entry.cid).unwrap(), None);
        assert_eq!(cache.verify(&entry.cid).unwrap(), Check::Missing);
    }
    locked(0o644);
    assert!(cache.get_bytes(&entry.cid).unwrap().is_some(), "and back when it is unlocked");
}

#[test]
fn a_folder_that_is_deleted_under_us_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache/ipfs");
    let cache = media(&place);
    let before = put(&cache, 1, 20_000, Kind::Media);
    cache.pin(&before.cid).unwrap();
    fs::remove_dir_all(folder.path().join("cache")).unwrap();
    assert_eq!(cache.get(&before.cid).unwrap(), None);
    for seed in 0..100 {
        put(&cache, seed, 20_000, Kind::Media);
    }
    let stats = cache.stats().unwrap();
    let on_disk: u64 = entries_of(&place).iter().map(|(_, bytes)| bytes).sum();
    assert!(on_disk <= MIB && stats.bytes == on_disk, "{stats:?} {on_disk}");
    assert!(!cache.is_pinned(&before.cid), "what is deleted is deleted");
    drop(cache);
    assert!(media(&place).stats().unwrap().bytes == on_disk);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_serves_and_checks_what_it_holds() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ipfs");
    let cache = media(&place);
    let (right, wrong) = (put(&cache, 1, 20_000, Kind::Media), put(&cache, 2, 20_000, Kind::Media));
    drop(cache);
    fs::remove_dir_all(place.join(".finalmile")).unwrap();
    // Not even the superuser makes a folder where a file lies.
    fs::write(place.join(".finalmile"), b"in the way").unwrap();
    fs::write(&wrong.path, vec![3; 20_000]).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o555)).unwrap();
    let cache = media(&place);
    assert_eq!(cache.get(&right.cid).unwrap().as_deref(), Some(&*right.path));
    assert_eq!(cache.get_bytes(&right.cid).unwrap().map(|bytes| bytes.len()), Some(20_000));
    assert_eq!(cache.put_bytes(b"new", Kind::Media).unwrap_err().code(), "CACHE_UNAVAILABLE");
    assert_eq!(cache.pin(&right.cid).unwrap_err().code(), "CACHE_UNAVAILABLE");
    assert_eq!(cache.stats().unwrap().entries, 2);
    // Damage is found, whether or not it can be removed.
    assert_eq!(cache.get(&wrong.cid).unwrap(), None);
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn ids_reach_nothing_outside_and_their_spellings_are_one_entry() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ipfs");
    let cache = media(&place);
    fs::write(folder.path().join("secret"), b"secret").unwrap();
    for text in ["../secret", "..", "/etc/passwd", ".finalmile/index.db", "bafk/../../secret", ""] {
        assert_eq!(text.parse::<Cid>().unwrap_err().code(), "INVALID_CID", "{text}");
    }
    let entry = cache.put_bytes(&bytes(1, 2_000_000)[..100_000], Kind::Media).unwrap();
    let spelled = entry.cid.to_string();
    let upper: Cid = spelled.to_ascii_uppercase().parse().unwrap();
    assert_eq!(cache.get(&upper).unwrap(), Some(entry.path.clone()));
    // A file under another spelling is nobody's.
    fs::write(place.join(spelled.to_ascii_uppercase()), b"planted").unwrap();
    assert_eq!(cache.stats().unwrap().entries, 1);
    assert!(cache.remove(&upper).unwrap() && !cache.contains(&entry.cid));
}

// Calls

#[test]
fn c34_a_suspended_cache_holds_nothing_open_and_a_closed_one_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let entry = put(&cache, 1, 20_000, Kind::Media);
    assert!(cache.get(&entry.cid).unwrap().is_some());
    cache.suspend().unwrap();
    assert_eq!(open_below(folder.path()), Vec::<PathBuf>::new());
    assert!(cache.get(&entry.cid).unwrap().is_some(), "files are found all the same");
    assert_eq!(cache.put_bytes(b"x", Kind::Media).unwrap_err().code(), "CLOSED");
    assert_eq!(cache.stats().unwrap_err().code(), "CLOSED");
    assert_eq!(open_below(folder.path()), Vec::<PathBuf>::new());
    cache.suspend().unwrap();
    cache.resume().unwrap();
    #[cfg(target_os = "linux")]
    assert!(!open_below(folder.path()).is_empty(), "or the looks above saw nothing");
    put(&cache, 2, 20_000, Kind::Media);
    assert_eq!(cache.stats().unwrap().entries, 2);
    let clone = cache.clone();
    cache.close().unwrap();
    cache.close().unwrap();
    for error in [
        clone.get(&entry.cid).unwrap_err(),
        clone.get_bytes(&entry.cid).unwrap_err(),
        clone.put_bytes(b"x", Kind::Media).unwrap_err(),
        clone.remove(&entry.cid).unwrap_err(),
        clone.verify(&entry.cid).unwrap_err(),
        clone.pin(&entry.cid).unwrap_err(),
        clone.trim(0).unwrap_err(),
        clone.clear().unwrap_err(),
        clone.resume().unwrap_err(),
    ] {
        assert_eq!((error.code(), error.is_retryable()), ("CLOSED", false));
    }
    assert!(!clone.contains(&entry.cid));
    assert_eq!(open_below(folder.path()), Vec::<PathBuf>::new());
}

/// What this process has open below `folder`, where the system tells.
fn open_below(folder: &Path) -> Vec<PathBuf> {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let paths = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    paths.filter(|path| path.starts_with(folder)).collect()
}

#[test]
fn c28_opening_a_cache_of_many_entries_reads_none_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let entries: Vec<Entry> = (0..2_000).map(|seed| put(&cache, seed, 8, Kind::Media)).collect();
    cache.stats().unwrap();
    drop(cache);
    // What nobody asks for is not looked at: files and folder may be unreadable or gone.
    for entry in &entries[1..] {
        fs::remove_file(&entry.path).unwrap();
    }
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(cache.stats().unwrap().entries, 2_000);
    assert!(cache.get(&entries[0].cid).unwrap().is_some());
    assert_eq!(cache.get(&entries[1].cid).unwrap(), None);
    assert_eq!(cache.stats().unwrap().entries, 1_999, "and learned when it is missed");
}

#[test]
fn hot_bytes_come_from_memory_and_are_what_the_id_names() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let entry = put(&cache, 1, 20_000, Kind::Thumbnail);
    let mut last = None;
    for _ in 0..4 {
        last = cache.get_bytes(&entry.cid).unwrap();
    }
    // The same memory, not a copy of it.
    let again = cache.get_bytes(&entry.cid).unwrap().unwrap();
    assert!(Arc::ptr_eq(&last.unwrap(), &again));
    assert_eq!(*again, *bytes(1, 20_000));
    cache.remove(&entry.cid).unwrap();
    assert_eq!(cache.get_bytes(&entry.cid).unwrap(), None, "what is removed is removed here too");
    let none = Cache::with(folder.path(), CacheOptions { memory_bytes: 0, ..sized(MIB) }).unwrap();
    let entry = put(&none, 2, 20_000, Kind::Thumbnail);
    let reads: Vec<_> = (0..5).map(|_| none.get_bytes(&entry.cid).unwrap().unwrap()).collect();
    assert!(!Arc::ptr_eq(&reads[3], &reads[4]));
}

#[test]
fn figures_count_hits_misses_and_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(folder.path());
    let thumbnail = put(&cache, 1, 10_000, Kind::Thumbnail);
    let video = put(&cache, 2, 50_000, Kind::Media);
    (0..3).for_each(|_| drop(cache.get(&thumbnail.cid).unwrap()));
    drop(cache.get_bytes(&video.cid).unwrap());
    drop(cache.get(&cid_of_bytes(b"nowhere")).unwrap());
    cache.pin(&video.cid).unwrap();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes, stats.pinned_bytes), (2, 60_000, 50_000));
    assert_eq!((stats.hits, stats.misses, stats.evictions), (4, 1, 0));
    assert_eq!((stats.thumbnails.hits, stats.thumbnails.bytes), (3, 10_000));
    assert_eq!((stats.media.hits, stats.media.pinned_bytes), (1, 50_000));
    assert_eq!(cache.trim(55_000).unwrap(), 10_000);
    assert_eq!(cache.stats().unwrap().thumbnails.evictions, 1);
    assert_eq!(cache.trim(55_000).unwrap(), 0);
}

#[test]
fn an_export_is_checked_and_replaces_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(&folder.path().join("ipfs"));
    let entry = put(&cache, 1, 20_000, Kind::Media);
    let out = folder.path().join("out.jpg");
    fs::write(&out, b"before").unwrap();
    assert!(!cache.export(&cid_of_bytes(b"nowhere"), &out).unwrap());
    assert_eq!(fs::read(&out).unwrap(), b"before");
    assert!(cache.export(&entry.cid, &out).unwrap());
    assert_eq!(fs::read(&out).unwrap(), bytes(1, 20_000));
    let lost = cache.export(&entry.cid, &folder.path().join("no/such/out")).unwrap_err();
    assert_eq!(lost.code(), "CACHE_UNAVAILABLE");
    fs::write(&entry.path, vec![9; 20_000]).unwrap();
    assert_eq!(cache.export(&entry.cid, &out).unwrap_err().code(), "CONTENT_MISMATCH");
    assert_eq!(fs::read(&out).unwrap(), bytes(1, 20_000), "damage does not reach it");
    assert!(!entry.path.exists());
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no half file lies about: {names:?}");
}

#[test]
fn verifying_everything_names_what_was_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let entries: Vec<Entry> = (0..5).map(|seed| put(&cache, seed, 20_000, Kind::Media)).collect();
    let large = cache.put_bytes(&bytes(9, 2_500_000), Kind::Media).unwrap();
    fs::write(&entries[3].path, b"junk").unwrap();
    let found = cache.verify_all().unwrap();
    assert_eq!((found.intact, found.damaged), (5, vec![entries[3].cid.clone()]));
    assert!(!entries[3].path.exists());
    fs::write(&large.path, b"junk").unwrap();
    assert_eq!(cache.verify_all().unwrap().damaged, [large.cid]);
    assert_eq!(cache.verify_all().unwrap().intact, 4);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_and_a_directory_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let cache = media(&folder.path().join("ipfs"));
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), folder.path()] {
        assert_eq!(cache.put(path, Kind::Media).unwrap_err().code(), "FILE_UNREADABLE");
        assert_eq!(cid_of_file(path).unwrap_err().code(), "FILE_UNREADABLE");
    }
    assert_eq!(cache.stats().unwrap().entries, 0);
}
