//! Huffman tables made for a picture, and the bits that they give.
//!
//! Symbols are counted first; frequent ones get short codes of at most 16 bits. Tables made for the
//! picture save 4 to 7 % against those of the standard's annex K.
//!
//! Source: ITU-T T.81, annexes C, F.1.2.3 and K.2.

use std::array::from_fn;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How often each symbol occurs.
pub(super) type Counts = [u32; 256];

/// A table in both forms: as the file lists it, and as the coder looks it up.
pub(super) struct Table {
    /// How many codes there are of 1 to 16 bits.
    pub(super) lengths: [u8; 16],
    /// The symbols, those with short codes first.
    pub(super) symbols: Vec<u8>,
    /// For each symbol its code, and the number of its bits above bit 16.
    codes: [u32; 256],
}

impl Table {
    pub(super) fn for_counts(counts: &Counts) -> Self {
        let sizes = code_sizes(counts);
        let lengths = limited(&sizes);
        // In the order of their sizes before the limit; equal ones in the order of their values.
        let mut symbols: Vec<u8> = (0..=255).filter(|&n| sizes[usize::from(n)] > 0).collect();
        symbols.sort_by_key(|&n| sizes[usize::from(n)]);

        let (mut codes, mut code, mut next) = ([0; 256], 0_u32, symbols.iter());
        for (length, &count) in (1..).zip(&lengths) {
            for symbol in next.by_ref().take(count.into()) {
                codes[usize::from(*symbol)] = length << 16 | code;
                code += 1;
            }
            code <<= 1;
        }
        Self { lengths, symbols, codes }
    }

    /// A symbol's code, and how many bits it has.
    pub(super) fn code(&self, symbol: u8) -> (u32, u32) {
        let both = self.codes[usize::from(symbol)];
        (both & 0xFFFF, both >> 16)
    }
}

/// The bits of each symbol's code in a tree without limits; 0 for symbols that do not occur.
fn code_sizes(counts: &Counts) -> [u8; 257] {
    // Symbol 256 takes the code of ones only, which the standard keeps free.
    let used = (0_u16..).zip(counts.iter().copied().chain([1])).filter(|(_, count)| *count > 0);
    // Each tree: how often it occurs, its greatest symbol, and its number. The rarest comes first; of
    // equals, the one with the greatest symbol, as symbol 256 is.
    let mut trees: BinaryHeap<_> = used.map(|(n, count)| (Reverse(count), n, n)).collect();
    // What each tree was joined into; those of one symbol are numbered by it.
    let mut parents = [0_u16; 2 * 257];
    let mut joined = 257;
    while let (Some((Reverse(one), greatest, left)), Some((Reverse(other), greater, right))) =
        (trees.pop(), trees.pop())
    {
        parents[usize::from(left)] = joined;
        parents[usize::from(right)] = joined;
        trees.push((Reverse(one.saturating_add(other)), greatest.max(greater), joined));
        joined += 1;
    }
    // From the last tree, which holds all, down to the symbols.
    let mut sizes = [0_u8; 2 * 257];
    for tree in (0..usize::from(joined) - 1).rev() {
        if parents[tree] > 0 {
            sizes[tree] = sizes[usize::from(parents[tree])] + 1;
        }
    }
    from_fn(|symbol| sizes[symbol])
}

/// How many codes of each length there are once none is longer than 16 bits, without that of
/// symbol 256.
///
/// Source: ITU-T T.81, figure K.3.
fn limited(sizes: &[u8; 257]) -> [u8; 16] {
    let mut lengths = [0_u8; 257];
    for &size in sizes.iter().filter(|size| **size > 0) {
        lengths[usize::from(size)] += 1;
    }
    for long in (17..lengths.len()).rev() {
        while lengths[long] > 0 {
            // A pair of codes gives its prefix to one of the two; the other moves below a shorter one.
            let shorter = (1..long - 1).rev().find(|&n| lengths[n] > 0).unwrap_or(1);
            lengths[long] -= 2;
            lengths[long - 1] += 1;
            lengths[shorter + 1] += 2;
            lengths[shorter] -= 1;
        }
    }
    if let Some(longest) = (1..=16).rev().find(|&n| lengths[n] > 0) {
        lengths[longest] -= 1;
    }
    from_fn(|n| lengths[n + 1])
}

