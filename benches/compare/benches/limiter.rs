//! The limiter against governor, and against itself.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench limiter [-- [--quick] [--write] [ROW…]]
//! ```

use finalmile_compare::{
    args::{self, Args},
    bare, full,
    report::Report,
    resident, token,
};

/// What both sides do.
const INPUT: &str = "Everything is allowed: 1,000 tokens an hour, 10^9 at most. Pairs are 200,000 \
                     users at 5 endpoints in random order, a key is 128 random bits; governor 0.10's \
                     keyed limiter with its default clock and map, by `(u128, u32)`. Processor time \
                     of the calling thread where nothing else is said; memory is the growth of a \
                     child's resident set; tokens inside commands on SQLite, WAL, \
                     `synchronous=FULL`, each call a commit: had the token a sync of its own, its \
                     ratio were 0.5x";

/// On the disk that holds the build.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

fn main() {
    if resident::was_child() {
        return;
    }
    let args = Args::read();
    let command = args.command("-p finalmile-compare --bench limiter");
    let mut report = Report::new("limiter", INPUT, command);
    bare::hot_key(&args, &mut report).expect("the policy is valid");
    bare::two_threads(&args, &mut report).expect("the policy is valid");
    bare::pairs(&args, &mut report).expect("the policy is valid");
    full::checks(&args, &mut report).expect("the store answers");
    full::texts(&args, &mut report).expect("the store answers");
    resident::bytes(&args, &mut report);
    token::inside(&args, &mut report, PLACE).expect("the store answers");
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}
