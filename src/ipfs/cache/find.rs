//! Finding: whether a file is there, and is what its name says.
//!
//! A hit is a `stat` and a look into memory. Nothing but the file itself makes a hit, and nothing but a file
//! that was checked since the last unclean end, and has its length since, is one without a look at its bytes.
//!
//! # Invariants
//!
//! - **C27** A file whose time is over is a miss and removed, pinned ones excepted. A clock that steps back
//!   does not let it live longer than one time more.
//! - **C29** A file that was deleted, cannot be read or is no file is a miss, not an error.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::cid::{Cid, Codec, Multihash};
use super::super::error::IpfsError;
use super::check;
use super::count;
use super::index::Row;
use super::part::{is_absence, is_file};
use super::shared::Shared;
use super::state::{CHANGES, Look};

impl Shared {
    /// Where the content of `cid` lies, if it is there and right.
    pub(super) fn get(self: &Arc<Self>, cid: &Cid) -> Result<Option<PathBuf>, IpfsError> {
        self.is_open()?;
        let path = self.path_of(cid);
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return Ok(self.missed(cid)),
            Err(error) if is_absence(&error) => return Ok(self.missed(cid)),
            Err(error) => return Err(IpfsError::writing(&path)(error)),
        };
        if self.look(cid, &meta, &path, None)? { Ok(Some(path)) } else { Ok(self.missed(cid)) }
    }

    /// The bytes of `cid`, checked just now or kept in memory since they were.
    pub(super) fn get_bytes(self: &Arc<Self>, cid: &Cid) -> Result<Option<Arc<[u8]>>, IpfsError> {
        self.is_open()?;
        let hot = self.state().hot.get(cid);
        if let Some(bytes) = hot {
            let is_hit = self.seen(cid, bytes.len() as u64);
            if matches!(is_hit, Look::Hit { .. }) {
                return Ok(Some(bytes));
            }
        }
        let path = self.path_of(cid);
        let is_known = self.state().row(cid).is_some();
        let (meta, bytes) = match read(&path) {
            // A link is not followed: what it leads to is not ours. What was met before was none.
            Ok(read) if is_known || is_file(&path) => read,
            Ok(_) => return Ok(self.missed(cid)),
            Err(error) if is_absence(&error) || is_odd(&error) => return Ok(self.missed(cid)),
            Err(error) => return Err(IpfsError::unreadable(&path)(error)),
        };
        if !self.look(cid, &meta, &path, Some(&bytes))? {
            return Ok(self.missed(cid));
        }
        let mut state = self.state();
        // Once is no habit.
        if state.row(cid).is_some_and(|row| row.uses > 2) {
            state.hot.put(cid, &bytes);
        }
        Ok(Some(bytes))
    }

    /// What memory says of a file that is there.
    fn seen(self: &Arc<Self>, cid: &Cid, bytes: u64) -> Look {
        let now = self.options.ttl.map(|ttl| (self.now(), ttl));
        let mut state = self.state();
        let look = state.look(cid, bytes, now);
        let is_noted = state.has_flusher && state.waiting() <= CHANGES;
        drop(state);
        if !is_noted {
            self.noted();
        }
        look
    }

    /// Whether the file at `path` is what `cid` names; if not, it is removed. Bytes that were read are always
    /// checked.
    fn look(
        self: &Arc<Self>,
        cid: &Cid,
        meta: &Metadata,
        path: &Path,
        bytes: Option<&[u8]>,
    ) -> Result<bool, IpfsError> {
        let mut seen = self.seen(cid, meta.len());
        if seen == Look::Unknown {
            // It is advice: without it the file itself is looked at.
            if let Ok(Some(row)) = self.index(|link| link.index.find(cid)) {
                self.state().learn(row);
                seen = self.seen(cid, meta.len());
            }
        }
        if let (Look::Hit { .. }, None) = (&seen, bytes) {
            return Ok(true);
        }
        if seen == Look::Expired {
            self.discard(cid)?;
            return Ok(false);
        }
        let is_hit = matches!(seen, Look::Hit { .. });
        let row = match seen {
            Look::Unchecked(row) => Some(*row),
            _ => self.state().row(cid).cloned(),
        };
        if row.is_none() && self.is_expired(&count::row_of(self, cid.clone(), meta)) {
            self.discard(cid)?;
            return Ok(false);
        }
        let digest = row.as_ref().and_then(|row| row.digest.as_ref());
        let is_right = match bytes {
            Some(bytes) => match (cid.codec(), cid.hash()) {
                (Codec::DagPb, Multihash::Identity(_)) => return Err(unsupported()),
                _ => check::names_bytes(cid, bytes, digest),
            },
            None => match File::open(path) {
                Ok(file) => check::names_content(cid, file, path, digest)?,
                Err(error) if is_absence(&error) => return Ok(false),
                Err(error) => return Err(IpfsError::unreadable(path)(error)),
            },
        };
        if !is_right {
            // Where it cannot be removed it is a miss each time.
            drop(self.discard(cid));
            return Ok(false);
        }
        if !is_hit {
            let mut state = self.state();
            match row {
                Some(_) => state.checked(cid, meta.len()),
                None => {
                    drop(state);
                    let row = count::row_of(self, cid.clone(), meta);
                    state = self.state();
                    state.add(row, 0);
                }
            }
            drop(state);
            self.seen(cid, meta.len());
        }
        Ok(true)
    }

    /// Whether nothing says that the file would be a miss, its bytes aside.
    pub(super) fn contains(self: &Arc<Self>, cid: &Cid) -> bool {
        let Ok(meta) = fs::symlink_metadata(self.path_of(cid)) else { return false };
        if !meta.is_file() || self.is_open().is_err() {
            return false;
        }
        if self.options.ttl.is_none() {
            return true;
        }
        let known = self.state().row(cid).cloned();
        let row = known.or_else(|| self.index(|link| link.index.find(cid)).ok().flatten());
        !self.is_expired(&row.unwrap_or_else(|| count::row_of(self, cid.clone(), &meta)))
    }

    fn is_expired(&self, row: &Row) -> bool {
        let Some(ttl) = self.options.ttl else { return false };
        !row.pinned && row.put_at.after(ttl) <= self.now()
    }

    /// Removes a file that is not to be had any more.
    pub(super) fn discard(self: &Arc<Self>, cid: &Cid) -> Result<bool, IpfsError> {
        let path = self.path_of(cid);
        let removed = match fs::remove_file(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(IpfsError::writing(&path)(error)),
        };
        self.state().forget(cid);
        self.noted();
        Ok(removed)
    }

    /// Counts a miss. Where the index thinks otherwise it learns of it later.
    fn missed<T>(self: &Arc<Self>, cid: &Cid) -> Option<T> {
        let mut state = self.state();
        state.counts.misses += 1;
        state.forget(cid);
        drop(state);
        self.noted();
        None
    }
}

/// All bytes of a file, in the one place where they are to stay.
fn read(path: &Path) -> io::Result<(Metadata, Arc<[u8]>)> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    let length = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    let mut bytes: Arc<[u8]> = iter::repeat_n(0, length).collect();
    if let Some(bytes) = Arc::get_mut(&mut bytes) {
        file.read_exact(bytes)?;
    }
    Ok((meta, bytes))
}

/// A folder in place of a file, or a file that was cut while it was read.
fn is_odd(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::UnexpectedEof)
}

fn unsupported() -> IpfsError {
    IpfsError::UnsupportedCid { what: "identity hash of a dag-pb node" }
}
