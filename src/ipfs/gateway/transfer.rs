//! An answer as it comes in, on a thread of its own, so that whoever waits for it can stop waiting.
//!
//! A request blocks, and nothing interrupts it. So a thread sends it and hands the pieces over through a
//! short queue; the other side watches the clock and the caller's wishes between pieces. When it goes away, the
//! fetcher is told to give up; one that cannot lets the thread end at its next piece, or when the request's own
//! time is over.
//!
//! # Invariants
//!
//! - **C53** An answer that pauses, drips or never begins costs a bounded time, whichever network is used.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use crate::fetch::{Cancel, FetchError, Fetcher, Request, Response, fetch_until};
use crate::time::Deadline;

use super::ask::{Fault, Head};
use super::options::FetchOptions;

/// How often the caller's wishes are looked at.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// Bytes of one piece, and pieces in the queue.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 4;

type Piece = io::Result<Vec<u8>>;

/// The body of an answer to come. Its drop tells the fetcher that nobody wants it.
pub(super) struct Pieces {
    received: Receiver<Piece>,
    cancel: Cancel,
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// The status and headers of an answer, and from whom it is.
pub(super) struct Began {
    pub(super) slot: usize,
    pub(super) head: Result<(u16, Vec<(String, String)>), FetchError>,
}

/// Answers that have not begun yet.
pub(super) struct Pumps {
    began: Receiver<Began>,
    begins: Sender<Began>,
}

impl Pumps {
    pub(super) fn new() -> Self {
        let (begins, began) = channel();
        Self { began, begins }
    }

    /// Sends `request`; what it gives comes to [`Pumps::wait`] under `slot`, and the body through the
    /// pieces.
    pub(super) fn start(
        &self,
        fetcher: &Arc<dyn Fetcher>,
        request: Request,
        slot: usize,
    ) -> Pieces {
        let (fetcher, begins) = (Arc::clone(fetcher), self.begins.clone());
        let (pieces, received) = sync_channel(PIECES);
        let cancel = Cancel::default();
        let given_up = cancel.clone();
        let pump = move || {
            let answer = fetch_until(&*fetcher, &request, &given_up);
            pump(answer, slot, &begins, &pieces);
        };
        let started = thread::Builder::new().name("finalmile-fetch".to_owned()).spawn(pump);
        if let Err(error) = started {
            let head = Err(FetchError::Transport(format!("no thread: {error}")));
            drop(self.begins.send(Began { slot, head }));
        }
        Pieces { received, cancel }
    }

    /// The next answer that begins, if one does within a tick.
    pub(super) fn wait(&self) -> Option<Began> {
        self.began.recv_timeout(TICK).ok()
    }
}

fn pump(
    answer: Result<Response, FetchError>,
    slot: usize,
    begins: &Sender<Began>,
    pieces: &SyncSender<Piece>,
) {
    let mut body = match answer {
        Ok(answer) => {
            let head = Ok((answer.status, answer.headers));
            if begins.send(Began { slot, head }).is_err() {
                return;
            }
            answer.body
        }
        Err(error) => {
            drop(begins.send(Began { slot, head: Err(error) }));
            return;
        }
    };
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = match body.read(&mut piece) {
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = read.as_ref().map_or(true, Vec::is_empty);
        // Nobody listens any more: the connection is dropped with the body.
        if pieces.send(read).is_err() || is_last {
            return;
        }
    }
}

/// The body of an answer.
pub(super) struct Transfer {
    /// Which gateway it comes from.
    pub(super) site: usize,
    pub(super) head: Head,
    pieces: Pieces,
    pause: Duration,
    window: Duration,
    /// Bytes that a window must bring.
    least: u64,
    idle: Deadline,
    window_ends: Deadline,
    in_window: u64,
}

impl Transfer {
    pub(super) fn new(site: usize, head: Head, pieces: Pieces, options: &FetchOptions) -> Self {
        let (pause, window) = (options.timeouts.idle, options.rate_window);
        let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        Self {
            site,
            head,
            pieces,
            pause,
            window,
            least: options.min_bytes_per_second.saturating_mul(millis) / 1_000,
            idle: Deadline::after(pause),
            window_ends: Deadline::after(window),
            in_window: 0,
        }
    }

    /// Gives it up after a shorter pause, because somebody else could go on.
    pub(super) fn hurry(&mut self, pause: Duration) {
        self.pause = self.pause.min(pause);
        self.idle = Deadline::after(self.pause);
    }

    /// The next piece; `None` at the end. `stop` is asked in between.
    pub(super) fn next(
        &mut self,
        stop: impl Fn() -> Result<(), Fault>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        loop {
            stop()?;
            let piece = match self.pieces.received.recv_timeout(TICK) {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(Fault::Slow);
                }
                Ok(Err(error)) => {
                    return Err(Fault::Unreachable(FetchError::Transport(error.to_string())));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.idle.is_over() {
                        return Err(Fault::Slow);
                    }
                    self.check_rate()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let why = "the fetcher stopped".to_owned();
                    return Err(Fault::Unreachable(FetchError::Transport(why)));
                }
            };
            if piece.is_empty() {
                return Ok(None);
            }
            self.idle = Deadline::after(self.pause);
            self.in_window += piece.len() as u64;
            self.check_rate()?;
            return Ok(Some(piece));
        }
    }

    fn check_rate(&mut self) -> Result<(), Fault> {
        if self.window_ends.is_over() {
            if self.in_window < self.least {
                return Err(Fault::Slow);
            }
            self.in_window = 0;
            self.window_ends = Deadline::after(self.window);
        }
        Ok(())
    }
}
