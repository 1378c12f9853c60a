//! Writing an archive of a file or directory, on the fly, for upload.
//!
//! A root is known only when everything below it is, but it goes first: in the header, and as the
//! first block, so that whoever reads the archive can check each block as it comes and hold none.
//! So the source is read twice. The first pass keeps the inner blocks (a ten-thousandth of the content)
//! in memory or a file without a name; the second goes down from the root, and reads the leaves again.
//! Patching the root into the header afterwards would save that pass, but needs a destination that
//! can seek, which an upload is not, and leaves the blocks in an order that makes the reader hold
//! them all.
//!
//! # Invariants
//!
//! - **C11** Blocks come depth first, left to right, each as often as it is linked: the order in which
//!   a trustless gateway sends them (`order=dfs;dups=y`), and the one that is verified without spilling.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::super::unixfs::{self, ImportOptions, Imported, Node, Nodes, Profile};
use super::super::varint;
use super::sections;
use super::spill::Spill;

/// Writes the file or directory at `path` as an archive (CARv1) to `out`, and says what its root is.
///
/// Reads the source twice; holds one chunk, the inner blocks between a root and a leaf, and up to 1 MiB
/// of the others: enough for some 10 GiB in chunks of 1 MiB. What is above lies in a file without a
/// name, in the system's folder for such.
///
/// # Errors
///
/// Those of [`import_path`](super::super::import_path); [`IpfsError::Write`] when `out` fails;
/// [`IpfsError::Changed`] when the second pass finds something else than the first. What was written
/// until then is no archive of anything.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{ImportOptions, write_car};
///
/// # let path = std::env::temp_dir().join(format!("finalmile-car-{}", std::process::id()));
/// # std::fs::write(&path, "hello world").unwrap();
/// let mut archive = Vec::new();
/// let root = write_car(&path, ImportOptions::default(), &mut archive)?;
/// assert!(archive.ends_with(b"hello world"));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
pub fn write_car(
    path: &Path,
    options: ImportOptions,
    out: &mut impl Write,
) -> Result<Imported, IpfsError> {
    let mut kept = Kept::default();
    let root = unixfs::import_into(path, options, &mut kept)?;
    let profile = options.profile;
    let header = sections::header(root.cid().as_written(profile.version));
    let mut length = Vec::new();
    varint::push(&mut length, header.len() as u64);
    out.write_all(&length).and_then(|()| out.write_all(&header)).map_err(IpfsError::sending)?;

    let mut writer = Writer { kept, out, profile, chunk: Vec::new() };
    writer.tree(&root.cid(), root.place, path, true)?;
    Ok(Imported(root))
}

/// The inner blocks of the first pass: each its length, itself, and where its children lie. The first
/// ones are in memory, those after them in a file.
#[derive(Default)]
struct Kept {
    memory: Vec<u8>,
    spill: Option<Spill>,
}

/// What is kept in memory.
const MEMORY_BYTES: usize = 1 << 20;

/// The place of a block that is not kept.
const NOWHERE: u64 = u64::MAX;

impl Nodes for Kept {
    fn keep(
        &mut self,
        block: &[u8],
        children: &mut dyn Iterator<Item = Option<u64>>,
    ) -> Result<Option<u64>, IpfsError> {
        let places: Vec<u8> =
            children.flat_map(|place| place.unwrap_or(NOWHERE).to_le_bytes()).collect();
        let lengths = [block.len() as u64, places.len() as u64].map(u64::to_le_bytes).concat();
        let record = [&lengths[..], block, &places].concat();
        if self.spill.is_none() && self.memory.len() + record.len() <= MEMORY_BYTES {
            let place = self.memory.len() as u64;
            self.memory.extend_from_slice(&record);
            return Ok(Some(place));
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::create(&std::env::temp_dir())?),
        };
        Ok(Some(self.memory.len() as u64 + spill.append(&record)?))
    }
}

impl Kept {
    /// The block kept at `place`, and the places of its children.
    fn get(&mut self, place: u64) -> Result<(Vec<u8>, Vec<Option<u64>>), IpfsError> {
        let mut lengths = [0; 16];
        self.read(place, &mut lengths)?;
        let lengths = lengths.as_chunks::<8>().0.iter().map(|length| u64::from_le_bytes(*length));
        let total = usize::try_from(lengths.clone().sum::<u64>()).unwrap_or_default();
        let length = usize::try_from(lengths.take(1).sum::<u64>()).unwrap_or_default();
        let mut block = vec![0; total];
        self.read(place + 16, &mut block)?;
        let places = block.split_off(length);
        let places = places.as_chunks::<8>().0.iter().map(|place| u64::from_le_bytes(*place));
        Ok((block, places.map(|place| (place != NOWHERE).then_some(place)).collect()))
    }

