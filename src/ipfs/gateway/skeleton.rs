//! The skeleton of a file: the inner blocks of its tree, which say what each leaf must hash to.
//!
//! They are a ten-thousandth of the file. With them every leaf can be checked by itself, wherever its bytes
//! come from and in whatever order, so a download can be resumed, shared among gateways, or be a part only.
//!
//! # Invariants
//!
//! - **C56** What is held in memory is the list of leaves, within [`Limits`](super::super::Limits), and a
//!   leaf for each gateway that is asked, however long the file is.

use sha2::{Digest, Sha256};

use super::super::cid::{Cid, Codec, Multihash};
use super::super::error::IpfsError;
use super::super::limits::Limits;
use super::super::unixfs::{FileNode, Node, Profile, leaf_pieces};

/// A piece of the file that is one block.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) cid: Cid,
    pub(super) at: u64,
    pub(super) bytes: u64,
}

/// All that is needed to check any part of the file.
#[derive(Debug, Default)]
pub(super) struct Skeleton {
    pub(super) size: u64,
    /// In the order of the file.
    pub(super) leaves: Vec<Leaf>,
    /// Content that inner blocks, or ids, carry themselves.
    pub(super) inline: Vec<(u64, Vec<u8>)>,
    /// The inner blocks, in the order in which they are met, until they are kept on the disk.
    pub(super) blocks: Vec<Vec<u8>>,
    /// Bytes that are kept beside the file.
    pub(super) beside: u64,
}

/// What a tree has too much of, where a skeleton of it would not fit into memory.
pub(super) const TOO_MANY: &str = "leaves or inner blocks";

/// A part of the tree that is still to be looked at.
struct Pending {
    cid: Cid,
    at: u64,
    /// What its parent says; `None` for the root.
    bytes: Option<u64>,
    depth: usize,
    is_leaf: bool,
}

impl Skeleton {
    /// Goes through the tree below `root`; `get` brings blocks, which are what their ids name.
    ///
    /// # Errors
    ///
    /// Whatever `get` gives; [`IpfsError::InvalidBlock`], [`IpfsError::TooLarge`],
    /// [`IpfsError::IsDirectory`] and [`IpfsError::UnsupportedContent`] for what the tree is.
    pub(super) fn build<E: From<IpfsError>>(
        root: &Cid,
        limits: &Limits,
        mut get: impl FnMut(&Cid) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let mut skeleton = Self::default();
        let first = Pending { cid: root.clone(), at: 0, bytes: None, depth: 1, is_leaf: false };
        let mut pending = vec![first];
        while let Some(next) = pending.pop() {
            let Pending { cid, at, bytes, depth, is_leaf } = next;
            if is_leaf {
                skeleton.leaves.push(Leaf { cid, at, bytes: bytes.unwrap_or_default() });
                continue;
            }
            let block = get(&cid)?;
            let node = read(&cid, bytes, &block, limits).map_err(|error| error.in_block(&cid))?;
            if bytes.is_none() {
                skeleton.size = node.size_bytes;
            }
            if !node.data.is_empty() {
                skeleton.inline.push((at, node.data.to_vec()));
            }
            if depth >= limits.depth && !node.children.is_empty() {
                return Err(too_large("levels", limits.depth as u64).into());
            }
            let below = below(&node, at, depth, limits)?;
            if !matches!(cid.hash(), Multihash::Identity(_)) {
                skeleton.beside += block.len() as u64 + 8;
                skeleton.blocks.push(block);
            }
            pending.extend(below);
            // Each leaf about 100 bytes, and as much for the links to it.
            let held = pending.len() + skeleton.leaves.len() + skeleton.inline.len();
            let most = limits.remembered as u64;
            if held as u64 > most || skeleton.beside > most * 64 {
                return Err(too_large(TOO_MANY, most).into());
            }
        }
        // Two numbers, and the marks.
        skeleton.beside += 16 + skeleton.leaves.len().div_ceil(8) as u64;
        Ok(skeleton)
    }

    /// The leaves that hold any of these bytes.
    pub(super) fn leaves_of(&self, from: u64, to: u64) -> (usize, usize) {
        let first = self.leaves.partition_point(|leaf| leaf.at + leaf.bytes <= from);
        let last = self.leaves.partition_point(|leaf| leaf.at < to);
        (first, last.max(first))
    }
}

