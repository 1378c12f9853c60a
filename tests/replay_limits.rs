//! The replay of yesterday's traffic, run as its user runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
};

fn example() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| example::find("replay_limits", &["--no-default-features"]))
}

fn start(arguments: &[&str]) -> Child {
    let mut replay = Command::new(example());
    replay.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    replay.spawn().unwrap()
}

/// What it printed, what it complained about, and the exit code.
fn run(arguments: &[&str], events: &str) -> (String, String, i32) {
    let mut replay = start(arguments);
    let mut input = replay.stdin.take().unwrap();
    let events = events.to_owned();
    let writer = thread::spawn(move || match input.write_all(events.as_bytes()) {
        // It stops reading at the first line that makes no sense.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("{error}"),
        _ => {}
    });
    let output = replay.wait_with_output().unwrap();
    writer.join().unwrap();
    let [answers, complaints] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (answers, complaints, output.status.code().unwrap())
}

/// The answers of a replay that works, to checks at these microseconds.
fn answers(arguments: &[&str], checks: &[(i64, &str, u64)]) -> Vec<String> {
    let event = |(t_us, key, cost): &(i64, &str, u64)| {
        format!("{{\"t_us\":{t_us},\"key\":\"{key}\",\"cost\":{cost}}}\n")
    };
    let (answers, complaints, code) = run(arguments, &checks.iter().map(event).collect::<String>());
    assert_eq!((complaints.as_str(), code), ("", 0));
    answers.lines().map(str::to_owned).collect()
}

