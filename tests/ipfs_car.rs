//! Archives: what is imported comes back byte for byte, and what is wrong leaves nothing behind.
//!
//! Every archive here is a list of blocks that a test may damage, and every refusal is looked at from
//! outside: which code, and what lies in the folder afterwards.
#![cfg(feature = "ipfs")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/archive.rs"]
mod archive;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use archive::{Block, HEADER, blocks, car, field, file_node, named, pattern, varint};
use finalmile::ipfs::{
    CarVerifier, Cid, Codec, ContentPath, ImportOptions, IpfsError, Limits, Node, Profile,
    cid_of_bytes, verify_car, write_car,
};
use tempfile::TempDir;

fn raw(bytes: &[u8]) -> (Cid, Block) {
    named(Codec::Raw, bytes.to_vec())
}

/// A folder in which a verifier works, and what is left in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn verify(&self, car: &[u8], path: &ContentPath) -> Result<Vec<u8>, IpfsError> {
        self.verify_within(car, path, Limits::default())
    }

    /// Verifies, and looks that a refusal left nothing (**C13**).
    fn verify_within(
        &self,
        car: &[u8],
        path: &ContentPath,
        limits: Limits,
    ) -> Result<Vec<u8>, IpfsError> {
        match verify_car(car, path, &self.out(), limits) {
            Ok(verified) => {
                let bytes = fs::read(self.out()).unwrap();
                assert_eq!(verified.bytes, bytes.len() as u64);
                fs::remove_file(self.out()).unwrap();
                assert!(self.is_empty(), "only the file was left");
                Ok(bytes)
            }
            Err(error) => {
                assert!(self.is_empty(), "a refused archive leaves nothing: {error}");
                Err(error)
            }
        }
    }

    fn code(&self, blocks: &[Block], root: &Cid) -> &'static str {
        self.verify(&car(blocks), &root.clone().into()).unwrap_err().code()
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(self.0.path()).unwrap().next().is_none()
    }
}

/// The archive of a file of these bytes.
fn archive(bytes: &[u8], profile: Profile) -> (Cid, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    archive_of(&path, profile)
}

fn archive_of(path: &Path, profile: Profile) -> (Cid, Vec<u8>) {
    let mut car = Vec::new();
    let options = ImportOptions { profile, ..ImportOptions::default() };
    let root = write_car(path, options, &mut car).unwrap();
    (root.cid(), car)
}

fn profiles() -> Vec<Profile> {
    let custom = |chunk, links, raw, version| Profile::custom(chunk, links, raw, version).unwrap();
    let named = [Profile::UNIXFS_V1_2025, Profile::UNIXFS_V0_2015];
    let small = [
        custom(16, 3, true, 1),
        custom(16, 3, false, 0),
        custom(7, 2, false, 1),
        custom(100, 10, true, 0),
    ];
    [&named[..], &small].concat()
}

// What is right

#[test]
fn c11_c12_what_is_imported_comes_back_in_any_order() {
    let desk = Desk::new();
    let mut random = Xorshift(0xCA7);
    for profile in profiles() {
        let unit = profile.chunk_bytes();
        for length in [0, 1, unit - 1, unit, unit + 1, 2 * unit, 7 * unit + 3] {
            let bytes = pattern(length);
            let (root, whole) = archive(&bytes, profile);
            let path = ContentPath::from(root);
            assert!(desk.verify(&whole, &path).unwrap() == bytes, "{profile:?} {length}");
            let mut blocks = blocks(&whole);
            for _ in 0..4 {
                shuffle(&mut blocks, &mut random);
                let shuffled = car(&blocks);
                assert!(desk.verify(&shuffled, &path).unwrap() == bytes, "{profile:?} {length}");
            }
            blocks.reverse();
            assert!(desk.verify(&car(&blocks), &path).unwrap() == bytes, "{profile:?} {length}");
        }
    }
}

