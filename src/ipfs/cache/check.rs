//! Checking: whether a file's bytes are the content that its name says.
//!
//! A raw id is the hash of the bytes. A dag-pb id is the hash of a tree whose shape the bytes alone do
//! not tell, so the usual shapes are tried, all in one pass; for content of any other shape the index
//! remembers a digest from when the tree itself was proved.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::cid::{Cid, Codec, Multihash};
use super::super::error::IpfsError;
use super::super::unixfs::{Importer, Profile, each_piece};

/// Whether the bytes of `file`, which lies at `path`, are what `cid` names.
///
/// `digest` is that of the whole file, where it is known.
pub(super) fn names_content(
    cid: &Cid,
    mut file: File,
    path: &Path,
    digest: Option<&[u8; 32]>,
) -> Result<bool, IpfsError> {
    let unreadable = IpfsError::unreadable(path);
    match (cid.hash(), cid.codec()) {
        (Multihash::Sha2_256(named), Codec::Raw) => Ok(hash(&file, path)? == *named),
        (Multihash::Sha2_256(_), Codec::DagPb) => {
            if digest.is_some() && Some(&hash(&file, path)?) == digest {
                return Ok(true);
            }
            file.seek(SeekFrom::Start(0)).map_err(&unreadable)?;
            let mut importers: Vec<Importer> = shapes().into_iter().map(Importer::new).collect();
            each_piece(file, unreadable, |piece| {
                importers.iter_mut().for_each(|importer| importer.update(piece));
                Ok(())
            })?;
            Ok(importers.into_iter().any(|importer| importer.finish() == *cid))
        }
        (Multihash::Identity(content), Codec::Raw) => {
            let mut rest = Some(content);
            each_piece(file, unreadable, |piece| {
                rest = rest.and_then(|rest| rest.strip_prefix(piece));
                Ok(())
            })?;
            Ok(rest.is_some_and(<[u8]>::is_empty))
        }
        (Multihash::Identity(_), Codec::DagPb) => {
            Err(IpfsError::UnsupportedCid { what: "identity hash of a dag-pb node" })
        }
    }
}

/// The same for bytes in memory.
pub(super) fn names_bytes(cid: &Cid, bytes: &[u8], digest: Option<&[u8; 32]>) -> bool {
    match (cid.codec(), digest) {
        (Codec::Raw, _) => cid.names_block(bytes),
        (Codec::DagPb, Some(digest)) if Sha256::digest(bytes).as_slice() == digest => true,
        (Codec::DagPb, _) => shapes().into_iter().any(|profile| {
            let mut importer = Importer::new(profile);
            importer.update(bytes);
            importer.finish() == *cid
        }),
    }
}

/// The SHA2-256 of all bytes of the file.
pub(super) fn hash(file: &File, path: &Path) -> Result<[u8; 32], IpfsError> {
    let mut hasher = Sha256::new();
    each_piece(file, IpfsError::unreadable(path), |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(hasher.finalize().into())
}

/// The two named profiles, and what tools made before those had names.
fn shapes() -> Vec<Profile> {
    let former = [(1 << 20, 174, true), (256 << 10, 174, true), (256 << 10, 174, false)];
    let former = former
        .iter()
        .filter_map(|(chunk, links, raw)| Profile::custom(*chunk, *links, *raw, 1).ok());
    [Profile::UNIXFS_V1_2025, Profile::UNIXFS_V0_2015].into_iter().chain(former).collect()
}
