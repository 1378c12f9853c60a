//! From 8 x 8 samples to quantised coefficients.
//!
//! The cosine transform of Arai, Agui and Nakajima in 32-bit floats, eight lanes at a time: five
//! multiplications a lane, its remaining factors folded into the quantiser. Floats are added and
//! multiplied in the order written, which Rust never changes, so every machine computes the same
//! (**T6**).
//!
//! Source: Pennebaker and Mitchell, "JPEG: Still Image Data Compression Standard", 1993, section
//! 4.3.5; ITU-T T.81, section A.3 and annex K.1.

use std::array;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Where each coefficient of the zigzag order stands in rows of eight.
///
/// Source: ITU-T T.81, figure A.6.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The quantisers of annex K, in rows.
const LUMA: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// What the transform leaves to be divided out, for each row and column.
const SCALES: [f32; 8] =
    [1.0, 1.387_039_8, 1.306_563, 1.175_875_6, 1.0, 0.785_694_96, 0.541_196_1, 0.275_899_38];

/// Added to a float below 2^22, it leaves the nearest integer in the lowest bits.
const ROUNDING: f32 = 12_582_912.0;

/// Quantised coefficients.
pub(super) struct Coefficients {
    /// Bit k is set where the coefficient at k in the zigzag order is not 0.
    pub(super) present: u64,
    columns: [[i16; 8]; 8],
}

impl Coefficients {
    /// The coefficient at `k` in the zigzag order.
    #[inline(always)]
    pub(super) fn at(&self, k: u32) -> i16 {
        let place = ZIGZAG[k as usize & 63];
        self.columns[usize::from(place & 7)][usize::from(place >> 3 & 7)]
    }
}

/// One quantiser, ready to be used and to be written.
pub(super) struct Quantiser {
    /// In zigzag order, as the file wants it.
    pub(super) steps: [u8; 64],
    /// What to multiply by, columns of eight as the transform leaves them.
    factors: [[f32; 8]; 8],
}

impl Quantiser {
    /// For brightness or colour, at a quality from 1 to 100 on libjpeg's scale.
    pub(super) fn new(is_luma: bool, quality: u8) -> Self {
        let quality = u32::from(quality.clamp(1, 100));
        let percent = if quality < 50 { 5_000 / quality } else { 200 - quality * 2 };
        let base = if is_luma { &LUMA } else { &CHROMA };
        let scaled = base.map(|step| {
            let step = (u32::from(step) * percent + 50) / 100;
            u8::try_from(step.clamp(1, 255)).unwrap_or(u8::MAX)
        });
        let factors = array::from_fn(|column| {
            array::from_fn(|row| {
                let step = f32::from(scaled[row * 8 + column]);
                1.0 / (step * SCALES[row] * SCALES[column] * 8.0)
            })
        });
        Self { steps: ZIGZAG.map(|at| scaled[usize::from(at)]), factors }
    }

    /// Transforms and quantises the block whose first sample is `strip[at]`, in rows `stride` apart.
    pub(super) fn block(&self, strip: &[u8], at: usize, stride: usize) -> Coefficients {
        let mut samples = [[128; 8]; 8];
        for (row, eight) in samples.iter_mut().enumerate() {
            *eight = *strip[at + row * stride..].first_chunk().unwrap_or(&[128; 8]);
        }
        let rows = centred(&samples);
        let transformed = pass(&transposed(&pass(&rows)));

        let columns = quantised(&transformed, &self.factors);
        let both = others(&columns).into_iter().zip(&PRESENT);
        let present = both.map(|(ones, places)| places[mask(ones)]).fold(0, |all, some| all | some);
        Coefficients { present, columns }
    }
}

/// Samples as distances from the middle. Not inlined, for the reason given at [`pass`].
#[inline(never)]
fn centred(samples: &[[u8; 8]; 8]) -> [[f32; 8]; 8] {
    let mut rows = [[0.0; 8]; 8];
    let both = rows.as_flattened_mut().iter_mut().zip(samples.as_flattened());
    for (distance, &sample) in both {
        *distance = f32::from(sample) - 128.0;
    }
    rows
}

/// The nearest integers to products of two. Not inlined, for the reason given at [`pass`].
#[inline(never)]
fn quantised(values: &[[f32; 8]; 8], factors: &[[f32; 8]; 8]) -> [[i16; 8]; 8] {
    let mut found = [[0; 8]; 8];
    let both = values.as_flattened().iter().zip(factors.as_flattened());
    for (found, (value, factor)) in found.as_flattened_mut().iter_mut().zip(both) {
        let rounded = (value * factor + ROUNDING).to_bits();
        let whole = rounded.wrapping_sub(ROUNDING.to_bits()).cast_signed();
        *found = i16::try_from(whole.clamp(i16::MIN.into(), i16::MAX.into())).unwrap_or(0);
    }
    found
}

