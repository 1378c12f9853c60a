//! Open files: what SQLite asks of a file system, in safe terms.
//!
//! Errors are SQLite's result codes. How an operation is struck is decided here: a write that meets a
//! full or failing disk has written its beginning, a sync that fails loses what it was to keep, and
//! an operation that the power cut struck has been begun.

use std::{
    ffi::{c_int, c_void},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use finalmile::rusqlite::ffi;

use crate::{
    disk::{Disk, Inode},
    locks::Handle,
    machine::{Failed, Harm, Life, Operation, State},
};

/// An open file of some machine's.
#[derive(Debug)]
pub(crate) struct OpenFile {
    life: Arc<Life>,
    inode: Inode,
    handle: Handle,
    /// Whether its first sync includes its directory.
    is_log: bool,
    deleted_at_close: Option<String>,
}

type Done<T = ()> = Result<T, c_int>;

static HANDLES: AtomicU64 = AtomicU64::new(0);

impl OpenFile {
    /// Opens a file; without a name, one that nobody else sees and nothing strikes.
    pub(crate) fn open(name: Option<&str>, flags: c_int) -> Done<Self> {
        let has = |flag| flags & flag != 0;
        let scratch = || Some((Life::new(Disk::default(), None, 0), "scratch"));
        let (life, name) = name.map_or_else(scratch, Life::of).ok_or(ffi::SQLITE_CANTOPEN)?;
        let mut state = life.lock();
        state.powered().map_err(code)?;
        let inode = match state.disk.find(name) {
            Some(_) if has(ffi::SQLITE_OPEN_EXCLUSIVE) => return Err(ffi::SQLITE_CANTOPEN),
            Some(inode) => inode,
            None if !has(ffi::SQLITE_OPEN_CREATE) => return Err(ffi::SQLITE_CANTOPEN),
            None => {
                strike(&mut state, Operation::Create, |disk| disk.create(name))?;
                state.disk.find(name).ok_or(ffi::SQLITE_CANTOPEN)?
            }
        };
        drop(state);
        let handle = Handle(HANDLES.fetch_add(1, Ordering::Relaxed));
        let is_log = has(ffi::SQLITE_OPEN_MAIN_JOURNAL)
            || has(ffi::SQLITE_OPEN_SUPER_JOURNAL)
            || has(ffi::SQLITE_OPEN_WAL);
        let deleted = has(ffi::SQLITE_OPEN_DELETEONCLOSE).then(|| name.to_owned());
        Ok(Self { life, inode, handle, is_log, deleted_at_close: deleted })
    }

    /// Fills `into`; false if the file ends before, and the rest is zeros.
    pub(crate) fn read(&self, at: usize, into: &mut [u8]) -> Done<bool> {
        let mut state = self.life.lock();
        state.admit(Operation::Read).map_err(code)?;
        let count = state.disk.read(self.inode, at, into);
        into[count..].fill(0);
        Ok(count == into.len())
    }

    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Done {
        let mut state = self.life.lock();
        let Err(failed) = state.admit(Operation::Write) else {
            state.disk.write(self.inode, at, bytes);
            return Ok(());
        };
        let written = match failed.harm {
            None => 0,
            Some(Harm::PowerCut | Harm::Kill) => bytes.len(),
            Some(Harm::Full | Harm::Error) => state.random.index(bytes.len()),
        };
        if written > 0 {
            state.disk.write(self.inode, at, &bytes[..written]);
        }
        Err(failed.code)
    }

    pub(crate) fn truncate(&self, size: usize) -> Done {
        let mut state = self.life.lock();
        strike(&mut state, Operation::Resize, |disk| disk.resize(self.inode, size))
    }

    pub(crate) fn sync(&self) -> Done {
        let mut state = self.life.lock();
        let State { disk, random, .. } = match state.admit(Operation::Sync) {
            Ok(()) => {
                state.disk.sync(self.inode);
                if self.is_log {
                    state.disk.sync_directory();
                }
                return Ok(());
            }
            // What the cut leaves of it is chosen when the power is back.
            Err(failed) if failed.harm != Some(Harm::Error) => return Err(failed.code),
            Err(_) => &mut *state,
        };
        disk.fail_sync(self.inode, random);
        Err(ffi::SQLITE_IOERR_FSYNC)
    }

    pub(crate) fn size(&self) -> Done<usize> {
        let state = self.life.lock();
        state.powered().map_err(code)?;
        Ok(state.disk.len(self.inode))
    }

    pub(crate) fn lock(&self, level: c_int) -> Done {
        let mut state = self.life.lock();
        state.admit(Operation::Lock).map_err(code)?;
        busy_unless(state.locks.lock(self.inode, self.handle, level))
    }

    pub(crate) fn unlock(&self, level: c_int) {
        self.life.lock().locks.unlock(self.inode, self.handle, level);
    }

    pub(crate) fn is_reserved(&self) -> bool {
        self.life.lock().locks.is_reserved(self.inode)
    }

    /// A region of shared memory, which stays where it is until the file is closed.
    pub(crate) fn map(&self, region: usize, size_bytes: usize, extend: bool) -> Done<*mut c_void> {
        let mut state = self.life.lock();
        state.powered().map_err(code)?;
        Ok(state.locks.map(self.inode, self.handle, (region, size_bytes, extend)))
    }

    pub(crate) fn lock_memory(&self, bits: u32, flags: c_int) -> Done {
        let mut state = self.life.lock();
        if flags & ffi::SQLITE_SHM_UNLOCK == 0 {
            state.admit(Operation::Lock).map_err(code)?;
        }
        busy_unless(state.locks.shm_lock(self.inode, self.handle, bits, flags))
    }

    pub(crate) fn is_powersafe(&self) -> bool {
        self.life.lock().disk.is_powersafe()
    }

    pub(crate) fn unmap(&self) {
        self.life.lock().locks.unmap(self.inode, self.handle);
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut state = self.life.lock();
        state.locks.close(self.inode, self.handle);
        if let Some(name) = &self.deleted_at_close {
            state.disk.remove(name);
        }
    }
}

/// Takes a file's name away; a missing one is an error of its own.
pub(crate) fn remove(path: &str, sync_directory: bool) -> Done {
    let (life, name) = Life::of(path).ok_or(ffi::SQLITE_IOERR_DELETE)?;
    let mut state = life.lock();
    state.powered().map_err(code)?;
    if state.disk.find(name).is_none() {
        return Err(ffi::SQLITE_IOERR_DELETE_NOENT);
    }
    strike(&mut state, Operation::Remove, |disk| disk.remove(name))?;
    if sync_directory {
        state.disk.sync_directory();
    }
    Ok(())
}

/// Whether there is a file of that name with anything in it, as SQLite's own file system asks.
pub(crate) fn exists(path: &str) -> Done<bool> {
    let (life, name) = Life::of(path).ok_or(ffi::SQLITE_IOERR_ACCESS)?;
    let state = life.lock();
    state.powered().map_err(code)?;
    Ok(state.disk.find(name).is_some_and(|inode| state.disk.len(inode) > 0))
}

/// Does `work` if the operation goes well, and also if the end comes in the midst of it.
fn strike(state: &mut State, operation: Operation, work: impl FnOnce(&mut Disk)) -> Done {
    let admitted = state.admit(operation);
    let begun = match &admitted {
        Ok(()) => true,
        Err(failed) => matches!(failed.harm, Some(Harm::PowerCut | Harm::Kill)),
    };
    if begun {
        work(&mut state.disk);
    }
    admitted.map_err(code)
}

fn busy_unless(free: bool) -> Done {
    if free { Ok(()) } else { Err(ffi::SQLITE_BUSY) }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn code(failed: Failed) -> c_int {
    failed.code
}
