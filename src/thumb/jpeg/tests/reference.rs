//! A decoder written for plainness alone: one bit at a time, every coefficient, full precision.
//!
//! It follows the flow charts of ITU-T T.81 (annexes E, F and G) and expects sound files. Nothing
//! is shared with the decoder under test.

use std::f64::consts::PI;

/// A plane at a scale, without what fills up MCUs.
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<f64>,
}

struct Component {
    id: u8,
    across: usize,
    down: usize,
    quantiser: usize,
    /// Blocks in a row of whole MCUs.
    stride: usize,
    /// Blocks that belong to the picture.
    columns: usize,
    rows: usize,
    width: usize,
    height: usize,
    blocks: Vec<[i32; 64]>,
    constant: i32,
}

/// A code table: length, code, symbol.
type Codes = Vec<(u32, u32, u8)>;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    bit: u32,
}

impl Reader<'_> {
    fn bit(&mut self) -> i32 {
        let byte = self.bytes[self.at];
        let bit = byte >> (7 - self.bit) & 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            // FF is followed by a stuffed zero.
            self.at += if byte == 0xFF { 2 } else { 1 };
        }
        i32::from(bit)
    }

    fn bits(&mut self, count: u32) -> i32 {
        (0..count).fold(0, |value, _| value << 1 | self.bit())
    }

    fn signed(&mut self, size: u32) -> i32 {
        let value = self.bits(size);
        if size > 0 && value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
    }

    fn symbol(&mut self, codes: &Codes) -> u8 {
        let (mut code, mut length) = (0, 0);
        loop {
            code = code << 1 | self.bit().cast_unsigned();
            length += 1;
            let known = codes.iter().find(|known| (known.0, known.1) == (length, code));
            if let Some(&(_, _, symbol)) = known {
                return symbol;
            }
            assert!(length < 16, "no such code");
        }
    }

    /// Steps behind the marker that follows.
    fn restart(&mut self) {
        if self.bit > 0 {
            self.at += if self.bytes[self.at] == 0xFF { 2 } else { 1 };
            self.bit = 0;
        }
        assert_eq!(self.bytes[self.at], 0xFF, "a restart marker");
        self.at += 2;
    }
}

#[derive(Clone, Copy)]
struct Band {
    first: usize,
    last: usize,
    high: u32,
    low: u32,
    progressive: bool,
}

/// Decodes `bytes` at `side`/8.
pub(super) fn decode(bytes: &[u8], side: usize) -> Vec<Picture> {
    let mut quantisers = [[0_i32; 64]; 4];
    let (mut dc, mut ac): ([Codes; 4], [Codes; 4]) = Default::default();
    let mut components: Vec<Component> = Vec::new();
    let (mut interval, mut progressive, mut grid) = (0, false, (0, 0));
    let mut at = 2;
    loop {
        while bytes[at] != 0xFF || matches!(bytes[at + 1], 0x00 | 0xD0..=0xD7) {
            at += 1;
        }
        let code = bytes[at + 1];
        if code == 0xD9 {
            break;
        }
        let length = usize::from(bytes[at + 2]) << 8 | usize::from(bytes[at + 3]);
        let mut body = &bytes[at + 4..at + 2 + length];
        at += 2 + length;
        match code {
            0xDB => {
                while !body.is_empty() {
                    let slot = &mut quantisers[usize::from(body[0] & 15)];
                    let wide = body[0] >> 4 > 0;
                    for (index, value) in slot.iter_mut().enumerate() {
                        *value = if wide {
                            i32::from(body[1 + index * 2]) << 8 | i32::from(body[2 + index * 2])
                        } else {
                            i32::from(body[1 + index])
                        };
                    }
                    body = &body[if wide { 129 } else { 65 }..];
                }
            }
            0xC4 => {
                while !body.is_empty() {
                    let (mut codes, mut code, mut index) = (Codes::new(), 0, 17);
                    for length in 1..=16_u32 {
                        for _ in 0..body[length as usize] {
                            codes.push((length, code, body[index]));
                            (code, index) = (code + 1, index + 1);
                        }
                        code <<= 1;
                    }
                    let class = if body[0] >> 4 == 0 { &mut dc } else { &mut ac };
                    class[usize::from(body[0] & 15)] = codes;
                    body = &body[index..];
                }
            }
            0xDD => interval = usize::from(body[0]) << 8 | usize::from(body[1]),
            0xC0..=0xC2 => {
                progressive = code == 0xC2;
                (components, grid) = frame(body);
            }
            0xDA => {
                let count = usize::from(body[0]);
                let tail = &body[1 + count * 2..];
                let band = Band {
                    first: usize::from(tail[0]),
                    last: usize::from(tail[1]),
                    high: u32::from(tail[2] >> 4),
                    low: u32::from(tail[2] & 15),
                    progressive,
                };
                let parts: Vec<_> = body[1..1 + count * 2].as_chunks().0.to_vec();
                let codes = (&dc, &ac);
                let mut reader = Reader { bytes, at, bit: 0 };
                scan(&mut reader, &parts, &mut components, codes, band, interval, grid);
                at = reader.at;
            }
            _ => {}
        }
    }
    components.iter().map(|c| picture(c, &quantisers[c.quantiser], side)).collect()
}

