//! A running reduction: rows come in one by one, and a picture of a fraction of the size comes out.
//!
//! Blocks of k x k pixels become their mean. What is kept is one row of sums and the small picture, so
//! a PNG of any size costs as much memory as its thumbnail. Whole blocks leave enough detail for the
//! filter that makes the final size, because k is chosen for that.

use super::super::raster::{Model, Plane, Raster};

/// The largest block's side: 257 bytes of 255 still fit into a sum of 16 bits.
pub(super) const MAX_FACTOR: u32 = 256;

/// Sums the rows that have come in.
pub(super) struct Reducer {
    model: Model,
    full: (u32, u32),
    factor: u32,
    /// The sums of the columns of the blocks that are being filled.
    sums: Vec<u16>,
    /// How many rows are in them.
    rows: u32,
    small: Vec<u8>,
    done: u32,
}

impl Reducer {
    pub(super) fn new(model: Model, full: (u32, u32), factor: u32) -> Self {
        let factor = factor.clamp(1, MAX_FACTOR);
        let row = full.0 as usize * model.samples();
        let small = full.0.div_ceil(factor) as usize * full.1.div_ceil(factor) as usize;
        let sums = if factor > 1 { vec![0; row] } else { Vec::new() };
        let small = Vec::with_capacity(small * model.samples());
        Self { model, full, factor, sums, rows: 0, small, done: 0 }
    }

    /// The bytes that a reduction takes.
    pub(super) fn bytes(samples: usize, full: (u32, u32), factor: u32) -> u64 {
        let small = u64::from(full.0.div_ceil(factor)) * u64::from(full.1.div_ceil(factor));
        (small + u64::from(full.0) * 2) * samples as u64
    }

    /// Takes in the next row.
    pub(super) fn push(&mut self, row: &[u8]) {
        self.done += 1;
        if self.factor == 1 {
            self.small.extend_from_slice(row);
            return;
        }
        for (sum, &sample) in self.sums.iter_mut().zip(row) {
            *sum += u16::from(sample);
        }
        self.rows += 1;
        if self.rows == self.factor {
            self.flush();
        }
    }

    /// Rows taken in so far.
    pub(super) fn rows_taken(&self) -> u32 {
        self.done
    }

    /// The small picture. Rows that never came show `filler`, a pixel.
    pub(super) fn finish(mut self, filler: &[u8]) -> Raster {
        if self.rows > 0 {
            self.flush();
        }
        let (width, height) =
            (self.full.0.div_ceil(self.factor), self.full.1.div_ceil(self.factor));
        let wanted = width as usize * height as usize * self.model.samples();
        let missing = wanted.saturating_sub(self.small.len());
        self.small.extend(filler.iter().copied().cycle().take(missing));
        let pitch = f64::from(self.factor);
        let plane = Plane::packed(width, height, self.small).reduced_by(pitch, pitch);
        Raster { width, height, model: self.model, planes: vec![plane] }
    }

    fn flush(&mut self) {
        let samples = self.model.samples();
        let block = self.factor as usize * samples;
        for columns in self.sums.chunks(block) {
            let count = u32::try_from(columns.len() / samples).unwrap_or(1) * self.rows;
            let mut totals = [0_u32; 4];
            for pixel in columns.chunks_exact(samples) {
                for (total, &sum) in totals.iter_mut().zip(pixel) {
                    *total += u32::from(sum);
                }
            }
            let mean = |total: u32| u8::try_from((total + count / 2) / count).unwrap_or(u8::MAX);
            self.small.extend(totals.iter().take(samples).map(|&total| mean(total)));
        }
        self.sums.fill(0);
        self.rows = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_their_means_and_so_do_those_at_the_edges() {
        let mut reducer = Reducer::new(Model::Gray, (5, 3), 2);
        for row in [[0, 4, 10, 10, 7], [8, 4, 10, 11, 8], [1, 2, 3, 4, 250]] {
            reducer.push(&row);
        }
        let small = reducer.finish(&[0]);
        assert_eq!((small.width, small.height), (3, 2));
        assert_eq!(small.samples(), [4, 10, 8, 2, 4, 250]);
    }

    #[test]
    fn rows_that_never_came_show_the_filler() {
        let mut reducer = Reducer::new(Model::Rgb, (2, 4), 2);
        reducer.push(&[10, 20, 30, 10, 20, 30]);
        assert_eq!(reducer.rows_taken(), 1);
        assert_eq!(reducer.finish(&[1, 2, 3]).samples(), [10, 20, 30, 1, 2, 3]);
    }
}
