//! A second thread that decodes the back of a scan before anybody knows where in the picture that is.
//!
//! Huffman codes fall into step by themselves: whoever begins in the middle is, some tens of MCUs
//! later, at the beginnings of the same MCUs as whoever came from the front. So a [`Scout`] begins
//! there and notes where each of its MCUs begins. When the first thread comes to such a bit, all that
//! follows is known but for two things: which MCU it is, and what its constant coefficients are
//! counted from. Until then blocks are kept as coefficients; afterwards the same code makes the same
//! samples of them. In a scan with restart markers the scout begins behind one and is in step at once.
//!
//! What a scout found has no damage in it: a code that stands for nothing, a marker that is missing
//! and the end of the data are left to the first thread, which then goes on from there.
//!
//! Memory is twice that of the samples which the scout decodes, and 12 bytes or so an MCU.
//!
//! Source: Klein and Wiseman, "Parallel Huffman decoding with applications to JPEG files", The
//! Computer Journal 46 (5), 2003.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::baseline::Sequential;
use super::error::JpegError;
use super::idct::Block;
use super::scan::{Grid, Progress, run};
use super::scout::{Run, Scout, UNKNOWN};
use super::script::Scan;
use super::window::Window;

/// How often the caller's watch is asked by whoever waits for the scout.
const PATIENCE: Duration = Duration::from_millis(2);

#[cfg(test)]
thread_local! {
    /// MCUs that this thread found known.
    pub(super) static KNOWN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// As [`run`], with a scout if the scan has `least` bytes.
pub(super) fn run_in_two<const N: usize>(
    bytes: &[u8],
    scan: &Scan,
    grid: &Grid,
    coder: &mut Sequential<'_, N>,
    progress: &mut Progress<'_, '_>,
    least: usize,
) -> Result<Option<(usize, u8)>, JpegError> {
    if bytes.len().saturating_sub(scan.data) < least {
        return run(bytes, scan, grid, coder, progress);
    }
    let (begins, is_over) = (Arc::new(AtomicUsize::new(UNKNOWN)), AtomicBool::new(false));
    let (send, found) = sync_channel(1);
    let scout = Scout::<N>::new(bytes, scan, grid, coder.parts.clone(), (&begins, &is_over), least);
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("finalmile-jpeg".to_owned());
        // Where the system has no thread for us, one is enough.
        let thread = builder.spawn_scoped(scope, || scout.go(&send)).ok();
        // On a busy machine the scout may be so late that there is nothing left for him. Tests wait.
        #[cfg(test)]
        while begins.load(Ordering::Acquire) == UNKNOWN
            && thread.as_ref().is_some_and(|thread| !thread.is_finished())
        {
            thread::yield_now();
        }
        coder.beside = thread.is_some().then(|| Box::new(Beside::new(grid, begins, found)));
        let done = run(bytes, scan, grid, coder, progress);
        is_over.store(true, Ordering::Relaxed);
        coder.beside = None;
        // It has nothing to say but what it sent.
        drop(thread.map(thread::ScopedJoinHandle::join));
        done
    })
}

/// What the first thread knows of the second.
pub(super) struct Beside {
    by_intervals: bool,
    /// Where the scout begins: by intervals a byte of the file, otherwise a bit of the scan's data.
    begins: Arc<AtomicUsize>,
    found: Receiver<Run>,
    run: Option<Run>,
    /// The next block of the run to be put.
    block: usize,
}

impl Beside {
    fn new(grid: &Grid, begins: Arc<AtomicUsize>, found: Receiver<Run>) -> Self {
        Self { by_intervals: grid.interval > 0, begins, found, run: None, block: 0 }
    }

    fn begins(&self) -> usize {
        self.begins.load(Ordering::Acquire)
    }

    /// What the scout found, when he is done. `None`: nothing.
    fn wait(&mut self, progress: &mut Progress<'_, '_>) -> Result<Option<&mut Run>, JpegError> {
        while self.run.is_none() {
            match self.found.recv_timeout(PATIENCE) {
                Ok(run) => self.run = Some(run),
                Err(RecvTimeoutError::Timeout) => progress.still()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
        Ok(self.run.as_mut())
    }

    /// As [`Coder::known`](super::scan::Coder::known). The answer is also the first of them in the run.
    pub(super) fn known(
        &mut self,
        window: &mut Window<'_>,
        position: &mut usize,
        left: usize,
        progress: &mut Progress<'_, '_>,
    ) -> Result<Option<(usize, usize)>, JpegError> {
        let at = window.since(*position);
        if self.by_intervals || at < self.begins() {
            return Ok(None);
        }
        let Some(run) = self.wait(progress)? else { return Ok(None) };
        let Ok(first) = run.starts.binary_search(&at) else { return Ok(None) };
        let Some((tail, next)) = run.tail.take() else { return Ok(None) };
        window.attach(tail);
        *position = next;
        let count = left.min(run.starts.len() - first);
        #[cfg(test)]
        KNOWN.set(KNOWN.get() + count);
        Ok(Some((first, count)))
    }

    /// As [`Coder::known_intervals`](super::scan::Coder::known_intervals).
    pub(super) fn known_intervals(
        &mut self,
        window: &mut Window<'_>,
        restarts: usize,
        left: usize,
        progress: &mut Progress<'_, '_>,
    ) -> Result<usize, JpegError> {
        if !self.by_intervals || window.began() != self.begins() {
            return Ok(0);
        }
        let Some(run) = self.wait(progress)? else { return Ok(0) };
        if restarts & 7 != usize::from(run.number + 1) & 7 {
            return Ok(0);
        }
        let count = left.min(run.markers.len());
        if let Some(last) = count.checked_sub(1) {
            window.seek(run.markers[last]);
            #[cfg(test)]
            KNOWN.set(KNOWN.get() + count * (run.starts.len() / run.markers.len()));
        }
        Ok(count)
    }

    /// The constant coefficient of a block, counted as in the run, whose first block it may precede.
    pub(super) fn constant_before(&self, block: Option<usize>) -> i32 {
        let constants = self.run.as_ref().map(|run| run.constants.as_slice()).unwrap_or_default();
        block.and_then(|block| constants.get(block)).copied().unwrap_or(0)
    }

    /// From now on this block is the next.
    pub(super) fn go_to(&mut self, block: usize) {
        self.block = block;
    }

    /// Gives `block` the coefficients of the next one but for the constant, which is half the answer;
    /// the other half is whether it has others.
    #[inline(always)]
    pub(super) fn next_block<const N: usize>(&mut self, block: &mut Block) -> (i32, bool) {
        let at = self.block;
        self.block += 1;
        let Some(run) = &self.run else { return (0, false) };
        let coefficients = run.coefficients.get(at * N * N..(at + 1) * N * N);
        block[..N * N].copy_from_slice(coefficients.unwrap_or(&[0; 64][..N * N]));
        (run.constants.get(at).copied().unwrap_or(0), block[0] != 0)
    }
}