fn frame(body: &[u8]) -> (Vec<Component>, (usize, usize)) {
    let height = usize::from(body[1]) << 8 | usize::from(body[2]);
    let width = usize::from(body[3]) << 8 | usize::from(body[4]);
    let planes: Vec<[u8; 3]> = body[6..].as_chunks().0.to_vec();
    let most = |share: &dyn Fn(u8) -> u8| {
        planes.iter().map(|plane| usize::from(share(plane[1]))).max().unwrap()
    };
    let (across, down) = (most(&|shares| shares >> 4), most(&|shares| shares & 15));
    let grid = (width.div_ceil(8 * across), height.div_ceil(8 * down));
    let component = |plane: &[u8; 3]| {
        let (own_across, own_down) = (usize::from(plane[1] >> 4), usize::from(plane[1] & 15));
        let width = (width * own_across).div_ceil(across);
        let height = (height * own_down).div_ceil(down);
        let stride = grid.0 * own_across;
        Component {
            id: plane[0],
            across: own_across,
            down: own_down,
            quantiser: usize::from(plane[2]),
            stride,
            columns: width.div_ceil(8),
            rows: height.div_ceil(8),
            width,
            height,
            blocks: vec![[0; 64]; stride * grid.1 * own_down],
            constant: 0,
        }
    };
    (planes.iter().map(component).collect(), grid)
}

fn scan(
    reader: &mut Reader<'_>,
    parts: &[[u8; 2]],
    components: &mut [Component],
    (dc, ac): (&[Codes; 4], &[Codes; 4]),
    band: Band,
    interval: usize,
    grid: (usize, usize),
) {
    let place = |id| components.iter().position(|component| component.id == id).unwrap();
    let parts: Vec<_> = parts.iter().map(|part| (place(part[0]), part[1])).collect();
    let alone = parts.len() == 1;
    let only = &components[parts[0].0];
    let (columns, rows) = if alone { (only.columns, only.rows) } else { grid };
    let mut ended = 0;
    components.iter_mut().for_each(|component| component.constant = 0);
    for mcu in 0..columns * rows {
        if interval > 0 && mcu > 0 && mcu % interval == 0 {
            reader.restart();
            ended = 0;
            components.iter_mut().for_each(|component| component.constant = 0);
        }
        for &(index, tables) in &parts {
            let component = &mut components[index];
            let codes = (&dc[usize::from(tables >> 4)], &ac[usize::from(tables & 15)]);
            let (across, down) = if alone { (1, 1) } else { (component.across, component.down) };
            for y in 0..down {
                for x in 0..across {
                    let (row, column) = (mcu / columns * down + y, mcu % columns * across + x);
                    let block = &mut component.blocks[row * component.stride + column];
                    read(reader, block, &mut component.constant, &mut ended, codes, band);
                }
            }
        }
    }
    if reader.bit > 0 {
        reader.at += if reader.bytes[reader.at] == 0xFF { 2 } else { 1 };
    }
}

