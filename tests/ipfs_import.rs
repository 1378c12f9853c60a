//! Importing files and directories: the ids that other importers give, boundary by boundary.
//!
//! `tests/data/ipfs/vectors.txt` was made with npm's `ipfs-unixfs-importer`; the README beside it says
//! how. The published vectors of IPIP-499's profiles are those of kubo's `test/cli/cid_profiles_test.go`.
#![cfg(feature = "ipfs")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use finalmile::ipfs::{
    Cid, ContentPath, Directory, ImportOptions, Importer, Limits, Profile, ShardBy, cid_of,
    import_path, import_reader, verify_car, write_car,
};
use sha2::{Digest, Sha256};

const VECTORS: &str = include_str!("data/ipfs/vectors.txt");

/// Bytes without a period that a chunk could hide: every block of a file differs.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 31 + (i >> 8) * 17 + (i >> 16) * 7) & 255).to_le_bytes()[0]).collect()
}

/// A profile by its name in the vectors.
fn profile(name: &str) -> Profile {
    Profile::named(name).unwrap_or_else(|| {
        let parts: Vec<&str> = name.split('/').collect();
        let [chunk, width, leaves, version] = parts[..] else { panic!("{name}") };
        let [chunk, width] = [chunk, width].map(|number| number.parse().unwrap());
        Profile::custom(chunk, width, leaves == "raw", version.parse().unwrap()).unwrap()
    })
}

fn rows(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let rows = VECTORS.lines().map(|row| row.split(' ').collect::<Vec<_>>());
    rows.filter(move |row| row[0] == kind)
}

fn imported(bytes: &[u8], profile: Profile) -> finalmile::ipfs::Imported {
    let mut importer = Importer::new(profile);
    importer.update(bytes);
    importer.finish_imported()
}

#[test]
fn c3_files_of_every_boundary_have_the_ids_of_another_importer() {
    let bytes = pattern(48 << 20);
    let mut seen = 0;
    for row in rows("file") {
        let (profile, length) = (profile(row[1]), row[2].parse::<usize>().unwrap());
        let cid = cid_of(&bytes[..length], profile).unwrap();
        assert_eq!(profile.spell(&cid), row[3], "{row:?}");
        seen += 1;
    }
    assert!(seen > 500, "the vectors are there: {seen}");
}

#[test]
fn c3_several_threads_give_the_same_ids_however_the_bytes_come() {
    let bytes = pattern(9 << 20);
    let small = Profile::custom(1_000, 3, false, 0).unwrap();
    for profile in [Profile::UNIXFS_V1_2025, Profile::UNIXFS_V0_2015, small] {
        for length in [0, 1, 262_143, 262_144, 262_145, 1 << 20, (1 << 20) + 1, 3 << 20, 9 << 20] {
            let bytes = &bytes[..length];
            let one = imported(bytes, profile);
            for threads in [2, 3, 8] {
                let threads = threads.try_into().unwrap();
                let options = ImportOptions { profile, threads, ..ImportOptions::default() };
                for piece in [usize::MAX, 70_001] {
                    let many = import_reader(Dripping { bytes, piece }, options).unwrap();
                    assert_eq!(many.cid(), one.cid(), "{length} bytes on {threads} threads");
                    assert_eq!(many.dag_bytes(), one.dag_bytes());
                }
            }
        }
    }
}

#[test]
fn a_reader_that_fails_ends_an_import_on_several_threads() {
    let bytes = pattern(2 << 20);
    let fails = Dripping { bytes: &bytes, piece: 1 << 20 }.chain(Broken);
    let options = ImportOptions { threads: 4.try_into().unwrap(), ..ImportOptions::default() };
    assert_eq!(import_reader(fails, options).unwrap_err().code(), "FILE_UNREADABLE");
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the cable is out"))
    }
}

/// Gives its bytes in pieces of at most so many.
struct Dripping<'b> {
    bytes: &'b [u8],
    piece: usize,
}

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.piece).min(self.bytes.len());
        let (head, rest) = self.bytes.split_at(length);
        buffer[..length].copy_from_slice(head);
        self.bytes = rest;
        Ok(length)
    }
}

#[test]
fn c8_directories_on_both_sides_of_the_threshold_have_the_ids_of_another_importer() {
    let bytes = pattern(300);
    let mut leaves = HashMap::new();
    let mut seen = 0;
    for row in rows("dir") {
        let profile = profile(row[1]);
        let (count, width) = (row[2].parse::<usize>().unwrap(), row[3].parse().unwrap());
        let mut directory = Directory::new(profile);
        // Backwards, because the order has no effect.
        for i in (0..count).rev() {
            let leaf = leaves
                .entry((profile, i % 300))
                .or_insert_with(|| imported(&bytes[..i % 300], profile));
            let number = i.to_string();
            let name = format!("{}{number}", "n".repeat(width - number.len().min(width)));
            directory.add(&name, *leaf).unwrap();
        }
        let cid = directory.finish().unwrap().cid();
        assert_eq!(profile.spell(&cid), row[4], "{row:?}");
        seen += 1;
    }
    assert_eq!(seen, 36);
}

