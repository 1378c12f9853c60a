//! A decoder that begins in the middle of a scan, and does not know where that is.
//!
//! It keeps blocks as coefficients, the constant ones counted from its own beginning, and notes at
//! which bit each MCU begins. Who makes samples of that, and how they find their places, is told in
//! [`ahead`](super::ahead).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use super::baseline::Channel;
use super::bits::Bits;
use super::huffman::BadCode;
use super::idct::Block;
use super::scan::Grid;
use super::script::Scan;
use super::window::{Tail, Window, data_bytes, find_end, find_marker};

/// Of 16 parts of the data, those before the scout's: he is quicker than the first thread, which makes
/// the samples of both.
const BEFORE: usize = 7;

/// Where a scout begins while nobody knows.
pub(super) const UNKNOWN: usize = usize::MAX;

/// Bytes that a scout may take for a scan, beside the planes.
pub(super) const fn memory<const N: usize>(blocks: usize) -> usize {
    blocks * (2 * N * N + 4 + 8)
}

/// MCUs that follow each other, none of them damaged.
#[derive(Default)]
pub(super) struct Run {
    /// Where each begins: bits of data since the scan began.
    pub(super) starts: Vec<usize>,
    /// The constant coefficient of each block, counted from that of the block before the first.
    pub(super) constants: Vec<i32>,
    /// N x N for each block. In the constant one's place stands whether there are others.
    pub(super) coefficients: Vec<i16>,
    /// What follows, and the bit of it that is next.
    pub(super) tail: Option<(Tail, usize)>,
    /// The number of the restart marker before the first.
    pub(super) number: u8,
    /// Of each interval that is whole, where the marker behind it stands.
    pub(super) markers: Vec<usize>,
}

impl Run {
    fn clear(&mut self) {
        self.starts.clear();
        self.constants.clear();
        self.coefficients.clear();
    }
}

/// The second thread.
pub(super) struct Scout<'a, const N: usize> {
    bytes: &'a [u8],
    /// Where the scan's data begins.
    data: usize,
    least: usize,
    /// MCUs between restart markers, or 0.
    each: usize,
    /// Blocks of an MCU.
    blocks: usize,
    /// MCUs of the scan.
    most: usize,
    channels: Vec<Channel>,
    begins: Arc<AtomicUsize>,
    is_over: &'a AtomicBool,
    run: Run,
}

