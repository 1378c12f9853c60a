//! Claims: how the byte limit holds while files are on their way, in all threads and processes.
//!
//! A process claims bytes in the index before it writes them, in a transaction that sees what the files
//! come to and what all others have claimed. If the sum would pass the limit, room is made first: what
//! interrupted downloads left goes, then files in the order of their priorities. A little more is claimed
//! than was asked for, so that most puts find room without asking.
//!
//! # Invariants
//!
//! - **C20** What is kept, what is on its way to be kept and what interrupted downloads left never exceed the
//!   limit together, whatever number of threads and processes put, fetch and die. (If the index is removed
//!   while several processes run, each may be ahead by what it has claimed until it looks again, which
//!   takes it seconds. With the folder as index, all must use the folder.)

use std::fs;
use std::io;
use std::sync::Arc;

use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::super::room::Room;
use super::evict::{Push, Ranker, Removal, evict};
use super::home::Home;
use super::index::{CacheIndex, Fault, Mark};
use super::left::bytes_in;
use super::options::Kind;
use super::shared::{Link, Shared};

impl Shared {
    /// Takes `bytes` of the claim, enlarging it if need be.
    pub(super) fn take(&self, bytes: u64, kind: Kind) -> Result<(), IpfsError> {
        self.is_open()?;
        if self.state().take(bytes) {
            return Ok(());
        }
        let refused =
            || IpfsError::NoRoom { needed_bytes: bytes, limit_bytes: self.options.limit_bytes };
        if bytes > self.options.limit_bytes {
            return Err(refused());
        }
        let enlarge = || self.index(|link| self.enlarge(link, bytes, kind, true));
        // A process that died may have claimed what is missing.
        if enlarge()? || (self.sweep_dead()? && enlarge()?) {
            return Ok(());
        }
        Err(refused())
    }

    /// Takes `bytes` if that pushes nothing out.
    pub(super) fn take_free(&self, bytes: u64, kind: Kind) -> bool {
        matches!(self.index(|link| self.enlarge(link, bytes, kind, false)), Ok(true))
    }

    /// Moves what is left of a download of `cid` to `home`, and takes as much as it comes to. Its bytes are
    /// counted before and after, and nobody counts meanwhile.
    pub(super) fn take_up(&self, cid: &Cid, home: &Home) -> Result<u64, IpfsError> {
        if self.left.bytes_of(cid) == 0 {
            return Ok(0);
        }
        self.index(|link| {
            link.index.begin()?;
            self.left.take_up(cid, home.dir());
            let bytes = bytes_in(home.dir(), cid);
            let granted = self.state().granted;
            let claimed = link
                .index
                .claim(home.name(), Some(granted.saturating_add(bytes)))
                .and_then(|()| link.index.commit());
            if let Err(fault) = claimed {
                self.left.leave(cid, home.dir(), true);
                return Err(fault);
            }
            let mut state = self.state();
            state.granted = state.granted.saturating_add(bytes);
            state.used = state.used.saturating_add(bytes);
            Ok(bytes)
        })
    }

    /// Claims enough to take `bytes`, and takes them; `false` when there is no room, or none without pushing
    /// something out.
    fn enlarge(
        &self,
        link: &mut Link,
        bytes: u64,
        kind: Kind,
        may_evict: bool,
    ) -> Result<bool, Fault> {
        if self.state().take(bytes) {
            return Ok(true);
        }
        link.index.begin()?;
        self.ensure_counted(&mut *link.index)?;
        if self.enlarge_at_once(link, bytes)? {
            let is_taken = self.state().take(bytes);
            // Another thread may have been quicker.
            return if is_taken { Ok(true) } else { self.enlarge(link, bytes, kind, may_evict) };
        }
        let changes = self.flush_into(&mut *link.index)?;
        let (granted, unused, mut ranker) = {
            let state = self.state();
            let granted = state.granted.saturating_sub(changes.claimed);
            (granted, state.granted.saturating_sub(state.used), state.ranker)
        };
        let mut victims = Vec::new();
        let claim = || -> Result<Option<u64>, Fault> {
            let occupied = self.elsewhere(link)?.saturating_add(granted);
            let name = link.home.as_ref().map(|home| home.name());
            let missing = bytes.saturating_sub(unused);
            let wanted = missing.saturating_add(self.options.spare_bytes());
            let mut short =
                occupied.saturating_add(wanted).saturating_sub(self.options.limit_bytes);
            if short > 0 && may_evict {
                short = short.saturating_sub(self.left.free(short));
            }
            if short > 0 && may_evict {
                let push = Push { bytes: short, kind, floor_bytes: self.options.floor_bytes() };
                let freed = self.push_out(&mut *link.index, push, &mut ranker, &mut victims)?;
                short = short.saturating_sub(freed);
            }
            let added = wanted.saturating_sub(short);
            let added = (added >= missing).then_some(added);
            if let (Some(name), Some(added)) = (name, added) {
                link.index.claim(name, Some(granted.saturating_add(added)))?;
            }
            link.index.set_mark(Mark::Inflation, ranker.inflation)?;
            link.index.commit()?;
            Ok(added)
        };
        let claimed = { claim }();
        let mut state = self.state();
        for (cid, kind) in victims {
            state.count_eviction(kind);
            if claimed.is_ok() { state.evicted(&cid) } else { state.forget(&cid) }
        }
        match claimed {
            Ok(added) => {
                state.written(&changes);
                state.ranker.inflation = state.ranker.inflation.max(ranker.inflation);
                state.granted = state.granted.saturating_add(added.unwrap_or_default());
                // Another thread may have taken of what was unused meanwhile; then `index` is asked anew.
                if added.is_some() && !state.take(bytes) {
                    drop(state);
                    return self.enlarge(link, bytes, kind, may_evict);
                }
                Ok(added.is_some())
            }
            Err(fault) => {
                state.not_written(changes);
                Err(fault)
            }
        }
    }

