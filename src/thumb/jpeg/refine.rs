//! Refining scans: one more bit of coefficients that are known, and new ones among the rest.
//!
//! Between a code and the next lie bits that correct what is known, one for each coefficient that
//! is not zero. With a bit for every place of a block these are counted, and found, without
//! looking at the coefficients. Only those that the scale keeps are read.
//!
//! Source: ITU-T T.81, section G.1.2.3.

use super::ac::{AcCodes, Refinement};
use super::bits::Bits;
use super::huffman::BadCode;
use super::progressive::{Coefficients, narrowed, stored};
use super::scan::Coder;
use super::script::Scan;

/// One more bit of a band of a plane's coefficients.
pub(super) struct AcRefine<'a, const N: usize> {
    codes: AcCodes,
    coefficients: &'a mut Coefficients,
    first: usize,
    last: usize,
    low: u32,
    /// Blocks to come in which nothing is new.
    ended: u32,
}

impl<'a, const N: usize> AcRefine<'a, N> {
    pub(super) const fn new(
        scan: &Scan,
        codes: AcCodes,
        coefficients: &'a mut Coefficients,
    ) -> Self {
        let (first, last, low) = (scan.first, scan.last, scan.low);
        Self { codes, coefficients, first, last, low, ended: 0 }
    }
}

impl<const N: usize> Coder for AcRefine<'_, N> {
    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Result<(), BadCode> {
        let block = row * self.coefficients.stride + column;
        let Some(places) = self.coefficients.places.get_mut(block) else { return Ok(()) };
        let stored = const { stored(N) };
        let values = self.coefficients.values.get_mut(block * stored..).unwrap_or_default();
        let mut known = *places;
        let mut index = self.first;
        while self.ended == 0 && index <= self.last {
            let refinement = self.codes.refinement(bits)?;
            let (run, value) = match refinement {
                Refinement::Value(run, is_positive) => (run, if is_positive { 1 } else { -1 }),
                // The last of 16 zeros is stepped on like a new coefficient.
                Refinement::Zeros => (15, 0),
                Refinement::End(ended) => {
                    self.ended = ended;
                    break;
                }
            };
            let mut zeros = !known & between(index, self.last);
            for _ in 0..run {
                zeros &= zeros.wrapping_sub(1);
            }
            if zeros == 0 {
                return Err(BadCode);
            }
            let place = zeros.trailing_zeros() as usize;
            if place > index {
                correct::<N>(bits, values, known & between(index, place - 1), self.low);
            }
            if value != 0 {
                known |= 1 << place;
                if place < stored
                    && let Some(stored) = values.get_mut(place)
                {
                    *stored = narrowed(value << self.low);
                }
            }
            index = place + 1;
        }
        if self.ended > 0 {
            self.ended -= 1;
            if index <= self.last {
                correct::<N>(bits, values, known & between(index, self.last), self.low);
            }
        }
        *places = known;
        Ok(())
    }

    fn restart(&mut self) {
        self.ended = 0;
    }

    fn lose(&mut self, _row: usize, _column: usize) {}
}

/// The bits from `first` to `last`, which is not less and below 64.
#[inline(always)]
const fn between(first: usize, last: usize) -> u64 {
    (u64::MAX >> (63 - (last & 63))) & (u64::MAX << (first & 63))
}

/// Takes a bit for each of the `known` coefficients and corrects those that are stored.
#[inline(always)]
fn correct<const N: usize>(bits: &mut Bits<'_>, values: &mut [i16], known: u64, low: u32) {
    if known == 0 {
        return;
    }
    let stored = const { stored(N) };
    let mut near = known & between(0, stored - 1);
    let mut far = (known & !between(0, stored - 1)).count_ones();
    bits.refill();
    let mut room = 56;
    while near > 0 {
        if room == 0 {
            bits.refill();
            room = 56;
        }
        room -= 1;
        let place = near.trailing_zeros() as usize;
        near &= near - 1;
        let bit = narrowed(bits.take_bit() << low);
        if let Some(value) = values.get_mut(place) {
            *value = if *value < 0 { value.wrapping_sub(bit) } else { value.wrapping_add(bit) };
        }
    }
    if far > 0 {
        bits.refill();
        if far > 48 {
            bits.skip(48);
            bits.refill();
            far -= 48;
        }
        bits.skip(far);
    }
}
