//! Sequential scans: each holds its blocks whole, so they become samples at once.
//!
//! Of a block the coefficients up to the last that the scale keeps are decoded one by one. What
//! follows is only counted, several symbols at a look, until the block ends.
//!
//! Source: ITU-T T.81, section F.2.2.

use std::ops::Range;
use std::sync::Arc;

use super::ac::{AcCodes, Step, WHOLE_ENTRIES};
use super::ahead::{self, Beside};
use super::bits::Bits;
use super::error::JpegError;
use super::four::Four;
use super::header::Header;
use super::huffman::{BadCode, Table};
use super::idct::{Block, flat, inverse, last_index, places, wrapped};
use super::planes::{Frame, Partial, Plane};
use super::scan::{Coder, Grid, Progress};
use super::scout;
use super::script::{Part, Scan, Script};
use super::tables::{Quantiser, Tables};
use super::window::Window;
use super::{Control, check};

/// Decodes every plane's first scan; what follows then cannot change anything.
pub(super) fn decode<const N: usize>(
    bytes: &[u8],
    header: &Header,
    frame: &Frame,
    control: &mut Control<'_>,
) -> Result<(Vec<Plane>, Option<Partial>), JpegError> {
    let memory = frame.all_blocks() as u64 * (N * N) as u64;
    check("bytes of memory", memory, control.max_bytes)?;
    let scout = scout::memory::<N>(frame.all_blocks()) as u64;
    let has_room = memory.saturating_add(scout) <= control.max_bytes;
    let in_two = if has_room { control.in_two_from } else { usize::MAX };
    let mut planes = frame.planes(N)?;
    let mut script = Script::new(bytes);
    let mut seen = vec![false; planes.len()];
    let mut progress = Progress::new(frame, control.watch);
    let mut scans = 0;
    while seen.contains(&false)
        && let Some(scan) = script.next_scan(header)
    {
        scans += 1;
        check("scans", scans, u64::from(control.max_scans))?;
        if scans == 1 {
            progress.expect(planes.len() + 1 - scan.parts.len());
        }
        let grid = Grid::new(frame, &scan.parts, script.tables.interval);
        let mut coder =
            match Sequential::<N>::new(&scan, frame, header, &script.tables, &mut planes) {
                Ok(coder) => coder,
                Err(error) if scans == 1 => return Err(error),
                Err(_) => break,
            };
        let marker = ahead::run_in_two(bytes, &scan, &grid, &mut coder, &mut progress, in_two)?;
        coder.finish();
        script.resume(marker);
        for part in &scan.parts {
            seen[part.component] = true;
        }
    }
    if scans == 0 {
        return Err(JpegError::Truncated);
    }
    if seen.contains(&false) {
        progress.damage_all();
    }
    Ok((planes, progress.partial()))
}

/// Decodes the MCUs of a sequential scan, N x N samples a block.
pub(super) struct Sequential<'a, const N: usize> {
    pub(super) parts: Vec<Channel>,
    planes: &'a mut [Plane],
    block: Block,
    /// Blocks that have no samples yet, at half the size.
    four: Four,
    /// Another thread, where there is one.
    pub(super) beside: Option<Box<Beside>>,
}

/// A plane's share of a scan.
#[derive(Clone)]
pub(super) struct Channel {
    plane: usize,
    /// Blocks of an MCU in a row, 1 in a scan of one plane.
    horizontal: usize,
    /// Rows of blocks of an MCU, 1 in a scan of one plane.
    vertical: usize,
    pub(super) codes: BlockCodes,
    /// The constant coefficient of the block before.
    pub(super) constant: i32,
    /// What constant coefficients that are known already are short of.
    shift: i32,
}

/// What the coefficients of a block are coded with.
#[derive(Clone)]
pub(super) struct BlockCodes {
    dc: Arc<Table>,
    ac: Arc<AcCodes>,
    /// In zigzag order, and zeros for what damaged data may ask for.
    quantiser: [i32; 128],
}

