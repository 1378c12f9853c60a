//! Homes: where each process keeps what is not finished, and how others see that it lives.
//!
//! Below the cache's folder lies `.finalmile`, with a folder for each process that has the cache open. A
//! process holds a lock on a file in its own, which the system lets go of when the process ends, however
//! it ends. So whoever opens the cache finds the dead by trying their locks, keeps what downloads can be
//! taken up from, and removes the rest: half-written files, and files that were passed to a caller.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::time::{Deadline, World};

use super::left::Left;

/// Where all that is not content lies.
pub(super) const BASE: &str = ".finalmile";
const PREFIX: &str = "process-";
/// How long to wait for a process that opens or closes: it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The folder of this process, as long as the cache is open or something in it is in use.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    name: String,
    base: PathBuf,
    /// Held until the end of the process, if not let go of before.
    lock: Option<File>,
}

impl Home {
    /// Makes a home below `base`, and sweeps those of the dead, which it names.
    pub(super) fn open(base: &Path, world: &dyn World) -> io::Result<(Self, Vec<String>)> {
        fs::create_dir_all(base)?;
        let _alone = alone(base)?;
        let (name, dir) = loop {
            let name = format!("{PREFIX}{:016x}", world.random());
            let dir = base.join(&name);
            match fs::create_dir(&dir) {
                Ok(()) => break (name, dir),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let lock = File::create(dir.join("lock"))?;
        match lock.try_lock() {
            // A file system without locks: then no home is ever found dead.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        }
        let home = Self { dir, name, base: base.to_path_buf(), lock: Some(lock) };
        let dead = sweep_others(base, &home.name);
        // The file system's own clock, which wrote the ages that it is compared with.
        if let Some(now) = home.lock.as_ref().and_then(|lock| lock.metadata().ok()?.modified().ok())
        {
            Left::new(base).sweep(now);
        }
        Ok((home, dead))
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it lies where it was made.
    pub(super) fn is_there(&self) -> bool {
        is_there(&self.base, &self.name)
    }

    /// Sweeps the homes of processes that have died since, and names them.
    pub(super) fn sweep(&self) -> Vec<String> {
        alone(&self.base).map(|_alone| sweep_others(&self.base, &self.name)).unwrap_or_default()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Some systems do not remove what is open.
        drop(self.lock.take());
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Whether a process of that name has a home.
pub(super) fn is_there(base: &Path, name: &str) -> bool {
    base.join(name).join("lock").exists()
}

/// How many homes there are, the dead ones included.
pub(super) fn count(base: &Path) -> usize {
    homes(base).len()
}

/// What the processes of the homes below `base` have written down as their claims.
pub(super) fn claims(base: &Path) -> Vec<(String, u64)> {
    let claim = |name: &String| {
        let text = fs::read_to_string(base.join(name).join("claim")).ok()?;
        text.trim().parse().ok()
    };
    let named = homes(base).into_iter();
    named.filter_map(|name| claim(&name).map(|bytes| (name, bytes))).collect()
}

/// Writes down what the process of that home claims.
pub(super) fn claim(base: &Path, name: &str, bytes: u64) -> io::Result<()> {
    fs::write(base.join(name).join("claim"), bytes.to_string())
}

/// Waits until no other process opens, closes or counts; until the answer is dropped none will.
pub(super) fn alone(base: &Path) -> io::Result<File> {
    let path = base.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    let end = Deadline::after(PATIENCE);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if !end.is_over() => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::TimedOut.into()),
            // A file system without locks.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

fn homes(base: &Path) -> Vec<String> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(PREFIX)).collect()
}

fn sweep_others(base: &Path, own: &str) -> Vec<String> {
    let others = homes(base).into_iter().filter(|name| name != own);
    let dead: Vec<String> = others.filter(|name| is_dead(&base.join(name))).collect();
    for name in &dead {
        let dir = base.join(name);
        Left::new(base).take_from(&dir);
        drop(fs::remove_dir_all(&dir));
    }
    dead
}

/// Whether nobody holds the lock. Homes are made and locked alone, so one without is nobody's.
fn is_dead(dir: &Path) -> bool {
    match OpenOptions::new().write(true).open(dir.join("lock")) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
