//! Bytes by content id: naming files by what is in them, and keeping them near at hand.
//!
//! A [`Cid`] names content by its hash, so whoever holds the bytes can check the name and nobody
//! has to be trusted. [`cid_of`] computes the id of any stream in bounded memory, exactly as other
//! IPFS tools do under the same [`Profile`]; [`Cache`] is a folder of files named by their ids.
//!
//! # Promises
//!
//! - **C1** One content has one id: a CIDv0, a CIDv1 and an upper-case spelling of the same block
//!   are equal, and print the same canonical text.
//! - **C2** A text or a byte string is accepted as an id only if it is spelled the one right way:
//!   nothing trails, no number is padded, nothing is longer than it may be. Never a panic.
//! - **C3** Ids agree with those of other importers of the same profile, block for block.
//! - **C4** Importing holds one chunk and one row of links a level, however long the file is.
//! - **C5** A file appears in the cache whole or not at all: also when the process dies, the disk
//!   is full, or many threads and processes put the same content at once.
//! - **C6** A name in the cache is always printed from a parsed id, never taken from a caller, so
//!   no id can reach outside the folder.
//! - **C7** A file that vanished is a miss, not an error: the system may clear cache folders.

pub(crate) mod base58;
#[cfg(feature = "ipfs")]
mod cache;
mod cid;
#[cfg(feature = "ipfs")]
mod dagpb;
mod error;
#[cfg(feature = "ipfs")]
mod import;
#[cfg(feature = "ipfs")]
mod profile;

#[cfg(feature = "ipfs")]
pub use cache::{Cache, Check, Entry, Stats};
pub use cid::{Cid, Codec, Multihash};
pub use error::IpfsError;
#[cfg(feature = "ipfs")]
pub use import::{Importer, cid_of, cid_of_bytes, cid_of_file};
#[cfg(feature = "ipfs")]
pub use profile::Profile;