#[test]
fn c8_directories_on_a_disk_have_the_ids_of_another_importer() {
    let bytes = pattern(8);
    let folder = tempfile::tempdir().unwrap();
    for (length, name) in ["a", "b/c", "b/d/e", "b/d/é", "Z/z", "z", "10", "9"].iter().enumerate()
    {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &bytes[..length]).unwrap();
    }
    let cid = |profile, hidden| {
        profile_cid(folder.path(), ImportOptions { profile, hidden, ..ImportOptions::default() })
    };
    for row in rows("tree") {
        assert_eq!(cid(profile(row[1]), false), row[2], "{row:?}");
    }
    // What begins with a dot is left out, unless it is asked for.
    let without = cid(Profile::default(), false);
    fs::write(folder.path().join(".hidden"), "x").unwrap();
    assert_eq!(cid(Profile::default(), false), without);
    assert_ne!(cid(Profile::default(), true), without);
}

fn profile_cid(path: &Path, options: ImportOptions) -> String {
    options.profile.spell(&import_path(path, options).unwrap().cid())
}

#[cfg(unix)]
#[test]
fn c8_a_symbolic_link_in_a_directory_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    fs::write(folder.path().join("b/c"), pattern(5)).unwrap();
    std::os::unix::fs::symlink("b/c", folder.path().join("link")).unwrap();
    for row in rows("link") {
        let options = ImportOptions { profile: profile(row[1]), ..ImportOptions::default() };
        assert_eq!(profile_cid(folder.path(), options), row[2], "{row:?}");
        // A path that is itself a link is followed.
        let linked = profile_cid(&folder.path().join("link"), options);
        assert_eq!(linked, options.profile.spell(&imported(&pattern(5), options.profile).cid()));
    }
    // The archive of such a directory leads to what lies beside the link, and not through it.
    let mut car = Vec::new();
    let root = write_car(folder.path(), ImportOptions::default(), &mut car).unwrap().cid();
    let get = |path: &str| {
        let path: ContentPath = format!("{root}/{path}").parse().unwrap();
        verify_car(&car[..], &path, &folder.path().join("out"), Limits::default())
    };
    assert_eq!(get("b/c").unwrap().bytes, 5);
    assert_eq!(get("link").unwrap_err().code(), "UNSUPPORTED_CONTENT");
}

#[test]
fn names_that_make_no_directory_are_refused() {
    let leaf = imported(b"x", Profile::default());
    let mut directory = Directory::new(Profile::default());
    for name in ["", ".", "..", "a/b", "/", "a\0"] {
        assert_eq!(directory.add(name, leaf).unwrap_err().code(), "INVALID_PATH", "{name:?}");
    }
    directory.add("twice", leaf).unwrap();
    directory.add("twice", leaf).unwrap();
    assert_eq!(directory.finish().unwrap_err().code(), "INVALID_PATH");
}

#[cfg(unix)]
#[test]
fn what_is_neither_a_file_nor_a_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let error = import_path(folder.path(), ImportOptions::default()).unwrap_err();
    assert_eq!(error.code(), "UNSUPPORTED_CONTENT");
    assert_eq!(
        import_path(&folder.path().join("no"), ImportOptions::default()).unwrap_err().code(),
        "FILE_UNREADABLE"
    );
    let mut deep = folder.path().join("deep");
    let top = deep.clone();
    (0..300).for_each(|_| deep.push("d"));
    fs::create_dir_all(&deep).unwrap();
    let error = import_path(&top, ImportOptions::default()).unwrap_err();
    assert_eq!(error.code(), "UNSUPPORTED_CONTENT");
}

// The vectors that the editors of IPIP-499 publish

/// The bytes that kubo's tests make of a seed: the stream of ChaCha20 under its hash, nonce 0.
///
/// Source: RFC 8439, section 2.3.
struct Seeded {
    key: [u32; 8],
    counter: u32,
    block: Vec<u8>,
    at: usize,
    left: u64,
}

impl Seeded {
    fn new(seed: &str, left: u64) -> Self {
        let key = Sha256::digest(seed);
        let key =
            std::array::from_fn(|i| u32::from_le_bytes(key[4 * i..4 * i + 4].try_into().unwrap()));
        Self { key, counter: 0, block: Vec::new(), at: 0, left }
    }

