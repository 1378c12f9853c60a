//! The limiter against governor, and against itself.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench limiter [-- [--quick] [--write] [ROW…]]
//! ```

use finalmile_compare::{
    args::{self, Args},
    bare,
    full::{self, Full},
    report::Report,
    resident, token,
};

/// What both sides do.
const INPUT: &str = "Everything is allowed: 30 tokens an hour, 40 million at most. Pairs are \
                     200,000 users at 5 endpoints in random order, a key is 128 random bits; \
                     governor 0.10's keyed limiter with its default clock and map, by `(u128, \
                     u32)`. Processor time of the calling thread where nothing else is said; \
                     memory is the growth of a child's resident set; uploads begin on SQLite, WAL, \
                     `synchronous=FULL`, where each commit is a sync";

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
    resident::bytes(&args, &mut report);
    token::inside(&args, &mut report, PLACE).expect("the store answers");
    // Last, because its thread has millions of buckets to write.
    let full = Full::open().expect("the store answers");
    full::checks(&args, &mut report, &full).expect("the policy is valid");
    full::texts(&args, &mut report, &full).expect("the names are valid");
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
    // Nobody reads what it would write when it is dropped.
    std::process::exit(0);
}
