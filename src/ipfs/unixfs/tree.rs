//! Importing what lies on a disk: a file, or a directory with everything below it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::Path;

use super::super::error::IpfsError;
use super::directory::Directory;
use super::encode::{self, Link};
use super::import::{self, Forgotten, Imported, Nodes};
use super::lanes;
use super::profile::Profile;

/// Directories within directories. A path on Linux has room for two thousand, and each one takes
/// some of the stack.
const MAX_NESTING: usize = 256;

/// What of a directory is imported, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "to be written down where it is used")]
pub struct ImportOptions {
    /// How files are cut and directories sharded.
    pub profile: Profile,
    /// Whether entries whose names begin with a dot are taken in; by default they are not, as both
    /// named profiles say.
    pub hidden: bool,
    /// How many threads hash a file, the caller's own among them. Default: 1, because a library takes no core
    /// that it was not given. Each more holds three pieces of a file, of a chunk or 256 KiB.
    pub threads: NonZeroUsize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self { profile: Profile::default(), hidden: false, threads: NonZeroUsize::MIN }
    }
}

/// Imports everything `reader` yields until its end, as one file.
///
/// # Errors
///
/// [`IpfsError::Read`] when `reader` fails; an interrupted read is repeated.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{ImportOptions, cid_of_bytes, import_reader};
///
/// let options = ImportOptions { threads: 2.try_into()?, ..ImportOptions::default() };
/// let video = vec![7; 5 << 20];
/// assert_eq!(import_reader(&video[..], options)?.cid(), cid_of_bytes(&video));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn import_reader(reader: impl Read, options: ImportOptions) -> Result<Imported, IpfsError> {
    import_file(reader, options, IpfsError::reading, &mut Forgotten).map(Imported)
}

fn import_file(
    reader: impl Read,
    options: ImportOptions,
    failed: impl Fn(io::Error) -> IpfsError,
    nodes: &mut impl Nodes,
) -> Result<Link, IpfsError> {
    let ImportOptions { profile, threads, .. } = options;
    if threads.get() > 1 {
        lanes::import(reader, profile, threads, failed, nodes)
    } else {
        import::import(reader, profile, failed, nodes)
    }
}

/// Imports the file or directory at `path`.
///
/// Symbolic links inside a directory stay what they are; `path` itself is followed. Reads every
/// byte once; holds one chunk and the names of the directories that are open.
///
/// # Errors
///
/// - [`IpfsError::Unreadable`] when something cannot be read.
/// - [`IpfsError::UnsupportedContent`] for devices, sockets and pipes, names that are not Unicode,
///   and directories more than 256 deep.
pub fn import_path(path: &Path, options: ImportOptions) -> Result<Imported, IpfsError> {
    import_into(path, options, &mut Forgotten).map(Imported)
}

/// The same, with the inner blocks given to `nodes`.
pub(in super::super) fn import_into(
    path: &Path,
    options: ImportOptions,
    nodes: &mut impl Nodes,
) -> Result<Link, IpfsError> {
    let meta = fs::metadata(path).map_err(IpfsError::unreadable(path))?;
    import_entry(path, &meta, options, nodes, 0)
}

fn import_entry(
    path: &Path,
    meta: &fs::Metadata,
    options: ImportOptions,
    nodes: &mut impl Nodes,
    depth: usize,
) -> Result<Link, IpfsError> {
    let unreadable = IpfsError::unreadable(path);
    if meta.is_dir() {
        directory(path, options, nodes, depth)
    } else if meta.is_symlink() {
        let target = fs::read_link(path).map_err(&unreadable)?;
        let target = target.to_str().ok_or(NOT_UNICODE)?;
        Ok(encode::symlink(target, options.profile).1)
    } else if meta.is_file() {
        let file = File::open(path).map_err(&unreadable)?;
        import_file(file, options, unreadable, nodes)
    } else {
        Err(IpfsError::UnsupportedContent { what: "neither a file nor a directory nor a link" })
    }
}

const NOT_UNICODE: IpfsError = IpfsError::UnsupportedContent { what: "a name that is not Unicode" };

fn directory(
    path: &Path,
    options: ImportOptions,
    nodes: &mut impl Nodes,
    depth: usize,
) -> Result<Link, IpfsError> {
    if depth == MAX_NESTING {
        return Err(IpfsError::UnsupportedContent { what: "directories more than 256 deep" });
    }
    let unreadable = IpfsError::unreadable(path);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(&unreadable)? {
        let name = entry.map_err(&unreadable)?.file_name();
        names.push(name.into_string().map_err(|_| NOT_UNICODE)?);
    }
    // The order in which a file system lists is its own; blocks are to come in one order.
    names.sort_unstable();
    let mut directory = Directory::new(options.profile);
    for name in names.iter().filter(|name| options.hidden || !name.starts_with('.')) {
        let path = path.join(name);
        let meta = fs::symlink_metadata(&path).map_err(IpfsError::unreadable(&path))?;
        let entry = import_entry(&path, &meta, options, nodes, depth + 1)?;
        directory.add(name, Imported(entry))?;
    }
    directory.finish_into(nodes)
}