impl<'a, const N: usize> Scout<'a, N> {
    /// Of a scan of at least `least` bytes.
    pub(super) fn new(
        bytes: &'a [u8],
        scan: &Scan,
        grid: &Grid,
        channels: Vec<Channel>,
        (begins, is_over): (&Arc<AtomicUsize>, &'a AtomicBool),
        least: usize,
    ) -> Self {
        Self {
            bytes,
            data: scan.data,
            least,
            each: grid.interval,
            blocks: grid.blocks,
            most: grid.mcus(),
            channels,
            begins: Arc::clone(begins),
            is_over,
            run: Run::default(),
        }
    }

    /// Sends what it has found, unless that is nothing.
    pub(super) fn go(mut self, found: &SyncSender<Run>) {
        let done = if self.each == 0 { self.go_anywhere() } else { self.go_by_intervals() };
        if done.is_some() {
            // Nobody waits for it any more if the first thread was quicker, or gave up.
            drop(found.send(self.run));
        }
    }

    fn go_anywhere(&mut self) -> Option<()> {
        let mut middle = self.middle(find_marker(self.bytes, self.data))?;
        while self.bytes.get(middle - 1) == Some(&0xFF) {
            middle += 1;
        }
        let before = data_bytes(self.bytes.get(self.data..middle)?)?;
        self.reserve()?;
        self.begins.store(before * 8, Ordering::Release);
        let mut window = Window::inside(self.bytes, middle, self.blocks, before);
        let mut position = 0;
        while !self.piece(&mut window, &mut position, self.most)? {}
        self.run.tail = Some((window.detach(), position));
        Some(())
    }

    fn go_by_intervals(&mut self) -> Option<()> {
        let middle = self.middle(find_end(self.bytes, self.data))?;
        let (mut marker, mut code) = find_marker(self.bytes, middle)?;
        if !(0xD0..=0xD7).contains(&code) {
            return None;
        }
        self.reserve()?;
        self.run.number = code & 7;
        self.begins.store(marker + 2, Ordering::Release);
        let mut window = Window::new(self.bytes, marker + 2, self.blocks);
        loop {
            let whole = self.run.markers.len() * self.each;
            let most = whole + self.each;
            let mut position = 0;
            while !self.piece(&mut window, &mut position, most)? {}
            if self.run.starts.len() < most {
                return Some(());
            }
            let expected = 0xD0 | (code + 1) & 7;
            let Some(next) = window.marker() else { return Some(()) };
            (marker, code) = next;
            self.run.markers.push(marker);
            if code != expected || most + self.each > self.most {
                return Some(());
            }
            window.restart(marker + 2);
            self.restart();
        }
    }

    /// Where the scout begins, of data that ends at this marker, or with the file. `None`: there is
    /// too little of it.
    fn middle(&self, end: Option<(usize, u8)>) -> Option<usize> {
        let end = end.map_or(self.bytes.len(), |(at, _)| at);
        let bytes = end.checked_sub(self.data).filter(|bytes| *bytes >= self.least.max(2))?;
        Some(self.data + (bytes * BEFORE / 16).max(1))
    }

    /// Takes memory for all MCUs, of which only what is used is ever touched.
    fn reserve(&mut self) -> Option<()> {
        let blocks = self.most * self.blocks;
        self.run.starts.try_reserve_exact(self.most).ok()?;
        self.run.constants.try_reserve_exact(blocks).ok()?;
        self.run.coefficients.try_reserve_exact(blocks * N * N).ok()
    }

    fn restart(&mut self) {
        for channel in &mut self.channels {
            channel.constant = 0;
        }
    }

    /// Decodes what the window holds, up to `most` MCUs in all, and fills it again. The answer is
    /// whether that was the last of it; `None`: nobody wants it any more.
    fn piece(&mut self, window: &mut Window<'_>, at: &mut usize, most: usize) -> Option<bool> {
        let (last_start, data_end) = (window.last_start() * 8, window.filled() * 8);
        let mut bits = Bits::new(window.data(), *at);
        let mut is_last = false;
        while !is_last && self.run.starts.len() < most && bits.position() <= last_start {
            *at = bits.position();
            let found = self.mcu(&mut bits);
            if bits.position() > data_end || (found.is_err() && self.each > 0) {
                self.forget();
                is_last = true;
            } else if found.is_err() {
                // Not in step yet, or damaged: what comes does not follow what was found.
                bits.refill();
                bits.skip(16);
                self.run.clear();
                self.restart();
                *at = bits.position();
            } else {
                self.run.starts.push(window.since(*at));
                *at = bits.position();
            }
        }
        is_last |= self.run.starts.len() >= most || *at >= data_end;
        if self.is_over.load(Ordering::Relaxed) {
            return None;
        }
        if !is_last {
            window.advance(*at / 8);
            *at %= 8;
        }
        Some(is_last)
    }

    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>) -> Result<(), BadCode> {
        let mut block: Block = [0; 128];
        for channel in &mut self.channels {
            for _ in 0..channel.blocks() {
                let constant = &mut channel.constant;
                let has_others = channel.codes.read::<N>(bits, constant, &mut block)?;
                block[0] = i16::from(has_others);
                self.run.constants.push(*constant);
                self.run.coefficients.extend_from_slice(&block[..N * N]);
            }
        }
        Ok(())
    }

    /// Drops the blocks of an MCU that is not whole.
    fn forget(&mut self) {
        let blocks = self.run.starts.len() * self.blocks;
        self.run.constants.truncate(blocks);
        self.run.coefficients.truncate(blocks * N * N);
    }
}