#[test]
fn c12_random_files_come_back_from_shuffled_archives_with_doubles_and_strangers() {
    let desk = Desk::new();
    for seed in 1..60 {
        let mut random = Xorshift(seed * 0x9E37);
        let profile = Profile::custom(
            1 + random.below(40),
            2 + random.below(5),
            random.below(2) == 0,
            u8::from(random.below(2) == 0),
        );
        let length = random.below(3_000);
        // Few different bytes, so that chunks repeat.
        let alphabet = 1 + random.below(3);
        let bytes: Vec<u8> = (0..length).map(|_| b"abc"[random.below(alphabet)]).collect();
        // A fan of two over chunks of one byte would be deeper than is read.
        let limits = Limits { depth: 32, ..Limits::default() };
        let (root, whole) = archive(&bytes, profile.unwrap());
        let mut blocks = blocks(&whole);
        let extra = blocks[random.below(blocks.len())].clone();
        blocks.push(extra);
        blocks.push(raw(b"a stranger").1);
        shuffle(&mut blocks, &mut random);
        let found = desk.verify_within(&car(&blocks), &root.clone().into(), limits).unwrap();
        assert!(found == bytes, "seed {seed}");

        // `dups=n`: each block once.
        blocks.sort();
        blocks.dedup();
        shuffle(&mut blocks, &mut random);
        let found = desk.verify_within(&car(&blocks), &root.into(), limits).unwrap();
        assert!(found == bytes, "seed {seed}, each block once");
    }
}

#[test]
fn c11_blocks_come_depth_first_and_the_root_is_in_the_header() {
    let profile = Profile::custom(4, 2, true, 1).unwrap();
    let (root, whole) = archive(&pattern(16), profile);
    assert!(whole[..59].windows(36).any(|bytes| bytes == root.as_bytes()), "the header names it");
    let kinds: Vec<u8> = blocks(&whole).iter().map(|(id, _)| id[1]).collect();
    assert_eq!(kinds, [0x70, 0x70, 0x55, 0x55, 0x70, 0x55, 0x55]);
    // Where pieces end has no effect.
    let desk = Desk::new();
    for step in [1, 2, 7, 100] {
        let mut verifier =
            CarVerifier::new(&root.clone().into(), &desk.out(), Limits::default()).unwrap();
        for piece in whole.chunks(step) {
            assert!(!verifier.is_complete());
            verifier.push(piece).unwrap();
        }
        assert!(verifier.is_complete());
        assert_eq!(verifier.finish().unwrap().bytes, 16);
        assert_eq!(fs::read(desk.out()).unwrap(), pattern(16));
    }
}

#[test]
fn c12_a_path_leads_through_basic_and_sharded_directories() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::create_dir_all(place("many/more")).unwrap();
    fs::create_dir_all(place("few")).unwrap();
    for i in 0..6_000 {
        fs::write(place(&format!("many/a name that is long enough {i}")), i.to_string()).unwrap();
    }
    fs::write(place("many/more/last"), pattern(700_000)).unwrap();
    fs::write(place("few/é"), "accent").unwrap();
    for profile in [Profile::UNIXFS_V1_2025, Profile::UNIXFS_V0_2015] {
        let (root, whole) = archive_of(folder.path(), profile);
        let desk = Desk::new();
        let mut backwards = blocks(&whole);
        backwards.reverse();
        let backwards = car(&backwards);
        let get =
            |car: &[u8], path: &str| desk.verify(car, &format!("{root}/{path}").parse().unwrap());
        for whole in [&whole, &backwards] {
            for i in [0, 1, 777, 5_999] {
                let name = format!("many/a name that is long enough {i}");
                assert_eq!(get(whole, &name).unwrap(), i.to_string().as_bytes());
            }
            assert!(get(whole, "many/more/last").unwrap() == pattern(700_000));
            assert_eq!(get(whole, "few/é").unwrap(), b"accent");
            for (path, code) in [
                ("many/no", "CONTENT_NOT_FOUND"),
                ("no", "CONTENT_NOT_FOUND"),
                ("few/é/below", "CONTENT_NOT_FOUND"),
                ("many/more/last/below", "CONTENT_NOT_FOUND"),
                ("many", "CONTENT_IS_DIRECTORY"),
                ("few", "CONTENT_IS_DIRECTORY"),
                ("", "CONTENT_IS_DIRECTORY"),
            ] {
                let path =
                    if path.is_empty() { root.to_string() } else { format!("{root}/{path}") };
                let error = desk.verify(whole, &path.parse().unwrap()).unwrap_err();
                assert_eq!(error.code(), code, "{path}");
            }
        }
    }
}

