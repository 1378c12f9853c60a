//! Pins: content that stays, whatever else needs its room.
//!
//! A pin is an empty file named by the id, so it outlives every index. It may be set before the content
//! is there, which is how content of more than an eighth of the limit is kept.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::cid::Cid;

/// The folder of markers below a base.
#[derive(Clone, Debug)]
pub(super) struct Pins(PathBuf);

impl Pins {
    pub(super) fn new(base: &Path) -> Self {
        Self(base.join("pins"))
    }

    /// Whether `cid` is pinned. Costs one `stat`.
    pub(super) fn has(&self, cid: &Cid) -> bool {
        fs::symlink_metadata(self.marker(cid)).is_ok()
    }

    /// Sets a pin, and has the system write it down: it is a promise for the next start as well.
    pub(super) fn add(&self, cid: &Cid) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        File::create(self.marker(cid))?.sync_all()?;
        // Folders cannot be opened everywhere.
        if let Ok(folder) = File::open(&self.0) {
            drop(folder.sync_all());
        }
        Ok(())
    }

    /// Removes a pin; whether there was one.
    pub(super) fn remove(&self, cid: &Cid) -> io::Result<bool> {
        match fs::remove_file(self.marker(cid)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes all of them.
    pub(super) fn clear(&self) {
        drop(fs::remove_dir_all(&self.0));
    }

    fn marker(&self, cid: &Cid) -> PathBuf {
        self.0.join(cid.to_string())
    }
}
