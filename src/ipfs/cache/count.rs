//! Counting: the index learns what the folder holds.
//!
//! After an unclean end, and for a new index, at the first moment that somebody needs to know how much is
//! there; a hit never waits for it. Costs a look at each name, and a `stat` of each file that is new.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::time::UNIX_EPOCH;

use crate::time::Timestamp;

use super::super::cid::{Cid, Codec};
use super::index::{CacheIndex, Fault, Row};
use super::options::Kind;
use super::part::is_file;
use super::shared::Shared;

/// A raw file up to that size was a thumbnail, as far as anybody can tell.
const THUMBNAIL_BYTES: u64 = 64 << 10;

/// Adds rows for files without one, and removes rows without a file.
pub(super) fn count(shared: &Shared, index: &mut dyn CacheIndex) -> Result<(), Fault> {
    let mut missing: HashSet<Cid> = index.cids()?.into_iter().collect();
    for entry in fs::read_dir(&shared.folder).into_iter().flatten().flatten() {
        let Some(cid) = cid_of(&entry) else { continue };
        if !missing.remove(&cid)
            && let Some(row) = found(shared, cid, &entry)
        {
            index.put(&row)?;
        }
    }
    for cid in missing {
        // It may have come after the folder was read.
        if !is_file(&shared.path_of(&cid)) {
            index.remove(&cid)?;
        }
    }
    index.recount()
}

/// The id that a file is named by; `None` for anything else.
pub(super) fn cid_of(entry: &DirEntry) -> Option<Cid> {
    let name = entry.file_name();
    let name = name.to_str()?;
    name.parse().ok().filter(|cid: &Cid| cid.to_string() == name)
}

/// What can be known of a file that nobody wrote down: it has to be checked at its first hit.
pub(super) fn row_of(shared: &Shared, cid: Cid, meta: &fs::Metadata) -> Row {
    let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let put_at = Timestamp::default().after(modified.unwrap_or_default()).min(shared.now());
    let bytes = meta.len();
    let is_small = cid.codec() == Codec::Raw && bytes <= THUMBNAIL_BYTES;
    let kind = if is_small { Kind::Thumbnail } else { Kind::Media };
    let pinned = shared.pins.has(&cid);
    let priority = shared.state().ranker.priority(1, bytes);
    Row { cid, bytes, kind, pinned, uses: 1, priority, put_at, generation: 0, digest: None }
}

fn found(shared: &Shared, cid: Cid, entry: &DirEntry) -> Option<Row> {
    let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(row_of(shared, cid, &meta))
}