/// Bits on their way into a file, the first ones highest.
pub(super) struct BitWriter<'f> {
    file: &'f mut Vec<u8>,
    bits: u64,
    count: u32,
}

impl<'f> BitWriter<'f> {
    pub(super) fn new(file: &'f mut Vec<u8>) -> Self {
        Self { file, bits: 0, count: 0 }
    }

    /// Adds the lowest `count` bits of `bits`, at most 32 of them; the others must be 0.
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.bits = self.bits << count | u64::from(bits);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            let bytes = u32::try_from(self.bits >> self.count & 0xFFFF_FFFF).unwrap_or(u32::MAX);
            let zeros = !bytes;
            // No byte of `zeros` is 0, so none of the four is FF and wants a zero behind it.
            if zeros.wrapping_sub(0x0101_0101) & bytes & 0x8080_8080 == 0 {
                self.file.extend_from_slice(&bytes.to_be_bytes());
            } else {
                bytes.to_be_bytes().into_iter().for_each(|byte| self.byte(byte));
            }
        }
    }

    /// Fills the last byte with ones.
    pub(super) fn finish(mut self) {
        let padding = (8 - self.count % 8) % 8;
        self.bits = self.bits << padding | ((1 << padding) - 1);
        self.count += padding;
        while self.count > 0 {
            self.count -= 8;
            self.byte((self.bits >> self.count).to_le_bytes()[0]);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.file.push(byte);
        if byte == 0xFF {
            self.file.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(counts: &Counts, table: &Table) -> u64 {
        let bits = |n: usize| u64::from(table.code(u8::try_from(n).unwrap()).1);
        (0..256).map(|n| u64::from(counts[n]) * bits(n)).sum()
    }

    #[test]
    fn every_symbol_that_occurs_has_a_code_and_no_code_begins_another() {
        let mut counts = [0; 256];
        // As lopsided as can be: without the limit, the longest code would have 40 bits.
        let (mut a, mut b) = (1_u32, 1);
        for count in counts.iter_mut().take(40) {
            *count = a;
            (a, b) = (b, a + b);
        }
        let table = Table::for_counts(&counts);
        let codes: Vec<(u32, u32)> = table.symbols.iter().map(|&n| table.code(n)).collect();
        assert_eq!(codes.len(), 40);
        let space: u64 = codes.iter().map(|(_, length)| 1_u64 << (16 - length)).sum();
        assert!(space < 1 << 16, "the code of ones only is free");
        for (n, (code, length)) in codes.iter().enumerate() {
            assert!((1..=16).contains(length));
            for (other, longer) in &codes[n + 1..] {
                assert_ne!(other >> (longer - length), *code);
            }
        }
    }

    #[test]
    fn frequent_symbols_have_short_codes() {
        let mut counts = [0; 256];
        (counts[7], counts[200], counts[3], counts[4]) = (80, 10, 6, 4);
        let table = Table::for_counts(&counts);
        assert_eq!(table.symbols, [7, 200, 3, 4]);
        // The entropy is 103 bits; 114 are the least that whole bits allow with one code kept free.
        assert_eq!(cost(&counts, &table), 80 + 2 * 10 + 3 * 6 + 4 * 4);
    }

    #[test]
    fn bytes_of_ones_are_followed_by_zero() {
        let mut file = Vec::new();
        let mut bits = BitWriter::new(&mut file);
        for (value, count) in [(0x00FF_1234, 32), (0x7F80, 15), (0x1F, 5), (1, 1)] {
            bits.put(value, count);
        }
        bits.finish();
        assert_eq!(file, [0, 0xFF, 0, 0x12, 0x34, 0xFF, 0, 0x01, 0xFF, 0]);
    }
}
