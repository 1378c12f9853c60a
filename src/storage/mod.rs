//! Storage: commands decide, engines keep rows, one writer commits for many.
//!
//! # Writing an engine
//!
//! An engine is about 150 lines and knows no rule:
//!
//! 1. Implement [`Engine`]: `transaction` opens one, hands it to the work it is given and ends it by
//!    the [`Verdict`]; `migrate` makes the tables of a [`Schema`] (an engine without SQL needs only
//!    their descriptions); `readers` opens [`Reader`]s.
//! 2. Implement [`EngineTx`]: `load` reads the rows named in a [`KeySet`] and gives each to
//!    [`Rows::found`] as plain [`Value`]s, locks the owned ones, and gives ranges to
//!    [`Rows::found_range`]; `apply` carries out each [`Write`] of [`Rows::writes`]. An insert of an
//!    existing key is [`StoreError::Conflict`].
//! 3. Implement [`Reader`]: one row, one page, one snapshot; and [`Reader::tally`] if the database can
//!    count by itself.
//! 4. Implement [`Backend`]: it opens the engine.
//! 5. Prove it with one line, feature `testing`: `finalmile::conformance_tests!(open);`, where
//!    `open` gives a guard (a temporary folder, a schema) and a backend.
//!
//! Money cannot go wrong in an engine that passes, because no rule is written in one.
//!
//! # How a command travels
//!
//! [`Store::submit`] puts it into a queue; a leader takes a batch, asks each command for its keys,
//! loads and locks them in one ordered pass, lets the commands decide in turn on the same
//! [`Rows`], applies the difference and commits once. Refusals are values and commit; only faults
//! roll back.

mod combine;
mod command;
pub(crate) mod decide;
mod engine;
mod error;
mod keys;
mod pending;
mod queue;
mod read;
mod retry;
mod rows;
mod scan;
mod store;
mod table;
pub(crate) mod tally;
mod text_enum;
mod value;

#[cfg(feature = "testing")]
pub mod conformance;

pub use command::Command;
pub use engine::{
    Backend, Capabilities, Cell, Engine, EngineTx, Reader, Readers, Verdict, ViewRows, Work,
};
pub use error::StoreError;
pub use keys::{Hold, KeySet, RowId};
pub use pending::Pending;
pub use queue::{BATCH_BYTES_MAX, BATCH_MAX, QUEUE_MAX};
pub use retry::RETRIES_MAX;
pub(crate) use rows::DecideAgain;
pub use rows::{Change, Rows, Write};
pub use scan::{Cursor, PAGE_MAX, Page, Scan};
pub use store::Store;
pub(crate) use table::decoded;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use table::script_digest;
pub use table::{Column, Decode, Index, Only, Record, Row, Schema, Table, column};
pub use tally::{By, Tallied, Tally};
pub(crate) use text_enum::text_enum;
pub(crate) use value::int_field;
pub use value::{Columns, Field, Key, KeyParts, Kind, Value};
