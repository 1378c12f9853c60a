//! Gateways that serve and gateways that lie, on loopback: what comes is right or does not come.
#![cfg(all(feature = "ipfs", feature = "http"))]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::disallowed_methods, reason = "what is slow is found out in real time")]

#[path = "support/example.rs"]
mod example;
#[path = "support/gateway.rs"]
mod gateway;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use finalmile::{
    fetch::{FetchError, Fetcher, HttpFetcher, Request, Response, Timeouts},
    ipfs::{
        Cache, CacheOptions, Cancel, Cid, Client, Codec, ContentPath, FetchControl, FetchOptions,
        Fetched, Gateway, Gateways, IpfsError, Kind, Limits, Profile, Source,
    },
};
use gateway::{
    ALL, Able, Asked, CAR, PLAIN, RAW, Reply, Server, Store,
    archive::{self, field, pattern, varint},
    blocks, car,
};
use tempfile::TempDir;

const V1: Profile = Profile::UNIXFS_V1_2025;
const V0: Profile = Profile::UNIXFS_V0_2015;

const RAW_ONLY: Able = Able { raw: true, car: false, plain: false, ranges: false };
const CAR_ONLY: Able = Able { raw: false, car: true, plain: false, ranges: false };
const NO_RANGES: Able = Able { raw: true, car: false, plain: true, ranges: false };

/// Impatient, so that tests are quick.
fn brisk() -> FetchOptions {
    let ms = Duration::from_millis;
    FetchOptions {
        timeouts: Timeouts { connect: ms(1_000), idle: ms(500), total: ms(20_000) },
        total: ms(20_000),
        min_bytes_per_second: 20_000,
        rate_window: ms(400),
        hedge_after: ms(150),
        patience: ms(400),
        tries: 2,
        range_bytes: 1 << 20,
        ..FetchOptions::default()
    }
}

fn asking(servers: &[&Server], options: FetchOptions) -> Gateways {
    let list = servers.iter().map(|server| server.gateway()).collect();
    Gateways::new(Arc::new(HttpFetcher::new()), list, options)
}

/// What lies there, but for the cache's own folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".finalmile")
        .collect();
    names.sort();
    names
}

/// A folder that is fetched into.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn fetch(&self, gateways: &Gateways, wanted: &str) -> Result<(Fetched, Vec<u8>), IpfsError> {
        let wanted: ContentPath = wanted.parse().unwrap();
        let fetched = gateways.fetch(&wanted, self.0.path(), &FetchControl::default())?;
        let bytes = fs::read(&fetched.path).unwrap();
        assert_eq!(fetched.bytes, bytes.len() as u64);
        assert_eq!(fetched.path, self.0.path().join(format!("{}.part", fetched.cid)));
        assert_eq!(names(self.0.path()).len(), 1, "only the file is left");
        fs::remove_file(&fetched.path).unwrap();
        Ok((fetched, bytes))
    }

    /// Fetches what must be refused, and looks that nothing is left but what may be resumed.
    fn refused(&self, gateways: &Gateways, wanted: &str) -> IpfsError {
        let error = self.fetch(gateways, wanted).unwrap_err();
        let cid = wanted.parse::<ContentPath>().unwrap().cid().to_string();
        for name in names(self.0.path()) {
            assert!([format!("{cid}.part"), format!("{cid}.leaves")].contains(&name), "{name}");
        }
        error
    }
}

fn named(codec: Codec, block: &[u8]) -> Cid {
    archive::named(codec, block.to_vec()).0
}

/// A file's node that says of its children, and of itself, what it is told to.
fn node(children: &[(&Cid, u64)], size: u64) -> (Cid, Vec<u8>) {
    let (cid, (_, block)) = archive::file_node(children, &[], size);
    (cid, block)
}

#[test]
fn c50_every_way_gives_the_file_that_was_asked_for() {
    let mut store = Store::new();
    let (small, large) = (pattern(20_000), pattern(3 << 20));
    let cases = [
        (&small, V1, ALL, Source::Raw),
        (&small, V1, PLAIN, Source::Raw),
        (&small, V0, ALL, Source::Skeleton),
        (&small, V0, PLAIN, Source::Reimport),
        (&large, V1, ALL, Source::Skeleton),
        (&large, V0, ALL, Source::Skeleton),
        (&large, V0, NO_RANGES, Source::Skeleton),
        (&large, V0, RAW_ONLY, Source::Skeleton),
        (&large, V0, CAR_ONLY, Source::Car),
        (&large, V1, PLAIN, Source::Reimport),
        (&large, V0, PLAIN, Source::Reimport),
        (&large, Profile::custom(1 << 20, 174, true, 1).unwrap(), PLAIN, Source::Reimport),
        (&large, Profile::custom(256 << 10, 174, true, 1).unwrap(), PLAIN, Source::Reimport),
        (&large, Profile::custom(256 << 10, 174, false, 1).unwrap(), PLAIN, Source::Reimport),
        // Small leaves, and a tree of several levels.
        (&large, Profile::custom(5_000, 7, false, 0).unwrap(), ALL, Source::Skeleton),
        (&large, Profile::custom(5_000, 7, true, 1).unwrap(), NO_RANGES, Source::Skeleton),
    ];
    let cids: Vec<Cid> =
        cases.iter().map(|(bytes, profile, ..)| store.add(bytes, *profile)).collect();
    let desk = Desk::new();
    for ((bytes, profile, able, source), cid) in cases.iter().zip(cids) {
        let server = Server::honest(&store, *able);
        let (fetched, got) = desk.fetch(&asking(&[&server], brisk()), &cid.to_string()).unwrap();
        let said = format!("{} bytes, {profile:?}", bytes.len());
        assert_eq!((fetched.cid, fetched.source), (cid, *source), "{said}");
        assert!(got == **bytes, "{said}");
        assert_eq!(fetched.gateway.as_deref(), Some(server.url.as_str()), "{said}");
    }
}

#[test]
fn c50_a_small_tree_comes_as_an_archive_and_an_empty_file_as_one_block() {
    let mut store = Store::new();
    let bytes = pattern(600_000);
    let (cid, empty) = (store.add(&bytes, V0), store.add(b"", V0));
    let server = Server::honest(&store, ALL);
    let (gateways, desk) = (asking(&[&server], brisk()), Desk::new());
    let (fetched, got) = desk.fetch(&gateways, &cid.to_string()).unwrap();
    assert_eq!((fetched.source, got == bytes), (Source::Car, true));
    assert_eq!(desk.fetch(&gateways, &empty.to_string()).unwrap().1, b"");
    // An id may carry its content: nobody is asked.
    server.forget();
    let carries = Cid::from_bytes(b"\x01\x55\x00\x05hello").unwrap().to_string();
    let (fetched, got) = desk.fetch(&gateways, &carries).unwrap();
    assert_eq!((got.as_slice(), fetched.gateway), (&b"hello"[..], None));
    assert!(server.asked().is_empty());
}

