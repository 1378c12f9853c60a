//! Huffman codes as tables that answer a whole question in one look.
//!
//! - The *value* table, on the next 11 bits: run, value and length of a code and its extra bits
//!   where both fit, otherwise the symbol, otherwise that the code is longer.
//! - The *skip* table, on the next 12 bits: how many bits and coefficients the next symbols take
//!   together, extra bits included, which need be counted and not seen. It serves the coefficients
//!   that the scale drops, stays in the first-level cache (8 KiB) and takes two or three symbols at
//!   a look. A table of 14 bits took longer, because it does not stay there.
//!
//! Source: ITU-T T.81, annex C (the codes) and sections F.1.2.1, F.1.2.2 and G.1.2.2 (the symbols).

use super::bits::{Bits, extend};
use super::error::JpegError;

const VALUE_BITS: u32 = 11;
pub(super) const SKIP_BITS: u32 = 12;

/// A DHT segment's table: how many codes of 1 to 16 bits, and their symbols in order.
#[derive(Clone)]
pub(super) struct Codes {
    pub(super) counts: [u8; 16],
    pub(super) symbols: Vec<u8>,
}

/// An entry of the value table. From the lowest bit: 6 bits of length, [`WHOLE`], a bit unused, 8
/// bits of symbol, 16 bits of value if whole. Length 0: the code is longer.
#[derive(Clone, Copy)]
pub(super) struct Entry(u32);

/// The entry's value and length are those of a code and its extra bits.
const WHOLE: u32 = 1 << 6;

impl Entry {
    #[inline(always)]
    pub(super) const fn length(self) -> u32 {
        self.0 & 63
    }

    #[inline(always)]
    pub(super) const fn is_whole(self) -> bool {
        self.0 & WHOLE != 0
    }

    #[inline(always)]
    pub(super) const fn run(self) -> usize {
        (self.0 >> 12 & 15) as usize
    }

    #[inline(always)]
    const fn symbol(self) -> u8 {
        self.0.to_le_bytes()[1]
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "the sign is wanted")]
    pub(super) const fn value(self) -> i32 {
        self.0 as i32 >> 16
    }
}

/// The tables of a code.
pub(super) struct Table {
    values: Box<[Entry; 1 << VALUE_BITS]>,
    /// For lengths from 1 to 16: the first 16 bits of no code that is as short.
    ends: [u32; 17],
    /// For the same: what to add to a code to find its symbol.
    bases: [i32; 17],
    symbols: [u8; 256],
}

/// A symbol that no code stands for: the data is damaged.
pub(super) struct BadCode;

impl Table {
    /// The table for DC differences (`is_dc`), whose symbols are sizes, or for AC coefficients.
    pub(super) fn new(codes: &Codes, is_dc: bool) -> Result<Self, JpegError> {
        let mut table = Self {
            values: Box::new([Entry(0); 1 << VALUE_BITS]),
            ends: [0; 17],
            bases: [0; 17],
            symbols: [0; 256],
        };
        let damaged = JpegError::Damaged("Huffman table");
        let total: usize = codes.counts.iter().map(|&count| usize::from(count)).sum();
        if total > 256 || total > codes.symbols.len() {
            return Err(damaged);
        }
        table.symbols[..total].copy_from_slice(&codes.symbols[..total]);

        let (mut code, mut first) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(&codes.counts) {
            let at = length as usize;
            table.bases[at] = i32::try_from(first).unwrap_or(0) - i32::try_from(code).unwrap_or(0);
            for index in first..first + usize::from(count) {
                if length <= VALUE_BITS {
                    table.enter(code, length, table.symbols[index], is_dc);
                }
                code += 1;
            }
            if code > 1 << length {
                return Err(damaged);
            }
            table.ends[at] = code << (16 - length);
            first += usize::from(count);
            code <<= 1;
        }
        Ok(table)
    }

    /// Fills the entries of all 11 bits that begin with `code`.
    fn enter(&mut self, code: u32, length: u32, symbol: u8, is_dc: bool) {
        let spare = VALUE_BITS - length;
        let size = u32::from(if is_dc { symbol } else { symbol & 15 });
        let first = (code << spare) as usize;
        let Some(entries) = self.values.get_mut(first..first + (1 << spare)) else { return };
        for (extra, entry) in (0_u32..).zip(entries) {
            *entry = Entry(if size <= spare && (size > 0 || is_dc) {
                let value = extend(extra >> (spare - size), size).cast_unsigned();
                value << 16 | u32::from(symbol) << 8 | WHOLE | (length + size)
            } else {
                u32::from(symbol) << 8 | length
            });
        }
    }

    #[inline(always)]
    pub(super) fn look(&self, bits: &Bits<'_>) -> Entry {
        self.values[bits.peek(VALUE_BITS) & ((1 << VALUE_BITS) - 1)]
    }