#[test]
fn c12_content_in_the_id_itself_needs_no_block() {
    let desk = Desk::new();
    let inline = |codec: u8, content: &[u8]| {
        let bytes = [&[0x01, codec, 0x00][..], &varint(content.len() as u64), content].concat();
        Cid::from_bytes(&bytes).unwrap()
    };
    let empty: Cid = "bafkqaaa".parse().unwrap();
    assert_eq!(desk.verify(HEADER, &empty.into()).unwrap(), b"");
    assert_eq!(desk.verify(HEADER, &inline(0x55, b"hey").into()).unwrap(), b"hey");
    // A node in the id, which links to a block and to another id.
    let (leaf, block) = raw(b"world");
    let (_, (_, node)) = file_node(&[(&inline(0x55, b"hello "), 6), (&leaf, 5)], b"", 11);
    let (root, top) = named(Codec::DagPb, node);
    assert_eq!(desk.verify(&car(&[top, block]), &root.into()).unwrap(), b"hello world");
}

#[test]
fn c12_bytes_in_a_node_come_before_those_of_its_children() {
    let desk = Desk::new();
    let (leaf, block) = raw(b"world");
    let (root, top) = file_node(&[(&leaf, 5), (&leaf, 5)], b"hello ", 16);
    assert_eq!(desk.verify(&car(&[top, block]), &root.into()).unwrap(), b"hello worldworld");
}

#[test]
fn an_old_file_is_replaced_by_a_whole_one_and_by_nothing_else() {
    let desk = Desk::new();
    fs::write(desk.out(), "old").unwrap();
    let (root, whole) = archive(b"new", Profile::default());
    let cut = &whole[..whole.len() - 1];
    verify_car(cut, &root.clone().into(), &desk.out(), Limits::default()).unwrap_err();
    assert_eq!(fs::read(desk.out()).unwrap(), b"old");
    verify_car(&whole[..], &root.into(), &desk.out(), Limits::default()).unwrap();
    assert_eq!(fs::read(desk.out()).unwrap(), b"new");
}

#[test]
fn an_archive_of_many_small_blocks_is_written_from_memory_and_then_from_a_file() {
    let desk = Desk::new();
    let bytes: Vec<u8> = (0..20_000).flat_map(|i| format!("{i:016}").into_bytes()).collect();
    let profile = Profile::custom(16, 3, true, 1).unwrap();
    let (root, whole) = archive(&bytes, profile);
    assert!(desk.verify(&whole, &root.into()).unwrap() == bytes);
}

/// Does something before it takes the first byte.
struct Upload<F>(Option<F>, Vec<u8>);

impl<F: FnOnce() -> io::Result<()>> io::Write for Upload<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(()), |first| first())?;
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_source_that_changes_and_a_destination_that_fails_are_typed_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let code = |first: &dyn Fn() -> io::Result<()>| {
        fs::write(&path, pattern(100)).unwrap();
        let error =
            write_car(&path, ImportOptions::default(), &mut Upload(Some(first), Vec::new()));
        error.unwrap_err().code()
    };
    assert_eq!(code(&|| fs::write(&path, pattern(99))), "FILE_CHANGED");
    assert_eq!(code(&|| fs::remove_file(&path)), "FILE_UNREADABLE");
    assert_eq!(code(&|| Err(io::ErrorKind::BrokenPipe.into())), "OUTPUT_UNWRITABLE");
    let (root, whole) = archive(&pattern(100), Profile::default());
    let nowhere = folder.path().join("no/such/folder/out");
    let error = verify_car(&whole[..], &root.into(), &nowhere, Limits::default()).unwrap_err();
    assert_eq!(error.code(), "CACHE_UNAVAILABLE");
}

