//! How much of somebody else's content is taken before it is refused.

/// What content may take. Every number is a bound on memory, disk or time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "to be written down where it is used")]
pub struct Limits {
    /// Bytes of the file. Default: 8 GiB.
    pub file_bytes: u64,
    /// Bytes of one block. Default: 2 MiB, as gateways agree.
    pub block_bytes: usize,
    /// Bytes of an archive's header. Default: 8 KiB.
    pub header_bytes: usize,
    /// Levels of a file's tree, leaves included. Default: 16.
    pub depth: usize,
    /// Blocks on the way to the end of the file. Default: 4,194,304.
    pub blocks: u64,
    /// Links of open nodes, which are held in memory (about 100 bytes each). Default: 65,536.
    pub links: usize,
    /// Bytes of blocks that come early, twice or for nothing, above `file_bytes`; once the file's size
    /// is known, above twice that size. Early ones lie on the disk meanwhile. Default: 4 MiB.
    pub extra_bytes: u64,
    /// Blocks whose place is remembered, so that they may come early or be linked twice (about 80
    /// bytes of memory each). Default: 131,072, enough for 32 GiB in chunks of 256 KiB.
    pub remembered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 8 << 30,
            block_bytes: 2 << 20,
            header_bytes: 8 << 10,
            depth: 16,
            blocks: 4 << 20,
            links: 64 << 10,
            extra_bytes: 4 << 20,
            remembered: 128 << 10,
        }
    }
}
