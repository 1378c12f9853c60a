//! A look at group commit on SQLite: `cargo bench`, under a minute.
//!
//! The rival is written with rusqlite itself, and both sides do the same work on the same disk. The
//! full comparison, with async tasks and PostgreSQL, is a member crate: `benches/compare`.

#![allow(clippy::float_arithmetic, reason = "ratios and medians are fractions")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "shared files: a part is used here")]

#[path = "compare/src/args.rs"]
mod args;
#[path = "compare/src/callers.rs"]
mod callers;
#[path = "compare/src/group_commit.rs"]
mod group_commit;
#[path = "compare/src/report.rs"]
mod report;
#[path = "compare/src/rounds.rs"]
mod rounds;
#[path = "compare/src/transfer.rs"]
mod transfer;
#[path = "compare/src/rivals"]
mod rivals {
    //! Those that need no other crate.
    pub mod by_hand;
    pub mod mutex;
}

use args::Args;
use report::Report;

fn main() {
    let args = Args { quick: true, ..Args::read() };
    if args.write {
        args::end("this is a look; `cargo bench -p finalmile-compare` writes figures");
    }
    let mut report = Report::new("storage", group_commit::INPUT, "cargo bench".to_owned());
    for (callers, bar) in [(1, 0.95), (64, 10.0), (1_024, 15.0)] {
        let parent = env!("CARGO_TARGET_TMPDIR");
        group_commit::threads(&args, &mut report, parent, callers, bar);
    }
    report.end();
    println!(
        "\nShort rounds: a look. The full comparison, with async tasks and long rounds:\n    \
         cargo bench -p finalmile-compare --bench storage\n    \
         cargo bench -p finalmile-compare --bench postgres"
    );
}
