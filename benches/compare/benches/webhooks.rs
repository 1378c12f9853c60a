//! The inbox against a bare sync, a transaction per event and its budget.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench webhooks [-- [--quick] [--write] [ROW…]]
//! ```

use finalmile_compare::{
    args::{self, Args},
    consume, flood,
    report::Report,
    stored, verify,
};

/// What both sides do.
const INPUT: &str = "Paid checkouts of some 2.5 KB, each of a payment of its own, for 10,000 \
                     accounts, under names that begin with the second, as Stripe's do; ours leave an event, its body, a purchase, its reference and a \
                     chained entry, the seed's an event with its body, a purchase and a ledger row, \
                     and both a balance; SQLite, WAL, `synchronous=FULL`, the same settings on both \
                     sides. Events that came before have bodies of 1 KiB";

/// On the disk that holds the build.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

fn main() {
    let args = Args::read();
    let command = args.command("-p finalmile-compare --bench webhooks");
    let mut report = Report::new("webhooks", INPUT, command);
    consume::one(&args, &mut report, PLACE).expect("every event is consumed");
    flood::events(&args, &mut report, PLACE).expect("every event is consumed");
    stored::million(&args, &mut report, PLACE).expect("every event is consumed");
    consume::duplicates(&args, &mut report, PLACE).expect("every event is consumed");
    verify::alone(&args, &mut report);
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}
