//! From coefficients to samples, N x N of them from each block.
//!
//! A picture at N/8 of its size keeps the N x N lowest coefficients of a block and transforms them
//! back with a cosine transform of N points: the ideal low pass of the block, where libjpeg's
//! reduced transforms approximate one of 8 points. All are scaled so that a block of one
//! brightness keeps it: the constant coefficient counts an eighth whatever N is.
//!
//! Whole numbers only, so every processor gives the same bytes. Coefficients that no encoder makes
//! may overflow, and wrap.
//!
//! Source: the definition (ITU-T T.81, section A.3.3), written out for each N.

use std::array::from_fn;
use std::num::Wrapping;

use super::super::diagonal::mirrored_numbers;

/// The coefficients of a block in columns of N, and behind them room for those that are dropped.
pub(super) type Block = [i16; 128];

/// The last coefficient in zigzag order that is used.
pub(super) const fn last_index(side: usize) -> usize {
    match side {
        1 => 0,
        2 => 4,
        3 => 12,
        4 => 24,
        _ => 63,
    }
}

/// Where in a [`Block`] the coefficients go, by zigzag index. Dropped ones go to the end, and so do
/// indices from 64 on, which damaged data has.
pub(super) const fn places(side: usize) -> [u8; 128] {
    let mut places = [127; 128];
    let (mut row, mut column) = (0_u8, 0_u8);
    let mut index = 0;
    while index < 64 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 8")]
        let side = side as u8;
        if row < side && column < side {
            places[index] = column * side + row;
        }
        // Up and to the right on even diagonals, down and to the left on odd ones.
        if (row + column).is_multiple_of(2) {
            if column == 7 {
                row += 1;
            } else if row == 0 {
                column += 1;
            } else {
                (row, column) = (row - 1, column + 1);
            }
        } else if row == 7 {
            column += 1;
        } else if column == 0 {
            row += 1;
        } else {
            (row, column) = (row + 1, column - 1);
        }
        index += 1;
    }
    places
}

/// Writes the samples of `block` to the upper left corner of `out`, whose rows are `stride` apart.
#[inline(always)]
pub(super) fn inverse<const N: usize>(block: &Block, out: &mut [u8], stride: usize) {
    match N {
        1 => put(out, [sample(i32::from(block[0]))]),
        2 => {
            let [a, c, b, d] = from_fn(|index| i32::from(block[index]));
            let (left, right) = ((a + b, a - b), (c + d, c - d));
            put(out, [sample(left.0 + right.0), sample(left.1 + right.1)]);
            put(&mut out[stride..], [sample(left.0 - right.0), sample(left.1 - right.1)]);
        }
        3 => both_ways::<3>(block, out, stride, three, transpose),
        4 => both_ways::<4>(block, out, stride, four, transpose),
        _ => both_ways::<8>(block, out, stride, eight, transpose_eight),
    }
}

/// Writes the samples of a block whose only coefficient is the constant one.
#[inline(always)]
pub(super) fn flat<const N: usize>(constant: i16, out: &mut [u8], stride: usize) {
    for row in 0..N {
        put(&mut out[row * stride..], [sample(i32::from(constant)); N]);
    }
}

/// Writes a row of samples to the beginning of `out`.
#[inline(always)]
pub(super) fn put<const N: usize>(out: &mut [u8], samples: [u8; N]) {
    if let Some(place) = out.first_chunk_mut() {
        *place = samples;
    }
}

/// The sample that eight times its distance from the middle stands for.
#[inline(always)]
fn sample(eightfold: i32) -> u8 {
    clamped(((eightfold + 4) >> 3) + 128)
}

