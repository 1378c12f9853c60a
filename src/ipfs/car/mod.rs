//! Archives of blocks (CAR, version 1): how content travels with its proof.
//!
//! An archive is a header and then sections, each an id and the block it names. Whoever has an id
//! can read the file behind it out of any archive, from anybody, and believe every byte.
//!
//! Source: IPLD, "CARv1 Specification"; IPFS, "Trustless Gateway Specification".

mod sections;
mod spill;
mod verify;
mod write;

pub(super) use verify::verify_within;
pub use verify::{CarVerifier, Verified, verify_car};
pub use write::write_car;
