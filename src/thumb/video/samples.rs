//! Sample tables: at which time and place of the file each key frame lies.
//!
//! Five tables are walked side by side, once: how long each sample lasts, how much later than it is
//! decoded it is shown, how large it is, which chunk holds it, and whether it is a key frame. Nothing is kept but the frames nearest to the times
//! that were asked for, so the cost is the tables' own size and a loop.
//!
//! Source: ISO/IEC 14496-12, sections 8.6.1.2 (`stts`), 8.6.1.3 (`ctts`), 8.6.2 (`stss`), 8.7.3 (`stsz`, `stz2`),
//! 8.7.4 (`stsc`) and 8.7.5 (`stco`, `co64`).

use super::super::error::ThumbError;
use super::source::{BoxSpan, Source, be32, be64};

/// Samples of one track: 19 hours at 60 frames a second.
pub(super) const MAX_SAMPLES: u32 = 1 << 22;

/// Where a key frame lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct KeyFrame {
    /// When it is shown, in ticks of its track.
    pub(super) time: u64,
    /// The first byte.
    pub(super) offset: u64,
    pub(super) size_bytes: u32,
    /// Which of the track's sample entries describes it, from 0.
    pub(super) entry: usize,
}

/// The tables of a track, as they stand in the file. All empty when it comes in fragments.
#[derive(Debug)]
pub(super) struct Tables {
    durations: Vec<u8>,
    delays: Vec<u8>,
    /// `None`: every sample is a key frame.
    key_frames: Option<Vec<u8>>,
    sizes: Sizes,
    chunk_runs: Vec<u8>,
    chunk_offsets: Vec<u8>,
    /// Chunk offsets have 64 bits.
    is_wide: bool,
}

/// How large samples are.
#[derive(Debug)]
struct Sizes {
    table: Vec<u8>,
    /// All are that large, when not 0.
    each: u32,
    /// Bits of an entry of the table.
    bits: u32,
    count: u32,
}

impl Tables {
    /// Reads the tables at the places that `leaf` names.
    pub(super) fn read(
        source: &mut Source<'_>,
        leaf: impl Fn(&[u8; 4]) -> Option<BoxSpan>,
    ) -> Result<Self, ThumbError> {
        let mut body = |kind| leaf(kind).map(|span| source.body(&span)).transpose();
        let durations = body(b"stts")?.unwrap_or_default();
        let delays = body(b"ctts")?.unwrap_or_default();
        let key_frames = body(b"stss")?;
        let sizes = match (body(b"stsz")?, body(b"stz2")?) {
            (Some(table), _) => {
                let (each, count) = (be32(&table, 4), be32(&table, 8));
                let (each, count) = (each.unwrap_or_default(), count.unwrap_or_default());
                Sizes { table, each, bits: 32, count }
            }
            (None, Some(table)) => {
                let bits = table.get(7).map_or(0, |&bits| u32::from(bits));
                let count = be32(&table, 8).unwrap_or_default();
                Sizes { table, each: 0, bits, count }
            }
            (None, None) => Sizes { table: Vec::new(), each: 0, bits: 32, count: 0 },
        };
        let chunk_runs = body(b"stsc")?.unwrap_or_default();
        let (chunk_offsets, is_wide) = match body(b"stco")? {
            Some(table) => (table, false),
            None => (body(b"co64")?.unwrap_or_default(), true),
        };
        if sizes.count > MAX_SAMPLES {
            let (found, limit) = (u64::from(sizes.count), u64::from(MAX_SAMPLES));
            return Err(ThumbError::TooLarge { what: "samples", found, limit });
        }
        Ok(Self { durations, delays, key_frames, sizes, chunk_runs, chunk_offsets, is_wide })
    }

    /// Shows each key frame to `visit`, in the order of time. Ends early where the tables do.
    pub(super) fn each_key_frame(&self, mut visit: impl FnMut(KeyFrame)) {
        let mut walk = Walk::new(self);
        while let Some((frame, is_key)) = walk.next_sample() {
            if is_key {
                visit(frame);
            }
        }
    }
}

/// The place in all tables that belongs to one sample.
struct Walk<'t> {
    tables: &'t Tables,
    /// Samples passed.
    sample: u32,
    time: u64,
    duration: Run,
    delay: Run,
    /// Chunks passed, and samples left in the current one.
    chunk: u32,
    left_in_chunk: u32,
    chunk_run: usize,
    entry: usize,
    offset: u64,
    next_key: usize,
}