// What is wrong

#[test]
fn c13_an_archive_that_is_damaged_anywhere_is_refused_and_leaves_nothing() {
    let desk = Desk::new();
    let profile = Profile::custom(16, 3, false, 1).unwrap();
    let (root, whole) = archive(&pattern(100), profile);
    let path = ContentPath::from(root);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        // The header's roots mean nothing; all else is proved or framed.
        match desk.verify(&damaged, &path) {
            Ok(bytes) => assert!(at < 59 && bytes == pattern(100), "byte {at}"),
            Err(error) => assert!(!error.code().is_empty()),
        }
        let cut = desk.verify(&whole[..at], &path).unwrap_err();
        assert!(["CONTENT_INCOMPLETE", "INVALID_CAR"].contains(&cut.code()), "cut at {at}: {cut}");
    }
}

#[test]
fn c13_wrong_missing_and_mislabelled_blocks_are_refused() {
    let desk = Desk::new();
    let (root, whole) = archive(&pattern(100), Profile::custom(16, 10, true, 1).unwrap());
    let good = blocks(&whole);
    for at in 0..good.len() {
        let mut wrong = good.clone();
        wrong[at].1[0] ^= 1;
        assert_eq!(desk.code(&wrong, &root), "INVALID_BLOCK");
        let mut missing = good.clone();
        missing.remove(at);
        assert_eq!(desk.code(&missing, &root), "CONTENT_INCOMPLETE");
        let mut swapped = good.clone();
        let (one, other) = (swapped[at].0.clone(), swapped[(at + 1) % good.len()].0.clone());
        swapped[at].0 = other;
        swapped[(at + 1) % good.len()].0 = one;
        assert_eq!(desk.code(&swapped, &root), "INVALID_BLOCK");
    }
    assert_eq!(desk.code(&[], &root), "CONTENT_INCOMPLETE");
    // An error page.
    let page = b"<!doctype html><html><body>504 Gateway Time-out</body></html>";
    assert_eq!(desk.verify(page, &root.clone().into()).unwrap_err().code(), "INVALID_CAR");
    assert_eq!(desk.verify(b"", &root.into()).unwrap_err().code(), "CONTENT_INCOMPLETE");
}

#[test]
fn c10_sizes_that_lie_are_refused() {
    let desk = Desk::new();
    let (leaf, block) = raw(b"12345");
    for (children, data, size) in [
        (vec![(&leaf, 4)], &b""[..], 4),
        (vec![(&leaf, 6)], b"", 6),
        (vec![(&leaf, 5)], b"", 4),
        (vec![(&leaf, 5)], b"", 6),
        (vec![(&leaf, 5)], b"x", 5),
        (vec![(&leaf, 5), (&leaf, 6)], b"", 11),
        (vec![(&leaf, 5), (&leaf, 5)], b"", 9),
        (vec![(&leaf, u64::MAX), (&leaf, 6)], b"", 5),
        (vec![(&leaf, 0), (&leaf, 5)], b"", 5),
        (vec![], b"", 5),
        (vec![], b"12345", 0),
    ] {
        let (root, top) = file_node(&children, data, size);
        assert_eq!(desk.code(&[top, block.clone()], &root), "INVALID_BLOCK", "{children:?} {size}");
    }
}

