//! finalmile: the last mile of a media app.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod audit;
mod credits;
pub mod engines;
mod error;
mod front;
mod id;
#[cfg(feature = "ipfs")]
pub mod ipfs;
pub mod ledger;
pub mod limit;
mod once;
mod schema;
pub mod storage;
mod sweep;
#[cfg(feature = "thumb")]
pub mod thumb;
mod time;
pub mod upload;

pub use admin::Admin;
pub use audit::AuditEntry;
pub use credits::Credits;
pub use error::{Error, PublicError, Refusal};
pub use front::{Builder, FinalMile};
pub use id::{
    AccountId, Actor, EndpointName, ID_BYTES_MAX, IdempotencyKey, PaymentReference, Provider,
    PurchaseId, ReservationId, ShareId, TransferId, UploadId,
};
pub use schema::CORE;
pub use sweep::{Budget, SweepReport};
pub use time::{Simulated, SystemWorld, Timestamp, World};

#[cfg(feature = "postgres")]
pub use ::{postgres, tokio_postgres};
#[cfg(feature = "sqlite")]
pub use rusqlite;
