//! A file on its way to its name.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::error::IpfsError;

/// A file being written in the home of this process. Dropped before it got its name, it is removed.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) file: File,
    pub(super) path: PathBuf,
    is_named: bool,
}

impl Part {
    pub(super) fn create(home: &Path) -> io::Result<Self> {
        let path = fresh(home, "tmp");
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, is_named: false })
    }

    /// It was renamed, or is somebody else's to remove.
    pub(super) fn named(mut self) {
        self.is_named = true;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_named {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A name in `home` that was not used before: homes are new, and nobody else's.
pub(super) fn fresh(home: &Path, ending: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    home.join(format!("{}.{ending}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Gives the file at `from` its name.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), IpfsError> {
    match fs::rename(from, to) {
        Ok(()) => Ok(()),
        // Windows refuses to replace a file that someone is reading; it holds the same bytes.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_file(to) => {
            drop(fs::remove_file(from));
            Ok(())
        }
        Err(error) => Err(IpfsError::writing(to)(error)),
    }
}

pub(super) fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Ways in which a system that clears or locks cache folders says that a file is not to be had.
pub(super) fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | PermissionDenied | NotADirectory)
}
