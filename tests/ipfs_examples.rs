//! The examples `cid` and `ipfs_get`, run as their users run them.

#![cfg(feature = "ipfs")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;

use std::{fs, process::Command};

use finalmile::ipfs::{ImportOptions, write_car};
use serde_json::Value;

const EMPTY_DIRECTORY: &str = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";

fn run(name: &str, args: &[&str]) -> (i32, String, String) {
    let example = example::find(name, &["--features", "ipfs"]);
    let done = Command::new(example).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[test]
fn cid_prints_the_ids_of_files_and_directories() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (hello, empty) = (at("hello"), at("empty"));
    fs::write(&hello, "hello world").unwrap();
    fs::create_dir(&empty).unwrap();

    let (code, said, complaints) = run("cid", &[&hello, &empty]);
    assert_eq!((code, complaints.as_str()), (0, ""));
    let new = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    assert_eq!(said, format!("{new}  {hello}\n{EMPTY_DIRECTORY}  {empty}\n"));

    let old = "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD";
    for args in [
        &["--profile", "unixfs-v0-2015", &hello][..],
        &[
            "--chunk",
            "262144",
            "--width",
            "174",
            "--leaves",
            "dag-pb",
            "--cid-version",
            "0",
            &hello,
        ],
    ] {
        assert_eq!(run("cid", args).1, format!("{old}  {hello}\n"), "{args:?}");
    }

    // What cannot be read does not keep the others from being named.
    let (code, said, complaints) = run("cid", &[&at("no"), &hello]);
    assert_eq!((code, said), (1, format!("{new}  {hello}\n")));
    assert!(complaints.contains("cannot read"), "{complaints}");
}

#[test]
fn ipfs_get_takes_proved_files_out_of_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("d")).unwrap();
    fs::write(at("d/hello"), "hello world").unwrap();
    let mut car = Vec::new();
    let root = write_car(at("d").as_ref(), ImportOptions::default(), &mut car).unwrap().cid();
    fs::write(at("all.car"), &car).unwrap();

    let (cache, archive) = (at("cache"), at("all.car"));
    let get = |wanted: &str| {
        let (code, said, _) =
            run("ipfs_get", &["--cache", &cache, "--car", &archive, "--json", wanted]);
        (code, serde_json::from_str::<Value>(&said).unwrap())
    };
    let (code, line) = get(&format!("{root}/hello"));
    assert_eq!((code, &line["bytes"], &line["source"]), (0, &11.into(), &"car".into()));
    let path = line["path"].as_str().unwrap();
    assert_eq!(fs::read(path).unwrap(), b"hello world");
    assert!(path.ends_with(line["cid"].as_str().unwrap()), "it is named by its id");

    for (wanted, error) in [
        (format!("{root}"), "CONTENT_IS_DIRECTORY"),
        (format!("{root}/no"), "CONTENT_NOT_FOUND"),
        (format!("{root}/../hello"), "INVALID_PATH"),
        (EMPTY_DIRECTORY.to_owned(), "CONTENT_INCOMPLETE"),
        ("a".repeat(10_000), "INVALID_CID"),
    ] {
        let (code, line) = get(&wanted);
        assert_eq!((code, &line["error"]["code"]), (1, &error.into()), "{wanted:.80}");
    }
    // Beside the file lies the cache's own folder.
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 2, "refusals leave nothing");
}

#[test]
fn wrong_usage_is_said() {
    for (name, args) in [
        ("cid", &[][..]),
        ("cid", &["--profile", "none", "x"]),
        ("cid", &["--chunk", "0", "x"]),
        ("cid", &["--leaves", "green", "x"]),
        ("ipfs_get", &["--cache", "x", "bafkqaaa"]),
        ("ipfs_get", &["--cache", "x", "--car", "x"]),
        ("ipfs_get", &["--cache", "x", "--gateway", "http://example.org", "bafkqaaa"]),
        ("ipfs_get", &["--cache", "x", "--gateway", "https://example.org"]),
        (
            "ipfs_get",
            &["--cache", "x", "--gateway", "https://example.org", "--car", "x", "bafkqaaa"],
        ),
    ] {
        assert_eq!(run(name, args).0, 2, "{name} {args:?}");
    }
}
