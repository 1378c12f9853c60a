//! The inbox when its process is killed in the middle of work.
//!
//! The deliveries are the example's, run as its user runs them. Whatever was acknowledged is done
//! afterwards, and each payment is credited once, although two events tell of it, both came more than
//! once, and what was sent before a kill is sent again after it.

#![cfg(feature = "sqlite")]
#![allow(clippy::print_stdout, reason = "it says how much was tried")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;
#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
    thread,
};

use finalmile::{
    Credits, FinalMile,
    engines::Sqlite,
    ledger::{Money, Purchase},
};

fn command(arguments: &[&str]) -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let build: &[&str] = if cfg!(feature = "postgres") { &["--all-features"] } else { &[] };
    let path: &Path = PATH.get_or_init(|| example::find("stripe_webhook", build));
    let mut command = Command::new(path);
    command.env("STRIPE_WEBHOOK_SECRET", "whsec_5f8d2c0e9b7a4d3c8e1f").args(arguments);
    command
}

/// Running deliveries and what they say.
struct Deliveries {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Deliveries {
    fn start(db: &str, run: &str, events: u64) -> Self {
        let events = events.to_string();
        let words = ["deliver", "--db", db, "--run", run, "--workers", "8", "--events", &events];
        let mut child = command(&words).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads so many acknowledgements.
    fn read(&mut self, count: usize, acked: &mut Vec<String>) {
        for _ in 0..count {
            let Some(Ok(line)) = self.lines.next() else { panic!("they ended by themselves") };
            acked.push(line);
        }
    }

    /// Reads what is left, to the end; whether it was a good one.
    fn end(mut self, acked: &mut Vec<String>) -> bool {
        acked.extend(self.lines.map_while(Result::ok));
        self.child.wait().unwrap().success()
    }

    fn kill(mut self, acked: &mut Vec<String>) {
        self.child.kill().unwrap();
        assert!(!self.end(acked), "it was killed");
    }
}

/// What `check` says and complains of, and whether all is right.
fn check(db: &str, acked: &[String]) -> (String, String, bool) {
    let mut child = command(&["check", "--db", db])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text: String = acked.iter().flat_map(|line| [line, "\n"]).collect();
    let writer = thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let [said, complaint] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (said, complaint, output.status.success())
}

/// Kills deliveries again and again, each time somewhere else, and checks all books each time.
fn killed_again_and_again(db: &str, kills: usize) {
    let (mut acked, mut said) = (Vec::new(), String::new());
    for round in 0..kills {
        // Each name twice: what was sent before the kill is sent again after it.
        let mut deliveries = Deliveries::start(db, &format!("run{}", round / 2), 1_000_000);
        deliveries.read(1 + (round * 37) % 120, &mut acked);
        deliveries.kill(&mut acked);
        let (told, complaint, is_right) = check(db, &acked);
        assert!(is_right, "round {round}: {told}{complaint}");
        said = told;
    }
    println!("{kills} kills: {said}");
    assert!(acked.len() > kills * 20, "{said}");
}

#[test]
fn h8_fifty_kills_on_sqlite_leave_every_payment_credited_once() {
    let folder = tempfile::tempdir().unwrap();
    killed_again_and_again(folder.path().join("pay.db").to_str().unwrap(), 50);
}

#[cfg(feature = "postgres")]
#[test]
fn h8_ten_kills_on_postgres_leave_every_payment_credited_once() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    killed_again_and_again(cluster.schema().url(), 10);
}

#[test]
fn h6_two_processes_that_are_sent_the_same_events_credit_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("pay.db");
    let db = db.to_str().unwrap();
    let mut acked = Vec::new();
    let both: Vec<_> = (0..2).map(|_| Deliveries::start(db, "same", 300)).collect();
    for one in both {
        assert!(one.end(&mut acked));
    }
    let (said, complaint, is_right) = check(db, &acked);
    assert!(is_right, "{said}{complaint}");
    // Every third is sent again.
    assert_eq!(acked.len(), 2 * (300 + 99));
    assert!(said.starts_with("300 events, 150 payments of 5 accounts; "), "{said}");
}

#[test]
fn the_check_reports_what_is_lost_or_credited_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("pay.db");
    let mut acked = Vec::new();
    assert!(Deliveries::start(db.to_str().unwrap(), "a", 20).end(&mut acked));
    let check = |acked: &[String]| check(db.to_str().unwrap(), acked);
    assert!(check(&acked).2);
    let (_, complaint, is_right) = check(&["acked evt_b_1".to_owned()]);
    assert_eq!((complaint.as_str(), is_right), ("lost: evt_b_1\n", false));

    let fm = FinalMile::builder(Sqlite::file(&db)).open().unwrap();
    let gift = Purchase {
        account: "buyer-0".parse().unwrap(),
        credits: Credits::new(1),
        provider: "stripe".parse().unwrap(),
        reference: "pi_nobodys".parse().unwrap(),
        paid: Money::minor(499, "usd").unwrap(),
        paid_at: None,
        metadata: BTreeMap::new(),
    };
    fm.ledger().add_credits(gift).wait().unwrap();
    drop(fm);
    let (said, complaint, is_right) = check(&acked);
    assert!(!is_right && complaint.contains("credited for nothing: pi_nobodys"), "{said}");
    assert!(complaint.contains("buyer-0 has "), "{complaint}");
}