#[test]
fn c10_a_bomb_of_a_thousand_terabytes_is_refused_at_its_root() {
    let desk = Desk::new();
    let leaf = vec![0; 1_000];
    let (mut id, block) = raw(&leaf);
    let (mut size, mut all) = (1_000_u64, vec![block]);
    // Four levels of 1,000 links each: 10^15 bytes out of some 200 KB.
    for _ in 0..4 {
        let children = vec![(&id, size); 1_000];
        let (parent, block) = file_node(&children, b"", size * 1_000);
        (id, size) = (parent, size * 1_000);
        all.insert(0, block);
    }
    assert_eq!(size, 1_000_000_000_000_000);
    let bomb = car(&all);
    assert!(bomb.len() < 210_000, "{}", bomb.len());
    let error = desk.verify(&bomb, &id.clone().into()).unwrap_err();
    assert!(
        matches!(error, IpfsError::TooLarge { what: "bytes", most } if most == 8 << 30),
        "{error}"
    );
    // Nothing is written either when the limit lets it in and the blocks end.
    let limits = Limits { file_bytes: u64::MAX, ..Limits::default() };
    all.pop();
    let error = desk.verify_within(&car(&all), &id.into(), limits).unwrap_err();
    assert_eq!(error.code(), "CONTENT_INCOMPLETE");
}

#[test]
fn c10_empty_nodes_and_deep_ones_are_refused() {
    let desk = Desk::new();
    let (empty, block) = file_node(&[], b"", 0);
    assert_eq!(
        desk.verify(&car(std::slice::from_ref(&block)), &empty.clone().into()).unwrap(),
        b""
    );
    let (mut id, mut all) = (empty, vec![block]);
    for _ in 0..4 {
        let (parent, block) = file_node(&vec![(&id, 0); 1_000], b"", 0);
        id = parent;
        all.insert(0, block);
    }
    assert_eq!(desk.code(&all, &id), "INVALID_BLOCK", "10^12 empty nodes");

    let nested = |levels: usize| {
        let (mut id, block) = raw(b"bottom");
        let mut all = vec![block];
        for _ in 1..levels {
            let (parent, block) = file_node(&[(&id, 6)], b"", 6);
            id = parent;
            all.insert(0, block);
        }
        (id, all)
    };
    let (id, all) = nested(16);
    assert_eq!(desk.verify(&car(&all), &id.into()).unwrap(), b"bottom");
    for levels in [17, 40] {
        let (id, all) = nested(levels);
        assert_eq!(desk.code(&all, &id), "CONTENT_TOO_LARGE", "{levels} levels");
    }
}

#[test]
fn c14_every_limit_is_a_limit() {
    let desk = Desk::new();
    let bytes: Vec<u8> = (0..100).flat_map(|i| format!("{i:010}").into_bytes()).collect();
    let (root, whole) = archive(&bytes, Profile::custom(10, 10, true, 1).unwrap());
    let mut backwards = blocks(&whole);
    backwards.reverse();
    let path = ContentPath::from(root);
    let free = Limits::default();
    let refused = |limits: Limits, car: &[u8]| {
        let error = desk.verify_within(car, &path, limits).unwrap_err();
        assert_eq!(error.code(), "CONTENT_TOO_LARGE", "{limits:?}: {error}");
    };
    // 100 leaves below 10 nodes below the root.
    for (enough, short) in [
        (Limits { file_bytes: 1_000, ..free }, Limits { file_bytes: 999, ..free }),
        (Limits { depth: 3, ..free }, Limits { depth: 2, ..free }),
        (Limits { blocks: 111, ..free }, Limits { blocks: 110, ..free }),
        (Limits { links: 19, ..free }, Limits { links: 18, ..free }),
        (Limits { header_bytes: 58, ..free }, Limits { header_bytes: 57, ..free }),
    ] {
        assert!(desk.verify_within(&whole, &path, enough).unwrap() == bytes, "{enough:?}");
        refused(short, &whole);
    }
    let largest = blocks(&whole).iter().map(|(_, block)| block.len()).max().unwrap();
    let limits = Limits { block_bytes: largest, ..free };
    desk.verify_within(&whole, &path, limits).unwrap();
    refused(Limits { block_bytes: largest - 1, ..free }, &whole);
    // Backwards all blocks but the root come early.
    desk.verify_within(&car(&backwards), &path, Limits { remembered: 110, ..free }).unwrap();
    refused(Limits { remembered: 109, ..free }, &car(&backwards));
    refused(Limits { file_bytes: 1_000, extra_bytes: 1_000, ..free }, &car(&backwards));
    // Strangers are passed over, up to twice the file's size and 4 MiB more.
    let stranger = |i: u8| raw(&vec![i; 1 << 20]).1;
    let with = |count| car(&[blocks(&whole), (0..count).map(stranger).collect()].concat());
    desk.verify_within(&with(4), &path, free).unwrap();
    refused(free, &with(5));
    // A section that claims to be large is refused before it is waited for.
    let huge = [HEADER, &varint(3 << 20)].concat();
    refused(free, &huge);
    refused(free, &[0xFF, 0xFF, 0x7F]);
}