    /// Fills `buffer` from `at`.
    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), IpfsError> {
        let in_memory = usize::try_from(at).ok().and_then(|at| self.memory.get(at..));
        match (in_memory.and_then(|rest| rest.get(..buffer.len())), &mut self.spill) {
            (Some(bytes), _) => buffer.copy_from_slice(bytes),
            (None, Some(spill)) => spill.read(at - self.memory.len() as u64, buffer)?,
            (None, None) => unreachable!("a place is where something was kept"),
        }
        Ok(())
    }
}

/// The second pass.
struct Writer<'o, W> {
    kept: Kept,
    out: &'o mut W,
    profile: Profile,
    chunk: Vec<u8>,
}

impl<W: Write> Writer<'_, W> {
    /// Writes whatever lies at `path`.
    fn tree(
        &mut self,
        id: &Cid,
        place: Option<u64>,
        path: &Path,
        is_root: bool,
    ) -> Result<(), IpfsError> {
        let Some(at) = place else { return self.small(id, path, is_root) };
        let (block, places) = self.kept.get(at)?;
        let (links, prefix) = match Node::decode(&block)? {
            Node::Directory(links) => (links, 0),
            Node::Shard(shard) => (shard.links, 2),
            _ => {
                let mut file = File::open(path).map_err(IpfsError::unreadable(path))?;
                return self.file(id, place, &mut file, path);
            }
        };
        self.section(id, &[&block])?;
        for (link, place) in links.iter().zip(places) {
            let name = link.name.get(prefix..).map(str::from_utf8);
            let Some(Ok(name)) = name else { return Err(changed(path)) };
            // A part of a sharded directory lies where the directory does.
            let path = if name.is_empty() { path.to_path_buf() } else { path.join(name) };
            self.tree(&link.cid, place, &path, false)?;
        }
        Ok(())
    }

    /// Writes a file of one block, or a symbolic link.
    fn small(&mut self, id: &Cid, path: &Path, is_root: bool) -> Result<(), IpfsError> {
        let unreadable = IpfsError::unreadable(path);
        let meta = if is_root { fs::metadata(path) } else { fs::symlink_metadata(path) };
        if !meta.map_err(&unreadable)?.is_symlink() {
            let mut file = File::open(path).map_err(&unreadable)?;
            return self.file(id, None, &mut file, path);
        }
        let target = fs::read_link(path).map_err(&unreadable)?;
        let (block, link) = unixfs::symlink(target.to_str().unwrap_or_default(), self.profile);
        if link.cid() != *id {
            return Err(changed(path));
        }
        self.section(id, &[&block])
    }

    /// Writes a part of a file, whose content `file` yields next.
    fn file(
        &mut self,
        id: &Cid,
        place: Option<u64>,
        file: &mut File,
        path: &Path,
    ) -> Result<(), IpfsError> {
        let Some(place) = place else { return self.leaf(id, file, path) };
        let (block, places) = self.kept.get(place)?;
        self.section(id, &[&block])?;
        let Node::File(node) = Node::decode(&block)? else { return Err(changed(path)) };
        for ((id, _), place) in node.children.iter().zip(places) {
            self.file(id, place, file, path)?;
        }
        Ok(())
    }

    fn leaf(&mut self, id: &Cid, file: &mut File, path: &Path) -> Result<(), IpfsError> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.clear();
        let most = self.profile.chunk_bytes as u64;
        file.take(most).read_to_end(&mut chunk).map_err(IpfsError::unreadable(path))?;
        if unixfs::leaf(&chunk, self.profile).cid() != *id {
            return Err(changed(path));
        }
        let mut room = [const { Vec::new() }; 2];
        let pieces = unixfs::leaf_pieces(&chunk, self.profile, &mut room);
        self.section(id, &pieces.0)?;
        self.chunk = chunk;
        Ok(())
    }

    fn section(&mut self, id: &Cid, block: &[&[u8]]) -> Result<(), IpfsError> {
        let id = id.as_written(self.profile.version);
        let bytes = id.len() + block.iter().map(|part| part.len()).sum::<usize>();
        let mut head = Vec::with_capacity(48);
        varint::push(&mut head, bytes as u64);
        head.extend_from_slice(id);
        let mut write = |bytes: &[u8]| -> io::Result<()> { self.out.write_all(bytes) };
        let written = write(&head).and_then(|()| block.iter().try_for_each(|part| write(part)));
        written.map_err(IpfsError::sending)
    }
}

fn changed(path: &Path) -> IpfsError {
    IpfsError::Changed { path: path.to_path_buf() }
}