#[test]
fn c50_paths_lead_through_directories_of_both_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("d/deep")).unwrap();
    fs::write(at("d/deep/hello"), "hello world").unwrap();
    // So many that the directory is sharded.
    for number in 0..3_500 {
        fs::write(at(&format!("d/{number:050}")), number.to_string()).unwrap();
    }
    let mut store = Store::new();
    let root = store.add_path(&at("d"), V1);
    let last = format!("{root}/{:050}", 2_321);
    let desk = Desk::new();
    for able in [ALL, RAW_ONLY, CAR_ONLY] {
        let server = Server::honest(&store, able);
        let gateways = asking(&[&server], brisk());
        for (path, content) in [(&format!("{root}/deep/hello"), "hello world"), (&last, "2321")] {
            let (fetched, got) = desk.fetch(&gateways, path).unwrap();
            assert_eq!(got, content.as_bytes());
            assert_eq!(fetched.cid, finalmile::ipfs::cid_of_bytes(content.as_bytes()));
        }
        for (path, code) in [
            (format!("{root}/deep"), "CONTENT_IS_DIRECTORY"),
            (format!("{root}/no"), "CONTENT_NOT_FOUND"),
            (format!("{root}/deep/hello/more"), "CONTENT_NOT_FOUND"),
        ] {
            // Who gives archives only has none of what is not there.
            let code =
                if able.raw || path.ends_with("deep") { code } else { "CONTENT_UNAVAILABLE" };
            assert_eq!(desk.refused(&gateways, &path).code(), code, "{path}");
        }
    }
    // Who gives files only proves nothing about a path.
    let server = Server::honest(&store, PLAIN);
    assert_eq!(desk.refused(&asking(&[&server], brisk()), &last).code(), "GATEWAYS_FAILED");
}

