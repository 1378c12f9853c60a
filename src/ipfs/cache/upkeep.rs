//! Upkeep: pins, figures, making room by hand, and looking whether all is well.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::check;
use super::count::cid_of;
use super::evict::Push;
use super::index::Mark;
use super::options::Kind;
use super::part::{is_absence, is_file};
use super::shared::Shared;

/// The answer to [`Cache::verify`](super::Cache::verify).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a file that is neither is an error")]
pub enum Check {
    /// The file is what its id names.
    Intact,
    /// There is no such file.
    Missing,
}

/// The answer to [`Cache::verify_all`](super::Cache::verify_all).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// How many files are what their ids name.
    pub intact: u64,
    /// Which were not, and are removed.
    pub damaged: Vec<Cid>,
    /// Which could not be read or removed.
    pub unreadable: Vec<Cid>,
}

/// What the cache holds, and what became of it since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Files that are kept.
    pub entries: u64,
    /// The sum of their lengths.
    pub bytes: u64,
    /// What of that is pinned.
    pub pinned_bytes: u64,
    /// What interrupted downloads left, to be taken up again.
    pub left_bytes: u64,
    /// How often a file was found, by this process.
    pub hits: u64,
    /// How often there was none, by this process.
    pub misses: u64,
    /// How many files had to go for others, by this process.
    pub evictions: u64,
    /// Of those, the thumbnails.
    pub thumbnails: KindStats,
    /// And all others.
    pub media: KindStats,
}

/// The same for one [`Kind`]. A miss has none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct KindStats {
    /// Files that are kept.
    pub entries: u64,
    /// The sum of their lengths.
    pub bytes: u64,
    /// What of that is pinned.
    pub pinned_bytes: u64,
    /// How often a file was found, by this process.
    pub hits: u64,
    /// How many files had to go for others, by this process.
    pub evictions: u64,
}

impl Shared {
    pub(super) fn pin(&self, cid: &Cid) -> Result<(), IpfsError> {
        let failed = IpfsError::writing(&self.base);
        self.home()?;
        self.pins.add(cid).map_err(&failed)?;
        // Its promise is to be there without a network.
        match File::open(self.path_of(cid)).and_then(|file| file.sync_data()) {
            Err(error) if !is_absence(&error) => return Err(failed(error)),
            _ => {}
        }
        self.state().pin(cid, true);
        self.write_pin(cid, true)
    }

    pub(super) fn unpin(&self, cid: &Cid) -> Result<bool, IpfsError> {
        let was_pinned = self.pins.remove(cid).map_err(IpfsError::writing(&self.base))?;
        self.state().pin(cid, false);
        self.write_pin(cid, false)?;
        Ok(was_pinned)
    }

    fn write_pin(&self, cid: &Cid, pinned: bool) -> Result<(), IpfsError> {
        self.flush(false)?;
        self.index(|link| {
            link.index.begin()?;
            link.index.pin(cid, pinned)?;
            link.index.commit()
        })
    }

    pub(super) fn stats(&self) -> Result<Stats, IpfsError> {
        let totals = self.index(|link| {
            link.index.begin()?;
            self.ensure_counted(&mut *link.index)?;
            let changes = self.flush_into(&mut *link.index)?;
            let totals = link.index.totals();
            let granted = self.state().granted.saturating_sub(changes.claimed);
            let name = link.home.as_ref().map(|home| home.name().to_owned());
            let claimed = name.map_or(Ok(()), |name| link.index.claim(&name, Some(granted)));
            let committed = totals.and_then(|totals| {
                claimed?;
                link.index.commit()?;
                Ok(totals)
            });
            let mut state = self.state();
            match committed {
                Ok(totals) => {
                    state.written(&changes);
                    Ok(totals)
                }
                Err(fault) => {
                    state.not_written(changes);
                    Err(fault)
                }
            }
        })?;
        let counts = self.state().counts;
        let [thumbnails, media] = [0, 1].map(|kind| KindStats {
            entries: totals[kind].entries,
            bytes: totals[kind].bytes,
            pinned_bytes: totals[kind].pinned_bytes,
            hits: counts.hits[kind],
            evictions: counts.evictions[kind],
        });
        Ok(Stats {
            entries: thumbnails.entries + media.entries,
            bytes: thumbnails.bytes.saturating_add(media.bytes),
            pinned_bytes: thumbnails.pinned_bytes.saturating_add(media.pinned_bytes),
            left_bytes: self.left.bytes(),
            hits: thumbnails.hits + media.hits,
            misses: counts.misses,
            evictions: thumbnails.evictions + media.evictions,
            thumbnails,
            media,
        })
    }