/// A place in a table of rows that hold for so many samples each.
#[derive(Default)]
struct Run {
    row: usize,
    left: u32,
    value: u32,
}

impl Run {
    /// What holds for the next sample. Behind the table's end it is 0.
    fn next(&mut self, table: &[u8]) -> u32 {
        while self.left == 0 {
            let at = 8 + self.row * 8;
            let (Some(left), Some(value)) = (be32(table, at), be32(table, at + 4)) else {
                return 0;
            };
            *self = Self { row: self.row + 1, left, value };
        }
        self.left -= 1;
        self.value
    }
}

impl<'t> Walk<'t> {
    fn new(tables: &'t Tables) -> Self {
        Self {
            tables,
            sample: 0,
            time: 0,
            duration: Run::default(),
            delay: Run::default(),
            chunk: 0,
            left_in_chunk: 0,
            chunk_run: 0,
            entry: 0,
            offset: 0,
            next_key: 0,
        }
    }

    /// The next sample, and whether it is a key frame.
    fn next_sample(&mut self) -> Option<(KeyFrame, bool)> {
        if self.sample >= self.tables.sizes.count {
            return None;
        }
        while self.left_in_chunk == 0 {
            self.open_chunk()?;
        }
        let size_bytes = self.tables.sizes.of(self.sample)?;
        let delay = self.delay.next(&self.tables.delays).cast_signed();
        let time = self.time.saturating_add_signed(delay.into());
        let (offset, entry) = (self.offset, self.entry);
        let frame = KeyFrame { time, offset, size_bytes, entry };

        self.sample += 1;
        self.left_in_chunk -= 1;
        self.offset = self.offset.checked_add(u64::from(size_bytes))?;
        let duration = self.duration.next(&self.tables.durations);
        self.time = self.time.saturating_add(duration.into());
        let is_key = self.is_key(self.sample);
        Some((frame, is_key))
    }

    /// Goes to the next chunk, whose entry in `stsc` is the last one that does not begin behind it.
    fn open_chunk(&mut self) -> Option<()> {
        let tables = self.tables;
        let index = usize::try_from(self.chunk).ok()?;
        self.offset = if tables.is_wide {
            be64(&tables.chunk_offsets, 8 + index * 8)?
        } else {
            u64::from(be32(&tables.chunk_offsets, 8 + index * 4)?)
        };
        self.chunk += 1;
        let first_chunk = |run: usize| be32(&tables.chunk_runs, 8 + run * 12);
        while first_chunk(self.chunk_run + 1).is_some_and(|first| first <= self.chunk) {
            self.chunk_run += 1;
        }
        self.left_in_chunk = be32(&tables.chunk_runs, 12 + self.chunk_run * 12)?;
        let entry = be32(&tables.chunk_runs, 16 + self.chunk_run * 12)?;
        self.entry = usize::try_from(entry.saturating_sub(1)).ok()?;
        Some(())
    }

    /// Whether the sample of that number, counted from 1, is a key frame. The numbers only rise.
    fn is_key(&mut self, number: u32) -> bool {
        let Some(table) = &self.tables.key_frames else { return true };
        while let Some(listed) = be32(table, 8 + self.next_key * 4) {
            if listed >= number {
                return listed == number;
            }
            self.next_key += 1;
        }
        false
    }
}

impl Sizes {
    fn of(&self, sample: u32) -> Option<u32> {
        if self.each != 0 {
            return Some(self.each);
        }
        let sample = usize::try_from(sample).ok()?;
        let byte = |at: usize| self.table.get(12 + at).map(|&byte| u32::from(byte));
        match self.bits {
            32 => be32(&self.table, 12 + sample * 4),
            16 => Some(byte(sample * 2)? << 8 | byte(sample * 2 + 1)?),
            8 => byte(sample),
            4 => Some(byte(sample / 2)? >> (4 * (1 - sample % 2)) & 0x0F),
            _ => None,
        }
    }
}

/// For each of a few times, the key frame nearest to it.
#[derive(Debug)]
pub(super) struct Nearest {
    targets: Vec<(u64, Option<KeyFrame>)>,
}

impl Nearest {
    pub(super) fn new(targets: &[u64]) -> Self {
        Self { targets: targets.iter().map(|&target| (target, None)).collect() }
    }