    fn next_block(&mut self) {
        let mut start = [
            0x6170_7865,
            0x3320_646E,
            0x7962_2D32,
            0x6B20_6574,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        start[4..12].copy_from_slice(&self.key);
        start[12] = self.counter;
        self.counter += 1;
        let mut x = start;
        let mut quarter = |[a, b, c, d]: [usize; 4]| {
            for (to, from, other, turn) in
                [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]
            {
                x[to] = u32::wrapping_add(x[to], x[from]);
                x[other] = (x[other] ^ x[to]).rotate_left(turn);
            }
        };
        for _ in 0..10 {
            (0..4).for_each(|i| quarter([i, i + 4, i + 8, i + 12]));
            (0..4).for_each(|i| quarter([i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4]));
        }
        let words = x.iter().zip(start).map(|(word, start)| word.wrapping_add(start));
        self.block.clear();
        self.block.extend(words.flat_map(u32::to_le_bytes));
    }
}

impl Read for Seeded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            self.next_block();
            self.at = 0;
        }
        let rest = &self.block[self.at..];
        let count = rest.len().min(buffer.len()).min(usize::try_from(self.left).unwrap());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        self.left -= count as u64;
        Ok(count)
    }
}

fn published(seed: &str, kibibytes: u64, profile: Profile) -> String {
    profile.spell(&cid_of(Seeded::new(seed, kibibytes << 10), profile).unwrap())
}

#[test]
fn c3_files_have_the_published_ids_of_the_profiles() {
    let (new, old) = (Profile::UNIXFS_V1_2025, Profile::UNIXFS_V0_2015);
    let hello = |profile: Profile| profile.spell(&imported(b"hello world", profile).cid());
    assert_eq!(hello(new), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    assert_eq!(hello(old), "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD");
    // As many links as fit into a node, and one more.
    assert_eq!(published("v0-seed", 44_544, old), "QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2");
    assert_eq!(published("v0-seed", 44_800, old), "QmepeWtdmS1hHXx1oZXsPUv6bMrfRRKfZcoPPU4eEfjnbf");
}

#[test]
#[ignore = "hashes two gibibytes: cargo test --release --test ipfs_import -- --ignored"]
fn c3_files_of_a_gibibyte_have_the_published_ids_of_the_profile() {
    for (mebibytes, cid) in [
        (1_024, "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm"),
        (1_025, "bafybeihmzokxxjqwxjcryerhp5ezpcog2wcawfryb2xm64xiakgm4a5jue"),
    ] {
        let found = published("v1-2025-seed", mebibytes << 10, Profile::UNIXFS_V1_2025);
        assert_eq!(found, cid);
    }
}

/// A directory of files "x" with names from a seed, the last one of another length.
fn published_directory(seed: &str, count: usize, lengths: [usize; 2], profile: Profile) -> Cid {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz01234567890-_";
    let mut seeded = Seeded::new(seed, 1 << 20);
    let leaf = imported(b"x", profile);
    let mut directory = Directory::new(profile);
    for i in 0..count {
        let mut name = vec![0; lengths[usize::from(i + 1 == count)]];
        seeded.read_exact(&mut name).unwrap();
        name.iter_mut().for_each(|byte| *byte = ALPHABET[usize::from(*byte) % ALPHABET.len()]);
        directory.add(&String::from_utf8(name).unwrap(), leaf).unwrap();
    }
    directory.finish().unwrap().cid()
}

#[test]
fn c8_directories_have_the_published_ids_exactly_at_the_threshold_and_one_byte_above() {
    for (profile, seed, count, lengths, cid) in [
        (
            Profile::UNIXFS_V0_2015,
            "hamt-unixfs-v0-2015",
            4_096,
            [30, 30],
            "QmX5GtRk3TSSEHtdrykgqm4eqMEn3n2XhfkFAis5fjyZmN",
        ),
        (
            Profile::UNIXFS_V0_2015,
            "hamt-unixfs-v0-2015",
            4_033,
            [31, 31],
            "QmeMiJzmhpJAUgynAcxTQYek5PPKgdv3qEvFsdV3XpVnvP",
        ),
        (
            Profile::UNIXFS_V1_2025,
            "hamt-unixfs-v1-2025",
            4_766,
            [11, 21],
            "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4",
        ),
        (
            Profile::UNIXFS_V1_2025,
            "hamt-unixfs-v1-2025",
            4_766,
            [11, 22],
            "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu",
        ),
    ] {
        let found = published_directory(seed, count, lengths, profile);
        assert_eq!(profile.spell(&found), cid);
    }
}

#[test]
fn the_rule_for_large_directories_can_be_changed() {
    // 4,200 names make less than 256 KiB by both rules; 5,000 make 275 KB of links, 235 of them counted.
    let both = [ShardBy::LinkBytes, ShardBy::BlockBytes].map(|rule| {
        let profile = Profile::default().sharded_by(rule);
        assert_eq!(profile.shard_by(), rule);
        [4_200, 5_000].map(|count| published_directory("any", count, [11, 11], profile))
    });
    assert_eq!(both[0][0], both[1][0]);
    assert_ne!(both[0][1], both[1][1]);
}