    /// Claims `bytes` and what is claimed ahead, in an open transaction which that ends, if there is room for
    /// both as it is. What waits to be written down can wait: the claim covers it.
    fn enlarge_at_once(&self, link: &mut Link, bytes: u64) -> Result<bool, Fault> {
        let added = bytes.saturating_add(self.options.spare_bytes());
        let granted = self.state().granted;
        let claimed = granted.saturating_add(added);
        let fits = self.elsewhere(link)?.saturating_add(claimed) <= self.options.limit_bytes;
        if let (Some(home), true) = (&link.home, fits) {
            link.index.claim(home.name(), Some(claimed))?;
            link.index.commit()?;
            let mut state = self.state();
            state.granted = state.granted.saturating_add(added);
            return Ok(true);
        }
        Ok(false)
    }

    /// What counts towards the limit and is not of this process's claim.
    fn elsewhere(&self, link: &mut Link) -> Result<u64, Fault> {
        let name = link.home.as_ref().map(|home| home.name());
        let claims = link.index.claims()?.into_iter();
        let others = claims.filter(|(process, _)| Some(process.as_str()) != name);
        let kept = link.index.totals()?.iter().map(|totals| totals.bytes).sum::<u64>();
        let claimed = others.map(|(_, bytes)| bytes).fold(kept, u64::saturating_add);
        Ok(claimed.saturating_add(self.left.bytes()))
    }

    /// Removes files for `push`, in an open transaction, and notes which; how many bytes they were.
    pub(super) fn push_out(
        &self,
        index: &mut dyn CacheIndex,
        push: Push,
        ranker: &mut Ranker,
        victims: &mut Vec<(Cid, Kind)>,
    ) -> Result<u64, Fault> {
        evict(index, push, ranker, &mut |row| {
            let removal = self.remove_victim(&row.cid);
            if removal == Removal::Gone {
                victims.push((row.cid.clone(), row.kind));
            }
            removal
        })
    }

    /// Removes a file that has to go, unless it is pinned.
    fn remove_victim(&self, cid: &Cid) -> Removal {
        if self.pins.has(cid) {
            return Removal::Pinned;
        }
        match fs::remove_file(self.path_of(cid)) {
            Ok(()) => Removal::Gone,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Removal::Gone,
            Err(_) => Removal::Stuck,
        }
    }
}

/// Room for one file. Dropped before the file is kept, it is given back.
pub(super) struct Claim {
    pub(super) shared: Arc<Shared>,
    pub(super) kind: Kind,
    pub(super) bytes: u64,
    /// Whether it may be more than an eighth of the limit.
    pub(super) is_pinned: bool,
    /// Whether it is more than that, and not to be kept: what passes is its owner's, and takes no room.
    pub(super) is_passing: bool,
}

impl Claim {
    pub(super) fn new(shared: &Arc<Shared>, kind: Kind, is_pinned: bool) -> Self {
        Self { shared: shared.clone(), kind, bytes: 0, is_pinned, is_passing: false }
    }

    /// What was taken already, for what was written already.
    pub(super) fn begin_with(&mut self, bytes: u64) {
        self.bytes = bytes;
        if !self.is_pinned && bytes > self.shared.options.kept_bytes_max() {
            self.pass();
        }
    }

    fn pass(&mut self) {
        self.is_passing = true;
        let bytes = self.spend();
        self.shared.state().give_back(bytes);
    }

    /// What is known at the end: whether it is pinned, and its size.
    pub(super) fn settle(&mut self, bytes: u64, is_pinned: bool) -> Result<(), IpfsError> {
        self.is_pinned = is_pinned;
        self.is_passing &= !is_pinned;
        self.grow_to(bytes)?;
        if self.bytes > bytes {
            self.shared.state().give_back(self.bytes - bytes);
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Its file is kept now: what was taken is covered by the file's row from now on.
    pub(super) fn spend(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }
}

impl Room for Claim {
    fn grow_to(&mut self, total_bytes: u64) -> Result<(), IpfsError> {
        self.shared.is_open()?;
        if self.is_passing || total_bytes <= self.bytes {
            return Ok(());
        }
        if !self.is_pinned && total_bytes > self.shared.options.kept_bytes_max() {
            self.pass();
            return Ok(());
        }
        self.shared.take(total_bytes - self.bytes, self.kind)?;
        self.bytes = total_bytes;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let bytes = self.spend();
        self.shared.state().give_back(bytes);
    }
}
