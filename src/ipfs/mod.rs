//! Bytes by content id: naming files by what is in them, and keeping them near at hand.
//!
//! A [`Cid`] names content by its hash, so whoever holds the bytes can check the name and nobody
//! has to be trusted. [`cid_of`] computes the id of any stream in bounded memory, exactly as other
//! IPFS tools do under the same [`Profile`], and [`import_path`] that of a directory; [`write_car`]
//! packs either for upload.
//! [`verify_car`] turns an archive that nobody vouches for into a file that is what its id names.
//! [`Cache`] is a folder of files named by their ids, within a byte limit; [`Gateways`] bring what it lacks, and
//! a [`Client`] is both, with a queue for what is wanted next. [`Throttle`] lets uploads in a few at a time.
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

#[cfg(feature = "ipfs")]
mod cache;
#[cfg(feature = "ipfs")]
mod car;
pub(crate) mod cid;
#[cfg(feature = "ipfs")]
mod client;
mod error;
#[cfg(feature = "ipfs")]
mod gateway;
#[cfg(feature = "ipfs")]
mod limits;
#[cfg(feature = "ipfs")]
mod path;
#[cfg(feature = "ipfs")]
mod prefetch;
#[cfg(feature = "ipfs")]
mod room;
#[cfg(feature = "ipfs")]
mod throttle;
#[cfg(feature = "ipfs")]
mod unixfs;
mod varint;

#[cfg(feature = "ipfs")]
pub use crate::fetch::Cancel;
#[cfg(all(feature = "ipfs", feature = "testing"))]
#[doc(hidden)]
pub use cache::Replay;
#[cfg(feature = "ipfs")]
pub use cache::{Cache, CacheOptions, Check, Entry, Eviction, Inspection, Kind, KindStats, Stats};
#[cfg(all(feature = "ipfs", feature = "sqlite"))]
pub(crate) use cache::{index, options};
#[cfg(feature = "ipfs")]
pub use car::{CarVerifier, Verified, verify_car, write_car};
pub use cid::{Cid, Codec, Multihash};
#[cfg(feature = "ipfs")]
pub use client::Client;
pub use error::IpfsError;
#[cfg(feature = "ipfs")]
pub use gateway::{FetchControl, FetchOptions, Fetched, Gateway, Gateways, Progress, Source};
#[cfg(feature = "ipfs")]
pub use limits::Limits;
#[cfg(feature = "ipfs")]
pub use path::ContentPath;
#[cfg(feature = "ipfs")]
pub use prefetch::{PrefetchOptions, Prefetcher};
#[cfg(feature = "ipfs")]
pub use throttle::{Entering, Permit, Throttle};
#[cfg(feature = "ipfs")]
pub use unixfs::{
    Directory, FileNode, ImportOptions, Imported, Importer, NamedLink, Node, Profile, Shard,
    ShardBy, cid_of, cid_of_bytes, cid_of_file, import_path, import_reader,
};
