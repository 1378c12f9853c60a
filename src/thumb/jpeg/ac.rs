//! The codes of a block's AC coefficients: read one by one, or passed over many at a time.
//!
//! Source: ITU-T T.81, sections F.2.2.2 and G.1.2.2.

use super::bits::Bits;
use super::error::JpegError;
use super::huffman::{BadCode, Codes, Entry, Skip, SkipTable, Table};

/// How many whole entries the bits of one refill are enough for, at 11 bits each.
pub(super) const WHOLE_ENTRIES: usize = 5;

/// What comes next in a block.
pub(super) enum Step {
    /// A coefficient, behind so many zeros.
    Value(usize, i32),
    /// So many zeros.
    Zeros(usize),
    /// The block's end, and that of so many blocks behind it.
    End(u32),
}

/// What comes next in a block that is refined.
pub(super) enum Refinement {
    /// A new coefficient, behind so many zeros, and whether it is positive.
    Value(usize, bool),
    /// Sixteen zeros.
    Zeros,
    /// What is new ends in so many blocks, this one counted.
    End(u32),
}

/// The codes of AC coefficients.
pub(super) struct AcCodes {
    pub(super) table: Table,
    /// `None` when nothing is passed over.
    skips: Option<SkipTable>,
}

impl AcCodes {
    pub(super) fn new(codes: Option<&Codes>, passes_over: bool) -> Result<Self, JpegError> {
        let codes = codes.ok_or(JpegError::Damaged("Huffman table: missing"))?;
        let table = Table::new(codes, false)?;
        let skips = passes_over.then(|| SkipTable::new(&table));
        Ok(Self { table, skips })
    }

    /// Takes the next symbol and its extra bits.
    #[inline(always)]
    pub(super) fn step(&self, bits: &mut Bits<'_>) -> Result<Step, BadCode> {
        bits.refill();
        let entry = self.table.look(bits);
        if entry.is_whole() {
            bits.skip(entry.length());
            return Ok(Step::Value(entry.run(), entry.value()));
        }
        self.rest(entry, bits)
    }

    /// Takes the next symbol and its extra bits, where `entry`, its entry, is not whole.
    #[inline(always)]
    pub(super) fn rest(&self, entry: Entry, bits: &mut Bits<'_>) -> Result<Step, BadCode> {
        bits.refill();
        let (symbol, length) = self.table.symbol(entry, bits)?;
        bits.skip(length);
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        Ok(match (run, size) {
            (15, 0) => Step::Zeros(16),
            // A sequential scan knows no other run than 0 here.
            (_, 0) => Step::End((1 << run) - 1 + bits.take(run)),
            _ => Step::Value(run as usize, bits.take_signed(size)),
        })
    }

    /// Takes the next symbol of a refining scan, and its sign or run.
    #[inline(always)]
    pub(super) fn refinement(&self, bits: &mut Bits<'_>) -> Result<Refinement, BadCode> {
        bits.refill();
        let entry = self.table.look(bits);
        if entry.is_whole() && entry.value().abs() == 1 {
            bits.skip(entry.length());
            return Ok(Refinement::Value(entry.run(), entry.value() > 0));
        }
        let (symbol, length) = self.table.code(entry, bits)?;
        bits.skip(length);
        let (run, size) = (u32::from(symbol >> 4), symbol & 15);
        Ok(match (run, size) {
            (15, 0) => Refinement::Zeros,
            (_, 0) => Refinement::End((1 << run) + bits.take(run)),
            // Any other size is damage, and read as 1.
            _ => Refinement::Value(run as usize, bits.take_bit() == 1),
        })
    }

    /// Passes over the coefficients from `index` to before `end`. The answer is how many blocks
    /// have ended beside this one.
    #[inline(always)]
    pub(super) fn pass_over(
        &self,
        bits: &mut Bits<'_>,
        mut index: usize,
        end: usize,
    ) -> Result<u32, BadCode> {
        let Some(skips) = &self.skips else { return self.pass_slowly(bits, index, end) };
        loop {
            bits.refill();
            // Two looks take at most 54 bits.
            for _ in 0..2 {
                let skip = skips.look(bits);
                let next = index + skip.advance();
                if next < end {
                    bits.skip(skip.length());
                    index = next;
                } else if next.wrapping_sub(Skip::END) < end {
                    bits.skip(skip.length());
                    return Ok(0);
                } else {
                    match self.pass_one(bits, &mut index, end)? {
                        Some(ended) => return Ok(ended),
                        None => break,
                    }
                }
            }
        }
    }

    fn pass_slowly(
        &self,
        bits: &mut Bits<'_>,
        mut index: usize,
        end: usize,
    ) -> Result<u32, BadCode> {
        loop {
            if let Some(ended) = self.pass_one(bits, &mut index, end)? {
                return Ok(ended);
            }
        }
    }

    /// Passes over one symbol, as the block may end within the next few. The answer is `None` where
    /// it goes on.
    #[cold]
    #[inline(never)]
    fn pass_one(
        &self,
        bits: &mut Bits<'_>,
        index: &mut usize,
        end: usize,
    ) -> Result<Option<u32>, BadCode> {
        if *index < end {
            match self.step(bits)? {
                Step::Value(run, _) => *index += run + 1,
                Step::Zeros(run) => *index += run,
                Step::End(ended) => return Ok(Some(ended)),
            }
        }
        match *index {
            index if index < end => Ok(None),
            index if index == end => Ok(Some(0)),
            _ => Err(BadCode),
        }
    }
}