fn yes(remaining: u32) -> String {
    format!(r#"{{"allowed":true,"remaining":{remaining},"retry_after_us":null}}"#)
}

fn no(remaining: u32, retry_after_us: u64) -> String {
    format!(r#"{{"allowed":false,"remaining":{remaining},"retry_after_us":{retry_after_us}}}"#)
}

fn never(remaining: u32) -> String {
    format!(r#"{{"allowed":false,"remaining":{remaining},"retry_after_us":null}}"#)
}

/// Some time in 2027, at the beginning of an hour.
const HOUR: i64 = 1_800_000_000_000_000;

#[test]
fn a_token_bucket_replays_line_by_line() {
    let arguments = ["--greedy", "7/60s", "--burst", "2"];
    let answers = answers(
        &arguments,
        &[
            (HOUR, "ada", 9),
            (HOUR, "ada", 9),
            (HOUR, "ada", 9),
            (HOUR, "bob", 9),
            (HOUR + 8_571_428, "ada", 9),
            (HOUR + 8_571_429, "ada", 9),
            // Back: what an hour had brought is gone, but not for longer than a full refill.
            (HOUR - 3_600_000_000, "ada", 9),
            (HOUR - 3_600_000_000 + 8_571_429, "ada", 9),
        ],
    );
    let expected =
        [yes(1), yes(0), no(0, 8_571_429), yes(1), no(0, 1), yes(0), no(0, 8_571_429), yes(0)];
    assert_eq!(answers, expected);
}

#[test]
fn without_a_burst_a_bucket_holds_what_a_period_brings() {
    let answers = answers(&["--greedy", "3/500ms"], &[(0, "ada", 1), (-5, "bob", 1)]);
    assert_eq!(answers, [yes(2), yes(2)]);
}

#[test]
fn costs_are_read_when_they_are_asked_for() {
    let checks = [(HOUR, "ada", 3), (HOUR, "ada", 3), (HOUR, "ada", 6), (HOUR, "ada", 1 << 40)];
    let greedy = ["--cost-field", "--greedy=1/1s", "--burst=5"];
    assert_eq!(answers(&greedy, &checks), [yes(2), no(2, 1_000_000), never(2), never(2)]);
    let window = ["--window", "5/1m", "--cost-field"];
    assert_eq!(answers(&window, &checks), [yes(2), no(2, 60_000_000), never(2), never(2)]);
}

#[test]
fn windows_begin_at_the_epochs_multiples_or_with_the_first_request() {
    let checks = [
        (HOUR - 1_000_000, "ada", 1),
        (HOUR - 1_000_000, "ada", 1),
        (HOUR, "ada", 1),
        (HOUR + 3_599_000_000, "ada", 1),
        (HOUR + 3_600_000_000, "ada", 1),
        // The clock steps back over the boundary: the window ahead stays in force.
        (HOUR + 3_599_000_000, "ada", 1),
    ];
    let second = 1_000_000;
    let epoch = [yes(0), no(0, second), yes(0), no(0, second), yes(0), no(0, 3_601 * second)];
    assert_eq!(answers(&["--window", "1/3600s"], &checks), epoch);
    assert_eq!(answers(&["--window", "1/1h", "--align", "epoch"], &checks), epoch);
    let first =
        [yes(0), no(0, 3_600 * second), no(0, 3_599 * second), yes(0), no(0, 3_599 * second)];
    let answers = answers(&["--window", "1/60m", "--align", "first"], &checks);
    assert_eq!(answers[..5], first);
    assert_eq!(answers[5], no(0, 3_600 * second));
}

#[test]
fn a_line_that_makes_no_sense_ends_the_replay_and_names_itself() {
    let good = r#"{"key":"ada","t_us":1,"more":[]}"#;
    for (bad, why) in [
        ("nonsense", "expected ident at line 1 column 2"),
        ("", "EOF while parsing"),
        ("[]", "\"t_us\" is no whole number of microseconds"),
        (r#"{"t_us":1.5,"key":"ada","cost":1}"#, "\"t_us\" is no whole number of microseconds"),
        (r#"{"t_us":1,"cost":1}"#, "\"key\" is no text"),
        (r#"{"t_us":1,"key":7,"cost":1}"#, "\"key\" is no text"),
    ] {
        let events = format!("{good}\n{good}\n{bad}\n{good}\n");
        let (answers, complaints, code) = run(&["--greedy", "60/60s"], &events);
        assert_eq!((answers, code), (format!("{}\n{}\n", yes(59), yes(58)), 1), "{bad}");
        assert!(complaints.starts_with(&format!("line 3: {why}")), "{complaints}");
    }
    for bad in [r#""cost":0"#, r#""cost":-1"#, r#""cost":1.5"#, r#""cost":"1""#, r#""cots":1"#] {
        let events = format!("{{\"t_us\":1,\"key\":\"ada\",{bad}}}");
        let (answers, complaints, code) = run(&["--greedy", "60/60s", "--cost-field"], &events);
        assert_eq!((answers.as_str(), code), ("", 1), "{bad}");
        assert!(complaints.starts_with("line 1: \"cost\" is "), "{complaints}");
    }
}

#[test]
fn wrong_usage_is_answered_with_the_right_one() {
    for arguments in [
        &[][..],
        &["--greedy", "60"],
        &["--greedy", "60/60"],
        &["--greedy", "60/60d"],
        &["--greedy", "60/s"],
        &["--greedy", "60/0s"],
        &["--greedy", "0/60s"],
        &["--greedy", "60/9999999h"],
        &["--greedy", "60/99999999999999999h"],
        &["--greedy", "60/60s", "--burst", "0"],
        &["--greedy", "60/60s", "--burst", "many"],
        &["--greedy", "60/60s", "--align", "first"],
        &["--greedy", "60/60s", "--window", "60/60s"],
        &["--window", "60/60s", "--burst", "120"],
        &["--window", "60/60s", "--align", "now"],
        &["--greedy", "60/60s", "--fast"],
        &["--greedy", "60/60s", "events.jsonl"],
        &["--burst"],
    ] {
        let (answers, complaints, code) = run(arguments, "");
        assert_eq!((answers.as_str(), code), ("", 2), "{arguments:?}: {complaints}");
        assert!(complaints.contains("\n\nreplay_limits --greedy "), "{complaints}");
    }
}

#[test]
fn help_is_no_error() {
    let (answers, complaints, code) = run(&["--help"], "");
    assert_eq!((complaints.as_str(), code), ("", 0));
    assert!(answers.starts_with("replay_limits --greedy "), "{answers}");
}

#[test]
fn no_events_are_no_answers() {
    assert_eq!(run(&["--greedy", "60/60s"], ""), (String::new(), String::new(), 0));
}

#[test]
fn a_reader_that_goes_away_ends_the_replay_quietly() {
    let mut replay = start(&["--greedy", "60/60s"]);
    drop(replay.stdout.take());
    let mut input = replay.stdin.take().unwrap();
    let event = b"{\"t_us\":1,\"key\":\"ada\"}\n".repeat(1_000);
    // More than any buffer on the way holds; it stops reading once nobody reads its answers.
    let gone = (0..1_000).find_map(|_| input.write_all(&event).err());
    assert_eq!(gone.map(|error| error.kind()), Some(ErrorKind::BrokenPipe));
    drop(input);
    let mut complaints = String::new();
    replay.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!((complaints.as_str(), replay.wait().unwrap().code()), ("", Some(0)));
}
