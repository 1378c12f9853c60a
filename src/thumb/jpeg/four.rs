//! Blocks of 4 x 4 coefficients that wait until there are four, to become samples together.
//!
//! At half the size a block has four lanes, and vector instructions have eight.

use super::idct::{Block, inverse_of_four, put};
use super::planes::Plane;

/// A plane, and where in it the first sample of a block goes.
type Place = (usize, usize);

/// What waits, and where it will go.
#[derive(Default)]
pub(super) struct Four {
    columns: [[i16; 16]; 4],
    places: [Place; 4],
    count: usize,
}

impl Four {
    /// Takes a block, and puts all four when this is the fourth.
    #[inline(always)]
    pub(super) fn add(&mut self, block: &Block, place: Place, planes: &mut [Plane]) {
        let lane = self.count * 4 % 16;
        for (column, four) in self.columns.iter_mut().zip(block.as_chunks::<4>().0) {
            column[lane..lane + 4].copy_from_slice(four);
        }
        self.places[self.count % 4] = place;
        self.count += 1;
        if self.count == 4 {
            self.put(planes);
        }
    }

    /// Puts what waits into its places.
    pub(super) fn put(&mut self, planes: &mut [Plane]) {
        if self.count == 0 {
            return;
        }
        for (down, row) in inverse_of_four(&self.columns).iter().enumerate() {
            let blocks = row.as_chunks::<4>().0.iter().zip(&self.places);
            for (&samples, &(plane, at)) in blocks.take(self.count) {
                let plane = &mut planes[plane];
                let out = plane.data.get_mut(at + down * plane.stride..).unwrap_or_default();
                put(out, samples);
            }
        }
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::idct::inverse;
    use super::*;

    #[test]
    fn blocks_together_become_the_samples_that_each_becomes_alone() {
        const BLOCKS: usize = 7;
        let mut seed = 1_u32;
        let mut any = |most: i32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i16::try_from((seed >> 8).cast_signed() % most).unwrap()
        };
        // What encoders make, and what only damaged data has.
        for most in [200, 2_000, 32_767] {
            let mut alone = Plane { data: vec![1; BLOCKS * 16], width: 28, height: 4, stride: 28 };
            let mut together = [alone.clone()];
            let mut four = Four::default();
            for n in 0..BLOCKS {
                let block: Block = std::array::from_fn(|_| any(most) - any(most) / 2);
                inverse::<4>(&block, &mut alone.data[n * 4..], alone.stride);
                four.add(&block, (0, n * 4), &mut together);
            }
            four.put(&mut together);
            four.put(&mut together);
            assert_eq!(together, [alone]);
        }
    }
}
