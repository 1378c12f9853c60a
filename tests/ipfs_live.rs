//! Fetching from a gateway that others wrote: every form that it serves, and what it names alike.
//!
//! Needs npm; `FINALMILE_SKIP_LIVE=1` leaves it out.
#![cfg(all(feature = "ipfs", feature = "http"))]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/live_gateway.rs"]
mod live_gateway;

use std::{fs, sync::Arc, time::Duration};

use finalmile::{
    fetch::HttpFetcher,
    ipfs::{
        Cid, ContentPath, FetchControl, FetchOptions, Fetched, Gateway, Gateways, ImportOptions,
        IpfsError, Source, cid_of_bytes, import_path,
    },
};
use live_gateway::LiveGateway;
use tempfile::tempdir;

#[test]
fn c50_a_gateway_that_others_wrote_serves_every_way() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pattern = |length: usize| -> Vec<u8> {
        (0..length).map(|i| (i * 31 + (i >> 8) * 17 + (i >> 16) * 7).to_le_bytes()[0]).collect()
    };
    let (small, large) = (pattern(50_000), pattern(5_500_000));
    fs::write(at("small"), &small).unwrap();
    fs::write(at("large"), &large).unwrap();
    fs::create_dir(at("basic")).unwrap();
    fs::create_dir(at("sharded")).unwrap();
    fs::write(at("basic/a"), "first").unwrap();
    fs::write(at("basic/b c.txt"), "second").unwrap();
    for number in 0..3_500 {
        fs::write(at(&format!("sharded/{number:050}")), number.to_string()).unwrap();
    }
    let paths = ["small", "large", "basic", "sharded"].map(at);
    let Some(live) = LiveGateway::start(&paths.each_ref().map(|path| path.as_path())) else {
        return;
    };
    let ids = |name: &str| live.held[at(name).to_str().unwrap()].clone();

    // Both name alike.
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let ours = import_path(path, ImportOptions::default()).unwrap().cid();
        assert_eq!(ids(name)[0].parse::<Cid>().unwrap(), ours, "{name}");
    }

    let into = tempdir().unwrap();
    let impatient = FetchOptions { patience: Duration::from_secs(1), ..FetchOptions::default() };
    let fetch = |door: &str, wanted: &str| -> Result<(Fetched, Vec<u8>), IpfsError> {
        let gateway = Gateway::new(format!("{}{door}", live.url)).unwrap();
        let fetcher = Arc::new(HttpFetcher::new());
        let gateways = Gateways::new(fetcher, vec![gateway], impatient);
        let wanted: ContentPath = wanted.parse().unwrap();
        let fetched = gateways.fetch(&wanted, into.path(), &FetchControl::default())?;
        let bytes = fs::read(&fetched.path).unwrap();
        fs::remove_file(&fetched.path).unwrap();
        Ok((fetched, bytes))
    };
    for version in [0, 1] {
        for (door, source) in [
            ("", Source::Skeleton),
            ("/blocks", Source::Skeleton),
            ("/archives", Source::Car),
            ("/plain", Source::Reimport),
        ] {
            // Its CIDv0 are made in chunks of 1 MiB, wrapped: a profile that nobody names.
            let is_unknown = (version, door) == (1, "/plain");
            let wanted = &ids("large")[version];
            match fetch(door, wanted) {
                Ok((fetched, got)) => {
                    assert_eq!((fetched.source, got == large), (source, true), "{door} {wanted}");
                    assert!(!is_unknown);
                }
                Err(error) => {
                    assert!(is_unknown, "{door} {wanted}: {error}");
                    assert_eq!(error.code(), "CONTENT_UNPROVED");
                }
            }
        }
    }
    let [raw, wrapped] = ids("small");
    for door in ["", "/blocks", "/plain"] {
        let (fetched, got) = fetch(door, &raw).unwrap();
        assert_eq!((fetched.source, got == small), (Source::Raw, true), "{door}");
    }
    for door in ["", "/blocks", "/archives", "/plain"] {
        assert!(fetch(door, &wrapped).unwrap().1 == small, "{door}");
    }
    for version in [0, 1] {
        let (basic, sharded) = (&ids("basic")[version], &ids("sharded")[version]);
        for door in ["", "/blocks", "/archives"] {
            assert_eq!(fetch(door, &format!("{basic}/a")).unwrap().1, b"first", "{door}");
            assert_eq!(fetch(door, &format!("{basic}/b c.txt")).unwrap().1, b"second", "{door}");
            let deep = format!("{sharded}/{:050}", 3_210);
            assert_eq!(fetch(door, &deep).unwrap().1, b"3210", "{door}");
            for (wanted, code) in [
                (format!("{basic}/no"), "CONTENT_NOT_FOUND"),
                (format!("{sharded}/no"), "CONTENT_NOT_FOUND"),
                (sharded.clone(), "CONTENT_IS_DIRECTORY"),
            ] {
                let error = fetch(door, &wanted).unwrap_err();
                // Without blocks nobody can prove that a name is not there.
                let is_right = error.code() == code || door == "/archives";
                assert!(is_right, "{door} {wanted}: {error}");
            }
        }
    }
    let nobody = cid_of_bytes(b"nobody has it");
    assert_eq!(fetch("", &nobody.to_string()).unwrap_err().code(), "CONTENT_UNAVAILABLE");
    let gateway = Gateway::new(&live.url).unwrap();
    let gateways = Gateways::new(Arc::new(HttpFetcher::new()), vec![gateway], impatient);
    let wanted: ContentPath = ids("large")[0].parse().unwrap();
    let control = FetchControl::default();
    let part = gateways.read(&wanted, 3_000_000..3_000_050, into.path(), &control).unwrap();
    assert!(part == large[3_000_000..3_000_050]);
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 2, "the part and its marks");
}
