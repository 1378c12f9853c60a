//! The cache: a folder of files, each named by the id of its content.
//!
//! The files are the truth: whatever lies under an id and is what the id names is a hit, and nothing else is.
//! An index beside them knows what they come to, which are pinned and which were used, so that a byte limit
//! holds without a look at all of them; it may be lost at any time.
//!
//! A name is always printed from a parsed [`Cid`] (**C6**), in lower-case base32, so ids cannot collide on
//! file systems that ignore case either.
//!
//! | file | its idea |
//! |---|---|
//! | `find` | whether a file is there and right |
//! | `keep` | how a file gets its name |
//! | `reservation` | how one that is fetched comes into the folder |
//! | `claim` | how the limit holds meanwhile |
//! | `evict` | which files go |
//! | `shared`, `state` | what a process knows, and its way to the index |
//! | `index` | what an index is; `memory_index`, `folder_index`, and SQLite's beside its engine |
//! | `home`, `left`, `part`, `pins` | what lies in the folder beside the content |
//!
//! # Invariants
//!
//! - **C22** What is pinned is never evicted and does not expire, and pins outlive processes and indexes.
//! - **C28** Opening reads no entry, however many there are.

mod check;
mod claim;
mod count;
mod entry;
mod evict;
mod find;
mod flusher;
mod folder_index;
mod home;
pub(crate) mod index;
mod keep;
mod left;
mod memory;
mod memory_index;
pub(crate) mod options;
mod part;
mod pins;
#[cfg(feature = "testing")]
mod replay;
mod reservation;
mod shared;
mod state;
mod upkeep;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cid::Cid;
use super::error::IpfsError;
use super::limits::Limits;
use super::path::ContentPath;
use shared::Shared;

pub use entry::Entry;
pub use options::{CacheOptions, Eviction, Kind};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use replay::Replay;
pub(crate) use reservation::Reservation;
pub use upkeep::{Check, Inspection, KindStats, Stats};

/// A folder of verified files within a byte limit. Cheap to clone; any number of threads and processes may
/// share the folder.
///
/// The last clone's drop writes down what is known of uses, as [`Cache::close`] does.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Cache, Check, Kind};
///
/// # let folder = std::env::temp_dir().join(format!("finalmile-doc-{}", std::process::id()));
/// let cache = Cache::open(&folder)?;
/// let entry = cache.put_bytes(b"hello world", Kind::Media)?;
/// assert_eq!(cache.get(&entry.cid)?, Some(entry.path));
/// assert_eq!(cache.verify(&entry.cid)?, Check::Intact);
/// assert_eq!(cache.stats()?.bytes, 11);
/// # drop(cache);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Shared>);

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { folder, options, .. } = &*self.0;
        f.debug_struct("Cache").field("folder", folder).field("options", options).finish()
    }
}

