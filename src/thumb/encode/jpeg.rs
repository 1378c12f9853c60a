//! JPEG from planes: baseline, 4:2:0 or gray, all planes in one scan, with Huffman tables made for the
//! picture.
//!
//! The picture is walked once. Each block is transformed, quantised and turned into tokens, a symbol
//! with the bits behind it; the symbols are counted on the way. The counts give the tables, and the
//! tokens are then written out. All planes lie in one scan: some decoders read files with one scan a
//! plane in wrong colours (zune-image issue 422).
//!
//! Source: ITU-T T.81, annexes B and F.1; ITU-T T.871 (JFIF).

use super::super::raster::Plane;
use super::dct::{Coefficients, Quantiser};
use super::huffman::{BitWriter, Counts, Table};

/// A symbol in the lowest eight bits, sixteen bits that follow its code, and the table at the top.
type Token = u32;

/// Tables: brightness and colour, each for the means of blocks and for all else.
const TABLES: usize = 4;

/// Encodes one plane (gray), or three of which the second and third have half the size.
///
/// Sides are at most 65,535 long, as those of everything that is rendered.
pub(super) fn encode(planes: &[Plane], quality: u8) -> Vec<u8> {
    let quantisers = [Quantiser::new(true, quality), Quantiser::new(false, quality)];
    let (tokens, counts) = tokens(planes, &quantisers);
    let tables = counts.map(|counts| Table::for_counts(&counts));
    let mut file = Vec::with_capacity(tokens.len() * 2 + 1_024);
    head(&mut file, planes, &quantisers, &tables);
    let mut bits = BitWriter::new(&mut file);
    for token in tokens {
        let [symbol, low, high, table] = token.to_le_bytes();
        let (code, length) = tables[usize::from(table) % TABLES].code(symbol);
        let extra = u32::from(symbol & 15);
        bits.put(code << extra | u32::from(u16::from_le_bytes([low, high])), length + extra);
    }
    bits.finish();
    file.extend([0xFF, 0xD9]);
    file
}

