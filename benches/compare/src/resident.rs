//! Memory: what a limiter's table adds to a process, per user and endpoint.
//!
//! Counting what is allocated would take an allocator, and with it unsafe code. Instead the bench
//! starts itself anew for each figure: a child fills one table and says by how much its resident set
//! grew, rounding, growth in steps and the allocator's leftovers included.

use std::{env, fs, process::Command};

use finalmile::limit::Precision;

use crate::{
    args::Args,
    bare,
    keys::{self, PAIRS},
    report::{Bar, Report, Row, Unit},
    rivals::governed,
    rounds::Runs,
};

/// Says to a child what it is to fill: whose table, and how many endpoints a user.
const FILL: &str = "--fill";

/// Does a child's work, if this process is one; call it before anything else.
#[must_use]
pub fn was_child() -> bool {
    let words: Vec<_> = env::args().skip(1).collect();
    let [fill, side, endpoints] = &words[..] else { return false };
    if fill != FILL {
        return false;
    }
    let endpoints = endpoints.parse().expect("a child is told how many endpoints");
    println!("{}", fill_one(side == "ours", endpoints));
    true
}

/// Fills a table with a million pairs and answers the bytes that the process grew by.
fn fill_one(ours: bool, endpoints: u32) -> u64 {
    let users = u32::try_from(PAIRS).unwrap_or_default() / endpoints;
    let pairs = keys::pairs(users, endpoints);
    let before = resident();
    if ours {
        let keyed = bare::keyed(users as usize, Precision::Precise).expect("there are keys");
        pairs.iter().for_each(|key| bare::check(&keyed, *key));
        let grown = resident() - before;
        assert_eq!(keyed.size().0, users as usize, "every user has a line");
        grown
    } else {
        let governed = governed::limiter();
        pairs.iter().for_each(|key| assert!(governed.check_key(key).is_ok()));
        let grown = resident() - before;
        assert_eq!(governed.len(), pairs.len(), "every pair has an entry");
        grown
    }
}

/// The rows of memory.
pub fn bytes(args: &Args, report: &mut Report) {
    let rows = [
        (5, "bytes per pair, 200,000 users at 5 endpoints", Bar::AtMost(0.4)),
        (1, "bytes per pair, 1,000,000 users at 1 endpoint", Bar::None),
    ];
    for (endpoints, figure, bar) in rows {
        if !args.wants(figure) {
            continue;
        }
        let mut runs = [Runs::default(), Runs::default()];
        for _ in 0..if args.quick { 1 } else { 3 } {
            for (side, runs) in ["ours", "rival's"].iter().zip(&mut runs) {
                runs.push(child(side, endpoints) / PAIRS as f64);
            }
        }
        let (figure, rival) = (figure.to_owned(), "governor".to_owned());
        report.row(&Row { figure, rival, unit: Unit::Bytes, runs, bar });
    }
}

/// What a child says.
fn child(side: &str, endpoints: u32) -> f64 {
    let program = env::current_exe().expect("a program knows where it is");
    let words = [FILL, side, &endpoints.to_string()];
    let out = Command::new(program).args(words).output().expect("it starts again");
    let text = String::from_utf8_lossy(&out.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.parse::<u64>().ok()).expect("Linux says it in kB") * 1_024
}