    /// Takes `frame` where it is nearer than what was found before. An empty one never is.
    pub(super) fn offer(&mut self, frame: KeyFrame) {
        if frame.size_bytes == 0 {
            return;
        }
        for (target, found) in &mut self.targets {
            let distance = |frame: &KeyFrame| frame.time.abs_diff(*target);
            if found.as_ref().is_none_or(|found| distance(&frame) < distance(found)) {
                *found = Some(frame);
            }
        }
    }

    /// What was found, in the order of the targets and each once.
    pub(super) fn found(self) -> Vec<KeyFrame> {
        let mut once: Vec<KeyFrame> = Vec::new();
        for frame in self.targets.into_iter().filter_map(|(_, found)| found) {
            if !once.contains(&frame) {
                once.push(frame);
            }
        }
        once
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(head: &[u32], rows: &[u32]) -> Vec<u8> {
        [&[0], head, rows].concat().iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// Five samples of 10, 20, … bytes in chunks of two, each half a second of 600 ticks.
    fn tables(key_frames: Option<&[u32]>) -> Tables {
        Tables {
            durations: table(&[1], &[5, 300]),
            delays: Vec::new(),
            key_frames: key_frames.map(|list| table(&[list.len().try_into().unwrap()], list)),
            sizes: Sizes {
                table: table(&[0, 5], &[10, 20, 30, 40, 50]),
                each: 0,
                bits: 32,
                count: 5,
            },
            chunk_runs: table(&[1], &[1, 2, 1]),
            chunk_offsets: table(&[3], &[1_000, 2_000, 3_000]),
            is_wide: false,
        }
    }

    fn places(tables: &Tables) -> Vec<(u64, u64, u32)> {
        let mut all = Vec::new();
        tables.each_key_frame(|frame| all.push((frame.time, frame.offset, frame.size_bytes)));
        all
    }

    #[test]
    fn without_a_list_every_sample_is_a_key_frame() {
        let all = [
            (0, 1_000, 10),
            (300, 1_010, 20),
            (600, 2_000, 30),
            (900, 2_030, 40),
            (1_200, 3_000, 50),
        ];
        assert_eq!(places(&tables(None)), all);
    }

    #[test]
    fn only_listed_samples_are_key_frames() {
        let found = places(&tables(Some(&[1, 4])));
        assert_eq!(found, [(0, 1_000, 10), (900, 2_030, 40)]);
    }

    #[test]
    fn a_frame_is_shown_later_than_it_is_decoded() {
        let mut late = tables(None);
        late.delays = table(&[2], &[1, 50, 2, (-20_i32).cast_unsigned()]);
        let times: Vec<u64> = places(&late).iter().map(|(time, ..)| *time).collect();
        assert_eq!(times, [50, 280, 580, 900, 1_200]);
    }

    #[test]
    fn tables_that_end_early_end_the_walk() {
        let mut cut = tables(None);
        cut.chunk_offsets.truncate(8 + 4 + 2);
        assert_eq!(places(&cut).len(), 2);
        let mut cut = tables(None);
        cut.sizes.table.truncate(12 + 4 * 3);
        assert_eq!(places(&cut).len(), 3);
        let mut cut = tables(None);
        cut.chunk_runs.truncate(8);
        assert_eq!(places(&cut).len(), 0);
    }

    #[test]
    fn compact_sizes_have_4_8_or_16_bits() {
        let sizes = |bits, table: &[u8]| {
            let table = [&[0; 12], table].concat();
            let sizes = Sizes { table, each: 0, bits, count: 3 };
            [0, 1, 2].map(|sample| sizes.of(sample))
        };
        assert_eq!(sizes(4, &[0x12, 0x30]), [Some(1), Some(2), Some(3)]);
        assert_eq!(sizes(8, &[1, 2]), [Some(1), Some(2), None]);
        assert_eq!(sizes(16, &[1, 2, 3, 4]), [Some(0x0102), Some(0x0304), None]);
        assert_eq!(sizes(7, &[1, 2, 3, 4]), [None; 3]);
    }

    #[test]
    fn each_time_gets_its_nearest_frame_and_no_frame_comes_twice() {
        let mut nearest = Nearest::new(&[650, 0, 700, 5_000]);
        tables(None).each_key_frame(|frame| nearest.offer(frame));
        let times: Vec<u64> = nearest.found().iter().map(|frame| frame.time).collect();
        assert_eq!(times, [600, 0, 1_200]);
    }
}
