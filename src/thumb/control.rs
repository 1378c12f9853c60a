//! What a host may do while a picture is rendered: stop it, watch it, lend it a decoder.
//!
//! [`Hooks`] borrow from the host and outlive one rendering. Inside, a `Control` adds the time limit
//! and is asked between rows, so a rendering ends within a few milliseconds of being told to.

use std::fmt;
use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::time::Deadline;

use super::error::ThumbError;
use super::platform::PlatformDecoder;
use super::spec::Limits;

/// What a host lends to one rendering. The default lends nothing.
///
/// # Example
///
/// ```
/// use std::sync::atomic::AtomicBool;
/// use finalmile::thumb::{Hooks, ThumbSpec, render_set_with};
///
/// let stop = AtomicBool::new(true);
/// let hooks = Hooks::new().cancel(&stop);
/// let error = render_set_with(b"\xFF\xD8\xFF", &ThumbSpec::default(), &hooks).unwrap_err();
/// assert_eq!(error.code(), "CANCELLED");
/// ```
#[derive(Clone, Copy, Default)]
pub struct Hooks<'h> {
    cancel: Option<&'h AtomicBool>,
    progress: Option<&'h (dyn Fn(f32) + Sync)>,
    platform: Option<&'h dyn PlatformDecoder>,
}

impl<'h> Hooks<'h> {
    /// Lends nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the rendering with [`ThumbError::Cancelled`] soon after `flag` becomes true.
    #[must_use]
    pub fn cancel(mut self, flag: &'h AtomicBool) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// Calls `told` with the share that is done, from 0 to 1, never less than before.
    #[must_use]
    pub fn progress(mut self, told: &'h (dyn Fn(f32) + Sync)) -> Self {
        self.progress = Some(told);
        self
    }

    /// Asks `decoder` for what is not decoded here.
    #[must_use]
    pub fn platform(mut self, decoder: &'h dyn PlatformDecoder) -> Self {
        self.platform = Some(decoder);
        self
    }
}

impl fmt::Debug for Hooks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("cancel", &self.cancel)
            .field("progress", &self.progress.is_some())
            .field("platform", &self.platform.is_some())
            .finish()
    }
}

/// The hooks and the time limit of one rendering.
pub(super) struct Control<'h> {
    hooks: Hooks<'h>,
    deadline: Deadline,
    limit_ms: u64,
    /// The bits of the share that was last told; those of positive numbers are ordered as they are.
    told: AtomicU32,
}

impl<'h> Control<'h> {
    /// Starts the clock.
    pub(super) fn new(hooks: &Hooks<'h>, limits: &Limits) -> Self {
        let limit_ms = u64::try_from(limits.max_time.as_millis()).unwrap_or(u64::MAX);
        Self {
            hooks: *hooks,
            deadline: Deadline::after(limits.max_time),
            limit_ms,
            told: AtomicU32::new(0),
        }
    }

    /// Whether to go on.
    pub(super) fn check(&self) -> Result<(), ThumbError> {
        if self.hooks.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(ThumbError::Cancelled);
        }
        if self.deadline.left().is_zero() {
            return Err(ThumbError::TimedOut { limit_ms: self.limit_ms });
        }
        Ok(())
    }

    /// Says that this share of the whole is done, unless more was said before: of a video several
    /// frames may be decoded.
    pub(super) fn tell(&self, share: f32) {
        let share = share.clamp(0.0, 1.0);
        if let Some(progress) = self.hooks.progress
            && self.told.fetch_max(share.to_bits(), Ordering::Relaxed) <= share.to_bits()
        {
            progress(share);
        }
    }

    /// Says that so many rows of all are decoded, which is most of the work, and whether to go on.
    pub(super) fn row(&self, row: u32, all: u32) -> Result<(), ThumbError> {
        // Asking for the time costs 20 to 50 ns: less than a row, more than a narrow one.
        if row.is_multiple_of(16) {
            self.check()?;
            #[expect(clippy::cast_precision_loss, reason = "a share, for showing")]
            self.tell(DECODED * row as f32 / all.max(1) as f32);
        }
        Ok(())
    }

    pub(super) fn platform(&self) -> Option<&'h dyn PlatformDecoder> {
        self.hooks.platform
    }
}

/// The share of the work that decoding is.
pub(super) const DECODED: f32 = 0.8;

/// Bytes in memory that stop being readable when the host cancels or time is up, for decoders that
/// know nothing of a [`Control`].
pub(super) struct Watched<'c, 'b> {
    bytes: Cursor<&'b [u8]>,
    control: &'c Control<'c>,
}

impl<'c, 'b> Watched<'c, 'b> {
    pub(super) fn new(bytes: &'b [u8], control: &'c Control<'c>) -> Self {
        Self { bytes: Cursor::new(bytes), control }
    }

    fn check(&self) -> io::Result<()> {
        self.control.check().map_err(io::Error::other)
    }
}

impl Read for Watched<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.bytes.read(buffer)
    }
}

impl BufRead for Watched<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl Seek for Watched<'_, '_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}
