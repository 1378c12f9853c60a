//! Room: the right to a number of bytes on the disk, asked for before they are written.
//!
//! Whoever writes a file whose length nobody has proved yet (a download) asks for more room as it
//! grows; a cache grants it by evicting, or refuses. So a byte limit holds while files are on their
//! way too, not only once they have arrived.

use super::error::IpfsError;

/// A file's share of some budget.
pub(crate) trait Room: Send {
    /// Makes room for `total_bytes` in all, what was granted before included. Asking for less than that
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`IpfsError::NoRoom`] and those of the disk. What was granted before stays granted.
    fn grow_to(&mut self, total_bytes: u64) -> Result<(), IpfsError>;
}

/// As much room as the disk has: for files that belong to no cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoLimit;

impl Room for NoLimit {
    fn grow_to(&mut self, _total_bytes: u64) -> Result<(), IpfsError> {
        Ok(())
    }
}

/// Lent to a fetch, and taken back at its end, whoever still holds the lock.
impl<R: Room> Room for Option<R> {
    fn grow_to(&mut self, total_bytes: u64) -> Result<(), IpfsError> {
        self.as_mut().map_or(Err(IpfsError::Closed), |room| room.grow_to(total_bytes))
    }
}
