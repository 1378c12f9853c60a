//! The ledger and uploads against the same rows by hand, maps in memory and their budgets.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench ledger [-- [--quick] [--write] [ROW…]]
//! ```

use finalmile_compare::{
    args::{self, Args},
    budgets, ledger, replay,
    report::Report,
};

/// What both sides do.
const INPUT: &str = "Transfers between 10,000 accounts, each under a fresh key: two accounts \
                     changed, two chained entries and a key written; SQLite, WAL, \
                     `synchronous=FULL`, the same tables and settings on both sides. Uploads are \
                     complete, of 1,000 accounts, with shares, entries, reservations and keys; \
                     pages of the feed are random ones";

/// On the disk that holds the build.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

fn main() {
    let args = Args::read();
    let command = args.command("-p finalmile-compare --bench ledger");
    let mut report = Report::new("ledger", INPUT, command);
    ledger::batches(&args, &mut report, PLACE).expect("every transfer happens");
    ledger::callers(&args, &mut report, PLACE).expect("every transfer happens");
    replay::replays(&args, &mut report, PLACE).expect("every transfer happens");
    ledger::memory(&args, &mut report).expect("every transfer happens");
    budgets::uploads(&args, &mut report, PLACE).expect("every call is answered");
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}
