//! finalmile
mod credits;
mod error;
mod id;
mod time;
pub mod engines;
pub mod storage;
mod front;
pub use credits::Credits;
pub use error::{Error, PublicError, Refusal};
pub use front::*;
pub use id::*;
pub use time::{Simulated, SystemWorld, Timestamp, World};