/// A way to lie.
type Lie = (&'static str, fn(&Asked, Reply) -> Reply);

const LIES: [Lie; 12] = [
    ("a wrong byte in the middle", |_, mut reply| {
        let middle = reply.body.len() / 2;
        if let Some(byte) = reply.body.get_mut(middle) {
            *byte ^= 1;
        }
        reply
    }),
    ("the last byte is missing", |_, mut reply| {
        reply.body.pop();
        reply.length = Some(reply.body.len());
        reply
    }),
    ("a byte too many", |_, mut reply| {
        reply.body.push(0);
        reply.length = Some(reply.body.len());
        reply
    }),
    ("cut in the middle", |_, mut reply| {
        reply.cut = reply.body.len() / 2;
        reply
    }),
    ("cut, without a length", |_, mut reply| {
        reply.cut = reply.body.len() / 2;
        reply.length = None;
        reply
    }),
    ("a length that is too long", |_, mut reply| {
        reply.length = Some(reply.body.len() + 1_000);
        reply
    }),
    ("a length that is too short", |_, mut reply| {
        reply.length = Some(reply.body.len() / 2);
        reply
    }),
    ("a page", |_, _| Reply::new(200, "text/html", "<html>please log in</html>")),
    ("a page under the right type", |_, reply| Reply {
        body: b"<html>".to_vec(),
        length: Some(6),
        cut: 6,
        ..reply
    }),
    ("nothing", |_, reply| Reply { body: Vec::new(), length: Some(0), ..reply }),
    ("another block under the name", |_, reply| Reply { body: vec![7; reply.body.len()], ..reply }),
    ("zeros without end", |_, reply| Reply {
        body: vec![0; 40 << 20],
        length: None,
        cut: 40 << 20,
        ..reply
    }),
];

#[test]
fn c50_lies_are_refused_and_leave_nothing_and_an_honest_gateway_serves() {
    let mut store = Store::new();
    let bytes = pattern(1_500_000);
    let raw = store.add(&bytes[..300_000], V1);
    let (v0, v1) = (store.add(&bytes, V0), store.add(&bytes, V1));
    let ways =
        [(&raw, ALL), (&v1, ALL), (&v0, ALL), (&v0, CAR_ONLY), (&v0, NO_RANGES), (&v1, PLAIN)];
    let mut options = brisk();
    options.limits.file_bytes = 8 << 20;
    for (name, lie) in LIES {
        for (cid, able) in ways {
            let content = if *cid == raw { &bytes[..300_000] } else { &bytes };
            // Honest to those who only look what it can do.
            let trick = move |asked: &Asked, reply: Reply| {
                if asked.path == "bafkqaaa" { reply } else { lie(asked, reply) }
            };
            let liar = Server::start(&store, able, Box::new(trick));
            let (desk, cid) = (Desk::new(), cid.to_string());
            match desk.fetch(&asking(&[&liar], options), &cid) {
                // A length is not believed either way, nor is what follows a whole archive.
                Ok((_, got)) => assert!(got == content, "{name}, {able_raw}", able_raw = able.raw),
                Err(error) => assert!(!error.code().is_empty(), "{name}: {error}"),
            }
            let refused = ["a wrong byte", "nothing", "a page", "another", "cut in", "zeros"];
            if refused.iter().any(|refused| name.starts_with(refused)) {
                let desk = Desk::new();
                let error = desk.refused(&asking(&[&liar], options), &cid);
                let fine = ["DISK_FULL", "CACHE_UNAVAILABLE", "CANCELLED", "OFFLINE"];
                let cut = name.starts_with("cut");
                assert!(cut || !fine.contains(&error.code()), "{name}: {error}");
            }
            let friend = Server::honest(&store, ALL);
            let both = asking(&[&liar, &friend], options);
            let (_, got) = desk.fetch(&both, &cid).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(got == content, "{name}: an honest one beside it");
        }
    }
}

#[test]
fn c50_who_is_honest_about_the_tree_may_lie_about_the_leaves() {
    let mut store = Store::new();
    let bytes = pattern(3 << 20);
    for profile in [V0, V1] {
        let cid = store.add(&bytes, profile).to_string();
        for (name, lie) in LIES {
            let trick = move |asked: &Asked, reply: Reply| match asked.form {
                "plain" => lie(asked, reply),
                _ => reply,
            };
            let liar = Server::start(&store, ALL, Box::new(trick));
            let friend = Server::honest(&store, ALL);
            let desk = Desk::new();
            match desk.fetch(&asking(&[&liar], brisk()), &cid) {
                Ok((_, got)) => assert!(got == bytes, "{name}, {profile:?}"),
                Err(error) => assert!(!error.code().is_empty(), "{name}: {error}"),
            }
            let (_, got) = desk.fetch(&asking(&[&liar, &friend], brisk()), &cid).unwrap();
            assert!(got == bytes, "{name}, {profile:?}: an honest one beside it");
            if name.starts_with("a wrong byte") || name.starts_with("another") {
                let error = Desk::new().refused(&asking(&[&liar], brisk()), &cid);
                assert_eq!(error.code(), "INVALID_BLOCK", "{name}: {error}");
            }
        }
    }
}

#[test]
fn c50_an_archive_may_come_in_any_order_and_lies_about_sizes_are_found() {
    let mut store = Store::new();
    let bytes = pattern(900_000);
    let cid = store.add(&bytes, V0);
    let honest = blocks(&store.archives[&cid.to_string()]);
    let stranger = (named(Codec::Raw, b"x"), b"x".to_vec());
    let mut reversed = honest.clone();
    reversed.reverse();
    let doubled: Vec<_> = honest.iter().chain(&honest).cloned().collect();
    let extra: Vec<_> = [stranger].into_iter().chain(honest.clone()).collect();
    let missing = honest[..honest.len() - 1].to_vec();
    let without_root = honest[1..].to_vec();
    let desk = Desk::new();
    for (name, archive, is_right) in [
        ("reversed", reversed, true),
        ("doubled", doubled, true),
        ("extra", extra, true),
        ("missing", missing, false),
        ("without its root", without_root, false),
    ] {
        let archive = car(&archive);
        let trick = move |asked: &Asked, reply: Reply| match asked.form {
            "car" if asked.path != "bafkqaaa" => Reply::new(200, CAR, archive.clone()),
            _ => reply,
        };
        let server = Server::start(&store, CAR_ONLY, Box::new(trick));
        let gateways = asking(&[&server], brisk());
        if is_right {
            assert!(desk.fetch(&gateways, &cid.to_string()).unwrap().1 == bytes, "{name}");
        } else {
            let error = desk.refused(&gateways, &cid.to_string());
            assert_eq!(error.code(), "CONTENT_INCOMPLETE", "{name}: {error}");
        }
    }

    // Content that is bad in itself: no gateway's fault, whoever brings it.
    let leaf = named(Codec::Raw, b"leaf");
    let mut crafted: Vec<(&str, Cid, &str)> = Vec::new();
    let mut add = |name, block: (Cid, Vec<u8>), code| {
        store.blocks.insert(block.0.to_string(), Arc::new(block.1));
        crafted.push((name, block.0, code));
    };
    let (mut bomb, mut size) = (leaf.clone(), 4_u64);
    for _ in 0..7 {
        let children: Vec<(&Cid, u64)> = (0..174).map(|_| (&bomb, size)).collect();
        let (cid, block) = node(&children, size * 174);
        add("a bomb's part", (cid.clone(), block), "");
        (bomb, size) = (cid, size * 174);
    }
    assert!(size > 1_000_000_000_000_000);
    let (mut deep, mut tower) = (leaf.clone(), Vec::new());
    for _ in 0..40 {
        let (cid, block) = node(&[(&deep, 4 << 20)], 4 << 20);
        tower.push((cid.clone(), block));
        deep = cid;
    }
    add("10^15 bytes", node(&[(&bomb, size)], size), "CONTENT_TOO_LARGE");
    tower.into_iter().for_each(|block| add("a level", block, ""));
    add("40 levels", node(&[(&deep, 4 << 20)], 4 << 20), "CONTENT_TOO_LARGE");
    add("an empty child", node(&[(&leaf, 0)], 0), "INVALID_BLOCK");
    add("sums that do not add up", node(&[(&leaf, 4)], 5), "INVALID_BLOCK");
    let (inner, block) = node(&[(&leaf, 4)], 4);
    add("an inner node", (inner.clone(), block), "");
    add("a child of another size", node(&[(&inner, 3 << 20)], 3 << 20), "INVALID_BLOCK");
    add("a leaf of 3 MiB", node(&[(&leaf, 3 << 20)], 3 << 20), "CONTENT_TOO_LARGE");
    store.blocks.insert(leaf.to_string(), Arc::new(b"leaf".to_vec()));
    let server = Server::honest(&store, Able { car: false, ..ALL });
    let gateways = asking(&[&server], brisk());
    for (name, cid, code) in crafted.iter().filter(|(.., code)| !code.is_empty()) {
        let error = desk.refused(&gateways, &cid.to_string());
        assert_eq!(error.code(), *code, "{name}: {error}");
    }
    // Nobody is blamed for it: the same gateway goes on serving.
    assert!(desk.fetch(&gateways, &cid.to_string()).unwrap().1 == bytes);
}

#[test]
fn c52_a_token_goes_to_its_gateway_and_not_where_that_redirects_to() {
    let mut store = Store::new();
    let (small, large) = (pattern(5_000), pattern(2 << 20));
    let (raw, tree) = (store.add(&small, V1), store.add(&large, V1));
    let other = Server::honest(&store, ALL);
    let to = other.url.clone();
    let trick = move |asked: &Asked, _: Reply| {
        let query =
            if asked.form == "plain" { String::new() } else { format!("?format={}", asked.form) };
        Reply::new(307, "text/plain", "")
            .header("location", format!("{to}/ipfs/{}{query}", asked.path))
    };
    let first = Server::start(&store, ALL, Box::new(trick));
    let gateway = Gateway::new(&first.url).unwrap().pinata_token("secret-of-mine");
    let gateways = Gateways::new(Arc::new(HttpFetcher::new()), vec![gateway], brisk());
    let desk = Desk::new();
    assert!(desk.fetch(&gateways, &raw.to_string()).unwrap().1 == small);
    assert!(desk.fetch(&gateways, &tree.to_string()).unwrap().1 == large);
    let token = |asked: &Asked| asked.headers.get("x-pinata-gateway-token").cloned();
    assert!(first.asked().iter().all(|asked| token(asked).as_deref() == Some("secret-of-mine")));
    assert!(other.asked().len() >= 3 && other.asked().iter().all(|asked| token(asked).is_none()));
    assert!(!format!("{gateways:?}").contains("secret-of"), "nor into a log");

    // Round and round, and out of the encryption's reach.
    for location in ["/ipfs/again", "http://198.51.100.1/", "https://"] {
        let trick = move |_: &Asked, _: Reply| {
            Reply::new(302, "text/plain", "").header("location", location)
        };
        let server = Server::start(&store, ALL, Box::new(trick));
        let began = Instant::now();
        let error = desk.refused(&asking(&[&server], brisk()), &raw.to_string());
        assert_eq!(error.code(), "GATEWAYS_FAILED", "{location}: {error}");
        assert!(began.elapsed() < Duration::from_secs(3));
        let each = if location.starts_with('/') { 4 } else { 1 };
        assert!(server.asked().len() <= 2 * each, "three redirects are followed: {location}");
    }
}

/// A way to fail, and what is said of it.
type Failure = (&'static str, &'static str, fn(Reply) -> Reply);

#[test]
fn c53_c54_hanging_dripping_and_failing_gateways_cost_a_bounded_time() {
    let mut store = Store::new();
    let (small, large) = (pattern(300_000), pattern(3 << 20));
    let (raw, tree) = (store.add(&small, V1), store.add(&large, V0));
    let tricks: [Failure; 5] = [
        ("hangs", "GATEWAY_TOO_SLOW", |reply| Reply { wait: Duration::from_secs(60), ..reply }),
        ("hangs in the middle", "GATEWAY_TOO_SLOW", |reply| {
            let half = (reply.body.len() / 2).max(1);
            reply.pace(half, Duration::from_secs(60))
        }),
        ("drips", "GATEWAY_TOO_SLOW", |reply| reply.pace(10, Duration::from_millis(20))),
        ("says 504", "GATEWAYS_FAILED", |_| Reply::new(504, "text/html", "<html>late</html>")),
        ("says 500", "GATEWAYS_FAILED", |_| Reply::new(500, "text/plain", "")),
    ];
    for (name, code, trick) in tricks {
        for (cid, content) in [(&raw, &small), (&tree, &large)] {
            let trick = move |asked: &Asked, reply: Reply| {
                if asked.path == "bafkqaaa" { reply } else { trick(reply) }
            };
            let bad = Server::start(&store, ALL, Box::new(trick));
            let (desk, cid) = (Desk::new(), cid.to_string());
            let began = Instant::now();
            let error = desk.refused(&asking(&[&bad], brisk()), &cid);
            assert_eq!(error.code(), code, "it {name}: {error}");
            assert!(error.is_retryable());
            assert!(began.elapsed() < Duration::from_secs(8), "it {name}: {:?}", began.elapsed());

            let good = Server::honest(&store, ALL);
            let began = Instant::now();
            let (_, got) = Desk::new().fetch(&asking(&[&bad, &good], brisk()), &cid).unwrap();
            assert!(got == *content, "it {name}, another serves");
            assert!(began.elapsed() < Duration::from_secs(5), "it {name}: {:?}", began.elapsed());
        }
    }
    // Nobody is there at all.
    let nobody = Gateway::new("http://127.0.0.1:9").unwrap();
    let alone = Gateways::new(Arc::new(HttpFetcher::new()), vec![nobody.clone()], brisk());
    for cid in [&raw, &tree] {
        assert_eq!(Desk::new().refused(&alone, &cid.to_string()).code(), "OFFLINE");
    }
    let good = Server::honest(&store, ALL);
    let both = vec![nobody, good.gateway()];
    let gateways = Gateways::new(Arc::new(HttpFetcher::new()), both, brisk());
    assert!(Desk::new().fetch(&gateways, &tree.to_string()).unwrap().1 == large);
}

#[test]
fn c56_a_tree_whose_inner_blocks_are_the_file_comes_as_an_archive() {
    // A chain of nodes that carry 256 KiB each: nothing is gained by fetching them first.
    let mut store = Store::new();
    let (mut chain, mut content): (Vec<(Cid, Vec<u8>)>, Vec<u8>) = (Vec::new(), Vec::new());
    for number in 0..60_u8 {
        let data: Vec<u8> =
            (0..256_usize << 10).map(|at| ((at * 7) & 255).to_le_bytes()[0] ^ number).collect();
        let mut unixfs = [vec![0x08, 0x02], field(0x12, &data), vec![0x18]].concat();
        content.splice(..0, data);
        unixfs.extend(varint(content.len() as u64));
        let mut block = Vec::new();
        if let Some((below, _)) = chain.last() {
            let link = [field(0x0A, below.as_bytes()), vec![0x12, 0x00, 0x18, 0x00]].concat();
            block.extend(field(0x12, &link));
            unixfs.push(0x20);
            unixfs.extend(varint((content.len() - (256 << 10)) as u64));
        }
        block.extend(field(0x0A, &unixfs));
        chain.push((named(Codec::DagPb, &block), block));
    }
    let root = chain.last().unwrap().0.to_string();
    for (cid, block) in &chain {
        store.blocks.insert(cid.to_string(), Arc::new(block.clone()));
    }
    chain.reverse();
    store.archives.insert(root.clone(), Arc::new(car(&chain)));
    store.files.insert(root.clone(), Arc::new(content.clone()));
    let (part, end) = (chain[40].0.to_string(), content[content.len() - (20 << 18)..].to_vec());
    store.files.insert(part.clone(), Arc::new(end.clone()));
    let server = Server::honest(&store, ALL);
    let mut options = brisk();
    options.limits.depth = 100;
    let (fetched, got) = Desk::new().fetch(&asking(&[&server], options), &root).unwrap();
    assert_eq!((fetched.source, got == content), (Source::Car, true));
    assert!(server.sent() < 26 << 20, "{}: half of it twice at most", server.sent());
    // Of fewer the skeleton is enough, though it leaves nothing to fetch.
    let (fetched, got) = Desk::new().fetch(&asking(&[&server], options), &part).unwrap();
    assert_eq!((fetched.source, got == end), (Source::Skeleton, true));
}

#[test]
fn a_page_that_stands_before_all_gateways_is_forgotten_when_it_goes() {
    let mut store = Store::new();
    let bytes = pattern(3 << 20);
    let cid = store.add(&bytes, V0).to_string();
    let is_there = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let page = Arc::clone(&is_there);
    let trick = move |_: &Asked, reply: Reply| {
        if page.load(Ordering::SeqCst) {
            return Reply::new(200, "text/html", "<html>Welcome to the hotel</html>");
        }
        reply
    };
    let server = Server::start(&store, ALL, Box::new(trick));
    let (gateways, desk) = (asking(&[&server], brisk()), Desk::new());
    assert_eq!(desk.refused(&gateways, &cid).code(), "CONTENT_UNPROVED");
    is_there.store(false, Ordering::SeqCst);
    let (fetched, got) = desk.fetch(&gateways, &cid).unwrap();
    assert_eq!((fetched.source, got == bytes), (Source::Skeleton, true));
}

#[test]
fn c51_what_was_proved_is_not_fetched_again() {
    let mut store = Store::new();
    let bytes = pattern(8 << 20);
    for profile in [V0, V1] {
        let cid = store.add(&bytes, profile).to_string();
        // Each range is cut after two thirds, and nothing more is given after four of them.
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let trick = move |asked: &Asked, mut reply: Reply| {
            if asked.form == "plain" && asked.path != "bafkqaaa" {
                reply.cut = reply.body.len() * 2 / 3;
                if counted.fetch_add(1, Ordering::SeqCst) >= 2 {
                    return Reply::new(503, "text/plain", "");
                }
            }
            reply
        };
        let bad = Server::start(&store, ALL, Box::new(trick));
        let desk = Desk::new();
        let options = FetchOptions { range_bytes: 3 << 20, ..brisk() };
        desk.refused(&asking(&[&bad], options), &cid);
        assert_eq!(names(desk.0.path()), [format!("{cid}.leaves"), format!("{cid}.part")]);

        // What the length of the file says is nothing: the tail came first, or never.
        let part = desk.0.path().join(format!("{cid}.part"));
        let file = fs::File::options().write(true).open(&part).unwrap();
        file.set_len(8 << 20).unwrap();
        let good = Server::honest(&store, ALL);
        let (fetched, got) = desk.fetch(&asking(&[&good], options), &cid).unwrap();
        assert!(got == bytes);
        assert_eq!(fetched.source, Source::Skeleton);
        let missing = good.asked().iter().all(|asked| asked.form == "plain");
        assert!(missing, "the inner blocks were kept: {:?}", good.asked());
        let sent = good.sent();
        assert!(sent < (8 << 20) - (2 << 20), "{sent} bytes, after at least 2 MiB were proved");
    }
}

#[test]
fn c51_marks_and_kept_blocks_are_not_believed() {
    let mut store = Store::new();
    let bytes = pattern(4 << 20);
    let cid = store.add(&bytes, V0).to_string();
    let good = Server::honest(&store, ALL);
    for damage in 0..6 {
        let count = Arc::new(AtomicUsize::new(0));
        let trick = move |asked: &Asked, reply: Reply| {
            if asked.form == "plain" && count.fetch_add(1, Ordering::SeqCst) >= 2 {
                return Reply::new(503, "text/plain", "");
            }
            reply
        };
        let bad = Server::start(&store, ALL, Box::new(trick));
        let desk = Desk::new();
        desk.refused(&asking(&[&bad], brisk()), &cid);
        let part = desk.0.path().join(format!("{cid}.part"));
        let leaves = desk.0.path().join(format!("{cid}.leaves"));
        let (mut data, mut marks) = (fs::read(&part).unwrap(), fs::read(&leaves).unwrap());
        match damage {
            0 => data.fill(0),
            1 => data.truncate(100),
            2 => marks.iter_mut().rev().take(2).for_each(|byte| *byte = 255),
            3 => marks[60] ^= 1,
            4 => marks.truncate(20),
            _ => marks = vec![255; 1_000],
        }
        fs::write(&part, data).unwrap();
        fs::write(&leaves, marks).unwrap();
        assert!(desk.fetch(&asking(&[&good], brisk()), &cid).unwrap().1 == bytes, "{damage}");
    }
}

#[test]
fn c51_a_body_that_was_cut_goes_on_where_it_was() {
    let mut store = Store::new();
    let bytes = pattern(900_000);
    let (raw, tree) = (store.add(&bytes, V1), store.add(&bytes, V0));
    let ranged = Able { ranges: true, ..PLAIN };
    for (cid, able) in [(raw.to_string(), ALL), (tree.to_string(), ranged)] {
        let trick = |asked: &Asked, mut reply: Reply| {
            if asked.path != "bafkqaaa" {
                reply.cut = 600_000;
                if asked.range.is_some() {
                    return Reply::new(503, "text/plain", "");
                }
            }
            reply
        };
        let bad = Server::start(&store, able, Box::new(trick));
        let good = Server::honest(&store, able);
        let desk = Desk::new();
        desk.refused(&asking(&[&bad], brisk()), &cid);
        assert_eq!(names(desk.0.path()), [format!("{cid}.part")]);
        let gateways = asking(&[&good], brisk());
        assert!(desk.fetch(&gateways, &cid).unwrap().1 == bytes);
        assert!(good.sent() <= 310_000, "{} bytes", good.sent());

        // What was there was something else: the whole is fetched, and nobody is blamed for it.
        desk.refused(&asking(&[&bad], brisk()), &cid);
        let part = desk.0.path().join(format!("{cid}.part"));
        let mut data = fs::read(&part).unwrap();
        data[7] ^= 1;
        fs::write(&part, &data).unwrap();
        assert!(desk.fetch(&gateways, &cid).unwrap().1 == bytes);
        // More than there is, and all of it.
        fs::write(&part, [&bytes[..], b"more"].concat()).unwrap();
        assert!(desk.fetch(&gateways, &cid).unwrap().1 == bytes);
        good.forget();
        fs::write(&part, &bytes).unwrap();
        assert!(desk.fetch(&gateways, &cid).unwrap().1 == bytes);
        assert!(good.sent() <= bytes.len() as u64, "{}", good.sent());
    }
}

#[test]
fn c54_several_gateways_share_a_file_and_a_stalled_one_loses_its_range() {
    let mut store = Store::new();
    let bytes = pattern(24 << 20);
    let cid = store.add(&bytes, V1).to_string();
    let slow = |_: &Asked, reply: Reply| reply.pace(64 << 10, Duration::from_millis(4));
    let servers = [(); 3].map(|()| Server::start(&store, ALL, Box::new(slow)));
    let list: Vec<&Server> = servers.iter().collect();
    let (fetched, got) = Desk::new().fetch(&asking(&list, brisk()), &cid).unwrap();
    assert!(got == bytes && fetched.source == Source::Skeleton);
    let shares: Vec<u64> = servers.iter().map(Server::sent).collect();
    assert!(shares.iter().all(|share| *share > 2 << 20), "{shares:?}");
    assert!(shares.iter().sum::<u64>() < 26 << 20, "nothing is fetched twice: {shares:?}");

    // One never ends its range; the others do it, sooner than it would have been given up.
    let stalls = |asked: &Asked, reply: Reply| match asked.form {
        "plain" => reply.pace(100_000, Duration::from_secs(60)),
        _ => reply,
    };
    let stalled = Server::start(&store, ALL, Box::new(stalls));
    let mut options = brisk();
    options.timeouts.idle = Duration::from_secs(20);
    options.rate_window = Duration::from_secs(20);
    options.hedge_after = Duration::from_millis(100);
    let began = Instant::now();
    let gateways = asking(&[&stalled, &servers[0], &servers[1]], options);
    assert!(Desk::new().fetch(&gateways, &cid).unwrap().1 == bytes);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn c55_a_liar_is_not_asked_for_a_while_and_the_others_are() {
    let mut store = Store::new();
    let cids: Vec<String> = (0..5_u8).map(|of| store.add(&[of; 1_000], V1).to_string()).collect();
    let lie = |asked: &Asked, reply: Reply| match asked.path.as_str() {
        "bafkqaaa" => reply,
        _ => Reply::new(200, RAW, "something else"),
    };
    let liar = Server::start(&store, ALL, Box::new(lie));
    let friend = Server::honest(&store, ALL);
    let gateways = asking(&[&liar, &friend], brisk());
    let desk = Desk::new();
    for cid in &cids {
        let (fetched, _) = desk.fetch(&gateways, cid).unwrap();
        assert_eq!(fetched.gateway.as_deref(), Some(friend.url.as_str()));
    }
    assert_eq!(liar.asked().len(), 1, "once is enough");
    // Alone, it is not asked again either.
    let alone = asking(&[&liar], brisk());
    assert_eq!(desk.refused(&alone, &cids[0]).code(), "CONTENT_MISMATCH");
    liar.forget();
    assert_eq!(desk.refused(&alone, &cids[1]).code(), "GATEWAYS_FAILED");
    assert!(liar.asked().is_empty());
}

/// A network that never answers, and hears when nobody wants it to any more.
#[derive(Default)]
struct Silent(Mutex<(usize, usize)>);

impl Fetcher for Silent {
    fn get(&self, _: &Request) -> Result<Response, FetchError> {
        Err(FetchError::Answer("it is asked with a way to stop it"))
    }

    fn get_until(&self, _: &Request, cancel: &Cancel) -> Result<Response, FetchError> {
        self.0.lock().unwrap().0 += 1;
        while !cancel.is_cancelled() {
            thread::sleep(Duration::from_millis(2));
        }
        self.0.lock().unwrap().1 += 1;
        Err(FetchError::GivenUp)
    }
}

#[test]
fn c58_the_network_is_told_when_nobody_waits_for_its_answer() {
    let silent = Arc::new(Silent::default());
    let gateways = vec![Gateway::new("https://a.example").unwrap()];
    let gateways = Gateways::new(silent.clone(), gateways, FetchOptions::default());
    let cancel = Cancel::default();
    let control = FetchControl::default().cancelled_by(cancel.clone());
    let counts = || *silent.0.lock().unwrap();
    let until = |reached: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !reached() && begun.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(2));
        }
    };
    thread::scope(|scope| {
        let fetch = scope.spawn(|| {
            let wanted = finalmile::ipfs::cid_of_bytes(b"hello world").into();
            gateways.fetch(&wanted, Desk::new().0.path(), &control)
        });
        until(&|| counts().0 > 0);
        cancel.cancel();
        assert_eq!(fetch.join().unwrap().unwrap_err().code(), "CANCELLED");
    });
    until(&|| counts().0 == counts().1);
    let (asked, stopped) = counts();
    assert!(asked > 0 && asked == stopped, "{stopped} of {asked} were stopped");
}

