//! What a cache is told when it is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::time::{SystemWorld, World};

/// What a file is for, which decides what may push it out.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "a quota has two sides")]
pub enum Kind {
    /// A small picture of a feed. The floor is theirs.
    Thumbnail,
    /// Anything else: previews, videos, files.
    #[default]
    Media,
}

impl Kind {
    /// Both, in the order of their numbers.
    pub(crate) const ALL: [Self; 2] = [Self::Thumbnail, Self::Media];

    /// Its number in an index.
    #[must_use]
    pub(crate) const fn number(self) -> usize {
        match self {
            Self::Thumbnail => 0,
            Self::Media => 1,
        }
    }
}

/// Which file goes when room is needed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Eviction {
    /// Greedy dual, size, frequency: what was used often for what it takes stays. A feed's thumbnails
    /// outlive a scan of its videos.
    ///
    /// Source: Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching
    /// Policy", 1998, with the square root of the size, and sizes above 1 MiB taken for that, which gives
    /// up fewer bytes for its hits.
    #[default]
    Gdsf,
    /// What was used longest ago.
    Lru,
}

/// How a cache is kept.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{CacheOptions, Eviction};
///
/// let options = CacheOptions { limit_bytes: 64 << 20, ..CacheOptions::default() };
/// assert_eq!(options.eviction, Eviction::Gdsf);
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "to be written down where it is used")]
pub struct CacheOptions {
    /// What it may hold, with all that is on its way into it. A file of more than an eighth passes
    /// through and is not kept, unless it is pinned. Default: 256 MiB.
    pub limit_bytes: u64,
    /// The hundredth parts of the limit that media cannot push thumbnails out of. Default: 25.
    pub thumbnail_floor_percent: u8,
    /// Which file goes first. Default: [`Eviction::Gdsf`].
    pub eviction: Eviction,
    /// How long after it was put a file counts as missing; pinned ones stay. Default: never, because
    /// content under its own id does not change.
    pub ttl: Option<Duration>,
    /// Memory for the bytes of small files that are asked for again and again
    /// ([`Cache::get_bytes`](super::Cache::get_bytes)). Default: 4 MiB; 0: none.
    pub memory_bytes: usize,
    /// Where the time comes from. Default: the machine.
    pub world: Arc<dyn World>,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            limit_bytes: 256 << 20,
            thumbnail_floor_percent: 25,
            eviction: Eviction::default(),
            ttl: None,
            memory_bytes: 4 << 20,
            world: Arc::new(SystemWorld),
        }
    }
}

impl CacheOptions {
    /// What a file may have at most to be kept without a pin.
    pub(super) const fn kept_bytes_max(&self) -> u64 {
        self.limit_bytes / 8
    }

    /// What of the limit is the thumbnails' own.
    pub(super) fn floor_bytes(&self) -> u64 {
        let percent = u64::from(self.thumbnail_floor_percent.min(100));
        u64::try_from(u128::from(self.limit_bytes) * u128::from(percent) / 100).unwrap_or(u64::MAX)
    }

    /// What is claimed ahead and made free at once, so that not every put has to ask.
    pub(super) const fn spare_bytes(&self) -> u64 {
        let part = self.limit_bytes / 64;
        if part > 4 << 20 { 4 << 20 } else { part }
    }
}
