//! What a dag-pb block says, read strictly.
//!
//! # Invariants
//!
//! - **C9** A block is read only if it is spelled in the one canonical way of dag-pb and UnixFS, and
//!   makes sense: what it says of sizes adds up, nothing is missing, nothing unknown is in it. The
//!   one freedom is that lists of block sizes may be packed.
//!
//! Source: IPLD dag-pb specification; UnixFS specification.

use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::super::varint;
use super::decode::{Fields, Value};
use super::hamt::Bits;

/// A node of UnixFS.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::Node;
///
/// let Node::File(file) = Node::decode(b"\x0A\x09\x08\x02\x12\x03hey\x18\x03")? else { panic!() };
/// assert_eq!((file.data, file.size_bytes, file.children.len()), (&b"hey"[..], 3, 0));
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Node<'a> {
    /// A file, or a part of one.
    File(FileNode<'a>),
    /// A directory in one block.
    Directory(Vec<NamedLink<'a>>),
    /// A part of a sharded directory.
    Shard(Shard<'a>),
    /// A symbolic link to this path.
    Symlink(&'a [u8]),
}

/// A file, or a part of one: its own bytes, then those of its children.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileNode<'a> {
    /// The bytes that come first.
    pub data: &'a [u8],
    /// The bytes in all: the sum of what is here and of what the children are said to hold.
    pub size_bytes: u64,
    /// The other parts in order, with the bytes each must have; none of them is empty.
    pub children: Vec<(Cid, u64)>,
}

/// A link of a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NamedLink<'a> {
    /// Where it leads.
    pub cid: Cid,
    /// The entry's name; in a shard, with the bucket before it.
    pub name: &'a [u8],
    /// The bytes of all blocks behind it, as whoever made the directory says.
    pub dag_bytes: u64,
}

/// A part of a sharded directory.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Shard<'a> {
    /// Entries and further parts, each under a bucket.
    pub links: Vec<NamedLink<'a>>,
    /// How many buckets there are, as a power of two: 3 to 10.
    pub fanout_bits: u32,
}

