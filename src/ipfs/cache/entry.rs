//! What a put or a fetch answers with.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::cid::Cid;
use super::home::Home;

/// A file that is what its id names, and where it lies.
///
/// A file that is kept stays until it is evicted or removed. One of more than an eighth of the cache's limit
/// is not kept unless it is pinned: it belongs to the holder of this entry (**C23**).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The content's id.
    pub cid: Cid,
    /// Where the file lies.
    pub path: PathBuf,
    /// Its length.
    pub size_bytes: u64,
    /// Whether it was absent before. Advice: another process may put or remove it meanwhile.
    pub added: bool,
    /// Whether the cache keeps it. `false`: the file is removed with the last clone of this entry, or when
    /// the cache is opened next; move it to keep it.
    pub kept: bool,
    pub(super) passing: Option<Passing>,
}

/// A file that belongs to the holder of an entry.
#[derive(Clone, Debug)]
pub(super) struct Passing(#[expect(dead_code, reason = "its drop is what it is for")] Arc<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// It lies there, so nobody may sweep it.
    _home: Arc<Home>,
}

impl Passing {
    pub(super) fn new(path: PathBuf, home: Arc<Home>) -> Self {
        Self(Arc::new(Held { path, _home: home }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Its holder may have moved it.
        drop(fs::remove_file(&self.path));
    }
}

impl Eq for Passing {}

impl PartialEq for Passing {
    /// Entries with one path have one file.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