impl Cache {
    /// Opens the cache in `folder` as [`Cache::with`] does, with 256 MiB and the other defaults.
    ///
    /// # Errors
    ///
    /// Those of [`Cache::with`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, IpfsError> {
        Self::with(folder, CacheOptions::default())
    }

    /// Opens the cache in `folder`, creating it with its parents when missing, and removes what processes
    /// that died left half-written. What downloads can be taken up from stays for a week.
    ///
    /// Entries are not read, however many there are (**C28**). A folder that cannot be written is opened all
    /// the same: what it holds can be read.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when `folder` is not a folder and cannot become one, or another
    /// process keeps its index locked for seconds.
    pub fn with(folder: impl Into<PathBuf>, options: CacheOptions) -> Result<Self, IpfsError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(IpfsError::writing(&folder))?;
        let shared = Arc::new(Shared::new(folder, options));
        shared.index(|_| Ok(()))?;
        Ok(Self(shared))
    }

    /// The folder given to [`Cache::open`].
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Keeps `bytes` under their id.
    ///
    /// Content that is already there is written again, which also heals a damaged copy. Content of more than
    /// an eighth of the limit is not kept unless it is pinned: see [`Entry::kept`].
    ///
    /// # Errors
    ///
    /// [`IpfsError::NoRoom`], [`IpfsError::DiskFull`], [`IpfsError::CacheUnavailable`] and
    /// [`IpfsError::Closed`]. Nothing was added.
    pub fn put_bytes(&self, bytes: &[u8], kind: Kind) -> Result<Entry, IpfsError> {
        self.0.put_bytes(bytes, kind)
    }

    /// Keeps a copy of the file at `source` under the id of its content, read once, in bounded memory.
    ///
    /// # Errors
    ///
    /// [`IpfsError::Unreadable`] when `source` cannot be read, and those of [`Cache::put_bytes`].
    /// Nothing was added.
    pub fn put(&self, source: &Path, kind: Kind) -> Result<Entry, IpfsError> {
        self.0.put(source, kind)
    }

    /// Keeps the file that `wanted` names, taken out of an archive (CAR) that nobody vouches for, as
    /// [`verify_car`](super::verify_car) does.
    ///
    /// # Errors
    ///
    /// Those of [`CarVerifier`](super::CarVerifier), [`IpfsError::Read`] when `car` fails, and those of
    /// [`Cache::put_bytes`]. Nothing was added.
    pub fn put_car(
        &self,
        car: impl Read,
        wanted: &ContentPath,
        kind: Kind,
        limits: Limits,
    ) -> Result<Entry, IpfsError> {
        self.0.put_car(car, wanted, kind, limits)
    }

    /// Sets room aside for a download of `cid` that is to be kept as that `kind`. One at a time for a
    /// content: they write the same files. `None`: which content it is, is known at its end.
    pub(crate) fn reserve(&self, cid: Option<&Cid>, kind: Kind) -> Result<Reservation, IpfsError> {
        Reservation::new(&self.0, cid, kind)
    }

    /// Where the content of `cid` lies; `None` when the cache does not hold it (**C7**).
    ///
    /// Costs one `stat` and a look into memory; for a file not met before also a look into the index; for one
    /// that was not checked since the last unclean end, a read. The system may remove the file at any time
    /// after this call.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] and [`IpfsError::Unreadable`] when the file system fails in another
    /// way than by absence, and [`IpfsError::Closed`].
    pub fn get(&self, cid: &Cid) -> Result<Option<PathBuf>, IpfsError> {
        self.0.get(cid)
    }

    /// The content of `cid` itself; `None` when the cache does not hold it. For small files: all of it is in
    /// memory then.
    ///
    /// Bytes that come from the disk are checked each time. Those of files up to 64 KiB that are asked for
    /// again stay in memory ([`CacheOptions::memory_bytes`]).
    ///
    /// # Errors
    ///
    /// Those of [`Cache::get`], and [`IpfsError::UnsupportedCid`] for an identity hash around a dag-pb node.
    pub fn get_bytes(&self, cid: &Cid) -> Result<Option<Arc<[u8]>>, IpfsError> {
        self.0.get_bytes(cid)
    }

    /// Whether [`Cache::get`] would find `cid`, if its bytes are what they were. Counts as no use.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.0.contains(cid)
    }

    /// Removes the content of `cid`, pinned or not; `false` when it was not there. A pin stays, for when it
    /// comes again.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when the file cannot be removed. It is still there.
    pub fn remove(&self, cid: &Cid) -> Result<bool, IpfsError> {
        self.0.is_open()?;
        self.0.discard(cid)
    }

    /// Keeps the content of `cid`, and has it written to the disk; if it is not there, as soon as it comes,
    /// whatever its size. It counts towards the limit, and whatever else needs its room does not get it.
    ///
    /// Costs three or four syncs of the disk.
    ///
    /// # Errors
    ///
    /// [`IpfsError::DiskFull`], [`IpfsError::CacheUnavailable`] and [`IpfsError::Closed`].
    ///
    /// # Example
    ///
    /// ```
    /// use finalmile::ipfs::{Cache, Kind};
    ///
    /// # let folder = std::env::temp_dir().join(format!("finalmile-pin-{}", std::process::id()));
    /// let cache = Cache::open(&folder)?;
    /// let ticket = cache.put_bytes(b"a ticket to show without a network", Kind::Media)?;
    /// cache.pin(&ticket.cid)?;
    /// cache.trim(0)?;
    /// assert!(cache.contains(&ticket.cid));
    /// # drop(cache);
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), finalmile::ipfs::IpfsError>(())
    /// ```
    pub fn pin(&self, cid: &Cid) -> Result<(), IpfsError> {
        self.0.pin(cid)
    }

    /// Lets go of a pin; `false` when there was none. The content stays until its room is needed.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] and [`IpfsError::Closed`].
    pub fn unpin(&self, cid: &Cid) -> Result<bool, IpfsError> {
        self.0.unpin(cid)
    }

    /// Whether `cid` is pinned. Costs one `stat`.
    #[must_use]
    pub fn is_pinned(&self, cid: &Cid) -> bool {
        self.0.pins.has(cid)
    }

    /// Reads the content of `cid` and computes its id again.
    ///
    /// The id of a file of several blocks is tried under the profiles in use, in one pass.
    ///
    /// # Errors
    ///
    /// - [`IpfsError::ContentMismatch`] when the file is something else. It was removed.
    /// - [`IpfsError::UnsupportedCid`] for an identity hash around a dag-pb node.
    /// - [`IpfsError::Unreadable`] when reading fails, [`IpfsError::CacheUnavailable`] when the
    ///   damaged file cannot be removed. It is still there.
    pub fn verify(&self, cid: &Cid) -> Result<Check, IpfsError> {
        self.0.verify(cid)
    }

    /// Verifies everything that is kept, and removes what is damaged. Costs a read of it all.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when the folder cannot be listed, and [`IpfsError::Closed`].
    pub fn verify_all(&self) -> Result<Inspection, IpfsError> {
        self.0.verify_all()
    }

    /// Copies the content of `cid` to `destination`, checked, replacing what lies there; `false` when the
    /// cache does not hold it.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] and [`IpfsError::DiskFull`] when `destination` cannot be written,
    /// [`IpfsError::ContentMismatch`] when the content is damaged (it was removed), and those of
    /// [`Cache::get`]. What lay at `destination` is still there.
    pub fn export(&self, cid: &Cid, destination: &Path) -> Result<bool, IpfsError> {
        self.0.export(cid, destination)
    }

    /// Evicts until at most `to_bytes` are kept, and answers how many bytes went. What is pinned stays.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] and [`IpfsError::Closed`].
    pub fn trim(&self, to_bytes: u64) -> Result<u64, IpfsError> {
        self.0.trim(to_bytes)
    }

    /// Removes everything: all content, all pins, and what interrupted downloads left.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when something cannot be removed, and [`IpfsError::Closed`].
    pub fn clear(&self) -> Result<(), IpfsError> {
        self.0.clear()
    }

    /// What the cache holds. Costs a look into the index; after an unclean end, once, one at the folder.
    ///
    /// Files that the system removed are counted until somebody misses them.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when the index cannot be read, and [`IpfsError::Closed`].
    pub fn stats(&self) -> Result<Stats, IpfsError> {
        self.0.stats()
    }

    /// Writes down what is known of uses and lets go of every lock and open file, as an app must when it
    /// goes to the background. Until [`Cache::resume`], files are still found; all else answers
    /// [`IpfsError::Closed`]. (A download in progress, or a file that passes, keeps the lock of its place.)
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when it cannot be written down. The locks are gone all the same.
    pub fn suspend(&self) -> Result<(), IpfsError> {
        self.0.suspend()
    }

    /// Ends a [`Cache::suspend`].
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] and [`IpfsError::Closed`].
    pub fn resume(&self) -> Result<(), IpfsError> {
        self.0.resume()
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_open().is_err()
    }

    /// Suspends the cache for good: all clones answer [`IpfsError::Closed`].
    ///
    /// # Errors
    ///
    /// Those of [`Cache::suspend`]. It is closed all the same.
    pub fn close(&self) -> Result<(), IpfsError> {
        self.0.close()
    }
}
