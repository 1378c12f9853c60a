//! Rivals: what one would write without the library, as well as it can be written.

pub mod book;
pub mod by_hand;
pub mod governed;
pub mod mutex;
pub mod one_each;
#[cfg(feature = "postgres")]
pub mod one_statement;
pub mod raw_ledger;
#[cfg(feature = "postgres")]
pub mod seven_trips;
pub mod spawn_blocking;
