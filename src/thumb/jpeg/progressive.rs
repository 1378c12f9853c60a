//! Progressive scans: coefficients come in bands and bits, and become samples when all are there.
//!
//! Of each block only the coefficients are stored that the scale keeps, up to the last of them in
//! zigzag order: 5 at two eighths instead of 64. Where a scan that is read refines, a bit for each
//! of the 64 remembers which are known not to be zero.
//!
//! Source: ITU-T T.81, annex G.

use super::ac::{AcCodes, Step, WHOLE_ENTRIES};
use super::baseline::dc_table;
use super::bits::Bits;
use super::error::JpegError;
use super::header::Header;
use super::huffman::{BadCode, Table};
use super::idct::{flat, inverse, last_index, places, wrapped};
use super::plan::Plan;
use super::planes::{Frame, Partial, Plane, filled};
use super::refine::AcRefine;
use super::scan::{Coder, Grid, Progress, run};
use super::script::{Scan, Script};
use super::tables::{Quantiser, Tables};
use super::{Control, check};

/// What is known of a plane's coefficients.
pub(super) struct Coefficients {
    /// Those of a block lie together, as many as the scale stores.
    pub(super) values: Vec<i16>,
    /// For each block, which of its 64 are known not to be zero. Empty when nobody asks.
    pub(super) places: Vec<u64>,
    /// Blocks in a row.
    pub(super) stride: usize,
}

/// How many coefficients of a block are stored.
pub(super) const fn stored(side: usize) -> usize {
    last_index(side) + 1
}

/// Decodes every scan that matters, then turns the coefficients into samples.
pub(super) fn decode<const N: usize>(
    bytes: &[u8],
    header: &Header,
    frame: &Frame,
    control: &mut Control<'_>,
) -> Result<(Vec<Plane>, Option<Partial>), JpegError> {
    let plan = Plan::new::<N>(bytes, header, frame, control)?;
    let mut bytes_needed = (frame.all_blocks() * (N * N + stored(N) * 2)) as u64;
    for (extent, _) in frame.extents.iter().zip(&plan.remembered).filter(|(_, asked)| **asked) {
        bytes_needed += frame.blocks(extent) as u64 * 8;
    }
    check("bytes of memory", bytes_needed, control.max_bytes)?;
    let mut all = Vec::new();
    for (extent, &asked) in frame.extents.iter().zip(&plan.remembered) {
        let blocks = frame.blocks(extent);
        all.push(Coefficients {
            values: filled(0, blocks * stored(N))?,
            places: filled(0, if asked { blocks } else { 0 })?,
            stride: frame.stride(extent),
        });
    }

    let mut progress = Progress::new(frame, control.watch);
    progress.expect(plan.scans.iter().filter(|scan| scan.is_read).count() + 1);
    let (mut script, mut scans) = (Script::new(bytes), plan.scans.iter());
    // Planes whose constant coefficients are not told.
    let mut unseen = vec![true; all.len()];
    while let (Some(scan), Some(planned)) = (script.next_scan(header), scans.next()) {
        for part in &scan.parts {
            unseen[part.component] &= scan.first > 0;
        }
        if planned.is_read {
            // What a scan of detail lacks is missing everywhere a little.
            progress.counts_rows = scan.first == 0 && scan.high == 0;
            read::<N>(bytes, &scan, frame, &script.tables, &mut all, &mut progress)?;
        }
        script.resume(planned.end);
    }
    if plan.scans.is_empty() {
        return Err(JpegError::Truncated);
    }
    if !plan.is_complete {
        progress.lack_detail();
    }
    if unseen.contains(&true) {
        progress.damage_all();
    }
    let planes = samples::<N>(frame, &all, &plan, &mut progress)?;
    Ok((planes, progress.partial()))
}

