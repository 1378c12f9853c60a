//! Going through the MCUs of a scan: windows, restart markers, lost pieces, the caller's watch.
//!
//! What an MCU means is the affair of a [`Coder`]. Here it is counted which rows are whole: an MCU
//! that needs bits from beyond the data is lost, and so is what a missing restart marker leaves
//! open. A code that stands for nothing damages its row, and decoding goes on behind it, as codes
//! usually fall into step again within a few blocks.
//!
//! Source: ITU-T T.81, section E.2.4; which restart marker is believed follows libjpeg's
//! `jpeg_resync_to_restart`.

use std::ops::Range;

use super::bits::Bits;
use super::error::JpegError;
use super::huffman::BadCode;
use super::planes::{Frame, Partial};
use super::script::{Part, Scan};
use super::window::Window;

/// Decodes MCUs.
pub(super) trait Coder {
    /// Decodes the MCU at a place of the scan's grid.
    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Result<(), BadCode>;

    /// Begins anew: the next MCU does not depend on the ones before.
    fn restart(&mut self);

    /// The MCU that was decoded last has read zeros from behind the data.
    fn lose(&mut self, row: usize, column: usize);

    /// How many MCUs are known already, of `left` that begin at `position`. What is in the window
    /// then is what follows them, from the new `position` on.
    fn known(
        &mut self,
        _window: &mut Window<'_>,
        _position: &mut usize,
        _left: usize,
        _progress: &mut Progress<'_, '_>,
    ) -> Result<usize, JpegError> {
        Ok(0)
    }

    /// How many intervals are known already, of `left` that begin here, behind so many restart
    /// markers. The window then stands at the marker behind them.
    fn known_intervals(
        &mut self,
        _window: &mut Window<'_>,
        _restarts: usize,
        _left: usize,
        _progress: &mut Progress<'_, '_>,
    ) -> Result<usize, JpegError> {
        Ok(0)
    }

    /// Puts the next known MCUs in their places, which lie in one row.
    fn put_known(&mut self, _row: usize, _columns: Range<usize>) {}
}

/// The MCUs of a scan.
pub(super) struct Grid {
    columns: usize,
    rows: usize,
    /// Rows of this grid in a row of the frame's MCUs.
    rows_each: usize,
    /// Blocks in an MCU.
    pub(super) blocks: usize,
    /// MCUs between restart markers, 0 without.
    pub(super) interval: usize,
}

impl Grid {
    pub(super) fn new(frame: &Frame, parts: &[Part], interval: usize) -> Self {
        let extents = || parts.iter().filter_map(|part| frame.extents.get(part.component));
        if let (1, Some(only)) = (parts.len(), extents().next()) {
            let (columns, rows, rows_each) = (only.columns, only.rows, only.vertical);
            return Self { columns, rows, rows_each, blocks: 1, interval };
        }
        let blocks = extents().map(|extent| extent.horizontal * extent.vertical).sum();
        Self { columns: frame.columns, rows: frame.rows, rows_each: 1, blocks, interval }
    }

    /// Tells that the rows before `row` are done, if that is one more of the frame's.
    fn told(&self, row: usize, progress: &mut Progress<'_, '_>) -> Result<(), JpegError> {
        let is_row = row.is_multiple_of(self.rows_each) || row == self.rows;
        if is_row { progress.row() } else { Ok(()) }
    }

    /// All its MCUs.
    pub(super) const fn mcus(&self) -> usize {
        self.columns * self.rows
    }
}

/// What the caller is told between rows: how many are done, of how many. `false` cancels.
pub(in crate::thumb) type Watch<'a> = dyn FnMut(u32, u32) -> bool + 'a;

/// Which rows are whole so far, and how far decoding has come.
pub(super) struct Progress<'a, 'b> {
    /// For each row of the frame's MCUs.
    whole: Vec<bool>,
    /// Whether what is missing is missed in its rows, or is detail only.
    pub(super) counts_rows: bool,
    lacks_detail: bool,
    done: u32,
    all: u32,
    watch: &'a mut Watch<'b>,
}

impl<'a, 'b> Progress<'a, 'b> {
    pub(super) fn new(frame: &Frame, watch: &'a mut Watch<'b>) -> Self {
        Self {
            whole: vec![true; frame.rows],
            counts_rows: true,
            lacks_detail: false,
            done: 0,
            all: 0,
            watch,
        }
    }

    /// So many times all the rows of a frame are to be done.
    pub(super) fn expect(&mut self, passes: usize) {
        let rows = self.whole.len().saturating_mul(passes);
        self.all = u32::try_from(rows).unwrap_or(u32::MAX);
    }

    /// A row of the frame is done.
    pub(super) fn row(&mut self) -> Result<(), JpegError> {
        self.done = self.done.saturating_add(1).min(self.all);
        self.still()
    }

    /// Nothing more is done yet; whether to go on.
    pub(super) fn still(&mut self) -> Result<(), JpegError> {
        if (self.watch)(self.done, self.all) { Ok(()) } else { Err(JpegError::Cancelled) }
    }

    /// Rows of a grid in which something is missing.
    fn damage(&mut self, grid: &Grid, rows: Range<usize>) {
        self.lacks_detail |= !rows.is_empty();
        for row in rows.filter(|_| self.counts_rows) {
            if let Some(whole) = self.whole.get_mut(row / grid.rows_each) {
                *whole = false;
            }
        }
    }