#[test]
fn c58_a_cancelled_fetch_ends_soon_and_progress_is_told() {
    let mut store = Store::new();
    let bytes = pattern(6 << 20);
    let cid = store.add(&bytes, V0);
    let slow = |_: &Asked, reply: Reply| reply.pace(16 << 10, Duration::from_millis(20));
    let slow = Server::start(&store, ALL, Box::new(slow));
    let hangs = |asked: &Asked, reply: Reply| match asked.path.as_str() {
        "bafkqaaa" => reply,
        _ => Reply { wait: Duration::from_secs(60), ..reply },
    };
    let hangs = Server::start(&store, ALL, Box::new(hangs));
    let mut options = brisk();
    options.timeouts.idle = Duration::from_secs(30);
    for (server, after) in [(&slow, 700), (&hangs, 200)] {
        let (desk, cancel) = (Desk::new(), Cancel::default());
        let told = Arc::new(Mutex::new(Vec::new()));
        let (telling, stop) = (Arc::clone(&told), cancel.clone());
        let control = FetchControl::default()
            .cancelled_by(cancel)
            .told_to(move |progress| telling.lock().unwrap().push(progress));
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(after));
            stop.cancel();
            Instant::now()
        });
        let gateways = asking(&[server], options);
        let error = gateways.fetch(&cid.clone().into(), desk.0.path(), &control).unwrap_err();
        let ended = Instant::now();
        assert_eq!((error.code(), error.is_retryable()), ("CANCELLED", true));
        assert!(ended - stopper.join().unwrap() < Duration::from_millis(500));
        let told = told.lock().unwrap();
        if after == 700 {
            assert!(told.len() > 1, "{told:?}");
            assert!(told.iter().all(|told| told.total_bytes == Some(6 << 20)), "{told:?}");
            // What was proved is there, and goes on from there.
            let proved = told.last().unwrap().bytes;
            assert!(proved >= 256 << 10);
            let good = Server::honest(&store, ALL);
            assert!(desk.fetch(&asking(&[&good], brisk()), &cid.to_string()).unwrap().1 == bytes);
            assert!(good.sent() <= (6 << 20) - proved + 1_000, "{} after {proved}", good.sent());
        }
    }
}