    /// Evicts until at most `bytes` are kept; how many bytes went.
    pub(super) fn trim(&self, bytes: u64) -> Result<u64, IpfsError> {
        let kept = self.stats()?.bytes;
        if kept <= bytes {
            return Ok(0);
        }
        // Thumbnails may go below their floor: it shields them from media alone.
        let floor_bytes = self.options.floor_bytes().min(bytes);
        let push = Push { bytes: kept - bytes, kind: Kind::Thumbnail, floor_bytes };
        let mut ranker = self.state().ranker;
        let mut victims = Vec::new();
        let freed = self.index(|link| {
            link.index.begin()?;
            let freed = self.push_out(&mut *link.index, push, &mut ranker, &mut victims)?;
            link.index.set_mark(Mark::Inflation, ranker.inflation)?;
            link.index.commit()?;
            Ok(freed)
        });
        let mut state = self.state();
        for (cid, kind) in victims {
            state.count_eviction(kind);
            state.forget(&cid);
        }
        state.ranker.inflation = state.ranker.inflation.max(ranker.inflation);
        freed
    }

    /// Removes all files, pins and leftovers.
    pub(super) fn clear(&self) -> Result<(), IpfsError> {
        self.home()?;
        self.pins.clear();
        self.left.free(u64::MAX);
        let failed = IpfsError::writing(&self.folder);
        for entry in fs::read_dir(&self.folder).map_err(&failed)?.flatten() {
            if cid_of(&entry).is_none() || !is_file(&entry.path()) {
                continue;
            }
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        self.state().clear();
        self.index(|link| {
            link.index.begin()?;
            link.index.set_mark(Mark::Counted, 0)?;
            self.ensure_counted(&mut *link.index)?;
            link.index.commit()
        })
    }

    pub(super) fn verify(self: &Arc<Self>, cid: &Cid) -> Result<Check, IpfsError> {
        self.is_open()?;
        let path = self.path_of(cid);
        if !is_file(&path) {
            return Ok(Check::Missing);
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_absence(&error) => return Ok(Check::Missing),
            Err(error) => return Err(IpfsError::unreadable(&path)(error)),
        };
        let known = self.state().row(cid).cloned();
        let row = known.or_else(|| self.index(|link| link.index.find(cid)).ok().flatten());
        let digest = row.and_then(|row| row.digest);
        if check::names_content(cid, file, &path, digest.as_ref())? {
            return Ok(Check::Intact);
        }
        self.discard(cid)?;
        Err(IpfsError::ContentMismatch { cid: cid.clone() })
    }

    pub(super) fn verify_all(self: &Arc<Self>) -> Result<Inspection, IpfsError> {
        let failed = IpfsError::writing(&self.folder);
        let mut inspection = Inspection::default();
        for entry in fs::read_dir(&self.folder).map_err(failed)?.flatten() {
            let Some(cid) = cid_of(&entry) else { continue };
            match self.verify(&cid) {
                Ok(Check::Intact) => inspection.intact += 1,
                Ok(Check::Missing) => {}
                Err(IpfsError::ContentMismatch { cid }) => inspection.damaged.push(cid),
                Err(IpfsError::Closed) => return Err(IpfsError::Closed),
                Err(_) => inspection.unreadable.push(cid),
            }
        }
        Ok(inspection)
    }

    /// Copies the content of `cid` to `destination`; `false` when it is not kept.
    pub(super) fn export(
        self: &Arc<Self>,
        cid: &Cid,
        destination: &Path,
    ) -> Result<bool, IpfsError> {
        let Some(source) = self.get(cid)? else { return Ok(false) };
        let digest = self.state().row(cid).and_then(|row| row.digest);
        let mut name = destination.as_os_str().to_owned();
        name.push(format!(".{:016x}.part", self.options.world.random()));
        let part = Path::new(&name);
        let copied = match fs::copy(&source, part) {
            Ok(_) => File::open(part).map_err(IpfsError::unreadable(part)).and_then(|file| {
                // What is handed out was checked as it was handed out.
                if check::names_content(cid, file, part, digest.as_ref())? {
                    fs::rename(part, destination).map_err(IpfsError::writing(destination))?;
                    return Ok(true);
                }
                self.verify(cid)?;
                Err(IpfsError::Changed { path: source.clone() })
            }),
            Err(_) if !is_file(&source) => Ok(false),
            Err(error) => Err(IpfsError::writing(destination)(error)),
        };
        if !matches!(copied, Ok(true)) {
            drop(fs::remove_file(part));
        }
        copied
    }
}
