//! The file that a fetch writes, and what lies beside it so that another process can go on.
//!
//! `<id>.part` holds data, `<id>.leaves` the inner blocks of the file's tree and a bit for each leaf that
//! was proved and written. Neither is believed when it is read again: blocks are hashed against the id,
//! marked leaves against their blocks. So no power cut and no other program can make them lie.
//!
//! # Invariants
//!
//! - **C51** What was proved is not fetched again, also after the process was killed; and nothing counts
//!   as proved because a file has some length, or because it was marked.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::cid::Cid;
use super::super::error::IpfsError;

/// How a file of marks begins; another number is another form.
const MAGIC: &[u8; 8] = b"fmleaf1\n";

/// A file that grows. Only this fetch writes to it.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    pub(super) path: PathBuf,
    leaves_path: PathBuf,
    /// Whether others may go on with it.
    is_shared: bool,
    is_complete: bool,
}

impl Part {
    /// Opens the part of `cid` in `folder`, or makes it. While somebody else writes to it, this one is a
    /// file of another name, which is removed if it is not completed.
    pub(super) fn open(folder: &Path, cid: &Cid) -> Result<Self, IpfsError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut path = folder.join(format!("{cid}.part"));
        let leaves_path = folder.join(format!("{cid}.leaves"));
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(path);
            file.map_err(IpfsError::writing(path))
        };
        let mut file = open(&path)?;
        let is_shared = match file.try_lock() {
            // Where nothing can be locked, one process is all there is.
            Ok(()) | Err(TryLockError::Error(_)) => true,
            Err(TryLockError::WouldBlock) => false,
        };
        if !is_shared {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            path = folder.join(format!("{cid}.{}-{number}.part", process::id()));
            file = open(&path)?;
            file.set_len(0).map_err(IpfsError::writing(&path))?;
        }
        Ok(Self { file, path, leaves_path, is_shared, is_complete: false })
    }

    pub(super) fn len(&self) -> Result<u64, IpfsError> {
        Ok(self.file.metadata().map_err(IpfsError::unreadable(&self.path))?.len())
    }

    /// Forgets what is there from `len` on.
    pub(super) fn cut(&mut self, len: u64) -> Result<(), IpfsError> {
        self.file.set_len(len).map_err(IpfsError::writing(&self.path))
    }

    pub(super) fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), IpfsError> {
        let sought = self.file.seek(SeekFrom::Start(at));
        let written = sought.and_then(|_| self.file.write_all(bytes));
        written.map_err(IpfsError::writing(&self.path))
    }

    /// Fills `buffer` from `at`; `false` where the file ends before.
    pub(super) fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> Result<bool, IpfsError> {
        if self.len()? < at.saturating_add(buffer.len() as u64) {
            return Ok(false);
        }
        let sought = self.file.seek(SeekFrom::Start(at));
        let read = sought.and_then(|_| self.file.read_exact(buffer));
        read.map(|()| true).map_err(IpfsError::unreadable(&self.path))
    }

    /// The blocks and marks that were kept beside it; nothing when they are of no use.
    pub(super) fn kept(&self, most: u64) -> (Vec<Vec<u8>>, Vec<u8>) {
        let nothing = (Vec::new(), Vec::new());
        if !self.is_shared || fs::metadata(&self.leaves_path).map_or(0, |meta| meta.len()) > most {
            return nothing;
        }
        let Ok(bytes) = fs::read(&self.leaves_path) else { return nothing };
        parse(&bytes).unwrap_or(nothing)
    }

    /// Keeps blocks and marks beside it, in place of what was there.
    pub(super) fn keep(&self, blocks: &[Vec<u8>], marks: &[u8]) -> Result<Marks, IpfsError> {
        if !self.is_shared {
            return Ok(Marks { file: None, begin: 0, path: PathBuf::new() });
        }
        let path = self.leaves_path.clone();
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&(blocks.len() as u64).to_le_bytes());
        for block in blocks {
            head.extend_from_slice(&(block.len() as u64).to_le_bytes());
            head.extend_from_slice(block);
        }
        let begin = head.len() as u64;
        head.extend_from_slice(marks);
        let failed = IpfsError::writing(&path);
        let mut file = File::create(&path).map_err(&failed)?;
        file.write_all(&head).map_err(&failed)?;
        drop(failed);
        Ok(Marks { file: Some(file), begin, path })
    }

    /// It is whole and proved: nothing else is needed.
    pub(super) fn complete(mut self, len: u64) -> Result<PathBuf, IpfsError> {
        if self.len()? != len {
            self.cut(len)?;
        }
        if self.is_shared {
            drop(fs::remove_file(&self.leaves_path));
        }
        self.is_complete = true;
        Ok(self.path.clone())
    }

    /// It is of no use to anybody.
    pub(super) fn discard(&mut self) {
        drop(fs::remove_file(&self.path));
        if self.is_shared {
            drop(fs::remove_file(&self.leaves_path));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        let is_empty = || self.file.metadata().is_ok_and(|meta| meta.len() == 0);
        if !self.is_shared || is_empty() && !self.leaves_path.exists() {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The marks of leaves, on the disk.
#[derive(Debug)]
pub(super) struct Marks {
    file: Option<File>,
    begin: u64,
    path: PathBuf,
}

impl Marks {
    /// Writes the byte of marks at `place`.
    pub(super) fn set(&mut self, place: usize, byte: u8) -> Result<(), IpfsError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let sought = file.seek(SeekFrom::Start(self.begin + place as u64));
        let written = sought.and_then(|_| file.write_all(&[byte]));
        written.map_err(IpfsError::writing(&self.path))
    }
}

fn parse(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, Vec<u8>)> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let number = |rest: &mut &[u8]| {
        let (number, after) = rest.split_first_chunk()?;
        *rest = after;
        usize::try_from(u64::from_le_bytes(*number)).ok()
    };
    let count = number(&mut rest)?;
    let mut blocks = Vec::new();
    for _ in 0..count {
        let length = number(&mut rest)?;
        let (block, after) = rest.split_at_checked(length)?;
        blocks.push(block.to_vec());
        rest = after;
    }
    Some((blocks, rest.to_vec()))
}
