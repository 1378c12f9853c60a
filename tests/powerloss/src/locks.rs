//! Locks and shared memory, as SQLite's file systems give them, inside one process.
//!
//! A file has four levels of locks, of which the last three have one holder. Its shared memory has
//! eight locks, each shared or exclusive, and regions that stay where they are until the last
//! connection lets go.

use std::{
    collections::BTreeMap,
    ffi::{c_int, c_void},
    sync::atomic::AtomicU64,
};

use finalmile::rusqlite::ffi;

use crate::disk::Inode;

/// Names one open file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Handle(pub(crate) u64);

/// What every open file holds.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    levels: BTreeMap<(Inode, Handle), c_int>,
    memory: BTreeMap<Inode, Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    regions: Vec<Box<[AtomicU64]>>,
    users: BTreeMap<Handle, Held>,
}

/// Which of the eight locks one connection holds, a bit each.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    shared: u32,
    exclusive: u32,
}

impl Locks {
    /// Raises a file's lock to `level`; false if somebody is in the way.
    pub(crate) fn lock(&mut self, inode: Inode, me: Handle, level: c_int) -> bool {
        let mine = self.level(inode, me);
        if mine >= level {
            return true;
        }
        let highest = self.others(inode, me).max().unwrap_or(ffi::SQLITE_LOCK_NONE);
        let reached = match level {
            ffi::SQLITE_LOCK_SHARED if highest >= ffi::SQLITE_LOCK_PENDING => return false,
            ffi::SQLITE_LOCK_SHARED => level,
            _ if highest >= ffi::SQLITE_LOCK_RESERVED => return false,
            // Readers may finish, and no new one comes in.
            ffi::SQLITE_LOCK_EXCLUSIVE if highest >= ffi::SQLITE_LOCK_SHARED => {
                ffi::SQLITE_LOCK_PENDING
            }
            _ => level,
        };
        self.levels.insert((inode, me), reached);
        reached == level
    }

    pub(crate) fn unlock(&mut self, inode: Inode, me: Handle, level: c_int) {
        let mine = self.level(inode, me);
        self.levels.insert((inode, me), mine.min(level));
    }

    pub(crate) fn is_reserved(&self, inode: Inode) -> bool {
        let levels = self.levels.iter().filter(|((file, _), _)| *file == inode);
        levels.into_iter().any(|(_, level)| *level >= ffi::SQLITE_LOCK_RESERVED)
    }

    pub(crate) fn close(&mut self, inode: Inode, me: Handle) {
        self.levels.remove(&(inode, me));
        self.unmap(inode, me);
    }

    fn level(&self, inode: Inode, me: Handle) -> c_int {
        self.levels.get(&(inode, me)).copied().unwrap_or(ffi::SQLITE_LOCK_NONE)
    }

    fn others(&self, inode: Inode, me: Handle) -> impl Iterator<Item = c_int> {
        let others = move |(file, who): &(Inode, Handle)| *file == inode && *who != me;
        self.levels.iter().filter(move |(of, _)| others(of)).map(|(_, level)| *level)
    }

    /// A region of the file's shared memory, made if `extend`; null if there is none.
    pub(crate) fn map(
        &mut self,
        inode: Inode,
        me: Handle,
        (region, size_bytes, extend): (usize, usize, bool),
    ) -> *mut c_void {
        let memory = self.memory.entry(inode).or_default();
        memory.users.entry(me).or_default();
        while extend && memory.regions.len() <= region {
            memory.regions.push((0..size_bytes / 8).map(|_| AtomicU64::new(0)).collect());
        }
        let found = memory.regions.get(region);
        // Atomics may be written through a shared reference, so also through this pointer.
        found.map_or(std::ptr::null_mut(), |words| words.as_ptr().cast_mut().cast())
    }

    /// Takes or frees some of the eight locks; false if somebody is in the way.
    pub(crate) fn shm_lock(&mut self, inode: Inode, me: Handle, bits: u32, flags: c_int) -> bool {
        let memory = self.memory.entry(inode).or_default();
        let others = memory.users.iter().filter(|(who, _)| **who != me).map(|(_, held)| *held);
        let is_shared = flags & ffi::SQLITE_SHM_SHARED != 0;
        let blocks = |held: Held| held.exclusive | if is_shared { 0 } else { held.shared };
        let blocked = others.fold(0, |all, held| all | blocks(held));
        let held = memory.users.entry(me).or_default();
        let mine = if is_shared { &mut held.shared } else { &mut held.exclusive };
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            *mine &= !bits;
            return true;
        }
        if blocked & bits != 0 {
            return false;
        }
        *mine |= bits;
        true
    }

    pub(crate) fn unmap(&mut self, inode: Inode, me: Handle) {
        if let Some(memory) = self.memory.get_mut(&inode) {
            memory.users.remove(&me);
            if memory.users.is_empty() {
                self.memory.remove(&inode);
            }
        }
    }
}
