//! The ledger when its process, its connection or its server is killed in the middle of work.
//!
//! The load is the example's, run as its user runs it; what it acknowledged must be there afterwards,
//! and the books must balance.

#![cfg(all(feature = "sqlite", feature = "postgres"))]
#![allow(clippy::print_stdout, reason = "it says how much was tried")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;
#[path = "support/postgres.rs"]
mod postgres_support;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use postgres_support::Cluster;

/// How often the load is killed.
const KILLS: usize = 50;

fn example() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| example::find("ledger_load", &["--all-features"]))
}

/// A running load and what it says.
struct Load {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Load {
    fn start(db: &str, seconds: u64) -> Self {
        let mut child = Command::new(example())
            .args(["--db", db, "--callers", "8", "--seconds", &seconds.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads so many acknowledgements.
    fn read(&mut self, count: usize, acked: &mut Vec<String>) {
        let before = acked.len();
        while acked.len() < before + count {
            let Some(Ok(line)) = self.lines.next() else { panic!("the load ended by itself") };
            acked.extend(line.starts_with("acked ").then_some(line));
        }
    }

    /// Reads what is left, to the end; whether it was a good one.
    fn end(mut self, acked: &mut Vec<String>) -> bool {
        let rest = self.lines.map_while(Result::ok);
        acked.extend(rest.filter(|line| line.starts_with("acked ")));
        self.child.wait().unwrap().success()
    }

    fn kill(mut self, acked: &mut Vec<String>) {
        self.child.kill().unwrap();
        assert!(!self.end(acked), "it was killed");
    }
}

/// What `--verify` says; it fails the test when anything is lost or broken.
fn verify(db: &str, acked: &[String]) -> String {
    let mut child = Command::new(example())
        .args(["--db", db, "--verify"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = acked.join("\n");
    let writer = thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// Kills the load again and again, each time somewhere else.
fn killed_again_and_again(db: &str) {
    let mut acked = Vec::new();
    for round in 0..KILLS {
        let mut load = Load::start(db, 600);
        load.read(1 + (round * 37) % 150, &mut acked);
        load.kill(&mut acked);
        if round % 10 == 9 {
            verify(db, &acked);
        }
    }
    let said = verify(db, &acked);
    println!("{KILLS} kills: {said}");
    assert!(acked.len() > KILLS * 20, "{said}");
}

#[test]
fn s1_p1_fifty_kills_on_sqlite_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    killed_again_and_again(folder.path().join("load.db").to_str().unwrap());
}

#[test]
fn s1_p1_fifty_kills_on_postgres_lose_nothing() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    killed_again_and_again(cluster.schema().url());
}

#[test]
fn p1_backends_that_are_killed_lose_nothing_and_work_goes_on() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    let mut acked = Vec::new();
    let mut load = Load::start(schema.url(), 600);
    let mut killed = 0;
    // A kill between two connections strikes nobody.
    for _ in 0..50 {
        load.read(60, &mut acked);
        killed += schema.kill_backends();
        if killed >= 10 {
            break;
        }
    }
    // Work goes on: nobody noticed but by waiting.
    load.read(60, &mut acked);
    load.kill(&mut acked);
    let said = verify(schema.url(), &acked);
    println!("{killed} backends killed: {said}");
    assert!(killed >= 10, "{said}");
}

#[test]
fn p1_a_server_that_is_killed_loses_nothing_and_work_goes_on() {
    if postgres_support::live_or_skip().is_none() {
        return;
    }
    let mut cluster = Cluster::start(postgres_support::Options { fsync: true });
    let url = cluster.schema().url().to_owned();
    let mut acked = Vec::new();
    let mut load = Load::start(&url, 600);
    for _ in 0..3 {
        load.read(60, &mut acked);
        cluster.stop_hard();
        thread::sleep(Duration::from_millis(200));
        cluster.restart();
    }
    load.read(60, &mut acked);
    load.kill(&mut acked);
    println!("3 servers killed: {}", verify(&url, &acked));
}

#[test]
fn two_processes_on_one_database_share_the_books() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("load.db");
    let db = db.to_str().unwrap();
    let mut acked = Vec::new();
    let loads: Vec<Load> = (0..2).map(|_| Load::start(db, 2)).collect();
    for load in loads {
        assert!(load.end(&mut acked));
    }
    let said = verify(db, &acked);
    assert!(acked.len() > 100, "{said}");
}

#[test]
fn verification_reports_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("load.db");
    let mut acked = Vec::new();
    assert!(Load::start(db.to_str().unwrap(), 0).end(&mut acked));
    verify(db.to_str().unwrap(), &acked);
    let mut child = Command::new(example())
        .args(["--db", db.to_str().unwrap(), "--verify"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lost = b"acked 018bcfe5-6800-7000-8000-000000000000\n";
    child.stdin.take().unwrap().write_all(lost).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint.contains("lost: 018bcfe5"), "{complaint}");
}
