//! The blocks of a UnixFS file: leaves that carry bytes, and nodes that link to them.
//!
//! Both are protobuf messages of one fixed layout. Protobuf itself leaves the order of fields open,
//! a hash does not, so the bytes written here are the specification, field by field. A leaf is
//! hashed as head, content and tail, so its content is never copied.
//!
//! Source: the dag-pb and UnixFS specifications of IPLD and IPFS.

use sha2::{Digest, Sha256};

use super::cid::{Cid, Codec};
use super::profile::Profile;

/// A block as its parent knows it.
pub(super) struct Link {
    pub(super) codec: Codec,
    pub(super) digest: [u8; 32],
    /// Bytes of the file below this block.
    pub(super) content_bytes: u64,
    /// Bytes of this block and of all blocks below it, each counted as often as it is linked.
    pub(super) dag_bytes: u64,
}

impl Link {
    pub(super) fn cid(&self) -> Cid {
        Cid::of_digest(self.codec, &self.digest)
    }
}

/// The block that holds `chunk`.
pub(super) fn leaf(chunk: &[u8], profile: Profile) -> Link {
    let content_bytes = chunk.len() as u64;
    if profile.raw_leaves {
        let digest = Sha256::digest(chunk).into();
        return Link { codec: Codec::Raw, digest, content_bytes, dag_bytes: content_bytes };
    }
    // UnixFS: type 2 (a file), its data unless there is none, its size.
    let mut head = vec![0x08, 0x02];
    if !chunk.is_empty() {
        head.push(0x12);
        push_varint(&mut head, content_bytes);
    }
    let mut tail = vec![0x18];
    push_varint(&mut tail, content_bytes);
    // dag-pb: no links, the UnixFS message as data.
    let mut frame = vec![0x0A];
    push_varint(&mut frame, (head.len() + chunk.len() + tail.len()) as u64);

    let mut hasher = Sha256::new();
    for part in [&frame, &head, chunk, &tail] {
        hasher.update(part);
    }
    let dag_bytes = (frame.len() + head.len() + chunk.len() + tail.len()) as u64;
    Link { codec: Codec::DagPb, digest: hasher.finalize().into(), content_bytes, dag_bytes }
}

/// The block that links to `children` in order.
pub(super) fn node(children: &[Link], profile: Profile) -> Link {
    let content_bytes = children.iter().map(|child| child.content_bytes).sum();
    let mut block = Vec::with_capacity(children.len() * 56 + 16);
    for child in children {
        let cid = child.cid();
        // Version 0 links to wrapped blocks by their bare multihash.
        let bare = profile.version == 0 && child.codec == Codec::DagPb;
        let id = if bare { &cid.as_bytes()[2..] } else { cid.as_bytes() };
        let mut link = vec![0x0A];
        push_varint(&mut link, id.len() as u64);
        link.extend_from_slice(id);
        // A name, empty but present; then the size of everything below.
        link.extend_from_slice(&[0x12, 0x00, 0x18]);
        push_varint(&mut link, child.dag_bytes);
        block.push(0x12);
        push_varint(&mut block, link.len() as u64);
        block.append(&mut link);
    }
    let mut unixfs = vec![0x08, 0x02, 0x18];
    push_varint(&mut unixfs, content_bytes);
    for child in children {
        unixfs.push(0x20);
        push_varint(&mut unixfs, child.content_bytes);
    }
    block.push(0x0A);
    push_varint(&mut block, unixfs.len() as u64);
    block.append(&mut unixfs);

    let below: u64 = children.iter().map(|child| child.dag_bytes).sum();
    Link {
        codec: Codec::DagPb,
        digest: Sha256::digest(&block).into(),
        content_bytes,
        dag_bytes: block.len() as u64 + below,
    }
}

/// Appends `number` seven bits a byte, low ones first.
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}