impl<'a, const N: usize> Sequential<'a, N> {
    pub(super) fn new(
        scan: &Scan,
        frame: &Frame,
        header: &Header,
        tables: &Tables,
        planes: &'a mut [Plane],
    ) -> Result<Self, JpegError> {
        let alone = scan.parts.len() == 1;
        // Both planes of colour have the same codes: one table of them stays in the cache.
        let (mut dc, mut ac) = ([const { None }; 4], [const { None }; 4]);
        let channel = |part: &Part| {
            let extent = frame.extents.get(part.component).ok_or(JpegError::Damaged("scan"))?;
            let (horizontal, vertical) =
                if alone { (1, 1) } else { (extent.horizontal, extent.vertical) };
            let quantiser = tables.quantiser(&header.components[part.component]);
            let dc = shared(&mut dc[part.dc], || dc_table(tables, part))?;
            let codes = || AcCodes::new(tables.ac[part.ac].as_ref(), N < 8);
            let ac = shared(&mut ac[part.ac], codes)?;
            let codes = BlockCodes::new(dc, ac, quantiser)?;
            Ok(Channel {
                plane: part.component,
                horizontal,
                vertical,
                codes,
                constant: 0,
                shift: 0,
            })
        };
        let parts = scan.parts.iter().map(channel).collect::<Result<_, _>>()?;
        Ok(Self { parts, planes, block: [0; 128], four: Four::default(), beside: None })
    }

