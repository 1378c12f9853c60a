//! A body from its first byte to its last, judged at the end.
//!
//! Where the id is the hash of the file itself, that hash decides. Where it is the root of a tree and a
//! gateway gives nothing but the file, the tree is made again under every profile in use, in one pass, and
//! the file is accepted if one of them has this root.
//!
//! What came before a cut is hashed again from the disk, and the rest is asked for; if the whole is wrong
//! then, it is fetched once more from the beginning before anybody is blamed.

use sha2::{Digest, Sha256};

use super::super::cid::{Cid, Codec, Multihash};
use super::super::error::IpfsError;
use super::super::path::ContentPath;
use super::super::unixfs::{Importer, Profile};
use super::ask::{Ask, Fault, Form};
use super::part::Part;
use super::session::Session;
use super::{Fetched, Source};

/// What decides whether a body is the file.
enum Judge {
    /// The hash of all.
    Hash(Box<Sha256>),
    /// The roots under each profile.
    Roots(Vec<Importer>),
}

impl Judge {
    fn new(cid: &Cid) -> Result<Self, Fault> {
        Ok(match cid.codec() {
            Codec::Raw => Self::Hash(Box::default()),
            Codec::DagPb => Self::Roots(profiles()?.into_iter().map(Importer::new).collect()),
        })
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Hash(hasher) => hasher.update(piece),
            Self::Roots(importers) => {
                importers.iter_mut().for_each(|importer| importer.update(piece));
            }
        }
    }

    /// Whether nothing more is needed, where that costs nothing to know.
    fn is_right_already(&self, cid: &Cid) -> bool {
        match self {
            Self::Hash(hasher) => Self::Hash(hasher.clone()).names(cid),
            Self::Roots(_) => false,
        }
    }

    fn names(self, cid: &Cid) -> bool {
        match (self, cid.hash()) {
            (Self::Hash(hasher), Multihash::Sha2_256(digest)) => {
                hasher.finalize().as_slice() == digest
            }
            (Self::Roots(importers), _) => {
                importers.into_iter().any(|importer| importer.finish() == *cid)
            }
            (Self::Hash(_), Multihash::Identity(_)) => false,
        }
    }
}

/// The profiles in use, the commonest first.
fn profiles() -> Result<[Profile; 5], IpfsError> {
    Ok([
        Profile::UNIXFS_V1_2025,
        Profile::UNIXFS_V0_2015,
        Profile::custom(1 << 20, 174, true, 1)?,
        Profile::custom(256 << 10, 174, true, 1)?,
        Profile::custom(256 << 10, 174, false, 1)?,
    ])
}

/// Fetches the whole body. `path` is where it lies, `cid` what it must be.
pub(super) fn fetch(
    session: &Session<'_>,
    cid: &Cid,
    path: &ContentPath,
    mut part: Part,
) -> Result<Fetched, Fault> {
    let is_block = cid.codec() == Codec::Raw;
    let (mut judge, mut len) = resume(session, cid, &mut part)?;
    if len > 0 && judge.is_right_already(cid) {
        return done(session, cid, part, len, None, is_block);
    }
    // Bytes of two bodies, of which nobody knows which one is wrong.
    let mut is_mixed = len > 0;
    loop {
        let (mut transfer, form) = match open(session, path, is_block, len) {
            Ok(opened) => opened,
            // It ends where ours does: either it is whole, or it is wrong.
            Err(Fault::Range) if len > 0 => {
                if judge.names(cid) {
                    return done(session, cid, part, len, None, is_block);
                }
                (judge, len, is_mixed) = (restart(cid, &mut part)?, 0, false);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let (site, head) = (transfer.site, transfer.head);
        if head.starts_at != len {
            (judge, len, is_mixed) = (restart(cid, &mut part)?, 0, false);
        }
        let ended = loop {
            match transfer.next(|| session.stop()) {
                Ok(None) => break None,
                Ok(Some(piece)) => {
                    let end = len + piece.len() as u64;
                    if end > session.options().limits.file_bytes {
                        let what = "bytes";
                        let most = session.options().limits.file_bytes;
                        session.note(IpfsError::TooLarge { what, most });
                        break Some(Fault::Refused("it does not end".to_owned()));
                    }
                    session.grow_to(end)?;
                    part.write_at(len, &piece)?;
                    judge.update(&piece);
                    len = end;
                    session.tell(len);
                }
                Err(Fault::Final(error)) => return Err(Fault::Final(error)),
                Err(fault) => break Some(fault),
            }
        };
        if let Some(fault) = ended {
            is_mixed = true;
            let is_endless = matches!(fault, Fault::Refused(_));
            session.blame(site, &form, fault);
            if is_endless {
                (judge, len, is_mixed) = (restart(cid, &mut part)?, 0, false);
            }
            continue;
        }
        if judge.names(cid) {
            session.praise(site);
            return done(session, cid, part, len, session.url(site), is_block);
        }
        (judge, len) = (restart(cid, &mut part)?, 0);
        let error = if is_block {
            IpfsError::ContentMismatch { cid: cid.clone() }
        } else {
            IpfsError::Unproved { cid: cid.clone() }
        };
        if is_mixed {
            is_mixed = false;
        } else if head.is_page {
            // A page in place of an answer: a fault of the house, not a lie.
            session.note(error);
            session.blame(site, &form, Fault::Refused("a page".to_owned()));
        } else if is_block {
            session.blame(site, &form, Fault::Lie(error));
        } else {
            // Perhaps it is right, and made in a way that nobody here knows.
            session.note(error);
            session.done_with(site);
        }
    }
}

/// A block is asked for as one first, and as the file that it is where that is not known.
fn open(
    session: &Session<'_>,
    path: &ContentPath,
    is_block: bool,
    from: u64,
) -> Result<(super::transfer::Transfer, Form), Fault> {
    if is_block {
        let sites = session.ready(|record| record.raw);
        let ask = Ask::new(Form::RawOrPlain, path).from(from, None);
        match session.open(&sites, &ask) {
            Err(Fault::Nobody) => {}
            opened => return Ok((opened?, Form::RawOrPlain)),
        }
    }
    let sites = session.ready(|record| record.plain);
    let ask = Ask::new(Form::Plain, path).from(from, None);
    Ok((session.open(&sites, &ask)?, Form::Plain))
}

/// Hashes what is there again.
fn resume(session: &Session<'_>, cid: &Cid, part: &mut Part) -> Result<(Judge, u64), Fault> {
    let (mut judge, len) = (Judge::new(cid)?, part.len()?);
    let mut at = 0;
    let mut buffer = vec![0; 64 << 10];
    while at < len {
        session.stop()?;
        let count = usize::try_from(len - at).unwrap_or(usize::MAX).min(buffer.len());
        let piece = buffer.get_mut(..count).unwrap_or_default();
        if !part.read_at(at, piece)? {
            break;
        }
        judge.update(piece);
        at += count as u64;
    }
    session.grow_to(at)?;
    Ok((judge, at))
}

fn restart(cid: &Cid, part: &mut Part) -> Result<Judge, Fault> {
    part.cut(0)?;
    Judge::new(cid)
}

fn done(
    session: &Session<'_>,
    cid: &Cid,
    part: Part,
    bytes: u64,
    gateway: Option<String>,
    is_block: bool,
) -> Result<Fetched, Fault> {
    session.proved_size(bytes);
    session.tell(bytes);
    let source = if is_block { Source::Raw } else { Source::Reimport };
    Ok(Fetched {
        cid: cid.clone(),
        path: part.complete(bytes)?,
        bytes,
        source,
        gateway,
        entry: None,
    })
}
