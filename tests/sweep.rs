//! The example `sweep`, run as its user runs it.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;
#[path = "support/world.rs"]
mod world;

use std::{process::Command, sync::Arc, time::Duration};

use finalmile::{AccountId, Credits, FinalMile, Simulated, Timestamp, engines::Sqlite};
use world::{key, purchase};

fn run(args: &[&str]) -> (i32, String, String) {
    let example = example::find("sweep", &["--features", "sqlite"]);
    let done = Command::new(example).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[test]
fn it_says_what_ended_and_who_has_much_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let db = path.to_str().unwrap();
    {
        // Long ago.
        let clock = Arc::new(Simulated::new(Timestamp::from_millis(1_500_000_000_000), 1));
        let fm = FinalMile::builder(Sqlite::file(&path)).world(clock).open().unwrap();
        let ada = AccountId::new("ada").unwrap();
        fm.ledger().add_credits(purchase(&ada, 1_000, "pi_0")).wait().unwrap();
        fm.uploads().begin(&ada, 1 << 20, &key("a")).wait().unwrap();
        let century = Duration::from_secs(100 * 365 * 86_400);
        fm.ledger().reserve(&ada, Credits::new(850), century, &key("b")).wait().unwrap();
    }
    let (code, said, complaints) = run(&["--db", db]);
    assert_eq!((code, complaints.as_str()), (0, ""));
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["table_name"], &lines[0]["deleted_count"]),
        (&"uploads".into(), &1.into())
    );
    let high = lines.iter().find(|line| line["account"] == "ada").unwrap();
    assert_eq!(high["reserved_percent"], 85);
    assert_eq!(lines.last().unwrap()["more"], false);
    let (code, said, _) = run(&["--db", db, "--reserved", "90"]);
    assert_eq!((code, said.lines().count()), (0, 1));
}

#[test]
fn wrong_usage_is_said() {
    assert_eq!(run(&[]).0, 2);
    assert_eq!(run(&["--db", "/nowhere/at/all.db"]).0, 1);
    assert!(run(&["--help"]).1.starts_with("sweep --db FILE"));
}