#[inline(always)]
fn clamped(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

/// What fits 16 bits, as all that an encoder makes does. The rest is damage, and wraps.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "only damaged data is changed by it")]
pub(super) const fn wrapped(value: i32) -> i16 {
    value as i16
}

/// Numbers of 16 bits in rows of N: coefficients, or half transformed.
///
/// The constants have 16 bits as well, because sums of products of such are what every processor
/// has vector instructions for, and the compiler finds them.
type Square<const N: usize> = [[i16; N]; N];

/// A number on its way through a transform.
type Sum = Wrapping<i32>;

/// Bits behind the point in the constants, which are multiples of 1/8192.
const POINT: usize = 13;

/// Bits behind the point that are kept between the columns' and the rows' transforms.
const KEPT: usize = 2;

/// Transforms all rows at once, then all columns at once.
#[inline(always)]
fn both_ways<const N: usize>(
    block: &Block,
    out: &mut [u8],
    stride: usize,
    transform: impl Fn([Sum; N]) -> [Sum; N],
    transpose: impl Fn(&Square<N>) -> Square<N>,
) {
    let columns: Square<N> = from_fn(|column| from_fn(|row| block[column * N + row]));
    let half = transpose(&pass(&columns, POINT - KEPT, &transform));
    let samples = bytes(&pass(&half, POINT + KEPT + 3, &transform));
    for (row, samples) in samples.into_iter().enumerate() {
        put(&mut out[row * stride..], samples);
    }
}

/// The samples of four blocks side by side, of 4 x 4 coefficients in columns.
///
/// The transform of one such block has too few lanes for the compiler to see that they are alike.
pub(super) fn inverse_of_four(columns: &[[i16; 16]; 4]) -> [[u8; 16]; 4] {
    let mut half = pass(columns, POINT - KEPT, &four);
    for left in [0, 4, 8, 12] {
        let rows = half.map(|row| *row[left..].first_chunk().unwrap_or(&[0; 4]));
        for (row, mirrored) in half.iter_mut().zip(mirrored_numbers(rows)) {
            row[left..left + 4].copy_from_slice(&mirrored);
        }
    }
    bytes(&pass(&half, POINT + KEPT + 3, &four))
}

/// Transforms what stands at the same place of all rows, for each place, and rounds `bits` away.
#[inline(never)]
fn pass<const N: usize, const LANES: usize>(
    input: &[[i16; LANES]; N],
    bits: usize,
    transform: &impl Fn([Sum; N]) -> [Sum; N],
) -> [[i16; LANES]; N] {
    let mut output = [[0; LANES]; N];
    let rounding = Wrapping(1 << (bits - 1));
    for lane in 0..LANES {
        let results = transform(from_fn(|row| Wrapping(i32::from(input[row][lane]))));
        for (row, result) in results.into_iter().enumerate() {
            output[row][lane] = wrapped(((result + rounding) >> bits).0);
        }
    }
    output
}

/// What lies around 0 as samples. Not inlined, because then the compiler finds that all are alike.
#[inline(never)]
fn bytes<const N: usize, const LANES: usize>(values: &[[i16; LANES]; N]) -> [[u8; LANES]; N] {
    let mut bytes = [[0; LANES]; N];
    for (byte, value) in bytes.as_flattened_mut().iter_mut().zip(values.as_flattened()) {
        *byte = u8::try_from(value.saturating_add(128).clamp(0, 255)).unwrap_or(u8::MAX);
    }
    bytes
}

#[inline(always)]
fn transpose<const N: usize>(square: &Square<N>) -> Square<N> {
    from_fn(|row| from_fn(|column| square[column][row]))
}

/// As [`transpose`], a quarter at a time.
#[inline(never)]
fn transpose_eight(square: &Square<8>) -> Square<8> {
    let mut turned = [[0; 8]; 8];
    for (top, left) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
        let rows = from_fn(|row| *square[top + row][left..].first_chunk().unwrap_or(&[0; 4]));
        for (row, mirrored) in mirrored_numbers(rows).iter().enumerate() {
            turned[left + row][top..top + 4].copy_from_slice(mirrored);
        }
    }
    turned
}

/// A constant, as a multiple of 1/8192.
#[inline(always)]
const fn by(factor: i16) -> Sum {
    Wrapping(factor as i32)
}

/// Three points: the cosines of 30, 60 and 0 degrees, times the square root of 2.
#[inline(always)]
fn three([x0, x1, x2]: [Sum; 3]) -> [Sum; 3] {
    let base = x0 << POINT;
    let (even, middle) = (base + x2 * by(5_793), base - x2 * by(11_585));
    let odd = x1 * by(10_033);
    [even + odd, middle, even - odd]
}

/// Four points: the cosines of 22.5 and 67.5 degrees, times the square root of 2.
#[inline(always)]
fn four([x0, x1, x2, x3]: [Sum; 4]) -> [Sum; 4] {
    let (sum, difference) = ((x0 + x2) << POINT, (x0 - x2) << POINT);
    let outer = x1 * by(10_703) + x3 * by(4_433);
    let inner = x1 * by(4_433) - x3 * by(10_703);
    [sum + outer, difference + inner, difference - inner, sum - outer]
}

/// Eight points: four for the even frequencies, and for the odd ones the cosines of 11.25, 33.75,
/// 56.25 and 78.75 degrees, times the square root of 2.
#[inline(always)]
fn eight([x0, x1, x2, x3, x4, x5, x6, x7]: [Sum; 8]) -> [Sum; 8] {
    let [e0, e1, e2, e3] = four([x0, x2, x4, x6]);
    let odd = |a, b, c, d| (x1 * by(a) + x3 * by(b)) + (x5 * by(c) + x7 * by(d));
    let o0 = odd(11_363, 9_633, 6_436, 2_260);
    let o1 = odd(9_633, -2_260, -11_363, -6_436);
    let o2 = odd(6_436, -11_363, 2_260, 9_633);
    let o3 = odd(2_260, -6_436, 9_633, -11_363);
    [e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0]
}