#[test]
fn c56_a_part_can_be_read_without_the_rest() {
    let mut store = Store::new();
    let bytes = pattern(12 << 20);
    for (profile, able, most) in [
        (V0, ALL, 1 << 20),
        (V1, ALL, 3 << 20),
        (V0, RAW_ONLY, 1 << 20),
        (V0, PLAIN, u64::MAX),
        (V1, CAR_ONLY, u64::MAX),
    ] {
        let cid = store.add(&bytes, profile);
        let server = Server::honest(&store, able);
        let (gateways, desk) = (asking(&[&server], brisk()), Desk::new());
        let read = |range: std::ops::Range<u64>| {
            let control = FetchControl::default();
            gateways.read(&cid.clone().into(), range, desk.0.path(), &control).unwrap()
        };
        assert!(read(5_000_000..5_000_100) == bytes[5_000_000..5_000_100]);
        assert!(server.sent() <= most, "{} bytes for a hundred", server.sent());
        server.forget();
        assert!(read(5_000_050..5_000_090) == bytes[5_000_050..5_000_090]);
        assert!(most == u64::MAX || server.asked().is_empty(), "{:?}", server.asked());
        // As far as it has them.
        let size = bytes.len();
        assert!(read(size as u64 - 5..u64::MAX) == bytes[size - 5..]);
        assert!(read(size as u64 + 5..u64::MAX).is_empty());
    }
}

