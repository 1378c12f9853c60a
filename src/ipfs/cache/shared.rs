//! What all clones of a cache share: its memory, and its way to the index.
//!
//! Whoever needs the index locks it, and it is opened then if it is not open. It may fail at any time: one
//! that is busy or cannot be written is tried again later, one that is damaged is thrown away and made anew,
//! and if that fails too the folder serves as index. Never does the index decide whether a file is there.
//!
//! The index is locked before the memory, never after; the memory's lock is not held during any look at
//! the disk.
//!
//! # Invariants
//!
//! - **C24** An index that is deleted or damaged, while it is open or not, costs time and what it knew of
//!   uses, and no file.
//! - **C25** After an unclean end each file is checked at its first hit; one that is damaged is removed.
//! - **C34** A suspended cache holds no lock and no open file; a closed one answers `Closed`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::time::Timestamp;

use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::count;
use super::folder_index::FolderIndex;
use super::home::{self, BASE, Home};
use super::index::{CacheIndex, Fault, Mark};
use super::left::Left;
use super::options::CacheOptions;
use super::part::is_file;
use super::pins::Pins;
use super::state::{Changes, Session, State};

/// An open index, and the home of this process.
pub(super) struct Link {
    pub(super) index: Box<dyn CacheIndex>,
    /// `None`: the folder cannot be written.
    pub(super) home: Option<Arc<Home>>,
}

pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) base: PathBuf,
    pub(super) options: CacheOptions,
    pub(super) pins: Pins,
    pub(super) left: Left,
    state: Mutex<State>,
    link: Mutex<Option<Link>>,
    /// Downloads and files in use keep it while the index is closed.
    home: Mutex<Weak<Home>>,
    is_suspended: AtomicBool,
    is_closed: AtomicBool,
    /// Whether the index is a database.
    pub(super) has_database: bool,
}