#[test]
fn archives_of_other_kinds_are_refused() {
    let desk = Desk::new();
    let (root, whole) = archive(b"hey", Profile::default());
    let path = ContentPath::from(root);
    let second = [b"\x0A\xA1\x67version\x02", &[0; 40][..], &whole].concat();
    assert_eq!(desk.verify(&second, &path).unwrap_err().code(), "UNSUPPORTED_CONTENT");
    for header in [
        &b"\x11\xA2\x65roots\x80\x67version\x03"[..],
        b"\x11\xA2\x67version\x01\x65roots\x80",
        b"\x0A\xA1\x67version\x01",
        b"\x12\xA2\x65roots\x80\x67version\x01\x00",
        b"\x01\xA0",
        b"\x00",
        b"\x91\x00",
    ] {
        let car = [header, &whole[59..]].concat();
        assert_eq!(desk.verify(&car, &path).unwrap_err().code(), "INVALID_CAR", "{header:x?}");
    }
    // A section without a length of its own; one that is padded.
    for tail in [&[0x00][..], &[0x80, 0x00]] {
        let car = [&whole[..], tail].concat();
        assert_eq!(desk.verify(&car, &path).unwrap_err().code(), "INVALID_CAR");
    }
    // An extra block of a kind that cannot be checked is passed over.
    let sha512 = [&[0x01, 0x55, 0x13, 0x40][..], &[7; 64]].concat();
    let car = [car(&[(sha512, b"?".to_vec())]), whole[59..].to_vec()].concat();
    assert_eq!(desk.verify(&car, &path).unwrap(), b"hey");
}

// Nodes

