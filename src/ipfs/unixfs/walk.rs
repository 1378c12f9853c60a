//! Reading: from the id at the root down to the bytes of a file, block by block.
//!
//! A walk says which block it wants next and takes it. It follows names through directories, then
//! goes through the file depth first, left to right, so bytes come out in order. Whoever brings the
//! blocks has checked that each is what its id names.
//!
//! # Invariants
//!
//! - **C10** Sizes are believed from above and checked below: the root's size is known and within the
//!   limit before anything is written, and no block yields more or less than its parent said. So a
//!   few kilobytes cannot grow into 10^15 bytes, nor into endless empty blocks.
//!
//! Source: UnixFS specification, "File" and "Path Resolution".

use std::vec;

use super::super::cid::{Cid, Codec};
use super::super::error::IpfsError;
use super::super::limits::Limits;
use super::hamt::Bits;
use super::node::{FileNode, Node, Step};

/// What takes the file's bytes as they come.
pub(in super::super) trait Sink {
    /// The next bytes.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), IpfsError>;

    /// Everything below `id` has come: the last `size` bytes.
    fn completed(&mut self, id: &Cid, size: u64) -> Result<(), IpfsError>;
}

/// A way from a root to the end of a file.
pub(in super::super) struct Walk {
    limits: Limits,
    /// The names still to be followed, the next one last.
    names: Vec<String>,
    /// The bits of the next name that sharded directories have not used yet.
    bits: Option<Bits>,
    wanted: Option<Wanted>,
    /// The nodes above the wanted block.
    open: Vec<Open>,
    /// Children that wait on all levels.
    pending: usize,
    blocks: u64,
    /// The file, once the names have led to it, and its size.
    found: Option<Cid>,
    size: Option<u64>,
}

struct Wanted {
    id: Cid,
    /// What its parent says; `None` for the root of a file.
    size: Option<u64>,
}

/// A node some of whose children are still to come.
struct Open {
    id: Cid,
    size: u64,
    children: vec::IntoIter<(Cid, u64)>,
}

impl Walk {
    /// Begins at `root`, to follow `names` from there.
    pub(in super::super) fn new(root: Cid, names: &[String], limits: Limits) -> Self {
        let mut names = names.to_vec();
        names.reverse();
        let wanted = Some(Wanted { id: root, size: None });
        let (open, found) = (Vec::new(), None);
        Self { limits, names, bits: None, wanted, open, pending: 0, blocks: 0, found, size: None }
    }

    /// The block it needs next, and the bytes it must yield; `None`: the file is complete.
    pub(in super::super) fn wanted(&self) -> Option<(&Cid, Option<u64>)> {
        self.wanted.as_ref().map(|wanted| (&wanted.id, wanted.size))
    }

    /// The id of the file, once the names have led to it.
    pub(in super::super) fn found(&self) -> Option<&Cid> {
        self.found.as_ref()
    }

    /// Whether the names have led to the file, whose root is wanted then.
    pub(in super::super) fn is_there(&self) -> bool {
        self.names.is_empty() && self.bits.is_none()
    }

    /// How many bytes the file has, once its root has come.
    pub(in super::super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Takes the wanted block.
    pub(in super::super) fn take(
        &mut self,
        block: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), IpfsError> {
        let Some(Wanted { id, size }) = self.wanted.take() else { return Ok(()) };
        self.blocks += 1;
        if self.blocks > self.limits.blocks {
            return Err(too_large("blocks", self.limits.blocks));
        }
        let taken = match self.names.pop() {
            Some(name) => self.follow(&id, name, block),
            None => self.read(&id, size, block, sink),
        };
        taken.map_err(|error| error.in_block(&id))
    }

    /// Takes the wanted block, and all below it, as bytes that `sink` has already been given.
    pub(in super::super) fn skip(&mut self, sink: &mut impl Sink) -> Result<(), IpfsError> {
        self.wanted = None;
        self.advance(sink)
    }

    /// Looks `name` up in a directory, or in a part of one.
    fn follow(&mut self, id: &Cid, name: String, block: &[u8]) -> Result<(), IpfsError> {
        let absent = |name| IpfsError::NotFound { name, directory: id.clone() };
        if id.codec() == Codec::Raw {
            return Err(absent(name));
        }
        let step = match Node::decode(block)? {
            Node::Directory(links) if self.bits.is_none() => {
                let link = links.into_iter().find(|link| link.name == name.as_bytes());
                link.map_or(Step::Absent, |link| Step::Entry(link.cid))
            }
            Node::Shard(shard) => {
                let mut bits = self.bits.unwrap_or_else(|| Bits::of(name.as_bytes()));
                let step = shard.find(name.as_bytes(), &mut bits)?;
                self.bits = Some(bits);
                step
            }
            Node::Symlink(_) => return Err(SYMLINK),
            _ if self.bits.is_some() => return Err(IpfsError::block("a shard's part is no shard")),
            Node::File(_) | Node::Directory(_) => Step::Absent,
        };
        let id = match step {
            Step::Entry(id) => {
                self.bits = None;
                id
            }
            Step::Deeper(id) => {
                self.names.push(name);
                id
            }
            Step::Absent => return Err(absent(name)),
        };
        self.wanted = Some(Wanted { id, size: None });
        Ok(())
    }

    /// Takes a block of the file.
    fn read(
        &mut self,
        id: &Cid,
        said: Option<u64>,
        block: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), IpfsError> {
        let file = match id.codec() {
            Codec::Raw => {
                let (data, size_bytes) = (block, block.len() as u64);
                FileNode { data, size_bytes, children: Vec::new() }
            }
            Codec::DagPb => match Node::decode(block)? {
                Node::File(file) => file,
                Node::Symlink(_) if said.is_none() => return Err(SYMLINK),
                _ if said.is_none() => return Err(IpfsError::IsDirectory { cid: id.clone() }),
                _ => return Err(IpfsError::block("a part of a file is something else")),
            },
        };
        if let Some(said) = said {
            if said != file.size_bytes {
                return Err(IpfsError::block("it has another size than its parent says"));
            }
        } else {
            if file.size_bytes > self.limits.file_bytes {
                return Err(too_large("bytes", self.limits.file_bytes));
            }
            self.found = Some(id.clone());
            self.size = Some(file.size_bytes);
        }
        sink.bytes(file.data)?;
        if file.children.is_empty() {
            sink.completed(id, file.size_bytes)?;
            return self.advance(sink);
        }
        if self.open.len() + 1 >= self.limits.depth {
            return Err(too_large("levels", self.limits.depth as u64));
        }
        self.pending += file.children.len();
        if self.pending > self.limits.links {
            return Err(too_large("links that wait", self.limits.links as u64));
        }
        let (id, size, children) = (id.clone(), file.size_bytes, file.children.into_iter());
        self.open.push(Open { id, size, children });
        self.advance(sink)
    }

    /// Goes on to the next child, closing what is complete.
    fn advance(&mut self, sink: &mut impl Sink) -> Result<(), IpfsError> {
        while let Some(top) = self.open.last_mut() {
            if let Some((id, size)) = top.children.next() {
                self.pending -= 1;
                self.wanted = Some(Wanted { id, size: Some(size) });
                return Ok(());
            }
            sink.completed(&top.id, top.size)?;
            self.open.pop();
        }
        Ok(())
    }
}

const SYMLINK: IpfsError = IpfsError::UnsupportedContent { what: "a symbolic link" };

const fn too_large(what: &'static str, most: u64) -> IpfsError {
    IpfsError::TooLarge { what, most }
}