/// The node that `block` is, with the size that its parent says.
fn read<'a>(
    cid: &Cid,
    said: Option<u64>,
    block: &'a [u8],
    limits: &Limits,
) -> Result<FileNode<'a>, IpfsError> {
    let file = match cid.codec() {
        Codec::Raw => {
            let (data, size_bytes) = (block, block.len() as u64);
            FileNode { data, size_bytes, children: Vec::new() }
        }
        Codec::DagPb => match Node::decode(block)? {
            Node::File(file) => file,
            _ if said.is_some() => {
                return Err(IpfsError::block("a part of a file is something else"));
            }
            Node::Symlink(_) => {
                return Err(IpfsError::UnsupportedContent { what: "a symbolic link" });
            }
            _ => return Err(IpfsError::IsDirectory { cid: cid.clone() }),
        },
    };
    if said.is_some_and(|said| said != file.size_bytes) {
        return Err(IpfsError::block("it has another size than its parent says"));
    }
    if file.size_bytes > limits.file_bytes {
        return Err(too_large("bytes", limits.file_bytes));
    }
    Ok(file)
}

/// The children of a node, the last one first. All leaves of a tree lie equally deep, so the first child
/// says what its siblings are; where that is wrong, it is noticed when the leaf is to be checked.
fn below(
    node: &FileNode<'_>,
    at: u64,
    depth: usize,
    limits: &Limits,
) -> Result<Vec<Pending>, IpfsError> {
    let is_small = |bytes: u64| bytes <= limits.block_bytes as u64;
    let are_leaves = node.children.first().is_some_and(|(_, bytes)| is_small(*bytes));
    let mut at = at + node.data.len() as u64;
    let mut below = Vec::with_capacity(node.children.len());
    for (cid, bytes) in &node.children {
        let is_inline = matches!(cid.hash(), Multihash::Identity(_));
        if cid.codec() == Codec::Raw && !is_small(*bytes) {
            return Err(too_large("bytes in a block", limits.block_bytes as u64));
        }
        let is_leaf = !is_inline && (cid.codec() == Codec::Raw || are_leaves && is_small(*bytes));
        below.push(Pending {
            cid: cid.clone(),
            at,
            bytes: Some(*bytes),
            depth: depth + 1,
            is_leaf,
        });
        at = at.saturating_add(*bytes);
    }
    below.reverse();
    Ok(below)
}

impl Leaf {
    /// Whether `content` is what this leaf holds: the block around it is made again, as a part of a file
    /// or, as old tools did, as bare data.
    pub(super) fn holds(&self, content: &[u8]) -> bool {
        if self.cid.codec() == Codec::Raw {
            return self.cid.names_block(content);
        }
        let Multihash::Sha2_256(digest) = self.cid.hash() else { return false };
        let mut room = [const { Vec::new() }; 2];
        let pieces = leaf_pieces(content, Profile::UNIXFS_V0_2015, &mut room);
        let [head, content, tail] = pieces.0;
        // Behind the tag and the length of the inner message: `08`, and the type.
        let kind = 2 + head.iter().skip(1).take_while(|byte| **byte >= 0x80).count() + 1;
        [2, 0].into_iter().any(|of| {
            let mut head = head.to_vec();
            if let Some(byte) = head.get_mut(kind) {
                *byte = of;
            }
            let mut hasher = Sha256::new();
            [&head, content, tail].iter().for_each(|part| hasher.update(part));
            hasher.finalize().as_slice() == digest
        })
    }
}

const fn too_large(what: &'static str, most: u64) -> IpfsError {
    IpfsError::TooLarge { what, most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_leaf_is_known_by_its_content() {
        for length in [1_usize, 100, 127, 128, 16_384, 262_144, 1_048_576] {
            let content = vec![7; length];
            let of = |kind: u8| {
                let mut room = [const { Vec::new() }; 2];
                let pieces = leaf_pieces(&content, Profile::UNIXFS_V0_2015, &mut room);
                let mut block = pieces.0.concat();
                let at = block.windows(2).position(|two| two == [0x08, 0x02]).expect("a type");
                block[at + 1] = kind;
                Cid::of_digest(Codec::DagPb, &Sha256::digest(&block).into())
            };
            for kind in [2, 0] {
                let leaf = Leaf { cid: of(kind), at: 0, bytes: length as u64 };
                assert!(leaf.holds(&content), "{length} bytes, type {kind}");
                assert!(!leaf.holds(&content[1..]), "{length} bytes, type {kind}");
            }
            let other = Leaf { cid: of(1), at: 0, bytes: length as u64 };
            assert!(!other.holds(&content));
        }
    }
}