#[test]
fn c59_what_nobody_has_is_not_asked_for_again_at_once() {
    let store = Store::new();
    let servers = [Server::honest(&store, ALL), Server::honest(&store, PLAIN)];
    let mut options = brisk();
    options.absent_for = Duration::from_millis(300);
    let gateways = asking(&[&servers[0], &servers[1]], options);
    let desk = Desk::new();
    let cid = finalmile::ipfs::cid_of_bytes(b"nobody has it").to_string();
    let asked = || servers[0].asked().len() + servers[1].asked().len();
    assert_eq!(desk.refused(&gateways, &cid).code(), "CONTENT_UNAVAILABLE");
    let first = asked();
    assert!(first >= 2);
    assert_eq!(desk.refused(&gateways, &cid).code(), "CONTENT_UNAVAILABLE");
    assert_eq!(asked(), first, "it is remembered");
    thread::sleep(Duration::from_millis(350));
    assert_eq!(desk.refused(&gateways, &cid).code(), "CONTENT_UNAVAILABLE");
    assert!(asked() > first, "and forgotten");
    assert_eq!(names(desk.0.path()).len(), 0, "it is never kept as content");
}

#[test]
fn c60_what_is_cached_needs_no_network() {
    let mut store = Store::new();
    let (small, large) = (pattern(1_000), pattern(2 << 20));
    let cids = [store.add(&small, V1), store.add(&large, V0)];
    let server = Server::honest(&store, ALL);
    let desk = Desk::new();
    let open =
        |list: &[&Server]| Client::new(Cache::open(desk.0.path()).unwrap(), asking(list, brisk()));
    let get = |client: &Client, cid: &Cid| {
        client.get_cached_or_fetch(&cid.clone().into(), Kind::Media, &FetchControl::default())
    };
    let client = open(&[&server]);
    for (cid, content) in cids.iter().zip([&small, &large]) {
        let fetched = get(&client, cid).unwrap();
        assert_ne!(fetched.source, Source::Cache);
        assert!(fs::read(&fetched.path).unwrap() == **content);
        assert_eq!(client.cache().get(cid).unwrap(), Some(fetched.path));
    }
    server.forget();
    let offline = open(&[]);
    for (cid, content) in cids.iter().zip([&small, &large]) {
        for client in [&client, &offline] {
            let found = get(client, cid).unwrap();
            assert_eq!((found.source, found.gateway), (Source::Cache, None));
            assert!(fs::read(&found.path).unwrap() == **content);
        }
    }
    assert!(server.asked().is_empty());
    assert_eq!(names(desk.0.path()).len(), 2);
    let other = finalmile::ipfs::cid_of_bytes(b"other");
    assert_eq!(get(&offline, &other).unwrap_err().code(), "GATEWAYS_FAILED");
}