/// Decodes a scan.
fn read<const N: usize>(
    bytes: &[u8],
    scan: &Scan,
    frame: &Frame,
    tables: &Tables,
    all: &mut [Coefficients],
    progress: &mut Progress<'_, '_>,
) -> Result<(), JpegError> {
    let grid = Grid::new(frame, &scan.parts, tables.interval);
    let part = scan.parts[0];
    if scan.first == 0 {
        let mut coder = Dc::<N>::new(scan, frame, tables, all)?;
        run(bytes, scan, &grid, &mut coder, progress)?;
    } else if scan.high == 0 {
        let passes_over = all[part.component].places.is_empty() && scan.last >= stored(N);
        let codes = AcCodes::new(tables.ac[part.ac].as_ref(), passes_over)?;
        let coefficients = &mut all[part.component];
        let (first, last, low) = (scan.first, scan.last, scan.low);
        let mut coder = AcFirst::<N> { codes, coefficients, first, last, low, ended: 0 };
        run(bytes, scan, &grid, &mut coder, progress)?;
    } else {
        let codes = AcCodes::new(tables.ac[part.ac].as_ref(), false)?;
        let coefficients = &mut all[part.component];
        let mut coder = AcRefine::<N>::new(scan, codes, coefficients);
        run(bytes, scan, &grid, &mut coder, progress)?;
    }
    Ok(())
}

/// The constant coefficients, of all planes together or of one.
struct Dc<'a, const N: usize> {
    channels: Vec<Channel>,
    all: &'a mut [Coefficients],
    low: u32,
}

/// A plane's share of a scan of constant coefficients.
struct Channel {
    plane: usize,
    horizontal: usize,
    vertical: usize,
    /// `None` in a scan that refines: it has plain bits.
    table: Option<Table>,
    constant: i32,
}

impl<'a, const N: usize> Dc<'a, N> {
    fn new(
        scan: &Scan,
        frame: &Frame,
        tables: &Tables,
        all: &'a mut [Coefficients],
    ) -> Result<Self, JpegError> {
        let mut channels = Vec::new();
        for part in &scan.parts {
            let extent = &frame.extents[part.component];
            let (horizontal, vertical) =
                if scan.parts.len() == 1 { (1, 1) } else { (extent.horizontal, extent.vertical) };
            let table = if scan.high == 0 { Some(dc_table(tables, part)?) } else { None };
            channels.push(Channel {
                plane: part.component,
                horizontal,
                vertical,
                table,
                constant: 0,
            });
        }
        Ok(Self { channels, all, low: scan.low })
    }
}

impl<const N: usize> Coder for Dc<'_, N> {
    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Result<(), BadCode> {
        for channel in &mut self.channels {
            let coefficients = &mut self.all[channel.plane];
            for y in 0..channel.vertical {
                let line = (row * channel.vertical + y) * coefficients.stride;
                let start = line + column * channel.horizontal;
                for x in 0..channel.horizontal {
                    let place = (start + x) * const { stored(N) };
                    let Some(value) = coefficients.values.get_mut(place) else { continue };
                    bits.refill();
                    if let Some(table) = &channel.table {
                        channel.constant = channel.constant.wrapping_add(table.difference(bits)?);
                        *value = narrowed(channel.constant << self.low);
                    } else {
                        *value |= narrowed(bits.take_bit() << self.low);
                    }
                }
            }
        }
        Ok(())
    }

    fn restart(&mut self) {
        for channel in &mut self.channels {
            channel.constant = 0;
        }
    }

    fn lose(&mut self, _row: usize, _column: usize) {}
}

/// The first bits of a band of a plane's coefficients.
struct AcFirst<'a, const N: usize> {
    codes: AcCodes,
    coefficients: &'a mut Coefficients,
    first: usize,
    last: usize,
    low: u32,
    /// Blocks to come that have nothing in this band.
    ended: u32,
}

