//! A nameless file for what does not fit into memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::error::IpfsError;

/// Grows at its end and is read anywhere. It has no name once it is open (on Windows: until it is
/// dropped), so a process that dies leaves nothing.
pub(super) struct Spill {
    file: File,
    /// For messages, and for removal where an open file keeps its name.
    path: PathBuf,
    end: u64,
}

impl Spill {
    pub(super) fn create(folder: &Path) -> Result<Self, IpfsError> {
        let (file, path) = create_new(folder, "spill")?;
        if cfg!(unix) {
            fs::remove_file(&path).map_err(IpfsError::writing(&path))?;
        }
        Ok(Self { file, path, end: 0 })
    }

    /// Adds `bytes`, and says where they begin.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<u64, IpfsError> {
        let at = self.end;
        let sought = self.file.seek(SeekFrom::Start(at));
        let written = sought.and_then(|_| self.file.write_all(bytes));
        written.map_err(IpfsError::writing(&self.path))?;
        self.end += bytes.len() as u64;
        Ok(at)
    }

    /// Fills `buffer` from what lies at `at`.
    pub(super) fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), IpfsError> {
        let sought = self.file.seek(SeekFrom::Start(at));
        let read = sought.and_then(|_| self.file.read_exact(buffer));
        read.map_err(IpfsError::unreadable(&self.path))
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if !cfg!(unix) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A new file in `folder` that nobody else has, open for reading and writing.
pub(super) fn create_new(folder: &Path, extension: &str) -> Result<(File, PathBuf), IpfsError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{}-{number}.{extension}", process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            // Two containers sharing the folder may both be process 1.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(IpfsError::writing(&path)(error)),
        }
    }
}