#[test]
fn c60_what_came_into_the_cache_is_found_although_no_gateway_had_it() {
    let server = Server::honest(&Store::new(), ALL);
    let desk = Desk::new();
    let client = Client::new(Cache::open(desk.0.path()).unwrap(), asking(&[&server], brisk()));
    let wanted = finalmile::ipfs::cid_of_bytes(b"an upload of our own").into();
    let get = || client.get_cached_or_fetch(&wanted, Kind::Media, &FetchControl::default());
    assert_eq!(get().unwrap_err().code(), "CONTENT_UNAVAILABLE");
    assert_eq!(client.cache().stats().unwrap().misses, 1, "a miss is counted once");
    client.cache().put_bytes(b"an upload of our own", Kind::Media).unwrap();
    assert_eq!(get().unwrap().source, Source::Cache);
}

#[test]
fn c61_however_many_ask_one_fetch_is_made_and_all_hear_of_it() {
    let mut store = Store::new();
    let bytes = pattern(900_000);
    let cid = store.add(&bytes, V1);
    let server = Server::honest(&store, ALL);
    let desk = Desk::new();
    let client = Client::new(Cache::open(desk.0.path()).unwrap(), asking(&[&server], brisk()));
    let heard = AtomicUsize::new(0);
    let together = Barrier::new(20);
    thread::scope(|scope| {
        for number in 0..20 {
            let (client, cid, bytes, heard, together) = (&client, &cid, &bytes, &heard, &together);
            scope.spawn(move || {
                let (last, cancel) = (Arc::new(AtomicU64::new(0)), Cancel::default());
                let told = last.clone();
                let control = FetchControl::default()
                    .cancelled_by(cancel.clone())
                    .told_to(move |progress| told.store(progress.bytes, Ordering::SeqCst));
                together.wait();
                if number == 0 {
                    cancel.cancel();
                    let gone =
                        client.get_cached_or_fetch(&cid.clone().into(), Kind::Media, &control);
                    // It may be there before this one has asked.
                    match gone {
                        Err(error) => assert_eq!(error.code(), "CANCELLED"),
                        Ok(got) => assert_eq!(got.source, Source::Cache),
                    }
                    return;
                }
                let got = client.get_cached_or_fetch(&cid.clone().into(), Kind::Media, &control);
                assert!(fs::read(got.unwrap().path).unwrap() == *bytes);
                heard.fetch_add(
                    usize::from(last.load(Ordering::SeqCst) == 900_000),
                    Ordering::SeqCst,
                );
            });
        }
    });
    let asked = server.asked();
    let fetches = asked.iter().filter(|asked| asked.path == cid.to_string()).count();
    assert_eq!(fetches, 1, "{asked:?}");
    // Whoever found it in the cache already heard nothing; somebody fetched it and did.
    assert!(heard.load(Ordering::SeqCst) >= 1);
}

#[test]
fn c61_a_feed_is_fetched_ahead_and_read_from_the_cache() {
    let mut store = Store::new();
    let content: Vec<Vec<u8>> = (1..=8).map(|number| pattern(1_000 * number)).collect();
    let feed: Vec<ContentPath> = content.iter().map(|bytes| store.add(bytes, V1).into()).collect();
    let server = Server::honest(&store, ALL);
    let desk = Desk::new();
    let client = Client::new(Cache::open(desk.0.path()).unwrap(), asking(&[&server], brisk()));
    client.prefetch_feed(&feed, 1);
    let there = |at: usize| client.cache().contains(feed[at].cid());
    let begun = Instant::now();
    while !(2..5).all(there) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the next three come");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((0..8).filter(|at| there(*at)).count(), 3, "and no others");
    server.forget();
    client.prefetch_feed(&feed, 1);
    for (path, bytes) in feed.iter().zip(&content).skip(2).take(3) {
        let got =
            client.get_cached_or_fetch(path, Kind::Thumbnail, &FetchControl::default()).unwrap();
        assert_eq!(got.source, Source::Cache);
        assert!(fs::read(got.path).unwrap() == *bytes);
    }
    assert!(server.asked().is_empty(), "what is there is not asked for");
    assert_eq!(client.cache().stats().unwrap().thumbnails.entries, 3);
}

#[test]
fn c61_what_is_too_large_to_be_kept_passes_through() {
    let mut store = Store::new();
    let bytes = pattern(900_000);
    let cid = store.add(&bytes, V1);
    let server = Server::honest(&store, ALL);
    let desk = Desk::new();
    let options = CacheOptions { limit_bytes: 1 << 20, ..CacheOptions::default() };
    let client =
        Client::new(Cache::with(desk.0.path(), options).unwrap(), asking(&[&server], brisk()));
    let get =
        || client.get_cached_or_fetch(&cid.clone().into(), Kind::Media, &FetchControl::default());
    let got = get().unwrap();
    assert!(fs::read(&got.path).unwrap() == bytes);
    assert!(got.entry.as_ref().is_some_and(|entry| !entry.kept));
    let path = got.path.clone();
    drop(got);
    assert!(!path.exists(), "it goes with its entry");
    assert!(!client.cache().contains(&cid));
    client.cache().pin(&cid).unwrap();
    let pinned = get().unwrap();
    assert!(pinned.entry.as_ref().is_some_and(|entry| entry.kept));
    drop(pinned);
    assert_eq!(get().unwrap().source, Source::Cache);
}

#[test]
fn limits_hold_on_every_way() {
    let mut store = Store::new();
    let bytes = pattern(2 << 20);
    let (raw, tree) = (store.add(&bytes[..1 << 20], V1), store.add(&bytes, V0));
    let mut options = brisk();
    options.limits = Limits { file_bytes: 500_000, ..Limits::default() };
    for (cid, able) in [(&raw, ALL), (&tree, ALL), (&tree, CAR_ONLY), (&tree, PLAIN)] {
        let server = Server::honest(&store, able);
        let error = Desk::new().refused(&asking(&[&server], options), &cid.to_string());
        assert_eq!(error.code(), "CONTENT_TOO_LARGE", "{error}");
    }
}