    /// Something is missing that can be seen in every row, but no more than detail.
    pub(super) fn lack_detail(&mut self) {
        self.lacks_detail = true;
    }

    /// All rows lack something.
    pub(super) fn damage_all(&mut self) {
        self.whole.fill(false);
    }

    pub(super) fn partial(&self) -> Option<Partial> {
        let rows = self.whole.iter().filter(|&&whole| whole).count();
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        let is_partial = rows < self.whole.len() || self.lacks_detail;
        is_partial.then(|| Partial { rows: count(rows), of: count(self.whole.len()) })
    }
}

/// Decodes the data of `scan` in `bytes`. The answer is the marker behind it.
pub(super) fn run(
    bytes: &[u8],
    scan: &Scan,
    grid: &Grid,
    coder: &mut impl Coder,
    progress: &mut Progress<'_, '_>,
) -> Result<Option<(usize, u8)>, JpegError> {
    let mut window = Window::new(bytes, scan.data, grid.blocks);
    let total = grid.mcus();
    let interval = if grid.interval == 0 { total } else { grid.interval };
    let (mut begin, mut restarts) = (0, 0);
    loop {
        let left = (total - begin) / interval.max(1);
        let known = coder.known_intervals(&mut window, restarts, left, progress)?;
        let end = total.min(begin + interval * known.max(1));
        let lost = if known == 0 {
            stretch(&mut window, grid, begin..end, coder, progress)?
        } else {
            let place = (begin / grid.columns, begin % grid.columns);
            put_known(grid, place, end - begin, coder, progress)?;
            restarts += known - 1;
            end
        };
        begin = end;
        if lost < end {
            progress.damage(grid, lost / grid.columns..(end - 1) / grid.columns + 1);
        }
        if end == total {
            return Ok(window.marker());
        }
        let Some(missed) = next_restart(&mut window, restarts) else {
            progress.damage(grid, begin / grid.columns..grid.rows);
            return Ok(window.marker());
        };
        restarts += missed + 1;
        if missed > 0 {
            begin = total.min(begin.saturating_add(interval.saturating_mul(missed)));
            progress.damage(grid, end / grid.columns..(begin - 1) / grid.columns + 1);
            if begin == total {
                return Ok(window.marker());
            }
        }
        coder.restart();
    }
}

/// Decodes the MCUs of an interval. The answer is the first of them that is lost, or their end.
fn stretch(
    window: &mut Window<'_>,
    grid: &Grid,
    mcus: Range<usize>,
    coder: &mut impl Coder,
    progress: &mut Progress<'_, '_>,
) -> Result<usize, JpegError> {
    let (mut row, mut column) = (mcus.start / grid.columns, mcus.start % grid.columns);
    let mut left = mcus.len();
    // The first bit of the next MCU, in the window.
    let mut position = 0;
    while left > 0 {
        let known = coder.known(window, &mut position, left, progress)?;
        if known > 0 {
            (row, column) = put_known(grid, (row, column), known, coder, progress)?;
            left -= known;
            continue;
        }
        let (last_start, data_end) = (window.last_start() * 8, window.filled() * 8);
        let mut bits = Bits::new(window.data(), position);
        let mut is_sound = true;
        while left > 0 && column < grid.columns && bits.position() <= last_start {
            let found = coder.mcu(&mut bits, row, column);
            if bits.position() > data_end {
                coder.lose(row, column);
                return Ok(mcus.end - left);
            }
            if found.is_err() {
                is_sound = false;
                bits.refill();
                bits.skip(16);
            }
            column += 1;
            left -= 1;
        }
        if !is_sound {
            progress.damage(grid, row..row + 1);
        }
        position = bits.position();
        if left > 0 && position > data_end {
            // The last code was damaged and lay at the end.
            return Ok(mcus.end - left);
        }
        window.advance(position / 8);
        position %= 8;
        if column == grid.columns {
            (row, column) = (row + 1, 0);
            grid.told(row, progress)?;
        }
    }
    Ok(mcus.end)
}

/// Puts so many MCUs, which are known, from a place of the grid on. The answer is the place of the next.
fn put_known(
    grid: &Grid,
    (mut row, mut column): (usize, usize),
    mut count: usize,
    coder: &mut impl Coder,
    progress: &mut Progress<'_, '_>,
) -> Result<(usize, usize), JpegError> {
    while count > 0 {
        let end = grid.columns.min(column + count);
        coder.put_known(row, column..end);
        count -= end - column;
        column = end;
        if column == grid.columns {
            (row, column) = (row + 1, 0);
            grid.told(row, progress)?;
        }
    }
    Ok((row, column))
}

/// Finds the restart marker behind the interval `number` and begins there. The answer is how many
/// intervals are lost before it. `None`: no more of them come.
fn next_restart(window: &mut Window<'_>, number: usize) -> Option<usize> {
    loop {
        let (at, code) = window.marker()?;
        if !(0xD0..=0xD7).contains(&code) {
            return None;
        }
        window.restart(at + 2);
        let ahead = (usize::from(code) + 8 - (number & 7)) & 7;
        match ahead {
            // One or two are missing.
            1 | 2 => return Some(ahead),
            // One from before, which comes late.
            6 | 7 => {}
            // The right one, or one too far away to tell anything.
            _ => return Some(0),
        }
    }
}
