//! Fragmented files: key frames listed by `moof` boxes between the media.
//!
//! Recorders that may be interrupted, and streams saved as one file, write an index piece by piece.
//! Each piece says for its few samples what the tables of a plain file say for all. The pieces are
//! found by the headers of the boxes around them, so the media is passed over here as well.
//!
//! Source: ISO/IEC 14496-12, sections 8.8.3 (`trex`), 8.8.7 (`tfhd`), 8.8.8 (`trun`), 8.8.12 (`tfdt`).

use super::super::error::ThumbError;
use super::samples::{KeyFrame, MAX_SAMPLES};
use super::source::{Source, be32, be64, boxes_in};

/// In a sample's flags: it needs others to be decoded.
const IS_NO_KEY_FRAME: u32 = 0x0001_0000;

/// What holds for samples that do not say otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) track: u32,
    entry: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

impl Defaults {
    /// Reads `trex`.
    pub(super) fn read(trex: &[u8]) -> Option<Self> {
        let number = |index: usize| be32(trex, 4 + 4 * index);
        Some(Self {
            track: number(0)?,
            entry: number(1)?,
            duration: number(2)?,
            size: number(3)?,
            flags: number(4)?,
        })
    }
}

/// Shows the key frames of all fragments to `visit`.
///
/// A fragment that is cut ends the walk: what a recorder wrote before it was interrupted counts.
pub(super) fn each_key_frame(
    source: &mut Source<'_>,
    defaults: &Defaults,
    mut visit: impl FnMut(KeyFrame),
) -> Result<(), ThumbError> {
    let (mut at, mut time, mut samples_left) = (0, 0, MAX_SAMPLES);
    let length = source.length();
    while let Some(span) = source.box_at(at, length)? {
        if span.end > length {
            return Ok(());
        }
        if span.kind == *b"moof" {
            let body = source.body(&span)?;
            for (_, traf) in boxes_in(&body).filter(|(kind, _)| kind == b"traf") {
                let fragment =
                    Fragment { moof: span.at, defaults: *defaults, base: 0, time, entry: 0 };
                if let Some(end) = fragment.walk(traf, &mut samples_left, &mut visit) {
                    time = end;
                }
            }
        }
        at = span.end;
    }
    Ok(())
}

/// The samples of one track in one `moof`.
struct Fragment {
    moof: u64,
    defaults: Defaults,
    base: u64,
    time: u64,
    entry: usize,
}

impl Fragment {
    /// The time at its end. `None`: it is of another track or makes no sense.
    fn walk(
        mut self,
        traf: &[u8],
        samples_left: &mut u32,
        visit: &mut impl FnMut(KeyFrame),
    ) -> Option<u64> {
        let (_, header) = boxes_in(traf).find(|(kind, _)| kind == b"tfhd")?;
        if be32(header, 4)? != self.defaults.track {
            return None;
        }
        self.read_header(header)?;
        let mut offset = self.base;
        for (kind, body) in boxes_in(traf) {
            match &kind {
                b"tfdt" if body.first() == Some(&1) => self.time = be64(body, 4)?,
                b"tfdt" => self.time = u64::from(be32(body, 4)?),
                b"trun" => offset = self.walk_run(body, offset, samples_left, visit)?,
                _ => {}
            }
        }
        Some(self.time)
    }

    fn read_header(&mut self, header: &[u8]) -> Option<()> {
        let flags = be32(header, 0)?;
        let mut at = 8;
        if flags & 0x01 != 0 {
            self.base = be64(header, at)?;
            at += 8;
        } else {
            self.base = self.moof;
        }
        let fields = [
            (0x02, &mut self.defaults.entry),
            (0x08, &mut self.defaults.duration),
            (0x10, &mut self.defaults.size),
            (0x20, &mut self.defaults.flags),
        ];
        for (flag, field) in fields {
            if flags & flag != 0 {
                *field = be32(header, at)?;
                at += 4;
            }
        }
        self.entry = usize::try_from(self.defaults.entry.saturating_sub(1)).ok()?;
        Some(())
    }

    /// The offset behind its last sample.
    fn walk_run(
        &mut self,
        run: &[u8],
        offset: u64,
        samples_left: &mut u32,
        visit: &mut impl FnMut(KeyFrame),
    ) -> Option<u64> {
        let (flags, count) = (be32(run, 0)?, be32(run, 4)?);
        let (mut at, mut offset) = (8, offset);
        let mut next = |is_there: bool, otherwise: u32| {
            if !is_there {
                return Some(otherwise);
            }
            at += 4;
            be32(run, at - 4)
        };
        if flags & 0x001 != 0 {
            let from_base = next(true, 0)?.cast_signed();
            offset = self.base.checked_add_signed(i64::from(from_base))?;
        }
        let default_flags = self.defaults.flags;
        let first_flags = next(flags & 0x004 != 0, default_flags)?;
        // Samples without any field of their own cost no bytes, so their number proves nothing.
        *samples_left = samples_left.checked_sub(count)?;
        for index in 0..count {
            let duration = next(flags & 0x100 != 0, self.defaults.duration)?;
            let size_bytes = next(flags & 0x200 != 0, self.defaults.size)?;
            let usual = if index == 0 { first_flags } else { default_flags };
            let sample_flags = next(flags & 0x400 != 0, usual)?;
            let delay = next(flags & 0x800 != 0, 0)?.cast_signed();
            if sample_flags & IS_NO_KEY_FRAME == 0 {
                let time = self.time.saturating_add_signed(delay.into());
                visit(KeyFrame { time, offset, size_bytes, entry: self.entry });
            }
            offset = offset.checked_add(u64::from(size_bytes))?;
            self.time = self.time.saturating_add(u64::from(duration));
        }
        Some(offset)
    }
}