/// 1 for each value that is not 0. Not inlined, for the reason given at [`pass`].
#[inline(never)]
fn others(values: &[[i16; 8]; 8]) -> [[u8; 8]; 8] {
    let mut ones = [[0; 8]; 8];
    for (one, &value) in ones.as_flattened_mut().iter_mut().zip(values.as_flattened()) {
        *one = u8::from(value != 0);
    }
    ones
}

/// Eight ones and zeros as bits, the first the lowest.
#[inline(always)]
fn mask(ones: [u8; 8]) -> usize {
    // The factor moves the lowest bit of byte k to bit 56 + k.
    (u64::from_le_bytes(ones).wrapping_mul(0x0102_0408_1020_4080) >> 56) as usize & 255
}

/// For each column, and for each set of its coefficients, where these are in the zigzag order.
static PRESENT: [[u64; 256]; 8] = {
    let mut table = [[0; 256]; 8];
    let mut k = 0;
    while k < 64 {
        let (row, column) = (ZIGZAG[k] / 8, ZIGZAG[k] % 8);
        let mut set = 0;
        while set < 256 {
            table[column as usize][set] |= (set as u64 >> row & 1) << k;
            set += 1;
        }
        k += 1;
    }
    table
};

/// Transforms what stands at the same place of all rows, for each place.
///
/// Not inlined, because then the compiler finds that eight places are transformed alike.
#[inline(never)]
fn pass(input: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let mut output = [[0.0; 8]; 8];
    for lane in 0..8 {
        let results = transform(array::from_fn(|row| input[row][lane]));
        for (row, result) in results.into_iter().enumerate() {
            output[row][lane] = result;
        }
    }
    output
}

/// The transform of eight samples.
#[inline(always)]
fn transform(rows: [f32; 8]) -> [f32; 8] {
    /// The cosine of three sixteenths of a turn, and what belongs to it in the figure.
    const C6: f32 = 0.382_683_43;
    const C2_LESS_C6: f32 = 0.541_196_1;
    const C2_AND_C6: f32 = SQRT_2 * 0.923_879_5;

    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let (s0, s1, s2, s3) = (r0 + r7, r1 + r6, r2 + r5, r3 + r4);
    let (d0, d1, d2, d3) = (r0 - r7, r1 - r6, r2 - r5, r3 - r4);

    let (even0, even1) = (s0 + s3, s1 + s2);
    let (even3, even2) = (s0 - s3, s1 - s2);
    let turned = (even2 + even3) * FRAC_1_SQRT_2;

    let (odd0, odd1, odd2) = (d3 + d2, d2 + d1, d1 + d0);
    let z5 = (odd0 - odd2) * C6;
    let z2 = odd0 * C2_LESS_C6 + z5;
    let z4 = odd2 * C2_AND_C6 + z5;
    let z3 = odd1 * FRAC_1_SQRT_2;
    let (z11, z13) = (d0 + z3, d0 - z3);

    [
        even0 + even1,
        z11 + z4,
        even3 + turned,
        z13 - z2,
        even0 - even1,
        z13 + z2,
        even3 - turned,
        z11 - z4,
    ]
}

#[inline(always)]
fn transposed(rows: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    array::from_fn(|column| array::from_fn(|row| rows[row][column]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in 64-bit floats, in zigzag order.
    fn plain(block: &[u8; 64], steps: &[u8; 64]) -> [f64; 64] {
        let half = |n: usize| if n == 0 { 0.5_f64.sqrt() } else { 1.0 };
        let wave = |x: usize, u: usize| {
            ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()
        };
        array::from_fn(|n| {
            let (v, u) = (usize::from(ZIGZAG[n] / 8), usize::from(ZIGZAG[n] % 8));
            let sum: f64 = (0..64)
                .map(|at| (f64::from(block[at]) - 128.0) * wave(at % 8, u) * wave(at / 8, v))
                .sum();
            sum / 4.0 * half(u) * half(v) / f64::from(steps[n])
        })
    }

    #[test]
    fn coefficients_are_the_nearest_to_the_definition() {
        let mut seed = 1_u32;
        for quality in [1, 30, 80, 100] {
            let quantiser = Quantiser::new(true, quality);
            for _ in 0..50 {
                let block: [u8; 64] = array::from_fn(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    seed.to_be_bytes()[0]
                });
                let found = quantiser.block(&block, 0, 8);
                for (n, exact) in (0..).zip(plain(&block, &quantiser.steps)) {
                    let off = (f64::from(found.at(n)) - exact).abs();
                    assert!(off < 0.501, "coefficient {n} is {off} off at {quality}");
                    assert_eq!(found.present >> n & 1 == 1, found.at(n) != 0);
                }
            }
        }
    }
}
