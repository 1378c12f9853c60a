//! Content ids: what a file is called when its name is its content.
//!
//! An id is a codec (how to read the block) and a multihash (what the block hashes to). Here every
//! id is held in one form, the bytes of its CIDv1, whatever spelling it came in, so equality is
//! equality of bytes (**C1**) and the text of an id is always the same lower-case base32.
//!
//! Source: the CID specification, and multihash, multibase and unsigned-varint of multiformats.

pub(crate) mod base58;
mod text;

use sha2::{Digest, Sha256};

use super::error::IpfsError;
use super::varint;

const RAW: u64 = 0x55;
const DAG_PB: u64 = 0x70;
const IDENTITY: u64 = 0x00;
const SHA2_256: u64 = 0x12;
/// Longest content an identity hash may carry, as gateways and kubo agree.
const MAX_IDENTITY_BYTES: usize = 128;

/// Names content by its hash.
///
/// Parses CIDv1 in base32 and base36 (either case) and base58btc, and CIDv0; codecs raw and dag-pb; hashes
/// SHA2-256 and identity. Prints canonical text: CIDv1 in lower-case base32, safe as a file name
/// on file systems that ignore case.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::Cid;
///
/// let old: Cid = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH".parse()?;
/// let new: Cid = "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y".parse()?;
/// assert_eq!(old, new);
/// assert_eq!(old.to_string(), "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y");
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Cid(Box<[u8]>);

/// How the block behind an id is to be read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Codec {
    /// Its bytes are the content.
    Raw,
    /// It is a node of links and data, as UnixFS files of several blocks are.
    DagPb,
}

/// What the block behind an id hashes to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Multihash<'a> {
    /// The SHA2-256 digest of the block.
    Sha2_256(&'a [u8; 32]),
    /// The block itself, at most 128 bytes.
    Identity(&'a [u8]),
}

impl Cid {
    /// Parses the binary form: a CIDv1, or the bare multihash that is a CIDv0.
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidCid`] and [`IpfsError::UnsupportedCid`].
    ///
    /// # Example
    ///
    /// ```
    /// use finalmile::ipfs::Cid;
    ///
    /// // Version 1, raw, identity, no bytes: the id of the empty file that needs no hash.
    /// assert_eq!(Cid::from_bytes(&[1, 0x55, 0, 0])?.to_string(), "bafkqaaa");
    /// # Ok::<(), finalmile::ipfs::IpfsError>(())
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IpfsError> {
        Self::whole(bytes, Self::from_front(bytes)?)
    }

    /// A CIDv1 in binary form, with nothing behind it.
    fn from_v1_bytes(bytes: &[u8]) -> Result<Self, IpfsError> {
        Self::whole(bytes, Self::v1_from_front(bytes)?)
    }

    fn whole(bytes: &[u8], (cid, used): (Self, usize)) -> Result<Self, IpfsError> {
        if used < bytes.len() {
            return Err(IpfsError::invalid("bytes follow the digest"));
        }
        Ok(cid)
    }

    /// The id at the front of `bytes`, and how many of them it takes.
    pub(super) fn from_front(bytes: &[u8]) -> Result<(Self, usize), IpfsError> {
        match bytes {
            [0x12, 0x20, rest @ ..] => match rest.first_chunk() {
                Some(digest) => Ok((Self::of_digest(Codec::DagPb, digest), 34)),
                None => Err(IpfsError::invalid("a CIDv0 has 34 bytes")),
            },
            _ => Self::v1_from_front(bytes),
        }
    }

    fn v1_from_front(bytes: &[u8]) -> Result<(Self, usize), IpfsError> {
        let mut rest = bytes;
        let mut next = || varint::take(&mut rest).map_err(IpfsError::invalid);
        match next()? {
            1 => {}
            0 => return Err(IpfsError::invalid("a CIDv0 has no version number")),
            _ => return Err(IpfsError::UnsupportedCid { what: "version" }),
        }
        if !matches!(next()?, RAW | DAG_PB) {
            return Err(IpfsError::UnsupportedCid { what: "codec" });
        }
        let (hash, length) = (next()?, next()?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match hash {
            SHA2_256 if length != 32 => {
                return Err(IpfsError::invalid("a SHA2-256 digest has 32 bytes"));
            }
            IDENTITY if length > MAX_IDENTITY_BYTES => {
                return Err(IpfsError::UnsupportedCid { what: "identity hash over 128 bytes" });
            }
            SHA2_256 | IDENTITY => {}
            _ => return Err(IpfsError::UnsupportedCid { what: "hash function" }),
        }
        let used = bytes.len() - rest.len() + length;
        let cid = bytes.get(..used).ok_or(IpfsError::invalid("the digest is cut short"))?;
        Ok((Self(cid.into()), used))
    }

    /// The id of `block` as a single raw block: the plain SHA2-256 of its bytes.
    #[must_use]
    pub fn of_raw_block(block: &[u8]) -> Self {
        Self::of_digest(Codec::Raw, &Sha256::digest(block).into())
    }

    /// The id of a block whose SHA2-256 is already known.
    #[must_use]
    pub fn of_digest(codec: Codec, digest: &[u8; 32]) -> Self {
        let codec = match codec {
            Codec::Raw => 0x55,
            Codec::DagPb => 0x70,
        };
        let mut bytes = Vec::with_capacity(36);
        bytes.extend_from_slice(&[0x01, codec, 0x12, 0x20]);
        bytes.extend_from_slice(digest);
        Self(bytes.into())
    }

    /// The canonical binary form: a CIDv1.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How the block is to be read.
    #[must_use]
    pub fn codec(&self) -> Codec {
        if self.0.get(1) == Some(&0x55) { Codec::Raw } else { Codec::DagPb }
    }

    /// What the block hashes to.
    #[must_use]
    pub fn hash(&self) -> Multihash<'_> {
        match self.0.split_last_chunk() {
            Some(([0x01, _, 0x12, 0x20], digest)) => Multihash::Sha2_256(digest),
            // Version, codec and hash take one byte each, the length one or two (128 is `80 01`).
            _ if self.0.get(3) == Some(&0x80) => {
                Multihash::Identity(self.0.get(5..).unwrap_or_default())
            }
            _ => Multihash::Identity(self.0.get(4..).unwrap_or_default()),
        }
    }

    /// Whether `block` is the block this id names.
    ///
    /// A dag-pb id names the root block of a file, not the file: see
    /// [`Cache::verify`](super::Cache::verify) for files.
    #[must_use]
    pub fn names_block(&self, block: &[u8]) -> bool {
        match self.hash() {
            Multihash::Sha2_256(digest) => digest.as_slice() == Sha256::digest(block).as_slice(),
            Multihash::Identity(content) => content == block,
        }
    }

    /// The binary form in which blocks and archives of that version refer to this id: the bare hash
    /// where version 0 has a form for it.
    #[cfg(feature = "ipfs")]
    pub(super) fn as_written(&self, version: u8) -> &[u8] {
        match self.hash() {
            Multihash::Sha2_256(_) if version == 0 && self.codec() == Codec::DagPb => &self.0[2..],
            _ => &self.0,
        }
    }

    /// The `Qm…` spelling, for services that still want it. `None`: this id has none, because a
    /// CIDv0 is always dag-pb and SHA2-256. Unfit as a file name: it tells upper from lower case.
    #[must_use]
    pub fn to_v0(&self) -> Option<String> {
        match (self.codec(), self.hash()) {
            (Codec::DagPb, Multihash::Sha2_256(_)) => Some(base58::encode(self.0.get(2..)?)),
            _ => None,
        }
    }
}
