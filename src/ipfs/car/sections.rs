//! The sections of an archive, as its bytes arrive.
//!
//! Source: IPLD, "CARv1 Specification": `| varint | DAG-CBOR header | { | varint | CID | block | } |`.

use sha2::{Digest, Sha256};

use super::super::cid::{Cid, Multihash};
use super::super::error::IpfsError;
use super::super::limits::Limits;
use super::super::varint;

/// How CARv2 begins, where version 1 has the length of its header.
const PRAGMA_V2: &[u8] = b"\x0A\xA1\x67version\x02";
/// The longest id, and more.
const MAX_CID_BYTES: usize = 160;
/// What is hashed while it is still in the processor's cache.
const PIECE_BYTES: usize = 64 << 10;

/// Cuts a stream into its header and sections, and hashes the blocks. Holds one section at a time.
pub(super) struct Sections {
    /// What has arrived of the current part, which is no longer than this.
    buffer: Vec<u8>,
    filled: usize,
    /// How many bytes the part has; `None` while its length itself arrives.
    part: Option<usize>,
    is_header: bool,
    /// The section's id, if it is of a kind that is read, and how many bytes it takes.
    id: Option<(Cid, usize)>,
    hasher: Sha256,
    /// How many bytes of the section are hashed, or need not be.
    hashed: usize,
    max_block: usize,
    max_header: usize,
}

/// A section that is whole.
pub(super) struct Section<'a> {
    pub(super) id: &'a Cid,
    pub(super) block: &'a [u8],
    /// Whether the id is the block's name.
    pub(super) is_right: bool,
}

impl Sections {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            buffer: vec![0; 16],
            filled: 0,
            part: None,
            is_header: true,
            id: None,
            hasher: Sha256::new(),
            hashed: 0,
            max_block: limits.block_bytes,
            max_header: limits.header_bytes,
        }
    }

    /// Where the next bytes are to be written: never more than the current part needs.
    pub(super) fn space(&mut self) -> &mut [u8] {
        // A length is read byte by byte, so that nothing behind it is taken along.
        let end = self.part.map_or(self.filled + 1, |part| part.min(self.filled + PIECE_BYTES));
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.filled..end).unwrap_or_default()
    }

    /// Says that `count` bytes of [`Sections::space`] were written; answers the length of a section
    /// that is whole now.
    pub(super) fn filled(&mut self, count: usize) -> Result<Option<usize>, IpfsError> {
        self.filled += count;
        let Some(part) = self.part else { return self.take_length().map(|()| None) };
        if !self.is_header {
            self.hash(part)?;
        }
        if self.filled < part {
            return Ok(None);
        }
        self.filled = 0;
        self.part = None;
        if !self.is_header {
            return Ok(Some(part));
        }
        self.is_header = false;
        check_header(self.buffer.get(..part).unwrap_or_default()).map(|()| None)
    }

    /// The section of that length, which is whole, until more is written; `None` when its id is of a
    /// kind that is not read.
    pub(super) fn section(&mut self, part: usize) -> Result<Option<Section<'_>>, IpfsError> {
        let digest = self.hasher.finalize_reset();
        let Some((id, used)) = &self.id else { return Ok(None) };
        let block = self.buffer.get(*used..part).unwrap_or_default();
        if block.len() > self.max_block {
            return Err(IpfsError::TooLarge {
                what: "bytes in a block",
                most: self.max_block as u64,
            });
        }
        let is_right = match id.hash() {
            Multihash::Sha2_256(named) => digest.as_slice() == named,
            Multihash::Identity(content) => content == block,
        };
        Ok(Some(Section { id, block, is_right }))
    }

    /// Reads the id as soon as it is there, and hashes what follows it.
    fn hash(&mut self, part: usize) -> Result<(), IpfsError> {
        if self.filled < part.min(MAX_CID_BYTES) {
            return Ok(());
        }
        if self.hashed == 0 {
            let head = self.buffer.get(..self.filled).unwrap_or_default();
            self.id = match Cid::from_front(head) {
                Ok(id) => Some(id),
                Err(IpfsError::UnsupportedCid { .. }) => None,
                Err(_) => return Err(IpfsError::car("a section does not begin with an id")),
            };
            self.hashed = self.id.as_ref().map_or(part, |(_, used)| *used);
        }
        self.hasher.update(self.buffer.get(self.hashed..self.filled).unwrap_or_default());
        self.hashed = self.hashed.max(self.filled);
        Ok(())
    }

    /// Whether nothing has come at all.
    pub(super) fn is_untouched(&self) -> bool {
        self.filled == 0 && self.part.is_none() && self.is_header
    }

    /// Whether the stream may end here.
    pub(super) fn is_between(&self) -> bool {
        self.filled == 0 && self.part.is_none() && !self.is_header
    }

    fn take_length(&mut self) -> Result<(), IpfsError> {
        let bytes = self.buffer.get(..self.filled).unwrap_or_default();
        if bytes.last().is_none_or(|byte| *byte >= 0x80) && bytes.len() < 9 {
            return Ok(());
        }
        let length = varint::take(&mut &*bytes).map_err(IpfsError::car)?;
        let most = if self.is_header { self.max_header } else { self.max_block + MAX_CID_BYTES };
        let part = usize::try_from(length).unwrap_or(usize::MAX);
        if part > most {
            let what = if self.is_header { "bytes in the header" } else { "bytes in a section" };
            return Err(IpfsError::TooLarge { what, most: most as u64 });
        }
        if part == 0 {
            return Err(IpfsError::car("a section is empty"));
        }
        self.part = Some(part);
        (self.filled, self.hashed) = (0, 0);
        Ok(())
    }
}

/// The header says its version, and roots that mean nothing: what is wanted is known.
fn check_header(header: &[u8]) -> Result<(), IpfsError> {
    if PRAGMA_V2.get(1..) == Some(header) {
        return Err(IpfsError::UnsupportedContent { what: "an archive of version 2 (CARv2)" });
    }
    let refused = || IpfsError::car("the header is none");
    let rest = header.strip_prefix(b"\xA2\x65roots").ok_or_else(refused)?;
    let (count, mut rest) = head(rest, 0x80).ok_or_else(refused)?;
    for _ in 0..count {
        // A link: tag 42 around bytes, of which the first is zero.
        let (length, bytes) =
            rest.strip_prefix(b"\xD8\x2A").and_then(|rest| head(rest, 0x40)).ok_or_else(refused)?;
        let (_, after) = bytes.split_at_checked(length).ok_or_else(refused)?;
        rest = after;
    }
    if rest == b"\x67version\x01" { Ok(()) } else { Err(refused()) }
}

/// The length in front of a CBOR item of this kind, in its shortest form, and what follows it.
fn head(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match (first.checked_sub(kind)?, rest) {
        (short @ 0..24, _) => Some((usize::from(short), rest)),
        (24, [length, rest @ ..]) if *length >= 24 => Some((usize::from(*length), rest)),
        (25, [high, low, rest @ ..]) if *high > 0 => {
            Some((usize::from(u16::from_be_bytes([*high, *low])), rest))
        }
        _ => None,
    }
}

/// The header of an archive with one root.
pub(super) fn header(root: &[u8]) -> Vec<u8> {
    let mut header = b"\xA2\x65roots\x81\xD8\x2A\x58".to_vec();
    header.push(u8::try_from(root.len() + 1).unwrap_or(u8::MAX));
    header.push(0);
    header.extend_from_slice(root);
    header.extend_from_slice(b"\x67version\x01");
    header
}
