//! The cache: a folder of files, each named by the id of its content.
//!
//! The folder is the whole truth; there is no index to fall out of step with it. A put writes a
//! `.part` file beside the final name and renames it, which is atomic, so readers see a whole file
//! or none (**C5**) and two writers of one content merely replace equal bytes.
//!
//! A name is always printed from a parsed [`Cid`] (**C6**), in lower-case base32, so ids cannot
//! collide on file systems that ignore case either.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::cid::{Cid, Codec, Multihash};
use super::error::IpfsError;
use super::import::{Importer, each_piece};
use super::profile::Profile;

/// A `.part` file that nobody wrote to for this long has lost its writer: downloads give up after
/// thirty seconds of silence, copies never pause.
const STALE_PART: Duration = Duration::from_secs(3_600);

/// A folder of verified files. Cheap to clone; any number of threads and processes may share it.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Cache, Check};
///
/// # let folder = std::env::temp_dir().join(format!("finalmile-doc-{}", std::process::id()));
/// let cache = Cache::open(&folder)?;
/// let entry = cache.put_bytes(b"hello world")?;
/// assert_eq!(cache.get(&entry.cid)?, Some(entry.path));
/// assert_eq!(cache.verify(&entry.cid)?, Check::Intact);
/// assert_eq!(cache.stats()?.bytes, 11);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// What a put left in the cache.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The content's id under the default [`Profile`].
    pub cid: Cid,
    /// Where the file lies.
    pub path: PathBuf,
    /// Its length.
    pub size_bytes: u64,
    /// Whether it was absent before. Advice: another process may put or remove it meanwhile.
    pub added: bool,
}

/// The answer to [`Cache::verify`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a file that is neither is an error")]
pub enum Check {
    /// The file is what its id names.
    Intact,
    /// There is no such file.
    Missing,
}

/// What the cache holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Files named by a content id.
    pub entries: u64,
    /// The sum of their lengths.
    pub bytes: u64,
}

impl Cache {
    /// Opens the cache in `folder`, creating it with its parents when missing, and removes `.part`
    /// files that lost their writer more than an hour ago.
    ///
    /// A folder that cannot be written is opened all the same: what it holds can be read.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when `folder` is not a folder and cannot become one.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, IpfsError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(IpfsError::writing(&folder))?;
        let cache = Self { folder };
        // Failing to tidy up takes nothing from a caller who wants to read.
        drop(cache.sweep_parts());
        Ok(cache)
    }

    /// The folder given to [`Cache::open`].
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps `bytes` under their id.
    ///
    /// Content that is already there is written again, which also heals a damaged copy.
    ///
    /// # Errors
    ///
    /// [`IpfsError::DiskFull`] and [`IpfsError::CacheUnavailable`]. Nothing was added.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Entry, IpfsError> {
        self.put(|take| take(bytes))
    }

    /// Keeps a copy of the file at `source` under the id of its content, read once.
    ///
    /// # Errors
    ///
    /// [`IpfsError::Unreadable`] when `source` cannot be read, and those of [`Cache::put_bytes`].
    /// Nothing was added.
    pub fn put_file(&self, source: &Path) -> Result<Entry, IpfsError> {
        let unreadable = IpfsError::unreadable(source);
        let file = File::open(source).map_err(&unreadable)?;
        self.put(|take| each_piece(file, unreadable, take))
    }

    /// Writes the pieces that `feed` hands over while computing their id, then names the file.
    fn put(
        &self,
        feed: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), IpfsError>) -> Result<(), IpfsError>,
    ) -> Result<Entry, IpfsError> {
        let mut part = Part::create(&self.folder)?;
        let mut importer = Importer::new(Profile::default());
        let mut size_bytes = 0;
        feed(&mut |piece| {
            importer.update(piece);
            size_bytes += piece.len() as u64;
            part.file.write_all(piece).map_err(IpfsError::writing(&part.path))
        })?;
        let cid = importer.finish();
        let path = self.path_of(&cid);
        let added = !is_file(&path);
        part.publish(&path)?;
        Ok(Entry { cid, path, size_bytes, added })
    }

    /// Where the content of `cid` lies; `None` when the cache does not hold it (**C7**).
    ///
    /// Costs one `stat`. The bytes were checked when they were put; [`Cache::verify`] checks them
    /// again. The system may remove the file at any time after this call.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when the file system fails in another way than by absence.
    pub fn get(&self, cid: &Cid) -> Result<Option<PathBuf>, IpfsError> {
        let path = self.path_of(cid);
        match fs::symlink_metadata(&path) {
            Ok(meta) => Ok(meta.is_file().then_some(path)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(IpfsError::writing(&path)(error)),
        }
    }

    /// Whether [`Cache::get`] would find `cid`.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        is_file(&self.path_of(cid))
    }

    /// Removes the content of `cid`; `false` when it was not there.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when the file cannot be removed. It is still there.
    pub fn remove(&self, cid: &Cid) -> Result<bool, IpfsError> {
        let path = self.path_of(cid);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(IpfsError::writing(&path)(error)),
        }
    }

    /// Reads the content of `cid` and computes its id again.
    ///
    /// The id of a file of several blocks is tried under both named profiles in one pass.
    ///
    /// # Errors
    ///
    /// - [`IpfsError::ContentMismatch`] when the file is something else. It was removed.
    /// - [`IpfsError::UnsupportedCid`] for an identity hash around a dag-pb node.
    /// - [`IpfsError::Unreadable`] when reading fails, [`IpfsError::CacheUnavailable`] when the
    ///   damaged file cannot be removed. It is still there.
    pub fn verify(&self, cid: &Cid) -> Result<Check, IpfsError> {
        let path = self.path_of(cid);
        if !is_file(&path) {
            return Ok(Check::Missing);
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_absence(&error) => return Ok(Check::Missing),
            Err(error) => return Err(IpfsError::unreadable(&path)(error)),
        };
        if names_content(cid, file, &path)? {
            return Ok(Check::Intact);
        }
        self.remove(cid)?;
        Err(IpfsError::ContentMismatch { cid: cid.clone() })
    }

    /// Counts the files and their bytes. Costs one pass over the folder.
    ///
    /// # Errors
    ///
    /// [`IpfsError::CacheUnavailable`] when the folder cannot be listed.
    pub fn stats(&self) -> Result<Stats, IpfsError> {
        let failed = IpfsError::writing(&self.folder);
        let mut stats = Stats::default();
        for entry in fs::read_dir(&self.folder).map_err(&failed)? {
            let entry = entry.map_err(&failed)?;
            if let Some(size_bytes) = size_of_content(&entry) {
                stats.entries += 1;
                stats.bytes = stats.bytes.saturating_add(size_bytes);
            }
        }
        Ok(stats)
    }

    fn path_of(&self, cid: &Cid) -> PathBuf {
        self.folder.join(cid.to_string())
    }

    /// Removes `.part` files older than [`STALE_PART`].
    ///
    /// Ages are differences between times the file system wrote, against a file made just now: the
    /// clock of this process plays no part, so a folder on another machine is judged right as well.
    fn sweep_parts(&self) -> Result<(), IpfsError> {
        let failed = IpfsError::writing(&self.folder);
        let probe = Part::create(&self.folder)?;
        let now = probe.file.metadata().and_then(|meta| meta.modified()).map_err(&failed)?;
        for entry in fs::read_dir(&self.folder).map_err(&failed)?.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "part") {
                continue;
            }
            let modified = entry.metadata().and_then(|meta| meta.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > STALE_PART) {
                // Another process may have swept it first.
                drop(fs::remove_file(path));
            }
        }
        Ok(())
    }
}