impl<const N: usize> Coder for AcFirst<'_, N> {
    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Result<(), BadCode> {
        if self.ended > 0 {
            self.ended -= 1;
            return Ok(());
        }
        let block = row * self.coefficients.stride + column;
        let stored = const { stored(N) };
        let values = self.coefficients.values.get_mut(block * stored..).unwrap_or_default();
        let mut ignored = 0;
        let is_asked = !self.coefficients.places.is_empty();
        let places = self.coefficients.places.get_mut(block).unwrap_or(&mut ignored);
        let end = self.last + 1;
        let seen = if is_asked { end } else { end.min(stored) };
        let mut index = self.first;
        'band: while index < seen {
            bits.refill();
            for _ in 0..WHOLE_ENTRIES {
                let entry = self.codes.table.look(bits);
                let step = if entry.is_whole() {
                    bits.skip(entry.length());
                    Step::Value(entry.run(), entry.value())
                } else {
                    self.codes.rest(entry, bits)?
                };
                match step {
                    Step::Value(run, value) => {
                        index += run;
                        if index < stored
                            && let Some(place) = values.get_mut(index)
                        {
                            *place = narrowed(value << self.low);
                        }
                        *places |= 1 << (index & 63);
                        index += 1;
                    }
                    Step::Zeros(run) => index += run,
                    Step::End(ended) => {
                        self.ended = ended;
                        return Ok(());
                    }
                }
                if !entry.is_whole() || index >= seen {
                    continue 'band;
                }
            }
        }
        if index > end {
            return Err(BadCode);
        }
        if index < end {
            self.ended = self.codes.pass_over(bits, index, end)?;
        }
        Ok(())
    }

    fn restart(&mut self) {
        self.ended = 0;
    }

    fn lose(&mut self, _row: usize, _column: usize) {}
}

/// What fits into a stored coefficient; more is damage.
#[inline(always)]
pub(super) fn narrowed(value: i32) -> i16 {
    i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })
}

/// The planes that the coefficients mean.
fn samples<const N: usize>(
    frame: &Frame,
    all: &[Coefficients],
    plan: &Plan,
    progress: &mut Progress<'_, '_>,
) -> Result<Vec<Plane>, JpegError> {
    let mut planes = frame.planes(N)?;
    let stored = const { stored(N) };
    let scales: Vec<_> = plan.quantisers.iter().zip(&plan.unread).map(Dequantiser::new).collect();
    for row in 0..frame.rows {
        let each = planes.iter_mut().zip(all).zip(&scales).zip(&frame.extents);
        for (((plane, coefficients), scale), extent) in each {
            let first = row * extent.vertical;
            for line in first..first + extent.vertical {
                let values = &coefficients.values[line * coefficients.stride * stored..];
                let blocks = values.chunks_exact(stored).take(coefficients.stride);
                let samples = &mut plane.data[line * N * plane.stride..];
                for (column, values) in blocks.enumerate() {
                    scale.samples::<N>(values, &mut samples[column * N..], plane.stride);
                }
            }
        }
        progress.row()?;
    }
    Ok(planes)
}

/// Turns stored coefficients into samples.
struct Dequantiser {
    factors: [i32; 64],
    /// The middle of what a coefficient may have more than is known of it.
    middles: [i32; 64],
}

impl Dequantiser {
    fn new((quantiser, unread): (&Quantiser, &[u32; 64])) -> Self {
        let factors = quantiser.map(i32::from);
        let middle = |index: usize| factors[index] * ((1 << unread[index]) - 1) / 2;
        Self { factors, middles: std::array::from_fn(middle) }
    }

    #[inline(always)]
    fn samples<const N: usize>(&self, values: &[i16], out: &mut [u8], stride: usize) {
        let first = values.first().map_or(0, |&value| i32::from(value));
        if values.iter().skip(1).all(|&value| value == 0) {
            return flat::<N>(wrapped(first.wrapping_mul(self.factors[0])), out, stride);
        }
        let mut block = [0; 128];
        for (index, &value) in values.iter().enumerate().take(const { stored(N) }) {
            let place = const { places(N) }[index & 127];
            let value = i32::from(value);
            let middle = value.signum() * self.middles[index & 63];
            let product = value.wrapping_mul(self.factors[index & 63]);
            block[usize::from(place & 127)] = wrapped(product.wrapping_add(middle));
        }
        inverse::<N>(&block, out, stride);
    }
}
