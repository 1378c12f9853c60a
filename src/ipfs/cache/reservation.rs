//! Downloads on their way into the cache: their room, and the place where they are written.
//!
//! A download writes in the home of its process and asks for room as it grows, so the limit holds meanwhile
//! (**C20**). One that ends before its file is whole leaves what it has, if there is room for it, and the next
//! one of that content takes it up.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::cid::{Cid, Codec};
use super::super::error::IpfsError;
use super::super::room::Room;
use super::check;
use super::claim::Claim;
use super::entry::Entry;
use super::home::Home;
use super::left;
use super::options::Kind;
use super::part;
use super::shared::Shared;

/// Room for a download, and the place where it is written.
///
/// Dropped before it is published, it gives the room back; what was written of known content is left to be
/// taken up.
pub(crate) struct Reservation {
    /// `None`: it is known at the end, as where a path leads.
    cid: Option<Cid>,
    claim: Option<Claim>,
    folder: PathBuf,
    home: Arc<Home>,
    shared: Arc<Shared>,
}

impl Reservation {
    pub(super) fn new(
        shared: &Arc<Shared>,
        cid: Option<&Cid>,
        kind: Kind,
    ) -> Result<Self, IpfsError> {
        // A part is how to find out that the home is there.
        let (_, home) = shared.part()?;
        let mut claim = Claim::new(shared, kind, cid.is_some_and(|cid| shared.pins.has(cid)));
        let folder = match cid {
            Some(cid) => {
                claim.begin_with(shared.take_up(cid, &home)?);
                home.dir().to_path_buf()
            }
            None => {
                let folder = part::fresh(home.dir(), "unknown");
                fs::create_dir(&folder).map_err(IpfsError::writing(&folder))?;
                folder
            }
        };
        let (cid, claim, shared) = (cid.cloned(), Some(claim), shared.clone());
        Ok(Self { cid, claim, folder, home, shared })
    }

    /// Where to write `<cid>.part` and `<cid>.leaves`, which both take room. What an earlier download left
    /// of them is there.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Gives the complete, proved file at `path`, which lies in [`folder`](Self::folder) and is the content
    /// of `cid`, its name.
    ///
    /// # Errors
    ///
    /// [`IpfsError::NoRoom`] when more was written than was asked for, and those of the disk.
    pub(crate) fn publish(mut self, cid: &Cid, path: &Path) -> Result<Entry, IpfsError> {
        let file = File::open(path).map_err(IpfsError::unreadable(path))?;
        let size_bytes = file.metadata().map_err(IpfsError::unreadable(path))?.len();
        let Some(mut claim) = self.claim.take() else { return Err(IpfsError::Closed) };
        claim.settle(size_bytes, self.shared.pins.has(cid))?;
        // Its tree is known now, and will not be when the file is checked again.
        let needs_digest = cid.codec() == Codec::DagPb && !claim.is_passing;
        let digest = needs_digest.then(|| check::hash(&file, path)).transpose()?;
        drop(file);
        self.shared.name(cid.clone(), path, &self.home, claim, digest)
    }
}

impl Room for Reservation {
    fn grow_to(&mut self, total_bytes: u64) -> Result<(), IpfsError> {
        self.claim.as_mut().map_or(Err(IpfsError::Closed), |claim| claim.grow_to(total_bytes))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut claim = self.claim.take();
        let Some(cid) = &self.cid else {
            drop(fs::remove_dir_all(&self.folder));
            return;
        };
        let written = left::bytes_in(self.home.dir(), cid);
        let room = match &mut claim {
            Some(claim) if claim.bytes >= written => claim.spend(),
            // What passes has no room of its own: it may stay where that pushes nobody.
            Some(claim) if self.shared.take_free(written - claim.bytes, claim.kind) => {
                written.max(claim.spend())
            }
            _ => 0,
        };
        let keep = written > 0 && room >= written;
        self.shared.left.leave(cid, self.home.dir(), keep);
        // It counts among what is left from now on.
        let mut state = self.shared.state();
        if keep {
            state.give_back(room - written);
            state.hand_over(written);
        } else {
            state.give_back(room);
        }
    }
}