    /// Makes the samples of an MCU, of blocks that `read` gives. It answers whether a block has more
    /// than the constant coefficient.
    #[inline(always)]
    fn each_block(
        &mut self,
        (row, column): (usize, usize),
        mut read: impl FnMut(&mut Channel, &mut Block) -> Result<bool, BadCode>,
    ) -> Result<(), BadCode> {
        for channel in &mut self.parts {
            let stride = self.planes[channel.plane].stride;
            for y in 0..channel.vertical {
                let line = (row * channel.vertical + y) * N * stride;
                let start = line + column * channel.horizontal * N;
                for x in 0..channel.horizontal {
                    let at = start + x * N;
                    let has_others = read(channel, &mut self.block)?;
                    if N == 4 && has_others {
                        self.four.add(&self.block, (channel.plane, at), self.planes);
                        continue;
                    }
                    let plane = &mut self.planes[channel.plane];
                    let out = plane.data.get_mut(at..).unwrap_or_default();
                    if has_others {
                        inverse::<N>(&self.block, out, stride);
                    } else {
                        flat::<N>(self.block[0], out, stride);
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts what waits for more.
    fn finish(&mut self) {
        self.four.put(self.planes);
    }
}

impl Channel {
    /// Blocks of an MCU.
    pub(super) const fn blocks(&self) -> usize {
        self.horizontal * self.vertical
    }
}

impl<const N: usize> Coder for Sequential<'_, N> {
    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Result<(), BadCode> {
        self.each_block((row, column), |channel, block| {
            channel.codes.read::<N>(bits, &mut channel.constant, block)
        })
    }

    fn restart(&mut self) {
        for channel in &mut self.parts {
            channel.constant = 0;
        }
    }

    fn lose(&mut self, row: usize, column: usize) {
        self.finish();
        for channel in &mut self.parts {
            let plane = &mut self.planes[channel.plane];
            let (width, height) = (channel.horizontal * N, channel.vertical * N);
            let rows = plane.data.chunks_mut(plane.stride).skip(row * height).take(height);
            for line in rows {
                if let Some(samples) = line.get_mut(column * width..(column + 1) * width) {
                    samples.fill(128);
                }
            }
        }
    }

    fn known(
        &mut self,
        window: &mut Window<'_>,
        position: &mut usize,
        left: usize,
        progress: &mut Progress<'_, '_>,
    ) -> Result<usize, JpegError> {
        let Some(beside) = &mut self.beside else { return Ok(0) };
        let Some((first, count)) = beside.known(window, position, left, progress)? else {
            return Ok(0);
        };
        let blocks: usize = self.parts.iter().map(Channel::blocks).sum();
        let mut offset = 0;
        for channel in &mut self.parts {
            offset += channel.blocks();
            let before = first.checked_sub(1).map(|mcu| mcu * blocks + offset - 1);
            channel.shift = channel.constant.wrapping_sub(beside.constant_before(before));
        }
        beside.go_to(first * blocks);
        Ok(count)
    }

    fn known_intervals(
        &mut self,
        window: &mut Window<'_>,
        restarts: usize,
        left: usize,
        progress: &mut Progress<'_, '_>,
    ) -> Result<usize, JpegError> {
        let Some(beside) = &mut self.beside else { return Ok(0) };
        beside.known_intervals(window, restarts, left, progress)
    }

    fn put_known(&mut self, row: usize, columns: Range<usize>) {
        let Some(mut beside) = self.beside.take() else { return };
        for column in columns {
            let put = self.each_block((row, column), |channel, block| {
                let (constant, has_others) = beside.next_block::<N>(block);
                channel.constant = constant.wrapping_add(channel.shift);
                block[0] = channel.codes.constant(channel.constant);
                Ok(has_others)
            });
            debug_assert!(put.is_ok());
        }
        self.beside = Some(beside);
    }
}

impl BlockCodes {
    fn new(
        dc: Arc<Table>,
        ac: Arc<AcCodes>,
        quantiser: Option<Quantiser>,
    ) -> Result<Self, JpegError> {
        let known = quantiser.ok_or(JpegError::Damaged("quantiser: missing"))?;
        let mut quantiser = [0; 128];
        for (place, value) in quantiser.iter_mut().zip(known) {
            *place = i32::from(value);
        }
        Ok(Self { dc, ac, quantiser })
    }

    /// Decodes a block. The answer is whether it has more than the constant coefficient.
    #[inline(always)]
    pub(super) fn read<const N: usize>(
        &self,
        bits: &mut Bits<'_>,
        constant: &mut i32,
        block: &mut Block,
    ) -> Result<bool, BadCode> {
        bits.refill();
        *constant = constant.wrapping_add(self.dc.difference(bits)?);
        block[..N * N].fill(0);
        block[0] = self.constant(*constant);
        let mut index = 1;
        'block: while index <= const { last_index(N) } {
            bits.refill();
            for _ in 0..WHOLE_ENTRIES {
                let entry = self.ac.table.look(bits);
                let value = if entry.is_whole() {
                    bits.skip(entry.length());
                    index += entry.run();
                    entry.value()
                } else {
                    match self.ac.rest(entry, bits)? {
                        Step::Value(run, value) => {
                            index += run;
                            self.put::<N>(block, index, value);
                            index += 1;
                        }
                        Step::Zeros(run) => index += run,
                        Step::End(_) => return Ok(index > 1),
                    }
                    continue 'block;
                };
                self.put::<N>(block, index, value);
                index += 1;
                if index > const { last_index(N) } {
                    break 'block;
                }
            }
        }
        if index > 64 {
            return Err(BadCode);
        }
        if N < 8 {
            self.ac.pass_over(bits, index, 64)?;
        }
        Ok(N > 1)
    }

    /// A constant coefficient, in steps of one.
    #[inline(always)]
    pub(super) fn constant(&self, steps: i32) -> i16 {
        wrapped(steps.wrapping_mul(self.quantiser[0]))
    }

    /// Puts a coefficient to its place.
    #[inline(always)]
    fn put<const N: usize>(&self, block: &mut Block, index: usize, value: i32) {
        let place = const { places(N) }[index & 127];
        let value = wrapped(value.wrapping_mul(self.quantiser[index & 127]));
        block[usize::from(place & 127)] = value;
    }
}

/// What `known` holds, made if it holds nothing.
fn shared<T>(
    known: &mut Option<Arc<T>>,
    make: impl FnOnce() -> Result<T, JpegError>,
) -> Result<Arc<T>, JpegError> {
    if let Some(known) = known {
        return Ok(Arc::clone(known));
    }
    let made = Arc::new(make()?);
    *known = Some(Arc::clone(&made));
    Ok(made)
}

/// The table for the constant coefficients of a plane in a scan.
pub(super) fn dc_table(tables: &Tables, part: &Part) -> Result<Table, JpegError> {
    let codes = tables.dc[part.dc].as_ref();
    Table::new(codes.ok_or(JpegError::Damaged("Huffman table: missing"))?, true)
}
