//! Items, guards and maintenance against their budgets.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench trash [-- [--quick] [--write] [ROW…]]
//! ```

use finalmile_compare::{
    args::{self, Args},
    items,
    report::Report,
    sweeps,
};

/// What both sides do.
const INPUT: &str = "Half a million bundles that use ten neurons each; a random one of either is asked \
                     about or deleted. A sweep purges items and fails uploads while a thread begins \
                     uploads, each with a sync; three rounds, each with another tenth due. SQLite, WAL, \
                     `synchronous=FULL`";

/// On the disk that holds the build.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

fn main() {
    let args = Args::read();
    let command = args.command("-p finalmile-compare --bench trash");
    let mut report = Report::new("trash", INPUT, command);
    items::items(&args, &mut report, PLACE).expect("every call is answered");
    sweeps::sweeps(&args, &mut report, PLACE).expect("every call is answered");
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}
