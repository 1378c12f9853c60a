//! What interrupted downloads left: to be taken up again, or the first to go when room is needed.
//!
//! A download writes `<cid>.part` and `<cid>.leaves` in the home of its process. When it ends before its
//! file is whole, both move to one folder of all processes, from where the next download of that content
//! takes them. They count towards the cache's limit there, and go before any file does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::cid::Cid;

/// Long enough for a phone that was offline over a holiday.
const STALE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The bytes of a download, and which of them are proved.
const ENDINGS: [&str; 2] = ["part", "leaves"];

/// The folder of what is left below a base.
#[derive(Clone, Debug)]
pub(super) struct Left(PathBuf);

impl Left {
    pub(super) fn new(base: &Path) -> Self {
        Self(base.join("left"))
    }

    /// How many bytes a download of `cid` could begin with.
    pub(super) fn bytes_of(&self, cid: &Cid) -> u64 {
        bytes_in(&self.0, cid)
    }

    /// Moves what is left of `cid` to `home`.
    pub(super) fn take_up(&self, cid: &Cid, home: &Path) {
        for ending in ENDINGS {
            // Another process may take it up at the same time: one of them begins anew.
            drop(fs::rename(named(&self.0, cid, ending), named(home, cid, ending)));
        }
    }

    /// Moves the download of `cid` from `home` to where it can be taken up, or removes it.
    pub(super) fn leave(&self, cid: &Cid, home: &Path, keep: bool) {
        drop(fs::create_dir(&self.0));
        for ending in ENDINGS {
            let from = named(home, cid, ending);
            if !keep || fs::rename(&from, named(&self.0, cid, ending)).is_err() {
                drop(fs::remove_file(from));
            }
        }
    }

    /// The same, for all downloads in the home of a dead process.
    pub(super) fn take_from(&self, home: &Path) {
        for entry in fs::read_dir(home).into_iter().flatten().flatten() {
            if let Some(cid) = cid_of(&entry.path()) {
                self.leave(&cid, home, true);
            }
        }
    }

    /// All that is left, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.files().iter().map(|(_, _, bytes)| bytes).sum()
    }

    /// Removes the oldest until `bytes` are freed; how many they were.
    pub(super) fn free(&self, bytes: u64) -> u64 {
        let mut files = self.files();
        files.sort_by_key(|(modified, ..)| *modified);
        let mut freed = 0_u64;
        for (_, path, size) in files {
            if freed >= bytes {
                break;
            }
            if fs::remove_file(path).is_ok() {
                freed = freed.saturating_add(size);
            }
        }
        freed
    }

    /// Removes what nobody took up for a week.
    pub(super) fn sweep(&self, now: SystemTime) {
        for (modified, path, _) in self.files() {
            if now.duration_since(modified).is_ok_and(|age| age > STALE) {
                drop(fs::remove_file(path));
            }
        }
    }

    fn files(&self) -> Vec<(SystemTime, PathBuf, u64)> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let file = |entry: fs::DirEntry| {
            let meta = entry.metadata().ok()?;
            Some((meta.modified().ok()?, entry.path(), meta.len()))
        };
        entries.filter_map(file).collect()
    }
}

/// The bytes that the download of `cid` has in `home`.
pub(super) fn bytes_in(home: &Path, cid: &Cid) -> u64 {
    let size = |ending| fs::metadata(named(home, cid, ending)).map_or(0, |meta| meta.len());
    ENDINGS.map(size).iter().sum()
}

fn named(folder: &Path, cid: &Cid, ending: &str) -> PathBuf {
    folder.join(format!("{cid}.{ending}"))
}

/// Whose download the file is.
fn cid_of(path: &Path) -> Option<Cid> {
    let ending = path.extension()?.to_str()?;
    ENDINGS.contains(&ending).then_some(())?;
    let stem = path.file_stem()?.to_str()?;
    stem.parse().ok().filter(|cid: &Cid| cid.to_string() == stem)
}
