//! Mirroring at the diagonal: rows become columns.
//!
//! Eight by eight samples at a time, as eight numbers of 64 bits, so that no vector instructions are needed.
//!
//! Source: Warren, "Hacker's Delight", 2nd edition, 2012, section 7-3.

/// Single samples, mirrored at the diagonal.
///
/// `samples` are whole rows of `width`, and `turned` has as many.
pub(super) fn transpose(samples: &[u8], width: u32, height: u32, turned: &mut [u8]) {
    let (width, height) = (width as usize, height as usize);
    let (even_width, even_height) = (width & !7, height & !7);
    for left in (0..even_width).step_by(8) {
        for top in (0..even_height).step_by(8) {
            // Cut to what is needed, which is then not compared at each of eight places.
            let from = &samples[top * width + left..][..7 * width + 8];
            let to = &mut turned[left * height + top..][..7 * height + 8];
            let mut tile = [0; 8];
            for (n, eight) in tile.iter_mut().enumerate() {
                *eight = u64::from_le_bytes(*from[n * width..].first_chunk().unwrap_or(&[0; 8]));
            }
            for (n, eight) in mirrored(tile).into_iter().enumerate() {
                if let Some(to) = to[n * height..].first_chunk_mut() {
                    *to = eight.to_le_bytes();
                }
            }
        }
    }
    // What is left of eight on the right, and below.
    for row in 0..height {
        let first = if row < even_height { even_width } else { 0 };
        for column in first..width {
            turned[column * height + row] = samples[row * width + column];
        }
    }
}

/// Eight rows of eight bytes, mirrored at the diagonal: halves change places, then quarters, then bytes.
#[inline(always)]
fn mirrored(mut rows: [u64; 8]) -> [u64; 8] {
    exchange::<4, 8, _>(&mut rows, 0x0000_0000_FFFF_FFFF);
    exchange::<2, 8, _>(&mut rows, 0x0000_FFFF_0000_FFFF);
    exchange::<1, 8, _>(&mut rows, 0x00FF_00FF_00FF_00FF);
    rows
}

/// Four rows of four numbers, mirrored at the diagonal.
#[inline(always)]
pub(super) fn mirrored_numbers(rows: [[i16; 4]; 4]) -> [[i16; 4]; 4] {
    let mut words = rows.map(|row| {
        let [[a, b], [c, d], [e, f], [g, h]] = row.map(i16::to_le_bytes);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    });
    exchange::<2, 16, _>(&mut words, 0x0000_0000_FFFF_FFFF);
    exchange::<1, 16, _>(&mut words, 0x0000_FFFF_0000_FFFF);
    words.map(|word| {
        let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
        [[a, b], [c, d], [e, f], [g, h]].map(i16::from_le_bytes)
    })
}

/// In each pair of rows so far apart, what `mask` leaves out of the upper one and keeps of the lower
/// one change places. `BITS` has a number of a row.
#[inline(always)]
fn exchange<const APART: usize, const BITS: usize, const ROWS: usize>(
    rows: &mut [u64; ROWS],
    mask: u64,
) {
    for n in 0..ROWS / 2 {
        let upper = n / APART * APART * 2 + n % APART;
        let lower = upper + APART;
        let change = (rows[upper] >> (APART * BITS) ^ rows[lower]) & mask;
        rows[lower] ^= change;
        rows[upper] ^= change << (APART * BITS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_every_width_and_height_change_places() {
        for (width, height) in [(1, 1), (8, 8), (7, 9), (16, 3), (3, 70), (131, 66)] {
            let samples: Vec<u8> = (0..width * height).map(|n| (n % 251) as u8).collect();
            let mut turned = vec![0; samples.len()];
            transpose(&samples, width, height, &mut turned);
            for y in 0..height {
                for x in 0..width {
                    let (from, to) = (y * width + x, x * height + y);
                    assert_eq!(turned[to as usize], samples[from as usize], "{x}, {y}");
                }
            }
        }
    }

    #[test]
    fn numbers_change_places() {
        let rows = [[0, 1, 2, 3], [-4, 5, -6, 7], [8, -9, i16::MAX, i16::MIN], [-12, 13, 14, -15]];
        let turned = std::array::from_fn(|row| rows.map(|columns: [i16; 4]| columns[row]));
        assert_eq!(mirrored_numbers(rows), turned);
    }
}
