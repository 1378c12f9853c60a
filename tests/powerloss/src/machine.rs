//! A machine: a disk, who has its files open, and what is about to go wrong.
//!
//! One [`Machine`] is one life, from power on to power off. Its files lie under a folder that no
//! other machine has; when the power is back, the next machine gets the disk that survived.

use std::{
    collections::BTreeMap,
    ffi::c_int,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use finalmile::rusqlite::ffi;

use crate::{
    Random,
    disk::{Disk, Survival},
    locks::Locks,
    vfs,
};

/// What a program asks of the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each test names the operations that it counts")]
pub enum Operation {
    /// A file is made.
    Create,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file's size is set.
    Resize,
    /// A file is made to last.
    Sync,
    /// A file's name goes.
    Remove,
    /// A lock is taken.
    Lock,
}

/// Everything that changes the disk: what a power cut is counted by.
pub const CHANGES: &[Operation] =
    &[Operation::Create, Operation::Write, Operation::Resize, Operation::Sync, Operation::Remove];

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each test names the harm that it does")]
pub enum Harm {
    /// The power goes: this operation may have begun, and none works any more.
    PowerCut,
    /// The process ends: for it all is as if the power went, but the machine still has what it
    /// wrote.
    Kill,
    /// No space is left.
    Full,
    /// The drive reports an error.
    Error,
}

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each test makes its own")]
pub struct Fault {
    /// What.
    pub harm: Harm,
    /// Which operations are counted, and harmed.
    pub on: &'static [Operation],
    /// How many of them go well before.
    pub after: u64,
    /// How many are harmed.
    pub times: u64,
}

/// A life, from power on to power off.
#[derive(Debug)]
pub struct Machine {
    folder: String,
    life: Arc<Life>,
}

/// What open files share with their machine.
#[derive(Debug)]
pub(crate) struct Life(Mutex<State>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) disk: Disk,
    pub(crate) locks: Locks,
    pub(crate) random: Random,
    fault: Option<Fault>,
    counted: u64,
    harmed: u64,
    is_off: bool,
}

/// An operation that did not go well: what SQLite is told, and why.
pub(crate) struct Failed {
    pub(crate) code: c_int,
    /// What struck this operation; `None`: the power was off before it.
    pub(crate) harm: Option<Harm>,
}

static MACHINES: Mutex<BTreeMap<String, Arc<Life>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Machine {
    /// Switches a machine on.
    #[must_use]
    pub fn start(disk: Disk, fault: Option<Fault>, seed: u64) -> Self {
        vfs::register();
        let folder = format!("/machine-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let life = Life::new(disk, fault, seed);
        machines().insert(folder.clone(), life.clone());
        Self { folder, life }
    }

    /// Where its database lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("{}/app.db", self.folder).into()
    }

    /// How many operations were counted, and how many of them harmed.
    #[must_use]
    pub fn counted(&self) -> (u64, u64) {
        let state = self.life.lock();
        (state.counted, state.harmed)
    }

    /// Begins to count anew, for another fault.
    pub fn strike(&self, fault: Fault) {
        let mut state = self.life.lock();
        (state.fault, state.counted, state.harmed) = (Some(fault), 0, 0);
    }

    /// Ends the process, if nothing has before, and gives the disk with all that is still to be
    /// written.
    #[must_use]
    pub fn kill(self) -> Disk {
        let mut state = self.life.lock();
        state.is_off = true;
        state.disk.clone()
    }

    /// Cuts the power, if nothing has before, and gives the disk that survives.
    #[must_use]
    pub fn stop(self, survival: Survival) -> Disk {
        let mut state = self.life.lock();
        state.is_off = true;
        let State { disk, random, .. } = &mut *state;
        disk.after_power_loss(survival, random)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        machines().remove(&self.folder);
    }
}

fn machines() -> MutexGuard<'static, BTreeMap<String, Arc<Life>>> {
    MACHINES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Life {
    pub(crate) fn new(disk: Disk, fault: Option<Fault>, seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            disk,
            locks: Locks::default(),
            random: Random::new(seed),
            fault,
            counted: 0,
            harmed: 0,
            is_off: false,
        })))
    }

    /// The machine whose folder holds `path`, and the file's name there.
    pub(crate) fn of(path: &str) -> Option<(Arc<Self>, &str)> {
        let (folder, name) = path.rsplit_once('/')?;
        Some((machines().get(folder)?.clone(), name))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether an operation goes well.
    pub(crate) fn admit(&mut self, operation: Operation) -> Result<(), Failed> {
        self.powered()?;
        let Some(fault) = self.fault.filter(|fault| fault.on.contains(&operation)) else {
            return Ok(());
        };
        let number = self.counted;
        self.counted += 1;
        if number < fault.after || number - fault.after >= fault.times {
            return Ok(());
        }
        self.harmed += 1;
        let code = match fault.harm {
            Harm::PowerCut | Harm::Kill => {
                self.is_off = true;
                ffi::SQLITE_IOERR
            }
            Harm::Full => ffi::SQLITE_FULL,
            Harm::Error => error_code(operation),
        };
        Err(Failed { code, harm: Some(fault.harm) })
    }

    /// Refuses everything once the power is off.
    pub(crate) fn powered(&self) -> Result<(), Failed> {
        if self.is_off {
            return Err(Failed { code: ffi::SQLITE_IOERR, harm: None });
        }
        Ok(())
    }
}

fn error_code(operation: Operation) -> c_int {
    match operation {
        Operation::Create => ffi::SQLITE_CANTOPEN,
        Operation::Read => ffi::SQLITE_IOERR_READ,
        Operation::Write => ffi::SQLITE_IOERR_WRITE,
        Operation::Resize => ffi::SQLITE_IOERR_TRUNCATE,
        Operation::Sync => ffi::SQLITE_IOERR_FSYNC,
        Operation::Remove => ffi::SQLITE_IOERR_DELETE,
        Operation::Lock => ffi::SQLITE_IOERR_LOCK,
    }
}