#[test]
fn c9_blocks_that_are_not_canonical_are_refused() {
    let (leaf, _) = raw(b"12345");
    let link = |fields: &[&[u8]]| field(0x12, &fields.concat());
    let hash = field(0x0A, leaf.as_bytes());
    let good = link(&[&hash, &[0x12, 0x00], &[0x18, 0x05]]);
    let data = field(0x0A, b"\x08\x02\x18\x05\x20\x05");
    assert!(Node::decode(&[&good[..], &data].concat()).is_ok());
    for (why, block) in [
        ("empty", vec![]),
        ("no data", good.clone()),
        ("data before links", [&data[..], &good].concat()),
        ("data twice", [&good[..], &data, &data].concat()),
        ("no id", [&link(&[&[0x12, 0x00], &[0x18, 0x05]])[..], &data].concat()),
        ("size before name", [&link(&[&hash, &[0x18, 0x05], &[0x12, 0x00]])[..], &data].concat()),
        ("name twice", [&link(&[&hash, &[0x12, 0x00], &[0x12, 0x00]])[..], &data].concat()),
        ("unknown field of a link", [&link(&[&hash, &[0x20, 0x00]])[..], &data].concat()),
        ("name in a file", [&link(&[&hash, &[0x12, 0x01, b'a']])[..], &data].concat()),
        ("padded size", [&link(&[&hash, &[0x18, 0x85, 0x00]])[..], &data].concat()),
        ("unknown field", [&good[..], &data, &[0x18, 0x00]].concat()),
        ("cut", [&good[..], &data[..data.len() - 1]].concat()),
        ("too long", [&good[..], &data, &[0x00]].concat()),
        ("wrong wire type", [&good[..], &[0x08, 0x00]].concat()),
        ("no type", field(0x0A, b"\x18\x00")),
        ("unknown type", field(0x0A, b"\x08\x06")),
        ("type twice", field(0x0A, b"\x08\x02\x08\x02\x18\x00")),
        ("size before data", field(0x0A, b"\x08\x02\x18\x01\x12\x01a")),
        ("size without data", field(0x0A, b"\x08\x02\x18\x01")),
        ("a directory with data", field(0x0A, b"\x08\x01\x12\x01a")),
        ("a directory with sizes", field(0x0A, b"\x08\x01\x20\x05")),
        ("a file with a fan-out", field(0x0A, b"\x08\x02\x18\x00\x30\x80\x02")),
        ("a shard without a hash", field(0x0A, b"\x08\x05\x30\x80\x02")),
        ("a shard with a fan-out of 2048", field(0x0A, b"\x08\x05\x28\x22\x30\x80\x10")),
        ("a shard with a fan-out of 100", field(0x0A, b"\x08\x05\x28\x22\x30\x64")),
        (
            "a shard with a bucket and no link",
            field(0x0A, b"\x08\x05\x12\x01\x01\x28\x22\x30\x80\x02"),
        ),
        (
            "a time of too many nanoseconds",
            field(0x0A, b"\x08\x01\x42\x07\x08\x00\x15\x00\xCA\x9A\x3B"),
        ),
        (
            "sizes in two ways",
            [&good[..], &good, &field(0x0A, b"\x08\x02\x18\x0A\x20\x05\x22\x01\x05")].concat(),
        ),
    ] {
        let error = Node::decode(&block).map(|node| format!("{node:?}")).unwrap_err();
        assert!(["INVALID_BLOCK", "UNSUPPORTED_CONTENT"].contains(&error.code()), "{why}: {error}");
    }
    // Metadata of UnixFS 1.5, and sizes that are packed.
    for good in [
        field(0x0A, b"\x08\x01\x38\xED\x03\x42\x07\x08\x01\x15\x01\x00\x00\x00"),
        [&good[..], &field(0x0A, b"\x08\x02\x18\x05\x22\x01\x05")].concat(),
    ] {
        Node::decode(&good).unwrap();
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let id = cid_of_bytes(b"");
    for (path, code) in [
        (format!("{id}/.."), "INVALID_PATH"),
        (format!("{id}/a/../b"), "INVALID_PATH"),
        (format!("{id}/./a"), "INVALID_PATH"),
        (format!("{id}//a"), "INVALID_PATH"),
        (format!("{id}/a//"), "INVALID_PATH"),
        (format!("{id}/a\0"), "INVALID_PATH"),
        (format!("{id}/{}", "a".repeat(10_000)), "INVALID_PATH"),
        ("../etc/passwd".to_owned(), "INVALID_CID"),
        ("/etc/passwd".to_owned(), "INVALID_CID"),
        (String::new(), "INVALID_CID"),
        ("a".repeat(10_000), "INVALID_CID"),
    ] {
        assert_eq!(path.parse::<ContentPath>().unwrap_err().code(), code, "{path:.80}");
    }
    let path: ContentPath = format!("{id}/a/b c/").parse().unwrap();
    assert_eq!(path.names(), ["a", "b c"]);
    assert_eq!(path.to_string(), format!("{id}/a/b c"));
}

fn shuffle<T>(items: &mut [T], random: &mut Xorshift) {
    for i in (1..items.len()).rev() {
        items.swap(i, random.below(i + 1));
    }
}

/// A small generator of test numbers; a failure names its seed by the test it is in.
///
/// Source: Marsaglia, "Xorshift RNGs", 2003.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
