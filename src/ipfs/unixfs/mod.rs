//! UnixFS: files and directories as trees of blocks, made and read.
//!
//! Making goes from the leaves upwards and reading from the root downwards, each in one pass and in
//! bounded memory. Both know the bytes of a block by the same two specifications: dag-pb, a list of
//! links and some data, and UnixFS, what the data means.

mod decode;
mod directory;
mod encode;
mod hamt;
mod import;
mod lanes;
mod node;
mod profile;
mod tree;
mod walk;

pub use directory::Directory;
pub use import::{Imported, Importer, cid_of, cid_of_bytes, cid_of_file};
pub use node::{FileNode, NamedLink, Node, Shard};
pub use profile::{Profile, ShardBy};
pub use tree::{ImportOptions, import_path, import_reader};

pub(super) use encode::{leaf, leaf_pieces, symlink};
pub(super) use import::{Nodes, each_piece};
pub(super) use tree::import_into;
pub(super) use walk::{Sink, Walk};