/// Everything before the coded blocks.
fn head(
    file: &mut Vec<u8>,
    planes: &[Plane],
    quantisers: &[Quantiser; 2],
    tables: &[Table; TABLES],
) {
    let gray = planes.len() == 1;
    let kinds = if gray { 1 } else { 2 };
    let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let (width, height) = planes.first().map_or((0, 0), |plane| (plane.width, plane.height));

    file.extend([0xFF, 0xD8]);
    segment(file, 0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let mut body = Vec::new();
    for (n, quantiser) in (0..).zip(quantisers).take(kinds) {
        body.push(n);
        body.extend(quantiser.steps);
    }
    segment(file, 0xDB, &body);

    let count = if gray { 1 } else { 3 };
    body.clear();
    body.push(8);
    body.extend(side(height));
    body.extend(side(width));
    body.push(count);
    for plane in 0..count {
        let factors = if plane == 0 && !gray { 0x22 } else { 0x11 };
        body.extend([plane + 1, factors, u8::from(plane > 0)]);
    }
    segment(file, 0xC0, &body);

    body.clear();
    for (n, table) in (0..).zip(tables).take(kinds * 2) {
        // Means first: class 0, then class 1 in the high half.
        body.push(n >> 1 | (n & 1) << 4);
        body.extend(table.lengths);
        body.extend(&table.symbols);
    }
    segment(file, 0xC4, &body);

    body.clear();
    body.push(count);
    for plane in 0..count {
        body.extend([plane + 1, if plane == 0 { 0x00 } else { 0x11 }]);
    }
    body.extend([0, 63, 0]);
    segment(file, 0xDA, &body);
}

fn segment(file: &mut Vec<u8>, marker: u8, body: &[u8]) {
    let length = u16::try_from(body.len() + 2).unwrap_or(u16::MAX).to_be_bytes();
    file.extend([0xFF, marker]);
    file.extend(length);
    file.extend(body);
}

/// Walks all blocks in the order of the file.
fn tokens(planes: &[Plane], quantisers: &[Quantiser; 2]) -> (Vec<Token>, [Counts; TABLES]) {
    let Some(first) = planes.first() else { return (Vec::new(), [[0; 256]; TABLES]) };
    // Blocks of the first plane in a unit, each way.
    let factor = if planes.len() == 1 { 1 } else { 2 };
    let units_across = first.width.div_ceil(8 * factor) as usize;
    let units_down = first.height.div_ceil(8 * factor) as usize;
    let factor = factor as usize;

    let mut coder = Coder {
        tokens: Vec::with_capacity(units_across * units_down * factor * factor * 8),
        counts: [[0; 256]; TABLES],
    };
    let mut strips: Vec<Strip> = (0..planes.len())
        .map(|n| Strip::new(units_across, if n == 0 { factor } else { 1 }))
        .collect();
    let mut means = vec![0; planes.len()];
    for unit_row in 0..units_down {
        for (strip, plane) in strips.iter_mut().zip(planes) {
            strip.fill(plane, unit_row);
        }
        for unit in 0..units_across {
            for (n, (strip, mean)) in strips.iter().zip(&mut means).enumerate() {
                let kind = usize::from(n > 0);
                for block in 0..strip.factor * strip.factor {
                    let (down, across) = (block / strip.factor, block % strip.factor);
                    let at = down * 8 * strip.stride + (unit * strip.factor + across) * 8;
                    let found = quantisers[kind].block(&strip.samples, at, strip.stride);
                    coder.block(&found, mean, kind);
                }
            }
        }
    }
    (coder.tokens, coder.counts)
}

/// The rows of one plane that a row of units covers, continued to whole blocks.
struct Strip {
    samples: Vec<u8>,
    stride: usize,
    factor: usize,
}

impl Strip {
    fn new(units_across: usize, factor: usize) -> Self {
        let stride = units_across * factor * 8;
        Self { samples: vec![0; stride * factor * 8], stride, factor }
    }

    /// Beyond the edges the last sample is repeated, which costs the fewest bits.
    fn fill(&mut self, plane: &Plane, unit_row: usize) {
        let first = unit_row * self.factor * 8;
        for (n, to) in self.samples.chunks_exact_mut(self.stride).enumerate() {
            let y = u32::try_from(first + n).unwrap_or(u32::MAX).min(plane.height - 1);
            let from = plane.row(y);
            let from = &from[..from.len().min(self.stride)];
            let (inside, beyond) = to.split_at_mut(from.len());
            inside.copy_from_slice(from);
            beyond.fill(from.last().copied().unwrap_or(128));
        }
    }
}

struct Coder {
    tokens: Vec<Token>,
    counts: [Counts; TABLES],
}

impl Coder {
    /// Source: ITU-T T.81, sections F.1.2.1 and F.1.2.2.
    fn block(&mut self, block: &Coefficients, mean: &mut i16, kind: usize) {
        self.push(kind * 2, 0, block.at(0).wrapping_sub(*mean));
        *mean = block.at(0);
        let mut last = 0;
        let mut rest = block.present & !1;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            let mut zeros = at - last - 1;
            while zeros > 15 {
                self.push(kind * 2 + 1, 15, 0);
                zeros -= 16;
            }
            self.push(kind * 2 + 1, zeros, block.at(at));
            last = at;
        }
        if last != 63 {
            self.push(kind * 2 + 1, 0, 0);
        }
    }

    /// So many zeros, and then a value.
    #[inline]
    fn push(&mut self, table: usize, zeros: u32, value: i16) {
        let value = i32::from(value);
        let size = 32 - value.unsigned_abs().leading_zeros();
        // A negative value is written less one, so its first bit is 0.
        let bits = (value + (value >> 31)).cast_unsigned() & ((1 << size) - 1);
        let symbol = zeros << 4 | size;
        self.counts[table & 3][symbol as usize & 255] += 1;
        let table = u32::try_from(table).unwrap_or_default();
        self.tokens.push(table << 24 | bits << 8 | symbol & 255);
    }
}
