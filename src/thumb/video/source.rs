//! A video file that is read in few, small pieces.
//!
//! Everything a reader learns from a file passes through [`Source::read_at`], which counts the bytes
//! against the limit of the caller and refuses a piece before it takes memory for it. The boxes of the
//! ISO family are walked by their headers: what a box holds is read only when somebody wants it.
//!
//! Source: ISO/IEC 14496-12, section 4.2 (boxes).

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::super::control::Control;
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::spec::Limits;

/// Boxes, fragments and elements that are looked at in one file. A recording of three hours in
/// fragments of two seconds has 11,000.
const MAX_STEPS: u32 = 100_000;

/// What a video is read from.
pub(super) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// A file, its length and how much of it was read.
pub(super) struct Source<'r> {
    inner: &'r mut dyn ReadSeek,
    name: &'r Path,
    length: u64,
    limits: Limits,
    control: &'r Control<'r>,
    bytes_read: u64,
    steps: u32,
    format: Format,
}

impl<'r> Source<'r> {
    /// Looks at the first bytes and nothing else.
    pub(super) fn open(
        inner: &'r mut dyn ReadSeek,
        name: &'r Path,
        limits: Limits,
        control: &'r Control<'r>,
    ) -> Result<Self, ThumbError> {
        let unreadable = |source| ThumbError::Unreadable { path: name.to_path_buf(), source };
        let length = inner.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let (bytes_read, steps, format) = (0, 0, Format::Mp4);
        let mut source = Self { inner, name, length, limits, control, bytes_read, steps, format };
        let first = source.read_at(0, length.min(64))?;
        source.format = match Format::from_first_bytes(&first) {
            Some(format) if format.is_video() => format,
            Some(format) => {
                let what = format!("{format} as a video");
                return Err(ThumbError::Unsupported { what, handled_by: "`render_set`" });
            }
            None => return Err(ThumbError::NotAnImage),
        };
        Ok(source)
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads exactly `length` bytes from `at`, unless the host stops it.
    pub(super) fn read_at(&mut self, at: u64, length: u64) -> Result<Vec<u8>, ThumbError> {
        self.control.check()?;
        if at.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(ThumbError::Truncated { format: self.format });
        }
        self.bytes_read = self.bytes_read.saturating_add(length);
        self.limits.check_input_bytes(self.bytes_read)?;
        let out_of_memory = || ThumbError::OutOfMemory { bytes: length };
        let size = usize::try_from(length).map_err(|_| out_of_memory())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| out_of_memory())?;
        bytes.resize(size, 0);
        let read = self.inner.seek(SeekFrom::Start(at));
        match read.and_then(|_| self.inner.read_exact(&mut bytes)) {
            Ok(()) => Ok(bytes),
            // The file became shorter meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(ThumbError::Truncated { format: self.format })
            }
            Err(source) => Err(ThumbError::Unreadable { path: self.name.to_path_buf(), source }),
        }
    }

    /// Counts one more box or element.
    pub(super) fn step(&mut self) -> Result<(), ThumbError> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            let (found, limit) = (u64::from(self.steps), u64::from(MAX_STEPS));
            return Err(ThumbError::TooLarge { what: "boxes", found, limit });
        }
        Ok(())
    }

    /// The header of the box that begins at `at`, inside of one that ends at `end`. `None`: there is
    /// no further one.
    pub(super) fn box_at(&mut self, at: u64, end: u64) -> Result<Option<BoxSpan>, ThumbError> {
        // Some writers end a container with a lone zero word.
        if end.saturating_sub(at) < 8 {
            return Ok(None);
        }
        self.step()?;
        let head = self.read_at(at, (end - at).min(16))?;
        let kind = *head.get(4..).and_then(|rest| rest.first_chunk()).ok_or_else(|| self.odd())?;
        let (length, header) = match (be32(&head, 0), be64(&head, 8)) {
            (Some(0), _) => (end - at, 8),
            (Some(1), Some(length)) => (length, 16),
            (Some(length), _) => (u64::from(length), 8),
            (None, _) => return Err(self.odd()),
        };
        let stop = at.checked_add(length).ok_or_else(|| self.odd())?;
        if length < header {
            return Err(self.damaged("a box is shorter than its header"));
        }
        Ok(Some(BoxSpan { kind, at, start: at + header, end: stop }))
    }

    /// What a box holds.
    pub(super) fn body(&mut self, span: &BoxSpan) -> Result<Vec<u8>, ThumbError> {
        self.read_at(span.start, span.end - span.start)
    }

    /// The error of a file that contradicts itself.
    pub(super) fn damaged(&self, what: &'static str) -> ThumbError {
        ThumbError::Damaged { format: self.format, source: what.into() }
    }

    fn odd(&self) -> ThumbError {
        self.damaged("a box makes no sense")
    }
}

/// Where a box lies in its file, or in the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoxSpan {
    pub(super) kind: [u8; 4],
    /// Where its header begins.
    pub(super) at: u64,
    /// Where its content begins.
    pub(super) start: u64,
    /// Where the next box begins; perhaps beyond the end of the file.
    pub(super) end: u64,
}

/// The boxes inside of `bytes`, each with its content. Ends early where one makes no sense.
pub(super) fn boxes_in(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let kind = *rest.get(4..)?.first_chunk()?;
        let (length, header) = match be32(rest, 0)? {
            0 => (rest.len(), 8),
            1 => (usize::try_from(be64(rest, 8)?).ok()?, 16),
            length => (usize::try_from(length).ok()?, 8),
        };
        let body = rest.get(header..length)?;
        rest = &rest[length..];
        Some((kind, body))
    })
}

pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
