//! The conformance suite on PostgreSQL.

#![cfg(feature = "postgres")]

#[path = "support/postgres.rs"]
mod support;

use finalmile::{engines::Postgres, storage::conformance::Fixture};

fn open() -> Fixture {
    let schema = support::Cluster::shared().schema();
    let url = schema.url().to_owned();
    Fixture::new(schema, move || {
        // The suite's log owns the clock.
        Box::new(Postgres::url(url.as_str()).own_clock())
    })
}

finalmile::conformance_tests!(open);