fn read(
    reader: &mut Reader<'_>,
    block: &mut [i32; 64],
    constant: &mut i32,
    ended: &mut i32,
    (dc, ac): (&Codes, &Codes),
    band: Band,
) {
    if band.high > 0 {
        return refine(reader, block, ended, ac, band);
    }
    let mut index = band.first;
    if index == 0 {
        let size = reader.symbol(dc);
        *constant += reader.signed(u32::from(size));
        block[0] = *constant << band.low;
        index = 1;
    }
    if band.progressive && *ended > 0 && band.last > 0 {
        *ended -= 1;
        return;
    }
    while index <= band.last {
        let symbol = reader.symbol(ac);
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size > 0 {
            index += run;
            block[index] = reader.signed(size) << band.low;
            index += 1;
        } else if run == 15 {
            index += 16;
        } else {
            *ended = (1 << run) + reader.bits(u32::from(symbol >> 4)) - 1;
            return;
        }
    }
}

fn refine(reader: &mut Reader<'_>, block: &mut [i32; 64], ended: &mut i32, ac: &Codes, band: Band) {
    let bit = 1 << band.low;
    if band.first == 0 {
        block[0] |= reader.bit() << band.low;
        return;
    }
    let correct = |reader: &mut Reader<'_>, value: &mut i32| {
        if reader.bit() == 1 {
            *value += bit * value.signum();
        }
    };
    let mut index = band.first;
    while *ended == 0 && index <= band.last {
        let symbol = reader.symbol(ac);
        let (mut run, size) = (i32::from(symbol >> 4), symbol & 15);
        let mut value = 0;
        if size > 0 {
            value = if reader.bit() == 1 { bit } else { -bit };
        } else if run < 15 {
            *ended = (1 << run) + reader.bits(u32::from(symbol >> 4));
            break;
        }
        while index <= band.last {
            if block[index] != 0 {
                correct(reader, &mut block[index]);
            } else if run == 0 {
                block[index] = value;
                index += 1;
                break;
            } else {
                run -= 1;
            }
            index += 1;
        }
    }
    if *ended > 0 {
        for value in block[index..=band.last].iter_mut().filter(|value| **value != 0) {
            correct(reader, value);
        }
        *ended -= 1;
    }
}

/// The row and the column of each zigzag index.
fn zigzag() -> Vec<(usize, usize)> {
    let mut all: Vec<_> = (0..64).map(|place| (place / 8, place % 8)).collect();
    // Along diagonals, every other one downwards.
    all.sort_by_key(|&(row, column)| {
        (row + column, if (row + column) % 2 == 0 { column } else { row })
    });
    all
}

/// The definition: a block's `side` x `side` lowest coefficients under a transform of `side` points.
fn picture(component: &Component, quantiser: &[i32; 64], side: usize) -> Picture {
    let places = zigzag();
    let basis = |frequency: usize, at: usize| {
        let share = if frequency == 0 { 1.0 } else { 2.0_f64 };
        let angle = (2 * at + 1) as f64 * frequency as f64 * PI / (2 * side) as f64;
        (share / side as f64).sqrt() * angle.cos()
    };
    let (width, height) =
        ((component.width * side).div_ceil(8), (component.height * side).div_ceil(8));
    let mut samples = vec![0.0; width * height];
    for y in 0..height {
        for x in 0..width {
            let block = &component.blocks[y / side * component.stride + x / side];
            let mut sum = 0.0;
            for (index, &(row, column)) in places.iter().enumerate() {
                if row < side && column < side && block[index] != 0 {
                    let value = f64::from(block[index] * quantiser[index]);
                    sum += value * basis(row, y % side) * basis(column, x % side);
                }
            }
            samples[y * width + x] = (sum * side as f64 / 8.0 + 128.0).clamp(0.0, 255.0);
        }
    }
    Picture { width, height, samples }
}
