//! Content ids and archives against plain hashing, against another importer, and in memory; the cache against
//! another one, against bare system calls, and its eviction against a plain LRU.
//!
//! ```text
//! cargo bench -p finalmile-compare --no-default-features --bench ipfs [-- [--quick] [--write] [ROW…]]
//! ```
//!
//! The other importer is npm's `ipfs-unixfs-importer`, installed below the build's folder; without
//! `npm` its rows are left out.

use finalmile_compare::{
    args::{self, Args},
    cached, content,
    report::Report,
};

/// What both sides do.
const INPUT: &str = "Bytes without a period, in memory, given in pieces of 1 MiB; archives from a file on \
                     the build's disk to a new file there, which is not synced; caches there too, hit ratios \
                     in three runs of 200,000 to 600,000 requests each";

/// On the disk that holds the build.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

fn main() {
    if content::was_child() {
        return;
    }
    let args = Args::read();
    let command = args.command("-p finalmile-compare --no-default-features --bench ipfs");
    let mut report = Report::new("ipfs", INPUT, command);
    content::hashing(&args, &mut report);
    content::importers(&args, &mut report, PLACE);
    content::archives(&args, &mut report, PLACE);
    content::memory(&args, &mut report, PLACE);
    cached::operations(&args, &mut report, PLACE);
    cached::opening(&args, &mut report, PLACE);
    cached::hit_ratios(&args, &mut report);
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}
