//! Putting: how a file gets its name.
//!
//! A file is written in the home of its process and renamed, which is atomic: readers see a whole file or
//! none (**C5**), and two writers of one content replace equal bytes. Nothing is synced, because content
//! proves itself: what a power cut spoils is found at the next hit. Pinned content is synced, so that it is
//! there when there is no network to fetch it from.
//!
//! # Invariants
//!
//! - **C23** A file of more than an eighth of the limit pushes nothing out: it passes, and is gone with the
//!   entry that holds it, or at the next open. A pin keeps it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::regular;

use super::super::car;
use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::super::limits::Limits;
use super::super::path::ContentPath;
use super::super::room::Room;
use super::super::unixfs::{Importer, Profile, cid_of_bytes, each_piece};
use super::claim::Claim;
use super::entry::{Entry, Passing};
use super::home::Home;
use super::index::Row;
use super::options::Kind;
use super::part::{self, Part, is_file, rename};
use super::reservation::Reservation;
use super::shared::Shared;

impl Shared {
    pub(super) fn put_bytes(
        self: &Arc<Self>,
        bytes: &[u8],
        kind: Kind,
    ) -> Result<Entry, IpfsError> {
        let cid = cid_of_bytes(bytes);
        let mut claim = Claim::new(self, kind, false);
        claim.settle(bytes.len() as u64, self.pins.has(&cid))?;
        let (mut part, home) = self.part()?;
        part.file.write_all(bytes).map_err(IpfsError::writing(&part.path))?;
        self.keep(cid, part, &home, claim, None)
    }

    pub(super) fn put(self: &Arc<Self>, source: &Path, kind: Kind) -> Result<Entry, IpfsError> {
        let unreadable = IpfsError::unreadable(source);
        let (file, _) = regular::open(source).map_err(&unreadable)?;
        let mut claim = Claim::new(self, kind, false);
        let (mut part, home) = self.part()?;
        let (mut importer, mut size_bytes) = (Importer::new(Profile::default()), 0);
        each_piece(file, unreadable, |piece| {
            importer.update(piece);
            size_bytes += piece.len() as u64;
            claim.grow_to(size_bytes)?;
            part.file.write_all(piece).map_err(IpfsError::writing(&part.path))
        })?;
        let cid = importer.finish();
        claim.settle(size_bytes, self.pins.has(&cid))?;
        self.keep(cid, part, &home, claim, None)
    }

    pub(super) fn put_car(
        self: &Arc<Self>,
        car: impl Read,
        wanted: &ContentPath,
        kind: Kind,
        limits: Limits,
    ) -> Result<Entry, IpfsError> {
        let reserved = Reservation::new(self, None, kind)?;
        let file = reserved.folder().join("file");
        let room = Arc::new(Mutex::new(Some(reserved)));
        let verified = car::verify_within(car, wanted, &file, limits, room.clone());
        let reserved = room.lock().unwrap_or_else(PoisonError::into_inner).take();
        reserved.ok_or(IpfsError::Closed)?.publish(&verified?.cid, &file)
    }

    /// A new file in the home, which is made again if somebody removed it.
    pub(super) fn part(&self) -> Result<(Part, Arc<Home>), IpfsError> {
        let home = self.home()?;
        match Part::create(home.dir()) {
            Ok(part) => return Ok((part, home)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(IpfsError::writing(home.dir())(error)),
        }
        drop(home);
        self.reconnect()?;
        let home = self.home()?;
        let part = Part::create(home.dir()).map_err(IpfsError::writing(home.dir()))?;
        Ok((part, home))
    }

    /// Gives `part` the name of its content, for which `claim` has the room.
    fn keep(
        self: &Arc<Self>,
        cid: Cid,
        part: Part,
        home: &Arc<Home>,
        claim: Claim,
        digest: Option<[u8; 32]>,
    ) -> Result<Entry, IpfsError> {
        let from = part.path.clone();
        let entry = self.name(cid, &from, home, claim, digest)?;
        part.named();
        Ok(entry)
    }

    pub(super) fn name(
        self: &Arc<Self>,
        cid: Cid,
        from: &Path,
        home: &Arc<Home>,
        mut claim: Claim,
        digest: Option<[u8; 32]>,
    ) -> Result<Entry, IpfsError> {
        let failed = IpfsError::writing(from);
        if claim.is_passing {
            let size_bytes = fs::metadata(from).map_err(&failed)?.len();
            let path = part::fresh(home.dir(), "passing");
            rename(from, &path)?;
            let passing = Some(Passing::new(path.clone(), home.clone()));
            return Ok(Entry { cid, path, size_bytes, added: true, kept: false, passing });
        }
        let (bytes, kind, pinned) = (claim.bytes, claim.kind, claim.is_pinned);
        if pinned {
            File::open(from).and_then(|file| file.sync_data()).map_err(&failed)?;
        }
        let path = self.path_of(&cid);
        let added = !is_file(&path);
        if !added && self.state().row(&cid).is_none() {
            // Its uses count on.
            if let Ok(Some(row)) = self.index(|link| link.index.find(&cid)) {
                self.state().learn(row);
            }
        }
        match rename(from, &path) {
            // The folder is gone, but the file is not.
            Err(IpfsError::CacheUnavailable { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                fs::create_dir_all(&self.folder).map_err(IpfsError::writing(&self.folder))?;
                rename(from, &path)?;
            }
            renamed => renamed?,
        }
        let put_at = self.now();
        let row = Row {
            cid: cid.clone(),
            bytes,
            kind,
            pinned,
            uses: 1,
            priority: 0,
            put_at,
            generation: 0,
            digest,
        };
        self.state().add(row, claim.spend());
        self.noted();
        Ok(Entry { cid, path, size_bytes: bytes, added, kept: true, passing: None })
    }
}
