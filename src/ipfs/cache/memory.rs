//! The memory tier: the bytes of small files that are asked for again and again.

use std::sync::Arc;

use lru::LruCache;

use super::super::cid::Cid;

/// A file above that size is read from the disk each time: what it saves is small beside what it takes.
pub(super) const HOT_BYTES_MAX: usize = 64 << 10;

/// Bytes that were checked, the last used first.
#[derive(Debug)]
pub(super) struct Hot {
    files: LruCache<Cid, Arc<[u8]>>,
    bytes: usize,
    limit: usize,
}

impl Hot {
    pub(super) fn new(limit: usize) -> Self {
        Self { files: LruCache::unbounded(), bytes: 0, limit }
    }

    pub(super) fn get(&mut self, cid: &Cid) -> Option<Arc<[u8]>> {
        self.files.get(cid).cloned()
    }

    /// Keeps bytes, if they are few enough; what was used longest ago makes room.
    pub(super) fn put(&mut self, cid: &Cid, bytes: &Arc<[u8]>) {
        if bytes.len() > HOT_BYTES_MAX.min(self.limit) {
            return;
        }
        self.remove(cid);
        self.bytes += bytes.len();
        self.files.put(cid.clone(), bytes.clone());
        while self.bytes > self.limit {
            let Some((_, gone)) = self.files.pop_lru() else { break };
            self.bytes -= gone.len();
        }
    }

    pub(super) fn remove(&mut self, cid: &Cid) {
        if let Some(gone) = self.files.pop(cid) {
            self.bytes -= gone.len();
        }
    }

    pub(super) fn clear(&mut self) {
        self.files.clear();
        self.bytes = 0;
    }
}