/// The example, run as its users run it.
fn example(cache: &Path, servers: &[&Server], wanted: &str) -> Child {
    let mut command = Command::new(example::find("ipfs_get", &["--features", "ipfs,http"]));
    command.arg("--cache").arg(cache).arg("--json").arg(wanted);
    for server in servers {
        command.args(["--gateway", &server.url]);
    }
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn line(child: Child) -> (i32, serde_json::Value) {
    let done = child.wait_with_output().unwrap();
    (done.status.code().unwrap(), serde_json::from_slice(&done.stdout).unwrap())
}

#[test]
fn c51_a_killed_download_goes_on_with_what_is_missing() {
    let size = 48 << 20;
    let mut store = Store::new();
    let bytes = pattern(size);
    let tree = store.add(&bytes, V0).to_string();
    let slow = |asked: &Asked, reply: Reply| match asked.form {
        "plain" => reply.pace(64 << 10, Duration::from_millis(1)),
        _ => reply,
    };
    let servers = [(); 2].map(|()| Server::start(&store, ALL, Box::new(slow)));
    let both = [&servers[0], &servers[1]];
    let sent = || servers.iter().map(Server::sent).sum::<u64>();
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    let mut total = 0;
    for _ in 0..3 {
        servers.iter().for_each(Server::forget);
        let mut child = example(cache, &both, &tree);
        while sent() < 8 << 20 {
            assert!(child.try_wait().unwrap().is_none(), "it is not done yet");
            thread::sleep(Duration::from_millis(2));
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        thread::sleep(Duration::from_millis(100));
        total += sent();
        assert!(!cache.join(&tree).exists(), "nothing is there under its name yet");
        // In the folder of the process that died.
        let homes = fs::read_dir(cache.join(".finalmile")).unwrap();
        let leaves = format!("{tree}.leaves");
        assert!(homes.flatten().any(|home| home.path().join(&leaves).exists()));
    }
    servers.iter().for_each(Server::forget);
    let (code, said) = line(example(cache, &both, &tree));
    assert_eq!((code, &said["source"], &said["bytes"]), (0, &"skeleton".into(), &size.into()));
    assert!(fs::read(cache.join(&tree)).unwrap() == bytes);
    assert_eq!(names(cache), [tree.as_str()]);
    let all = total + sent();
    // What was on its way when it was killed came for nothing: buffers of the system, and leaves that
    // were not whole, for each of two gateways and each of three times.
    assert!(sent() < (28 << 20) && all < (size as u64) + (6 << 20), "{} of {all}", sent());
    let asked: Vec<Asked> = servers.iter().flat_map(Server::asked).collect();
    assert!(asked.iter().all(|asked| asked.form == "plain"), "no inner block comes twice");

    // And now it needs nobody.
    servers.iter().for_each(Server::forget);
    let (code, said) = line(example(cache, &both, &tree));
    assert_eq!((code, &said["source"], &said["gateway"]), (0, &"cache".into(), &().into()));
    assert_eq!(
        servers.iter().map(|server| server.asked().len() + server.probes()).sum::<usize>(),
        0
    );
}

/// The most memory that a process has held at once, as far as it was seen.
#[cfg(target_os = "linux")]
fn peak_bytes(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0_u64) << 10);
        thread::sleep(Duration::from_millis(5));
    }
    peak
}

#[test]
#[cfg(target_os = "linux")]
fn c56_memory_does_not_grow_with_the_file() {
    let mut store = Store::new();
    let bytes = pattern(64 << 20);
    let small = store.add(&bytes[..1 << 20], V0).to_string();
    let (v0, v1) = (store.add(&bytes, V0).to_string(), store.add(&bytes, V1).to_string());
    let pace = |_: &Asked, reply: Reply| reply.pace(1 << 20, Duration::from_millis(10));
    let start = |able| Server::start(&store, able, Box::new(pace));
    let servers = [ALL, ALL, ALL].map(start);
    let several: Vec<&Server> = servers.iter().collect();
    let (archives, plain) = (start(CAR_ONLY), start(PLAIN));
    let peak = |servers: &[&Server], wanted: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut child = example(folder.path(), servers, wanted);
        let peak = peak_bytes(&mut child);
        assert_eq!(line(child).0, 0);
        peak
    };
    let least = peak(&several[..1], &small);
    for (way, servers, wanted, most) in [
        ("ranges of 256 KiB leaves from three", &several[..], &v0, 6),
        ("ranges of 1 MiB leaves from three", &several[..], &v1, 12),
        ("an archive", &[&archives][..], &v0, 6),
        ("a plain body, under five profiles", &[&plain][..], &v0, 6),
    ] {
        let above = peak(servers, wanted).saturating_sub(least);
        println!("{way}: {} KiB above {} KiB", above >> 10, least >> 10);
        assert!(above < most << 20, "{way}: {above} bytes above {least}");
    }
}

#[test]
fn the_example_says_what_came_and_what_was_refused() {
    let mut store = Store::new();
    let bytes = pattern(3 << 20);
    let (raw, tree) = (store.add(b"hello world", V1), store.add(&bytes, V1));
    let lie = |asked: &Asked, mut reply: Reply| {
        if let Some(byte) = reply.body.last_mut().filter(|_| asked.path != "bafkqaaa") {
            *byte ^= 1;
        }
        reply
    };
    let (friend, liar) = (Server::honest(&store, ALL), Server::start(&store, ALL, Box::new(lie)));
    let folder = tempfile::tempdir().unwrap();
    for (wanted, source, size) in [(&raw, "raw", 11), (&tree, "skeleton", bytes.len())] {
        let (code, said) = line(example(folder.path(), &[&friend], &wanted.to_string()));
        assert_eq!((code, &said["source"], &said["bytes"]), (0, &source.into(), &size.into()));
        assert_eq!(said["cid"], wanted.to_string());
        assert_eq!(said["gateway"], friend.url);
        assert!(said["path"].as_str().unwrap().ends_with(&wanted.to_string()));
    }
    let other = tempfile::tempdir().unwrap();
    let (code, said) = line(example(other.path(), &[&liar], &raw.to_string()));
    assert_eq!((code, &said["error"]["code"]), (1, &"CONTENT_MISMATCH".into()));
    assert_eq!(said["cid"], raw.to_string());
    let (code, said) = line(example(other.path(), &[&liar], &"b".repeat(10_000)));
    assert_eq!((code, &said["error"]["code"]), (1, &"INVALID_CID".into()));
    let (code, said) = line(example(other.path(), &[&friend], &format!("{raw}/../x")));
    assert_eq!((code, &said["error"]["code"]), (1, &"INVALID_PATH".into()));
    assert_eq!(names(other.path()).len(), 0);
}
