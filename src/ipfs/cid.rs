//! Content ids: what a file is called when its name is its content.
//!
//! An id is a codec (how to read the block) and a multihash (what the block hashes to). Here every
//! id is held in one form, the bytes of its CIDv1, whatever spelling it came in, so equality is
//! equality of bytes (**C1**) and the text of an id is always the same lower-case base32.
//!
//! Source: the CID specification, and multihash, multibase and unsigned-varint of multiformats.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use super::base58;
use super::error::IpfsError;

const RAW: u64 = 0x55;
const DAG_PB: u64 = 0x70;
const IDENTITY: u64 = 0x00;
const SHA2_256: u64 = 0x12;
/// Longest content an identity hash may carry, as gateways and kubo agree.
const MAX_IDENTITY_BYTES: usize = 128;
/// The longest accepted id has 133 bytes, which base32 spells with 214 characters.
const MAX_TEXT_BYTES: usize = 256;

/// Names content by its hash.
///
/// Parses CIDv1 in base32 (either case) and base58btc, and CIDv0; codecs raw and dag-pb; hashes
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
        match bytes {
            [0x12, 0x20, digest @ ..] => match digest.try_into() {
                Ok(digest) => Ok(Self::of_digest(Codec::DagPb, digest)),
                Err(_) => Err(IpfsError::invalid("a CIDv0 has 34 bytes")),
            },
            _ => Self::from_v1_bytes(bytes),
        }
    }

    fn from_v1_bytes(bytes: &[u8]) -> Result<Self, IpfsError> {
        let mut rest = bytes;
        match read_varint(&mut rest)? {
            1 => {}
            0 => return Err(IpfsError::invalid("a CIDv0 has no version number")),
            _ => return Err(IpfsError::UnsupportedCid { what: "version" }),
        }
        if !matches!(read_varint(&mut rest)?, RAW | DAG_PB) {
            return Err(IpfsError::UnsupportedCid { what: "codec" });
        }
        let hash = read_varint(&mut rest)?;
        let length = read_varint(&mut rest)?;
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
        if rest.len() < length {
            return Err(IpfsError::invalid("the digest is cut short"));
        }
        if rest.len() > length {
            return Err(IpfsError::invalid("bytes follow the digest"));
        }
        Ok(Self(bytes.into()))
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

impl FromStr for Cid {
    type Err = IpfsError;

    fn from_str(text: &str) -> Result<Self, IpfsError> {
        if text.is_empty() {
            return Err(IpfsError::invalid("it is empty"));
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(IpfsError::invalid("it is too long"));
        }
        if text.len() == 46 && text.starts_with("Qm") {
            let bytes = base58::decode(text).ok_or(IpfsError::invalid("not base58"))?;
            return Self::from_bytes(&bytes);
        }
        let lower_or_upper = |wanted: fn(&u8) -> bool| text.as_bytes().iter().all(wanted);
        let bytes = match text.as_bytes() {
            [b'b', ..] if lower_or_upper(|byte| !byte.is_ascii_uppercase()) => {
                BASE32_NOPAD.decode(text[1..].to_ascii_uppercase().as_bytes()).ok()
            }
            [b'B', ..] if lower_or_upper(|byte| !byte.is_ascii_lowercase()) => {
                BASE32_NOPAD.decode(&text.as_bytes()[1..]).ok()
            }
            [b'z', ..] => base58::decode(&text[1..]),
            [b'b' | b'B', ..] => return Err(IpfsError::invalid("it mixes upper and lower case")),
            [b'f' | b'F' | b'k' | b'K' | b'm' | b'u' | b'U' | b'M' | b'v' | b'V', ..]
                if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                return Err(IpfsError::UnsupportedCid { what: "spelling (multibase)" });
            }
            _ => return Err(IpfsError::invalid("it begins like no content id")),
        };
        // A multibase prefix announces a CIDv1; a CIDv0 is never spelled with one.
        Self::from_v1_bytes(&bytes.ok_or(IpfsError::invalid("a character is out of place"))?)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = BASE32_NOPAD.encode(&self.0);
        text.make_ascii_lowercase();
        write!(f, "b{text}")
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

/// Takes one number off the front of `rest`: seven bits a byte, low ones first, and no more bytes
/// than needed.
///
/// Source: multiformats/unsigned-varint, which also caps a number at nine bytes.
fn read_varint(rest: &mut &[u8]) -> Result<u64, IpfsError> {
    let mut number = 0;
    for (place, &byte) in rest.iter().take(9).enumerate() {
        number |= u64::from(byte & 0x7F) << (7 * place);
        if byte < 0x80 {
            if byte == 0 && place > 0 {
                return Err(IpfsError::invalid("a number is padded"));
            }
            *rest = rest.get(place + 1..).unwrap_or_default();
            return Ok(number);
        }
    }
    Err(IpfsError::invalid("a number does not end"))
}
