//! Takes Stripe's webhooks, and credits what was paid for exactly once.
//!
//! ```text
//! export STRIPE_WEBHOOK_SECRET=whsec_…         # as `stripe listen` or the dashboard shows it
//! cargo run --release --example stripe_webhook -- serve --db pay.db
//! stripe listen --forward-to localhost:4242/webhooks/stripe
//! stripe trigger checkout.session.completed \
//!     --override checkout_session:metadata.user_id=ada \
//!     --override checkout_session:metadata.credits=1000
//! ```
//!
//! Without Stripe, an event is a file, and its signature is made here:
//!
//! ```text
//! export STRIPE_WEBHOOK_SECRET=whsec_5f8d2c0e9b7a4d3c
//! echo '{"id":"evt_1","type":"checkout.session.completed","created":1800000000,
//!   "data":{"object":{"id":"cs_1","mode":"payment","payment_status":"paid",
//!     "payment_intent":"pi_1","amount_total":499,"currency":"usd",
//!     "metadata":{"user_id":"ada","credits":"1000"}}}}' > paid.json
//! header=$(cargo run --release --example stripe_webhook -- sign paid.json)
//! curl -i -H "$header" --data-binary @paid.json localhost:4242/webhooks/stripe
//! cargo run --release --example stripe_webhook -- consume --db pay.db --header "$header" paid.json
//! ```
//!
//! `consume` answers each event with a line, here that it had come before:
//! `{"id":"evt_1","type":"checkout.session.completed","outcome":"duplicate","code":null,"credited":0}`.
//! Exit code 0 if every event is stored, whatever became of it, 1 if one was refused, 2 for wrong
//! usage.
//!
//! `deliver` sends paid checkouts from many threads and says `acked ID` as each is durable. Kill it at
//! any moment; `check` then opens the database again and proves that each payment whose event was
//! acknowledged was credited once. Exit code 0 if so, 1 if something is lost or wrong.
//!
//! ```text
//! cargo run --release --example stripe_webhook -- deliver --db pay.db --run a > acked.txt
//! cargo run --release --example stripe_webhook -- check --db pay.db < acked.txt
//! ```

#![allow(clippy::print_stderr, reason = "a program talks to its user")]

mod check;
#[path = "../cli/mod.rs"]
mod cli;
mod consume;
mod deliver;
mod options;
mod serve;

use std::{process::ExitCode, sync::Arc};

use finalmile::{Error, FinalMile, Simulated, SystemWorld, Timestamp, World as _};
use options::{Task, USAGE};

fn main() -> ExitCode {
    cli::start(USAGE, Task::from_args(), |task| match task {
        Task::Serve(task) => serve::serve(&task).map(|()| true),
        Task::Consume(task) => Ok(consume::consume(&task)),
        Task::Sign(task) => consume::sign(&task).map(|()| true).map_err(Into::into),
        Task::Deliver(task) => deliver::deliver(&task).map_err(Into::into),
        Task::Check { db } => check::check(&db).map_err(Into::into),
    })
}

/// Opens the database, at another time than now if one is given: then its clock stands.
fn open(db: &str, now: Option<Timestamp>) -> Result<FinalMile, Error> {
    let builder = cli::database(db);
    match now {
        // Chance is real, because the ids of another run at the same time are in use.
        Some(now) => builder.world(Arc::new(Simulated::new(now, SystemWorld.random()))).open(),
        None => builder.open(),
    }
}
