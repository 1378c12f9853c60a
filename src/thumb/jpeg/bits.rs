//! Reading bits: the first bits of what is left stand at the top of a 64-bit word.
//!
//! [`Bits::refill`] makes sure of 56 of them with one load and no branch for the data, which is
//! enough for a code and its extra bits (16 + 15), or for two looks into a table of 12 bits.
//! Behind the data come zeros; [`Bits::position`] tells afterwards that they were used.

/// A reader over unstuffed bytes that end in eight zeros.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next byte that is not counted in `left`.
    at: usize,
    word: u64,
    /// How many bits at the top of `word` count.
    left: u32,
    /// The eight bytes from `at`, read when that became known: a refill then waits for no memory.
    ahead: u64,
}

impl<'a> Bits<'a> {
    /// A reader that begins at bit `position` of `data`.
    pub(super) fn new(data: &'a [u8], position: usize) -> Self {
        let at = position / 8;
        let mut bits = Self { data, at, word: 0, left: 0, ahead: Self::bytes(data, at) };
        bits.refill();
        bits.skip(u32::try_from(position % 8).unwrap_or_default());
        bits
    }

    /// The first bit not yet taken, counted from the beginning of the data.
    #[inline(always)]
    pub(super) const fn position(&self) -> usize {
        self.at * 8 - self.left as usize
    }

    /// At least 56 bits are there afterwards.
    ///
    /// Source: Fabian Giesen, "Reading bits in far too many ways", variant 4.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        self.word |= self.ahead >> self.left;
        self.at += ((63 - self.left) >> 3) as usize;
        self.left |= 56;
        self.ahead = Self::bytes(self.data, self.at);
    }

    /// The eight bytes from `at`.
    #[inline(always)]
    fn bytes(data: &[u8], at: usize) -> u64 {
        match data.get(at..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            // Beyond the eight zeros.
            None => 0,
        }
    }

    /// The next `count` bits, 1 to 16, which stay.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "at most 16 bits are left")]
    pub(super) const fn peek(&self, count: u32) -> usize {
        (self.word >> (64 - count)) as usize
    }

    /// Drops `count` bits, fewer than are there.
    #[inline(always)]
    pub(super) const fn skip(&mut self, count: u32) {
        self.word <<= count & 63;
        self.left = self.left.wrapping_sub(count);
    }

    /// Takes `count` bits, 0 to 16, as a number.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "at most 16 bits are left")]
    pub(super) const fn take(&mut self, count: u32) -> u32 {
        let value = ((self.word >> 1) >> (63 - count)) as u32;
        self.skip(count);
        value
    }

    /// Takes a bit.
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "one bit")]
    pub(super) const fn take_bit(&mut self) -> i32 {
        self.take(1) as i32
    }

    /// Takes the `size` extra bits, 0 to 15, of a coefficient.
    ///
    /// Source: ITU-T T.81, figure F.12 (EXTEND).
    #[inline(always)]
    pub(super) const fn take_signed(&mut self, size: u32) -> i32 {
        extend(self.take(size), size)
    }
}

/// The number that `size` extra bits stand for: without the leading one it is negative.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "at most 15 bits")]
pub(super) const fn extend(bits: u32, size: u32) -> i32 {
    let is_negative = bits < (1 << size) >> 1;
    bits as i32 - if is_negative { (1 << size) - 1 } else { 0 }
}
