//! A file that fills leaf by leaf: what of it is proved and on the disk.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::archive;
use super::ask::Fault;
use super::part::{Marks, Part};
use super::session::Session;
use super::skeleton::{Leaf, Skeleton, TOO_MANY};

/// The skeleton's file as it fills.
pub(super) struct Filling {
    pub(super) skeleton: Skeleton,
    disk: Mutex<Disk>,
}

struct Disk {
    part: Part,
    marks: Marks,
    /// A bit for each leaf that was proved and written.
    bits: Vec<u8>,
    /// Bytes of proved leaves, and of what the inner blocks carry.
    bytes: u64,
    /// From which gateway the last block or leaf came.
    last: Option<usize>,
}

impl Disk {
    fn has(&self, leaf: usize) -> bool {
        self.bits.get(leaf / 8).is_some_and(|byte| byte & (1 << (leaf % 8)) != 0)
    }
}

impl Filling {
    /// Takes up `part` where it was left: leaves that are marked are hashed again.
    fn resume(
        session: &Session<'_>,
        mut skeleton: Skeleton,
        mut part: Part,
        marked: &[u8],
        last: Option<usize>,
    ) -> Result<Self, Fault> {
        session.proved_size(skeleton.size);
        let mut bits = vec![0; skeleton.leaves.len().div_ceil(8)];
        let mut bytes = 0;
        let beside = skeleton.beside;
        for (place, leaf) in skeleton.leaves.iter().enumerate() {
            let is_marked =
                marked.get(place / 8).is_some_and(|byte| byte & (1 << (place % 8)) != 0);
            if !is_marked {
                continue;
            }
            session.stop()?;
            let mut content = vec![0; usize::try_from(leaf.bytes).unwrap_or_default()];
            if part.read_at(leaf.at, &mut content)? && leaf.holds(&content) {
                bytes += leaf.bytes;
                session.grow_to(bytes + beside)?;
                if let Some(byte) = bits.get_mut(place / 8) {
                    *byte |= 1 << (place % 8);
                }
            }
        }
        for (at, content) in mem::take(&mut skeleton.inline) {
            bytes += content.len() as u64;
            session.grow_to(bytes + beside)?;
            part.write_at(at, &content)?;
        }
        let marks = part.keep(&mem::take(&mut skeleton.blocks), &bits)?;
        session.tell(bytes);
        Ok(Self { skeleton, disk: Mutex::new(Disk { part, marks, bits, bytes, last }) })
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a leaf is proved and written.
    pub(super) fn has(&self, place: usize) -> bool {
        self.disk().has(place)
    }

    /// Keeps a leaf that was checked.
    pub(super) fn keep(
        &self,
        session: &Session<'_>,
        place: usize,
        leaf: &Leaf,
        content: &[u8],
        site: usize,
    ) -> Result<(), Fault> {
        let beside = self.skeleton.beside;
        let mut disk = self.disk();
        if disk.has(place) {
            return Ok(());
        }
        session.grow_to(disk.bytes + leaf.bytes + beside)?;
        disk.part.write_at(leaf.at, content)?;
        disk.bytes += leaf.bytes;
        disk.last = Some(site);
        let Disk { marks, bits, bytes, .. } = &mut *disk;
        if let Some(byte) = bits.get_mut(place / 8) {
            *byte |= 1 << (place % 8);
            marks.set(place / 8, *byte)?;
        }
        let bytes = *bytes;
        drop(disk);
        session.moved_on(site);
        session.tell(bytes);
        Ok(())
    }

    /// What is missing of these leaves, in ranges.
    pub(super) fn missing(
        &self,
        first: usize,
        end: usize,
        range_bytes: u64,
    ) -> Vec<(usize, usize)> {
        let disk = self.disk();
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut bytes = 0;
        for place in first..end {
            if disk.has(place) {
                continue;
            }
            let leaf = self.skeleton.leaves.get(place).map_or(0, |leaf| leaf.bytes);
            match ranges.last_mut() {
                Some((_, end)) if *end == place && bytes + leaf <= range_bytes => {
                    *end += 1;
                    bytes += leaf;
                }
                _ => {
                    ranges.push((place, place + 1));
                    bytes = leaf;
                }
            }
        }
        ranges
    }

    /// Leaves nothing where nothing was proved.
    pub(super) fn give_up(self) {
        let mut disk = self.disk.into_inner().unwrap_or_else(PoisonError::into_inner);
        if disk.bits.iter().all(|byte| *byte == 0) {
            disk.part.discard();
        }
    }

    /// Reads bytes that are there.
    pub(super) fn read(&self, from: u64, to: u64) -> Result<Vec<u8>, IpfsError> {
        let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or_default()];
        self.disk().part.read_at(from, &mut bytes)?;
        Ok(bytes)
    }

    /// The whole file, and who gave the last of it.
    pub(super) fn complete(self) -> Result<(PathBuf, Option<usize>), IpfsError> {
        let disk = self.disk.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((disk.part.complete(self.skeleton.size)?, disk.last))
    }
}

/// The skeleton of `cid`: from what lies beside its part, and for the rest from gateways.
pub(super) fn prepare(
    session: &Session<'_>,
    cid: &Cid,
    folder: &Path,
    root: Option<(Vec<u8>, usize)>,
) -> Result<Filling, Fault> {
    let limits = session.options().limits;
    let part = Part::open(folder, cid)?;
    // Blocks of the tree at most, which is shorter than the file.
    let (kept, marked) = part.kept(limits.remembered as u64 * 128);
    let mut kept = kept.into_iter().peekable();
    let (mut root, mut last) = (root, None);
    let skeleton = Skeleton::build(cid, &limits, |cid| -> Result<Vec<u8>, Fault> {
        if kept.peek().is_some_and(|block| cid.names_block(block)) {
            return Ok(kept.next().unwrap_or_default());
        }
        let (block, site) = match root.take() {
            Some(root) => root,
            None => archive::block(session, cid)?,
        };
        last = Some(site);
        Ok(block)
    });
    let skeleton = skeleton.map_err(|fault| match fault {
        // It does not fit into memory; as an archive it need not.
        Fault::Final(error @ IpfsError::TooLarge { what: TOO_MANY, .. }) => {
            session.note(error);
            Fault::Nobody
        }
        fault => fault,
    })?;
    Filling::resume(session, skeleton, part, &marked, last)
}

/// Whether a fetch of this file was begun, so that its root need not be asked for.
pub(super) fn is_begun(folder: &Path, cid: &Cid) -> bool {
    fs::metadata(folder.join(format!("{cid}.leaves"))).is_ok_and(|meta| meta.len() > 0)
}
