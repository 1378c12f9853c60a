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
//! Source: Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11
//! multiplications", ICASSP 1989, for N = 8. The others are written out from the definition.

use std::array::from_fn;
use std::num::Wrapping;

/// The coefficients of a block in rows of N, and behind them room for those that are dropped.
pub(super) type Block = [i32; 128];

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
            places[index] = row * side + column;
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
        1 => put(out, [sample(block[0])]),
        2 => {
            let [a, b, c, d, ..] = *block;
            let (left, right) = ((a + b, a - b), (c + d, c - d));
            put(out, [sample(left.0 + right.0), sample(left.1 + right.1)]);
            put(&mut out[stride..], [sample(left.0 - right.0), sample(left.1 - right.1)]);
        }
        3 => both_ways::<3>(block, out, stride, three),
        4 => both_ways::<4>(block, out, stride, four),
        _ => both_ways::<8>(block, out, stride, eight),
    }
}

/// Writes the samples of a block whose only coefficient is the constant one.
#[inline(always)]
pub(super) fn flat<const N: usize>(constant: i32, out: &mut [u8], stride: usize) {
    for row in 0..N {
        put(&mut out[row * stride..], [sample(constant); N]);
    }
}

#[inline(always)]
fn put<const N: usize>(out: &mut [u8], samples: [u8; N]) {
    if let Some(place) = out.first_chunk_mut() {
        *place = samples;
    }
}

/// The sample that eight times its distance from the middle stands for.
#[inline(always)]
fn sample(eightfold: i32) -> u8 {
    clamped((eightfold.wrapping_add(4) >> 3) + 128)
}

#[inline(always)]
fn clamped(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

/// N numbers at the same place of N rows.
type Lanes<const N: usize> = [Wrapping<i32>; N];

/// Bits behind the point in the constants, which are multiples of 1/8192.
const POINT: usize = 13;

/// Bits behind the point that are kept between the columns' and the rows' transforms.
const KEPT: usize = 2;

/// Transforms all columns at once, then all rows at once.
#[inline(always)]
fn both_ways<const N: usize>(
    block: &Block,
    out: &mut [u8],
    stride: usize,
    transform: impl Fn([Lanes<N>; N]) -> [Lanes<N>; N],
) {
    let rows = from_fn(|row| from_fn(|column| Wrapping(block[row * N + column])));
    let columns = transpose(narrowed(transform(rows), POINT - KEPT));
    let samples = transpose(narrowed(transform(columns), POINT + KEPT + 3));
    for (row, samples) in samples.iter().enumerate() {
        put(&mut out[row * stride..], samples.map(|sample| clamped(sample.0 + 128)));
    }
}

#[inline(always)]
fn narrowed<const N: usize>(rows: [Lanes<N>; N], bits: usize) -> [Lanes<N>; N] {
    rows.map(|row| row.map(|value| (value + (Wrapping(1) << (bits - 1))) >> bits))
}

#[inline(always)]
fn transpose<const N: usize>(rows: [Lanes<N>; N]) -> [Lanes<N>; N] {
    from_fn(|row| from_fn(|column| rows[column][row]))
}

#[inline(always)]
fn each<const N: usize>(
    one: Lanes<N>,
    other: Lanes<N>,
    joined: impl Fn(Wrapping<i32>, Wrapping<i32>) -> Wrapping<i32>,
) -> Lanes<N> {
    from_fn(|lane| joined(one[lane], other[lane]))
}

#[inline(always)]
fn plus<const N: usize>(one: Lanes<N>, other: Lanes<N>) -> Lanes<N> {
    each(one, other, |a, b| a + b)
}

#[inline(always)]
fn minus<const N: usize>(one: Lanes<N>, other: Lanes<N>) -> Lanes<N> {
    each(one, other, |a, b| a - b)
}

#[inline(always)]
fn times<const N: usize>(one: Lanes<N>, factor: Wrapping<i32>) -> Lanes<N> {
    one.map(|value| value * factor)
}

#[inline(always)]
fn widened<const N: usize>(one: Lanes<N>) -> Lanes<N> {
    one.map(|value| value << POINT)
}

/// Three points: the cosines of 30, 60 and 0 degrees, times the square root of 2.
#[inline(always)]
fn three([x0, x1, x2]: [Lanes<3>; 3]) -> [Lanes<3>; 3] {
    let odd = times(x1, Wrapping(10_033));
    let base = widened(x0);
    let even = plus(base, times(x2, Wrapping(5_793)));
    let middle = minus(base, times(x2, Wrapping(11_585)));
    [plus(even, odd), middle, minus(even, odd)]
}

/// Four points: the cosines of 22.5 and 67.5 degrees, times the square root of 2.
#[inline(always)]
fn four([x0, x1, x2, x3]: [Lanes<4>; 4]) -> [Lanes<4>; 4] {
    let (wide, narrow) = (Wrapping(10_703), Wrapping(4_433));
    let (sum, difference) = (widened(plus(x0, x2)), widened(minus(x0, x2)));
    let outer = plus(times(x1, wide), times(x3, narrow));
    let inner = minus(times(x1, narrow), times(x3, wide));
    [plus(sum, outer), plus(difference, inner), minus(difference, inner), minus(sum, outer)]
}

/// Eight points, with the paper's 12 products.
#[inline(always)]
fn eight([x0, x1, x2, x3, x4, x5, x6, x7]: [Lanes<8>; 8]) -> [Lanes<8>; 8] {
    let (sum, difference) = (widened(plus(x0, x4)), widened(minus(x0, x4)));
    let turned = times(plus(x2, x6), Wrapping(4_433));
    let outer = plus(turned, times(x2, Wrapping(6_270)));
    let inner = minus(turned, times(x6, Wrapping(15_137)));
    let even =
        [plus(sum, outer), plus(difference, inner), minus(difference, inner), minus(sum, outer)];

    let (z3, z4) = (plus(x7, x3), plus(x5, x1));
    let z5 = times(plus(z3, z4), Wrapping(9_633));
    let z1 = times(plus(x7, x1), Wrapping(7_373));
    let z2 = times(plus(x5, x3), Wrapping(20_995));
    let z3 = minus(z5, times(z3, Wrapping(16_069)));
    let z4 = minus(z5, times(z4, Wrapping(3_196)));
    let odd = [
        plus(minus(times(x1, Wrapping(12_299)), z1), z4),
        plus(minus(times(x3, Wrapping(25_172)), z2), z3),
        plus(minus(times(x5, Wrapping(16_819)), z2), z4),
        plus(minus(times(x7, Wrapping(2_446)), z1), z3),
    ];
    from_fn(|row| match row {
        0..4 => plus(even[row], odd[row]),
        _ => minus(even[7 - row], odd[7 - row]),
    })
}
