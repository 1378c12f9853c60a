//! Gateways: fetching content from servers that nobody trusts.
//!
//! A [`Gateway`] may be slow, away, or lie; an id says what is right. So several are asked, whoever answers
//! well first is read, every byte is hashed on its way to the disk, and what does not hash right costs its
//! sender the next questions. Nothing that a gateway says is believed: no status, no type, no length.
//!
//! There are three ways. An id that is the hash of a file (`bafkrei…`): the body, from anybody. A tree of
//! blocks: as an archive in one request, or by its skeleton, the inner blocks, after which every leaf can
//! be checked by itself and come from anywhere. And where gateways give files and nothing else, the tree is
//! made again from the file, under every profile in use.
//!
//! # Promises
//!
//! - **C50** What is handed over hashes to the id that was asked for, to the last byte, whichever way it
//!   came and whoever sent it. Where nobody sent that, there is an error and no file.
//! - **C52** A gateway's token goes to that gateway, and to nobody that it redirects to.
//! - **C54** A gateway that fails, stalls or lies does not keep others from serving, and is found out within
//!   a bounded time.
//! - **C59** "Nobody has it" is believed for a bounded time and never kept as content; that nobody can be
//!   reached is told apart from it.

mod archive;
mod ask;
mod filling;
mod options;
mod part;
mod plan;
mod probe;
mod ranges;
mod session;
mod site;
mod skeleton;
mod transfer;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fetch::Fetcher;
use crate::time::{SystemWorld, Timestamp, World};

use super::cache::Entry;
use super::cid::Cid;
use super::error::IpfsError;
use super::path::ContentPath;
use super::room::{NoLimit, Room};

pub use options::{FetchControl, FetchOptions, Progress};
pub use site::Gateway;
use site::Site;

/// How many answers of a kind are remembered.
const REMEMBERED: usize = 1_024;

/// Gateways, and all that is known of them. Cheap to clone; clones share what they learn.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use finalmile::fetch::{FetchError, Fetcher, Request, Response};
/// use finalmile::ipfs::{FetchControl, FetchOptions, Gateway, Gateways, cid_of_bytes};
///
/// // Whatever sends requests: `fetch::HttpFetcher` (feature `http`), or a phone's own networking.
/// struct Honest;
/// impl Fetcher for Honest {
///     fn get(&self, _: &Request) -> Result<Response, FetchError> {
///         Ok(Response::new(200, Vec::new(), &b"hello world"[..]))
///     }
/// }
///
/// let gateways = vec![Gateway::new("https://gateway.example")?];
/// let gateways = Gateways::new(Arc::new(Honest), gateways, FetchOptions::default());
/// # let folder = std::env::temp_dir().join(format!("finalmile-gateways-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// let wanted = cid_of_bytes(b"hello world").into();
/// let fetched = gateways.fetch(&wanted, &folder, &FetchControl::default())?;
/// assert_eq!(std::fs::read(&fetched.path).unwrap(), b"hello world");
///
/// let other = cid_of_bytes(b"something else").into();
/// assert!(gateways.fetch(&other, &folder, &FetchControl::default()).is_err());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone)]
pub struct Gateways {
    inner: Arc<Inner>,
}

struct Inner {
    fetcher: Arc<dyn Fetcher>,
    sites: Vec<Site>,
    options: FetchOptions,
    world: Arc<dyn World>,
    /// What no gateway had, and until when that is believed, since when.
    absent: Mutex<HashMap<String, (Timestamp, Timestamp)>>,
    /// Where paths lead, which never changes.
    places: Mutex<HashMap<String, Cid>>,
}

/// A file that came, every byte of it proved.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Fetched {
    /// The id of the file itself, where a path led to it.
    pub cid: Cid,
    /// Where it lies.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// How it was proved.
    pub source: Source,
    /// The gateway that gave it, or the last part of it; `None` where nobody was asked.
    pub gateway: Option<String>,
    /// How the cache keeps it, when a [`Client`](super::Client) has just fetched it. A file that the cache
    /// does not keep is there as long as this is.
    pub entry: Option<Entry>,
}

/// How a file came and was proved.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// It was there.
    Cache,
    /// As it is: its id is its hash.
    Raw,
    /// As an archive of its blocks.
    Car,
    /// By its inner blocks, and its bytes in ranges.
    Skeleton,
    /// As it is: its tree, made again, has the right root.
    Reimport,
}

impl Source {
    /// `cache`, `raw`, `car`, `skeleton` or `reimport`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Raw => "raw",
            Self::Car => "car",
            Self::Skeleton => "skeleton",
            Self::Reimport => "reimport",
        }
    }
}

impl Gateways {
    /// Asks these gateways through `fetcher`. Until more is known of them, those first in the list are
    /// preferred.
    #[must_use]
    pub fn new(fetcher: Arc<dyn Fetcher>, gateways: Vec<Gateway>, options: FetchOptions) -> Self {
        Self::with_world(fetcher, gateways, options, Arc::new(SystemWorld))
    }

