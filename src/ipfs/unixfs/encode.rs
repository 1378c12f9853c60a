//! The bytes of blocks: leaves that carry content, and nodes that link to them.
//!
//! All are protobuf messages of one fixed layout. Protobuf itself leaves the order of fields open,
//! a hash does not, so the bytes written here are the specification, field by field. A leaf is
//! hashed as head, content and tail, so its content is never copied.
//!
//! Source: the dag-pb and UnixFS specifications of IPLD and IPFS.

use sha2::{Digest, Sha256};

use super::super::cid::{Cid, Codec};
use super::super::varint;
use super::profile::Profile;

/// A block as its parent knows it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Link {
    pub(in super::super) codec: Codec,
    pub(in super::super) digest: [u8; 32],
    /// Bytes of the file below this block.
    pub(in super::super) content_bytes: u64,
    /// Bytes of this block and of all blocks below it, each counted as often as it is linked.
    pub(in super::super) dag_bytes: u64,
    /// Where [`Nodes`](super::import::Nodes) kept the block, if it did.
    pub(in super::super) place: Option<u64>,
}

impl Link {
    pub(in super::super) fn cid(&self) -> Cid {
        Cid::of_digest(self.codec, &self.digest)
    }
}

/// A leaf in parts: what goes before the content, the content, what goes after it.
pub(in super::super) struct Pieces<'a>(pub(in super::super) [&'a [u8]; 3]);

impl Pieces<'_> {
    pub(in super::super) fn len(&self) -> u64 {
        self.0.iter().map(|part| part.len() as u64).sum()
    }
}

/// The parts of the block that holds `chunk`; `room` is where they are written.
pub(in super::super) fn leaf_pieces<'a>(
    chunk: &'a [u8],
    profile: Profile,
    room: &'a mut [Vec<u8>; 2],
) -> Pieces<'a> {
    let [head, tail] = room;
    head.clear();
    tail.clear();
    if !profile.raw_leaves {
        // UnixFS: type 2 (a file), its data unless there is none, its size.
        let size = chunk.len() as u64;
        let mut inner = vec![0x08, 0x02];
        if size > 0 {
            inner.push(0x12);
            varint::push(&mut inner, size);
        }
        tail.push(0x18);
        varint::push(tail, size);
        // dag-pb: no links, the UnixFS message as data.
        head.push(0x0A);
        varint::push(head, (inner.len() + chunk.len() + tail.len()) as u64);
        head.append(&mut inner);
    }
    Pieces([head, chunk, tail])
}

/// The block that holds `chunk`.
pub(in super::super) fn leaf(chunk: &[u8], profile: Profile) -> Link {
    let mut room = [const { Vec::new() }; 2];
    let pieces = leaf_pieces(chunk, profile, &mut room);
    let mut hasher = Sha256::new();
    pieces.0.iter().for_each(|part| hasher.update(part));
    Link {
        codec: if profile.raw_leaves { Codec::Raw } else { Codec::DagPb },
        digest: hasher.finalize().into(),
        content_bytes: chunk.len() as u64,
        dag_bytes: pieces.len(),
        place: None,
    }
}

/// The node of a file that links to `children` in order.
pub(super) fn file(children: &[Link], profile: Profile) -> (Vec<u8>, Link) {
    let content_bytes = children.iter().map(|child| child.content_bytes).sum();
    let mut unixfs = vec![0x08, 0x02, 0x18];
    varint::push(&mut unixfs, content_bytes);
    for child in children {
        unixfs.push(0x20);
        varint::push(&mut unixfs, child.content_bytes);
    }
    // A name, empty but present.
    let named = children.iter().map(|child| ("", "", child));
    let (block, link) = node(named, &unixfs, profile);
    (block, Link { content_bytes, ..link })
}

/// A directory in one block; its entries are sorted by name, byte by byte.
pub(super) fn directory(entries: &[(Box<str>, Link)], profile: Profile) -> (Vec<u8>, Link) {
    node(entries.iter().map(|(name, child)| ("", &**name, child)), &[0x08, 0x01], profile)
}

/// How long [`directory`]'s block is, without making it.
pub(super) fn directory_bytes(entries: &[(Box<str>, Link)], profile: Profile) -> u64 {
    let links = entries.iter().map(|(name, child)| {
        let inner = link_bytes(name.len(), child, profile);
        1 + varint::len(inner) as u64 + inner
    });
    4 + links.sum::<u64>()
}

/// A node of a sharded directory: links by the bucket they are for, and which buckets are filled.
pub(super) fn shard(
    links: &[(String, &str, Link)],
    filled: &[u8; 32],
    profile: Profile,
) -> (Vec<u8>, Link) {
    // A number without leading zeros, the bucket 0 its last bit.
    let zeros = filled.iter().take_while(|&&byte| byte == 0).count();
    let bits = filled.get(zeros..).unwrap_or_default();
    let mut unixfs = vec![0x08, 0x05, 0x12];
    varint::push(&mut unixfs, bits.len() as u64);
    unixfs.extend_from_slice(bits);
    // Murmur3, a fan-out of 256.
    unixfs.extend_from_slice(&[0x28, 0x22, 0x30, 0x80, 0x02]);
    node(links.iter().map(|(bucket, name, child)| (&**bucket, *name, child)), &unixfs, profile)
}

/// The block of a symbolic link.
pub(in super::super) fn symlink(target: &str, profile: Profile) -> (Vec<u8>, Link) {
    let mut unixfs = vec![0x08, 0x04, 0x12];
    varint::push(&mut unixfs, target.len() as u64);
    unixfs.extend_from_slice(target.as_bytes());
    node([].into_iter(), &unixfs, profile)
}

/// dag-pb: the links first, then the data.
fn node<'a>(
    links: impl Iterator<Item = (&'a str, &'a str, &'a Link)>,
    unixfs: &[u8],
    profile: Profile,
) -> (Vec<u8>, Link) {
    let mut block = Vec::new();
    let mut below = 0_u64;
    for (bucket, name, child) in links {
        below += child.dag_bytes;
        let name_bytes = bucket.len() + name.len();
        block.push(0x12);
        varint::push(&mut block, link_bytes(name_bytes, child, profile));
        let cid = child.cid();
        let id = cid.as_written(profile.version);
        block.push(0x0A);
        varint::push(&mut block, id.len() as u64);
        block.extend_from_slice(id);
        block.push(0x12);
        varint::push(&mut block, name_bytes as u64);
        block.extend_from_slice(bucket.as_bytes());
        block.extend_from_slice(name.as_bytes());
        block.push(0x18);
        varint::push(&mut block, child.dag_bytes);
    }
    block.push(0x0A);
    varint::push(&mut block, unixfs.len() as u64);
    block.extend_from_slice(unixfs);
    let link = Link {
        codec: Codec::DagPb,
        digest: Sha256::digest(&block).into(),
        content_bytes: 0,
        dag_bytes: block.len() as u64 + below,
        place: None,
    };
    (block, link)
}

/// The length of a link: its id, its name and the size of everything below.
fn link_bytes(name_bytes: usize, child: &Link, profile: Profile) -> u64 {
    let name = name_bytes as u64;
    let id = id_bytes(child, profile);
    let lengths = varint::len(name) + varint::len(child.dag_bytes);
    2 + id + 1 + name + 1 + lengths as u64
}

/// The length of a link's id: version 0 links to wrapped blocks by their bare multihash.
pub(super) fn id_bytes(child: &Link, profile: Profile) -> u64 {
    if profile.version == 0 && child.codec == Codec::DagPb { 34 } else { 36 }
}