impl<'a> Node<'a> {
    /// Reads a dag-pb block (**C9**). Whether it is the block that an id names is asked of
    /// [`Cid::names_block`].
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidBlock`], and [`IpfsError::UnsupportedContent`] for UnixFS metadata.
    pub fn decode(block: &'a [u8]) -> Result<Self, IpfsError> {
        let mut fields = Fields::of_node(block);
        let (mut links, mut data) = (Vec::new(), None);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => links.push(NamedLink::decode(value.bytes()?)?),
                1 => data = Some(value.bytes()?),
                _ => return Err(UNKNOWN),
            }
        }
        let data = data.ok_or(IpfsError::block("a node without data"))?;
        UnixFs::decode(data)?.with(links)
    }
}

const UNKNOWN: IpfsError = IpfsError::block("an unknown field");

impl<'a> NamedLink<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, IpfsError> {
        let mut fields = Fields::new(message, 0);
        let (mut cid, mut name, mut dag_bytes) = (None, &[][..], 0);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => cid = Some(Cid::from_bytes(value.bytes()?).map_err(in_link)?),
                2 => name = value.bytes()?,
                3 => dag_bytes = value.number()?,
                _ => return Err(UNKNOWN),
            }
        }
        let cid = cid.ok_or(IpfsError::block("a link without an id"))?;
        Ok(Self { cid, name, dag_bytes })
    }
}

/// An id that is none is the fault of the block; one of another kind stays what it is.
fn in_link(error: IpfsError) -> IpfsError {
    match error {
        IpfsError::InvalidCid { reason } => IpfsError::block(reason),
        other => other,
    }
}

/// The second message, which says what the links mean.
#[derive(Default)]
struct UnixFs<'a> {
    kind: Option<u64>,
    data: Option<&'a [u8]>,
    size: Option<u64>,
    block_sizes: Vec<u64>,
    hash: Option<u64>,
    fanout: Option<u64>,
}

impl<'a> UnixFs<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, IpfsError> {
        let mut fields = Fields::new(message, 4);
        let (mut found, mut packed) = (Self::default(), false);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, value) => found.kind = Some(value.number()?),
                (2, value) => found.data = Some(value.bytes()?),
                (3, value) => found.size = Some(value.number()?),
                (4, Value::Number(size)) if !packed => found.block_sizes.push(size),
                (4, Value::Bytes(mut sizes)) if found.block_sizes.is_empty() && !packed => {
                    packed = true;
                    while !sizes.is_empty() {
                        let size = varint::take_long(&mut sizes).map_err(IpfsError::block)?;
                        found.block_sizes.push(size);
                    }
                }
                (4, _) => return Err(IpfsError::block("block sizes are listed in two ways")),
                (5, value) => found.hash = Some(value.number()?),
                (6, value) => found.fanout = Some(value.number()?),
                (7, value) => _ = value.number()?,
                (8, value) => check_time(value.bytes()?)?,
                _ => return Err(UNKNOWN),
            }
        }
        Ok(found)
    }

    fn with(self, links: Vec<NamedLink<'a>>) -> Result<Node<'a>, IpfsError> {
        let is_plain = self.hash.is_none() && self.fanout.is_none();
        let has_no_sizes = self.size.is_none_or(|size| size == 0) && self.block_sizes.is_empty();
        match self.kind {
            Some(0 | 2) if is_plain => self.file(links),
            Some(1) if is_plain && has_no_sizes && self.data.unwrap_or_default().is_empty() => {
                Ok(Node::Directory(links))
            }
            Some(4) if is_plain && links.is_empty() && self.block_sizes.is_empty() => {
                Ok(Node::Symlink(self.data.unwrap_or_default()))
            }
            Some(5) if has_no_sizes => self.shard(links),
            Some(0 | 1 | 2 | 4 | 5) => Err(IpfsError::block("a field does not belong to its type")),
            Some(3) => Err(IpfsError::UnsupportedContent { what: "UnixFS metadata" }),
            _ => Err(IpfsError::block("no type, or one that is unknown")),
        }
    }

    fn file(self, links: Vec<NamedLink<'a>>) -> Result<Node<'a>, IpfsError> {
        let (data, size_bytes) = (self.data.unwrap_or_default(), self.size.unwrap_or(0));
        if links.len() != self.block_sizes.len() {
            return Err(IpfsError::block("not as many block sizes as links"));
        }
        let below = self.block_sizes.iter().try_fold(0, |sum: u64, size| sum.checked_add(*size));
        if below.and_then(|below| below.checked_add(data.len() as u64)) != Some(size_bytes) {
            return Err(IpfsError::block("sizes do not add up"));
        }
        if self.block_sizes.contains(&0) {
            return Err(IpfsError::block("a part of a file is empty"));
        }
        if links.iter().any(|link| !link.name.is_empty()) {
            return Err(IpfsError::block("a part of a file has a name"));
        }
        let children = links.into_iter().map(|link| link.cid).zip(self.block_sizes).collect();
        Ok(Node::File(FileNode { data, size_bytes, children }))
    }

    fn shard(self, links: Vec<NamedLink<'a>>) -> Result<Node<'a>, IpfsError> {
        let fanout = self.fanout.unwrap_or(0);
        if !fanout.is_power_of_two() || !(8..=1_024).contains(&fanout) {
            return Err(IpfsError::block("shards have 8 to 1,024 buckets, a power of two"));
        }
        if self.hash != Some(0x22) {
            return Err(IpfsError::UnsupportedContent { what: "a sharded directory's hash" });
        }
        let bits = self.data.unwrap_or_default();
        let filled: u64 = bits.iter().map(|byte| u64::from(byte.count_ones())).sum();
        if bits.len() as u64 > fanout / 8 || filled != links.len() as u64 {
            return Err(IpfsError::block("not as many links as filled buckets"));
        }
        Ok(Node::Shard(Shard { links, fanout_bits: fanout.trailing_zeros() }))
    }
}

/// UnixFS 1.5 times are checked and passed over.
fn check_time(message: &[u8]) -> Result<(), IpfsError> {
    let mut fields = Fields::new(message, 0);
    let mut has_seconds = false;
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => has_seconds = value.number().is_ok(),
            2 if (1..1_000_000_000).contains(&value.fixed32()?) => {}
            _ => return Err(IpfsError::block("a time that is none")),
        }
    }
    if has_seconds { Ok(()) } else { Err(IpfsError::block("a time that is none")) }
}

/// Where the search for a name in a shard goes on.
pub(super) enum Step {
    Entry(Cid),
    Deeper(Cid),
    Absent,
}

impl Shard<'_> {
    /// Looks `name` up, whose bits are taken level by level.
    pub(super) fn find(&self, name: &[u8], bits: &mut Bits) -> Result<Step, IpfsError> {
        let bucket = bits.take(self.fanout_bits)?;
        let width = usize::try_from(self.fanout_bits.div_ceil(4)).unwrap_or(3);
        let prefix = format!("{bucket:0width$X}");
        for link in &self.links {
            match link.name.strip_prefix(prefix.as_bytes()) {
                Some([]) => return Ok(Step::Deeper(link.cid.clone())),
                Some(rest) if rest == name => return Ok(Step::Entry(link.cid.clone())),
                _ => {}
            }
        }
        Ok(Step::Absent)
    }
}
