//! Where a name stands in a sharded directory: its hash, a few bits a level.
//!
//! Source: MurmurHash3_x64_128 (Austin Appleby, public domain), of which UnixFS keeps the first 64
//! bits, most significant first; UnixFS specification, "HAMTDirectory".

use super::super::error::IpfsError;

/// The 64 bits that place `name`, the first ones on top.
pub(super) fn hash(name: &[u8]) -> u64 {
    const C1: u64 = 0x87C3_7B91_1142_53D5;
    const C2: u64 = 0x4CF5_AD43_2745_937F;
    let mix1 = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let mix2 = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let (mut h1, mut h2) = (0_u64, 0_u64);
    let (blocks, tail) = name.as_chunks::<16>();
    for block in blocks {
        let [k1, k2] = words(block);
        h1 = (h1 ^ mix1(k1)).rotate_left(27).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x52DC_E729);
        h2 = (h2 ^ mix2(k2)).rotate_left(31).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5AB5);
    }
    let mut last = [0; 16];
    last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    let [k1, k2] = words(&last);
    h1 ^= mix1(k1);
    h2 ^= mix2(k2);

    h1 ^= name.len() as u64;
    h2 ^= name.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1.wrapping_add(h2)
}

fn words(block: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*block);
    let low = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
    [low(both), low(both >> 64)]
}

fn finish(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    k ^= k >> 33;
    k = k.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    k ^ (k >> 33)
}

/// Takes a name's bits level by level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits {
    rest: u64,
    left: u32,
}

impl Bits {
    pub(super) fn of(name: &[u8]) -> Self {
        Self { rest: hash(name), left: 64 }
    }

    /// The bucket among `2^bits`; `bits` is at most 10.
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidBlock`] when all bits are spent: nobody nests shards that deep.
    pub(super) fn take(&mut self, bits: u32) -> Result<u64, IpfsError> {
        let left = self.left.checked_sub(bits);
        self.left = left.ok_or(IpfsError::block("a sharded directory is too deep"))?;
        let bucket = self.rest >> (64 - bits);
        self.rest <<= bits;
        Ok(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_in_the_reference_implementation() {
        // The first halves of MurmurHash3_x64_128 with the seed 0.
        assert_eq!(hash(b""), 0);
        assert_eq!(hash(b"hello"), 0xCBD8_A7B3_41BD_9B02);
        assert_eq!(hash(b"The quick brown fox jumps over the lazy dog"), 0xE34B_BC7B_BC07_1B6C);
    }

    #[test]
    fn bits_come_from_the_top_and_end() {
        let mut bits = Bits { rest: 0x0123_4567_89AB_CDEF, left: 64 };
        let taken: Vec<u64> = (0..8).map(|_| bits.take(8).expect("there are 64")).collect();
        assert_eq!(taken, [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]);
        assert!(bits.take(8).is_err());
    }
}