    /// The same with a clock and chance of one's own, by which waits and memories are measured.
    #[must_use]
    pub fn with_world(
        fetcher: Arc<dyn Fetcher>,
        gateways: Vec<Gateway>,
        options: FetchOptions,
        world: Arc<dyn World>,
    ) -> Self {
        let sites = gateways.into_iter().map(Site::new).collect();
        let (absent, places) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { fetcher, sites, options, world, absent, places }) }
    }

    /// Fetches the file that `wanted` names into `folder`, which exists, as `<id>.part`; it is the caller's
    /// to move. While it comes, `<id>.part` and `<id>.leaves` in that folder hold what can be resumed, also
    /// by another process and after this one was killed.
    ///
    /// Blocks for as long as it takes, at most [`FetchOptions::total`].
    ///
    /// # Errors
    ///
    /// - [`IpfsError::Offline`], [`IpfsError::Unavailable`], [`IpfsError::NoGateway`],
    ///   [`IpfsError::RateTooLow`]: nobody gave it; later somebody may.
    /// - [`IpfsError::ContentMismatch`], [`IpfsError::InvalidBlock`], [`IpfsError::InvalidCar`],
    ///   [`IpfsError::Incomplete`], [`IpfsError::Unproved`]: what was sent is something else.
    /// - [`IpfsError::NotFound`], [`IpfsError::IsDirectory`], [`IpfsError::TooLarge`],
    ///   [`IpfsError::UnsupportedContent`]: what the id names is no file that is taken.
    /// - [`IpfsError::Cancelled`], [`IpfsError::DiskFull`], [`IpfsError::CacheUnavailable`].
    ///
    /// No file was handed over; what was proved is kept to be resumed.
    pub fn fetch(
        &self,
        wanted: &ContentPath,
        folder: &Path,
        control: &FetchControl,
    ) -> Result<Fetched, IpfsError> {
        self.fetch_within(wanted, folder, control, Arc::new(Mutex::new(NoLimit)))
    }

    /// The same, where room is asked for before anything is written.
    pub(crate) fn fetch_within(
        &self,
        wanted: &ContentPath,
        folder: &Path,
        control: &FetchControl,
        room: Arc<Mutex<dyn Room>>,
    ) -> Result<Fetched, IpfsError> {
        plan::fetch(&self.inner, wanted, folder, control, room)
    }

    /// Reads the bytes in `range` of a file, as far as it has them, without fetching the others if that can
    /// be helped: a player that seeks. What comes is kept in `folder` as by [`Gateways::fetch`], which then
    /// goes on from there. Holds the range in memory.
    ///
    /// # Errors
    ///
    /// Those of [`Gateways::fetch`].
    pub fn read(
        &self,
        wanted: &ContentPath,
        range: Range<u64>,
        folder: &Path,
        control: &FetchControl,
    ) -> Result<Vec<u8>, IpfsError> {
        plan::read(&self.inner, wanted, range, folder, control)
    }

    /// Which file a path leads to, followed block by block through directories. An id without names is the
    /// answer itself, and needs no gateway; a path that was followed before does not either.
    ///
    /// # Errors
    ///
    /// Those of [`Gateways::fetch`]. [`IpfsError::NoGateway`] also when no gateway gives single blocks.
    pub fn resolve(&self, wanted: &ContentPath, control: &FetchControl) -> Result<Cid, IpfsError> {
        plan::resolve(&self.inner, wanted, control)
    }
}

impl fmt::Debug for Gateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateways").field("sites", &self.inner.sites).finish_non_exhaustive()
    }
}

impl Inner {
    /// Whether it is known that nobody has this.
    fn is_absent(&self, wanted: &str) -> bool {
        let now = self.world.now();
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that stepped back must not make this last.
        absent.retain(|_, (since, until)| (*since..*until).contains(&now));
        absent.contains_key(wanted)
    }

    fn remember_absent(&self, wanted: String) {
        let now = self.world.now();
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        if absent.len() < REMEMBERED {
            absent.insert(wanted, (now, now.after(self.options.absent_for)));
        }
    }

    /// Where a path leads, if that is known without asking anybody.
    fn place(&self, wanted: &ContentPath) -> Option<Cid> {
        if wanted.names().is_empty() {
            return Some(wanted.cid().clone());
        }
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&wanted.to_string()).cloned()
    }

    fn remember_place(&self, wanted: &ContentPath, cid: &Cid) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= REMEMBERED {
            places.clear();
        }
        places.insert(wanted.to_string(), cid.clone());
    }
}

/// The microseconds from `earlier` to `later`, zero if there are none.
fn duration_us(later: Timestamp, earlier: Timestamp) -> u64 {
    u64::try_from(later.micros_since(earlier)).unwrap_or_default()
}
