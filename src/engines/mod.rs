//! Engines: the only folder that knows a database.
//!
//! | engine | for | feature |
//! |---|---|---|
//! | [`Memory`] | tests, and the oracle that the others must equal | always |
//! | `Sqlite` | the embedded default: one file, one writer, power-safe | `sqlite` |
//! | `Postgres` | many machines on one database | `postgres` |

mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use memory::Memory;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