impl Shared {
    pub(super) fn new(folder: PathBuf, options: CacheOptions) -> Self {
        let base = folder.join(BASE);
        let (pins, left) = (Pins::new(&base), Left::new(&base));
        let state = Mutex::new(State::new(&options));
        let (link, home) = (Mutex::new(None), Mutex::default());
        let (is_suspended, is_closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let has_database = cfg!(feature = "sqlite");
        Self {
            folder,
            base,
            options,
            pins,
            left,
            state,
            link,
            home,
            is_suspended,
            is_closed,
            has_database,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.options.world.now()
    }

    /// Where the content of `cid` lies, if it is kept.
    pub(super) fn path_of(&self, cid: &Cid) -> PathBuf {
        let mut path = PathBuf::with_capacity(self.folder.as_os_str().len() + 64);
        path.push(&self.folder);
        path.push(cid.text());
        path
    }

    pub(super) fn is_open(&self) -> Result<(), IpfsError> {
        if self.is_closed.load(Ordering::Acquire) { Err(IpfsError::Closed) } else { Ok(()) }
    }

    /// Works with the index, and once more with a new one if it turns out to be damaged. `work` must leave
    /// no trace where it fails.
    pub(super) fn index<T>(
        &self,
        mut work: impl FnMut(&mut Link) -> Result<T, Fault>,
    ) -> Result<T, IpfsError> {
        let mut slot = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock: what came too late must not open it again.
        if self.is_suspended.load(Ordering::Acquire) {
            return Err(IpfsError::Closed);
        }
        self.is_open()?;
        let mut failures = 0;
        loop {
            let link = match &mut *slot {
                Some(link) => link,
                None => slot.insert(self.connect(self.has_database && failures < 2)?),
            };
            let fault = match work(link) {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            link.index.rollback();
            let failed =
                |kind: io::ErrorKind| Err(IpfsError::writing(&self.base)(io::Error::from(kind)));
            match fault {
                Fault::Busy => return failed(io::ErrorKind::TimedOut),
                Fault::Full => return failed(io::ErrorKind::StorageFull),
                Fault::Broken if failures > 2 => return failed(io::ErrorKind::InvalidData),
                Fault::Broken => {
                    failures += 1;
                    let is_there = link.index.is_there();
                    *slot = None;
                    if is_there {
                        self.discard_index();
                    }
                }
            }
        }
    }

    /// The home of this process, opening it if need be.
    pub(super) fn home(&self) -> Result<Arc<Home>, IpfsError> {
        let known = self.home.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let home = match known {
            Some(home) if !self.is_suspended.load(Ordering::Acquire) => Some(home),
            _ => self.index(|link| Ok(link.home.clone()))?,
        };
        home.ok_or_else(|| {
            IpfsError::writing(&self.folder)(io::ErrorKind::ReadOnlyFilesystem.into())
        })
    }

    /// Opens home and index again: their folder has been removed.
    pub(super) fn reconnect(&self) -> Result<(), IpfsError> {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = None;
        std::fs::create_dir_all(&self.folder).map_err(IpfsError::writing(&self.folder))?;
        self.index(|_| Ok(()))
    }

    fn connect(&self, with_file: bool) -> Result<Link, IpfsError> {
        let known = self.home.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let opened = match known.filter(|home| home.is_there()) {
            Some(home) => Ok((home, Vec::new())),
            None => Home::open(&self.base, &*self.options.world)
                .map(|(home, dead)| (Arc::new(home), dead)),
        };
        let Ok((home, dead)) = opened else {
            // What the folder holds can be read all the same.
            self.state().session = Session { generation: 1, ..Session::default() };
            return Ok(Link { index: Box::new(FolderIndex::new(None)), home: None });
        };
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&home);
        for attempt in [with_file, with_file, false] {
            let mut index = match self.open_index(attempt) {
                Ok(index) => index,
                Err(Fault::Broken) => {
                    self.discard_index();
                    continue;
                }
                Err(Fault::Busy) => break,
                Err(Fault::Full) => Box::new(FolderIndex::new(Some(self.base.clone()))),
            };
            match self.begin_session(&mut *index, &home, &dead) {
                Ok(()) => return Ok(Link { index, home: Some(home) }),
                Err(fault) => {
                    index.rollback();
                    drop(index);
                    match fault {
                        Fault::Broken => self.discard_index(),
                        Fault::Busy => break,
                        // What is there can be read all the same.
                        Fault::Full => {
                            self.state().session = Session { generation: 1, ..Session::default() };
                            return Ok(Link {
                                index: Box::new(FolderIndex::new(None)),
                                home: Some(home),
                            });
                        }
                    }
                }
            }
        }
        Err(IpfsError::writing(&self.base)(io::ErrorKind::TimedOut.into()))
    }

    #[cfg(feature = "sqlite")]
    fn open_index(&self, with_file: bool) -> Result<Box<dyn CacheIndex>, Fault> {
        use crate::engines::sqlite::cache_index::SqliteIndex;
        if !with_file {
            return Ok(Box::new(FolderIndex::new(Some(self.base.clone()))));
        }
        Ok(Box::new(SqliteIndex::open(&self.base.join("index.db"))?))
    }

    #[cfg(not(feature = "sqlite"))]
    #[expect(clippy::unnecessary_wraps, reason = "as with a database")]
    fn open_index(&self, _with_file: bool) -> Result<Box<dyn CacheIndex>, Fault> {
        Ok(Box::new(FolderIndex::new(Some(self.base.clone()))))
    }

    /// Removes the index's files; the next one to open it makes new ones.
    fn discard_index(&self) {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            drop(std::fs::remove_file(self.base.join(name)));
        }
    }

    fn begin_session(
        &self,
        index: &mut dyn CacheIndex,
        home: &Home,
        dead: &[String],
    ) -> Result<(), Fault> {
        index.begin()?;
        let gone = forget_dead(index, &self.base, dead)?;
        let mut generation = index.mark(Mark::Generation)?.unwrap_or_default();
        if gone || generation <= 0 {
            generation = generation.max(0) + 1;
            index.set_mark(Mark::Generation, generation)?;
            index.set_mark(Mark::Counted, 0)?;
        }
        let closed_at = index.mark(Mark::ClosedAt)?.unwrap_or_default();
        let inflation = index.mark(Mark::Inflation)?.unwrap_or_default();
        let granted = self.state().granted;
        index.claim(home.name(), Some(granted))?;
        index.commit()?;
        let mut state = self.state();
        let opened_at = match state.session.opened_at {
            // What was put before a pause is still of this session.
            at if at != Timestamp::default() => at,
            _ => self.now(),
        };
        let closed_at = Timestamp::from_micros(closed_at);
        state.session = Session { generation, closed_at, opened_at };
        state.ranker.inflation = state.ranker.inflation.max(inflation);
        Ok(())
    }

    /// Whether other processes have died since, whose claims are free now.
    pub(super) fn sweep_dead(&self) -> Result<bool, IpfsError> {
        let dead = match self.index(|link| Ok(link.home.clone()))? {
            Some(home) => home.sweep(),
            None => Vec::new(),
        };
        self.index(|link| {
            link.index.begin()?;
            let gone = forget_dead(&mut *link.index, &self.base, &dead)?;
            if gone {
                // Their generation goes on: they and not the machine ended, and this one lives.
                link.index.set_mark(Mark::Counted, 0)?;
            }
            link.index.commit()?;
            Ok(gone)
        })
    }

    /// Writes what is known into an open transaction. The answer goes to `State::written` after the
    /// commit, or to `State::not_written`.
    pub(super) fn flush_into(&self, index: &mut dyn CacheIndex) -> Result<Changes, Fault> {
        let (changes, inflation) = {
            let mut state = self.state();
            (state.changes(), state.ranker.inflation)
        };
        let write = || {
            for (row, is_new, _) in &changes.rows {
                if *is_new { index.put(row)? } else { index.touch(row)? }
            }
            for cid in &changes.vanished {
                // It may have been put again meanwhile, by another process too.
                if !is_file(&self.path_of(cid)) {
                    index.remove(cid)?;
                }
            }
            index.set_mark(Mark::Inflation, inflation)
        };
        match { write }() {
            Ok(()) => Ok(changes),
            Err(fault) => {
                self.state().not_written(changes);
                Err(fault)
            }
        }
    }

    /// Writes down what waits. An idle process gives back what it claimed ahead.
    pub(super) fn flush(&self, is_last: bool) -> Result<(), IpfsError> {
        self.index(|link| {
            link.index.begin()?;
            let changes = self.flush_into(&mut *link.index)?;
            let (claim, unused) = {
                let mut state = self.state();
                let is_idle = is_last || !std::mem::take(&mut state.is_busy);
                // Nobody may use it from now on, also before it is written down.
                let unused = if is_idle { state.granted.saturating_sub(state.used) } else { 0 };
                state.granted -= unused;
                (state.granted.saturating_sub(changes.claimed), unused)
            };
            let write = |link: &mut Link| {
                if let Some(home) = &link.home {
                    let rests = is_last && claim == 0;
                    link.index.claim(home.name(), (!rests).then_some(claim))?;
                }
                if is_last {
                    link.index.set_mark(Mark::ClosedAt, self.now().micros())?;
                }
                link.index.commit()
            };
            match write(link) {
                Ok(()) => {
                    self.state().written(&changes);
                    Ok(())
                }
                Err(fault) => {
                    let mut state = self.state();
                    state.granted += unused;
                    state.not_written(changes);
                    Err(fault)
                }
            }
        })
    }

    /// Sees to it that the index knows the folder's files, in an open transaction.
    pub(super) fn ensure_counted(&self, index: &mut dyn CacheIndex) -> Result<(), Fault> {
        if index.mark(Mark::Counted)? == Some(1) {
            return Ok(());
        }
        count::count(self, index)?;
        index.set_mark(Mark::Counted, 1)
    }

    /// Writes down what waits and lets go of the index, until [`resume`](Self::resume).
    pub(super) fn suspend(&self) -> Result<(), IpfsError> {
        let is_linked = self.link.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let flushed = if is_linked { self.flush(true) } else { Ok(()) };
        let mut slot = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_suspended.store(true, Ordering::Release);
        *slot = None;
        match flushed {
            Err(IpfsError::Closed) => Ok(()),
            flushed => flushed,
        }
    }

    pub(super) fn resume(&self) -> Result<(), IpfsError> {
        self.is_suspended.store(false, Ordering::Release);
        self.index(|_| Ok(()))
    }

    pub(super) fn close(&self) -> Result<(), IpfsError> {
        let rested = self.suspend();
        self.is_closed.store(true, Ordering::Release);
        rested
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.suspend());
    }
}

/// Forgets the claims of processes that are `dead`, or whose home is gone; whether there were any.
fn forget_dead(index: &mut dyn CacheIndex, base: &Path, dead: &[String]) -> Result<bool, Fault> {
    let mut gone = !dead.is_empty();
    for (process, _) in index.claims()? {
        if dead.contains(&process) || !home::is_there(base, &process) {
            index.claim(&process, None)?;
            gone = true;
        }
    }
    Ok(gone)
}
