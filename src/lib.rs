//! The last mile of a media app: who may act and how often, who owns how many credits, uploads from
//! begin to feed, small pictures from big ones, and files kept under their content id.
//!
//! [`FinalMile`] is the front door. It runs on an embedded SQLite file (`engines::Sqlite`, the
//! default), on PostgreSQL (`engines::Postgres`) or in memory ([`engines::Memory`]); the rules are
//! the same functions everywhere.
//!
//! | you want to | start at |
//! |---|---|
//! | credit a purchase, set credits aside | [`ledger`] |
//! | limit an endpoint, freeze an account | [`limit`], [`Admin`] |
//! | delete what can come back, unless it is needed | [`trash`] |
//! | begin and finalize an upload, show a feed | [`upload`] |
//! | see how it all goes | [`report`] |
//! | check a webhook's signature, consume its event once | [`webhook`] |
//! | make a thumbnail, or a video's poster | `thumb` |
//! | name a file by its content, fetch it, prove it, keep it | `ipfs` |
//! | commit your rows with ours | `FinalMile::transaction`, `run_in` of the engines |
//! | write a rule, or an engine, of your own | [`storage`] |
//!
//! Every call answers a [`Pending`](storage::Pending): `.wait()?` on a thread, `.await?` in a task.
//! A refusal and a fault are both an [`Error`]; clients get [`Error::public`] and nothing else.
//!
//! # What it does not do yet
//!
//! Limits shared over Redis, and the phone's native module.

mod admin;
mod audit;
mod credits;
mod day;
pub mod engines;
mod error;
mod expiry;
pub mod fetch;
mod front;
mod id;
#[cfg(feature = "ipfs")]
pub mod ipfs;
#[cfg(not(feature = "ipfs"))]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "uploads only read ids")]
mod ipfs;
pub mod ledger;
pub mod limit;
mod log;
mod once;
mod refusal;
#[cfg(any(feature = "thumb", feature = "ipfs"))]
mod regular;
pub mod report;
mod schema;
pub mod storage;
mod sweep;
#[cfg(feature = "thumb")]
pub mod thumb;
mod time;
pub mod trash;
pub mod upload;
pub mod webhook;

pub use admin::Admin;
pub use audit::AuditEntry;
pub use credits::Credits;
pub use day::Day;
pub use error::{Error, PublicError};
pub use front::{Builder, FinalMile};
pub use id::{
    AccountId, Actor, EndpointName, ID_BYTES_MAX, IdempotencyKey, PaymentReference, Provider,
    PurchaseId, ReservationId, ShareId, TransferId, UploadId,
};
pub use refusal::Refusal;
pub use schema::CORE;
pub use sweep::{Budget, CleanedTable, ReservedHigh, SweepOptions, SweepReport};
pub use time::{Simulated, SystemWorld, Timestamp, World};

#[cfg(feature = "postgres")]
pub use ::{postgres, tokio_postgres};
#[cfg(feature = "sqlite")]
pub use rusqlite;

/// The README's examples run as doctests.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
mod readme {}