/// A file being written. Dropped before it is published, it is removed.
struct Part {
    file: File,
    path: PathBuf,
}

impl Part {
    fn create(folder: &Path) -> Result<Self, IpfsError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}.part", process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file, path }),
                // Two containers sharing the folder may both be process 1.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(IpfsError::writing(&path)(error)),
            }
        }
    }

    fn publish(self, path: &Path) -> Result<(), IpfsError> {
        // Without this a power cut could leave the name in place with the bytes missing.
        self.file.sync_data().map_err(IpfsError::writing(&self.path))?;
        match fs::rename(&self.path, path) {
            Ok(()) => Ok(()),
            // Windows refuses to replace a file that someone is reading; it holds the same bytes.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_file(path) => {
                Ok(())
            }
            Err(error) => Err(IpfsError::writing(path)(error)),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a successful rename there is nothing left under this name.
        drop(fs::remove_file(&self.path));
    }
}

/// Whether the file's bytes are the content that `cid` names.
fn names_content(cid: &Cid, file: File, path: &Path) -> Result<bool, IpfsError> {
    let unreadable = IpfsError::unreadable(path);
    match (cid.hash(), cid.codec()) {
        (Multihash::Sha2_256(digest), Codec::Raw) => {
            let mut hasher = Sha256::new();
            each_piece(file, unreadable, |piece| {
                hasher.update(piece);
                Ok(())
            })?;
            Ok(hasher.finalize().as_slice() == digest)
        }
        (Multihash::Sha2_256(_), Codec::DagPb) => {
            let profiles = [Profile::UNIXFS_V1_2025, Profile::UNIXFS_V0_2015];
            let mut importers = profiles.map(Importer::new);
            each_piece(file, unreadable, |piece| {
                importers.iter_mut().for_each(|importer| importer.update(piece));
                Ok(())
            })?;
            Ok(importers.into_iter().any(|importer| importer.finish() == *cid))
        }
        (Multihash::Identity(content), Codec::Raw) => {
            let mut rest = Some(content);
            each_piece(file, unreadable, |piece| {
                rest = rest.and_then(|rest| rest.strip_prefix(piece));
                Ok(())
            })?;
            Ok(rest.is_some_and(<[u8]>::is_empty))
        }
        (Multihash::Identity(_), Codec::DagPb) => {
            Err(IpfsError::UnsupportedCid { what: "identity hash of a dag-pb node" })
        }
    }
}

/// The length of a cached file; `None` for anything else, and for one that vanished.
fn size_of_content(entry: &DirEntry) -> Option<u64> {
    let name = entry.file_name();
    let name = name.to_str()?;
    let meta = entry.metadata().ok()?;
    let is_canonical = name.parse::<Cid>().is_ok_and(|cid| cid.to_string() == name);
    (is_canonical && meta.is_file()).then_some(meta.len())
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Ways in which a system that clears or locks cache folders says that a file is not to be had.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}
