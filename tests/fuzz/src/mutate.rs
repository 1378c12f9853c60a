//! Small changes to seeds, the same ones in every run.

/// Words that no flip of a bit would find.
const WORDS: [&[u8]; 24] = [
    b"\"id\":",
    b"\"type\":",
    b"\"created\":",
    b"\"data\":",
    b"\"object\":",
    b"\"livemode\":true,",
    b"\\u0061",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b"t=",
    b"v1=",
    b"v1,",
    b"$0",
    b"$1",
    b"\xFF",
    b"\xFF\xDA",
    b"\xFF\xC2",
];

/// Pseudo-random changes.
///
/// Source: `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// One whose changes this number fixes.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    /// `data` after one to four changes; parts of `other` may get into it.
    #[must_use]
    pub fn changed(&mut self, data: &[u8], other: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut data, other);
        }
        data
    }

    fn change(&mut self, data: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(data.len() + 1);
        let length = 1 + self.below(16);
        let end = (at + length).min(data.len());
        match self.below(8) {
            0 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (length % 8)),
            1 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte = [0, 255][length % 2]),
            2 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte = byte.wrapping_add(1)),
            3 => data.truncate(at),
            4 => _ = data.drain(at..end),
            5 => {
                let again = data[at..end].to_vec();
                _ = data.splice(at..at, again);
            }
            6 => {
                let from = self.below(other.len() + 1);
                let part = &other[from..(from + length).min(other.len())];
                _ = data.splice(at..end, part.iter().copied());
            }
            _ => _ = data.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied()),
        }
    }
}