    /// The symbol behind `entry`, which is not whole, and its length. Takes nothing.
    #[inline(always)]
    pub(super) fn symbol(&self, entry: Entry, bits: &Bits<'_>) -> Result<(u8, u32), BadCode> {
        if entry.length() > 0 {
            Ok((entry.symbol(), entry.length()))
        } else {
            self.long(bits.peek(16))
        }
    }

    /// The AC symbol at the head of 16 bits, and the length of its code.
    fn first(&self, bits: u32) -> Option<(u8, u32)> {
        let entry = self.values[(bits >> (16 - VALUE_BITS)) as usize & ((1 << VALUE_BITS) - 1)];
        let symbol = entry.symbol();
        match entry.length() {
            0 => self.long(bits as usize).ok(),
            both if entry.is_whole() => Some((symbol, both - u32::from(symbol & 15))),
            length => Some((symbol, length)),
        }
    }

    /// The symbol at the head of 16 bits, and its length.
    #[cold]
    #[inline(never)]
    fn long(&self, bits: usize) -> Result<(u8, u32), BadCode> {
        let bits = u32::try_from(bits).unwrap_or(u32::MAX);
        for length in 1..=16_u32 {
            if bits < self.ends[length as usize] {
                let code = i32::try_from(bits >> (16 - length)).unwrap_or(0);
                let index = usize::try_from(code + self.bases[length as usize]).unwrap_or(0);
                return Ok((self.symbols[index & 255], length));
            }
        }
        Err(BadCode)
    }

    /// The symbol behind any entry, and the length of its code. Takes nothing.
    #[inline(always)]
    pub(super) fn code(&self, entry: Entry, bits: &Bits<'_>) -> Result<(u8, u32), BadCode> {
        if entry.is_whole() {
            let symbol = entry.symbol();
            return Ok((symbol, entry.length() - u32::from(symbol & 15)));
        }
        self.symbol(entry, bits)
    }

    /// Takes a DC difference.
    #[inline(always)]
    pub(super) fn difference(&self, bits: &mut Bits<'_>) -> Result<i32, BadCode> {
        let entry = self.look(bits);
        if entry.is_whole() {
            bits.skip(entry.length());
            return Ok(entry.value());
        }
        let (size, length) = self.symbol(entry, bits)?;
        bits.skip(length);
        // 11 is the most in 8-bit pictures; 16 bits would not fit the arithmetic that follows.
        if size > 15 {
            return Err(BadCode);
        }
        Ok(bits.take_signed(u32::from(size)))
    }
}

/// An entry of the skip table. From the lowest bit: 6 bits for how many bits are taken, then for how
/// many coefficients. [`Skip::END`] more stands for the end of the block, [`Skip::SLOW`] and
/// no bits for symbols that must be seen one at a time.
#[derive(Clone, Copy)]
pub(super) struct Skip(u16);

impl Skip {
    pub(super) const SLOW: usize = 64;
    pub(super) const END: usize = 128;

    #[inline(always)]
    pub(super) const fn length(self) -> u32 {
        (self.0 & 63) as u32
    }

    #[inline(always)]
    pub(super) const fn advance(self) -> usize {
        (self.0 >> 6) as usize
    }
}

/// The skip table of a code.
pub(super) struct SkipTable(Box<[Skip; 1 << SKIP_BITS]>);

impl SkipTable {
    pub(super) fn new(table: &Table) -> Self {
        let mut skips = Box::new([Skip(0); 1 << SKIP_BITS]);
        for (bits, skip) in (0_u32..).zip(skips.iter_mut()) {
            *skip = Self::entry(table, bits << (16 - SKIP_BITS));
        }
        Self(skips)
    }

    #[inline(always)]
    pub(super) fn look(&self, bits: &Bits<'_>) -> Skip {
        self.0[bits.peek(SKIP_BITS) & ((1 << SKIP_BITS) - 1)]
    }

    /// What the symbols take whose codes lie whole within the first 12 of 16 bits.
    fn entry(table: &Table, bits: u32) -> Skip {
        let (mut taken, mut coefficients) = (0, 0);
        while taken < SKIP_BITS {
            let Some((symbol, length)) = table.first(bits << taken & 0xFFFF) else { break };
            if taken + length > SKIP_BITS {
                break;
            }
            let (run, size) = (u16::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && run < 15 {
                // Runs of ended blocks, which progressive scans have, are not seen to here.
                if run == 0 {
                    return Self::pack(taken + length, coefficients + Skip::END);
                }
                break;
            }
            if coefficients + usize::from(run) + 1 > 63 {
                break;
            }
            taken += length + size;
            coefficients += usize::from(run) + 1;
        }
        if taken == 0 { Self::pack(0, Skip::SLOW) } else { Self::pack(taken, coefficients) }
    }

    fn pack(length: u32, advance: usize) -> Skip {
        Skip(u16::try_from(length as usize | advance << 6).unwrap_or(u16::MAX))
    }
}
