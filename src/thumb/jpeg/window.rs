//! The entropy-coded bytes of a scan, a window at a time, with the stuffing taken out.
//!
//! In a scan each byte FF of data is followed by a zero, so that FF and anything else is a marker.
//! Taking the zeros out beforehand, where `memchr` finds the FFs, leaves the bit reader no marker
//! to test for. The window holds some 32 KiB and is refilled between MCUs, so memory does not grow
//! with the file. Behind the data follow zeros.
//!
//! Source: ITU-T T.81, sections B.1.1.5 and F.1.2.3.

use memchr::memchr;

/// What the window is filled up to.
const SIZE: usize = 32 << 10;

/// The most bytes that a block may take: 64 coefficients of 16 + 15 bits.
const BLOCK_MAX: usize = 64 * 31 / 8;

/// Zeros behind the data, so that eight bytes can be read at its end.
const PADDING: usize = 8;

pub(super) struct Window<'a> {
    source: &'a [u8],
    /// Where in `source` the next byte is taken from.
    next: usize,
    buffer: Vec<u8>,
    /// Bytes of data in `buffer`; the padding follows.
    filled: usize,
    /// Whether a marker, or the end of the file, stands at `next`.
    ended: bool,
    /// The most bytes that an MCU may take.
    reserve: usize,
    /// Where in `source` the data began that is counted in `dropped`.
    began: usize,
    /// Bytes of data before those in `buffer`.
    dropped: usize,
}

/// What a window holds, without the file.
pub(super) struct Tail {
    next: usize,
    buffer: Vec<u8>,
    filled: usize,
    ended: bool,
    dropped: usize,
}

impl<'a> Window<'a> {
    /// A window on the entropy-coded bytes that begin at `start`, in MCUs of at most 64 `blocks`.
    pub(super) fn new(source: &'a [u8], start: usize, blocks: usize) -> Self {
        let (buffer, reserve) = (vec![0; SIZE + PADDING], blocks.min(64) * BLOCK_MAX);
        let (began, dropped) = (start, 0);
        let mut window =
            Self { source, next: start, buffer, filled: 0, ended: false, reserve, began, dropped };
        window.fill();
        window
    }

    /// The same, where so many bytes of data came before `start`.
    pub(super) fn inside(source: &'a [u8], start: usize, blocks: usize, dropped: usize) -> Self {
        Self { dropped, ..Self::new(source, start, blocks) }
    }

    /// Begins anew behind a marker, at `start`.
    pub(super) fn restart(&mut self, start: usize) {
        (self.next, self.filled, self.ended) = (start, 0, false);
        (self.began, self.dropped) = (start, 0);
        self.fill();
    }

    /// Where in the file the scan or the last restart began.
    pub(super) const fn began(&self) -> usize {
        self.began
    }

    /// A bit of [`Window::data`], counted from there.
    pub(super) const fn since(&self, position: usize) -> usize {
        self.dropped * 8 + position
    }

    pub(super) fn detach(self) -> Tail {
        let Self { next, buffer, filled, ended, dropped, .. } = self;
        Tail { next, buffer, filled, ended, dropped }
    }

    /// Goes on as another window on the same data.
    pub(super) fn attach(&mut self, tail: Tail) {
        let Tail { next, buffer, filled, ended, dropped } = tail;
        (self.next, self.buffer, self.filled) = (next, buffer, filled);
        (self.ended, self.dropped) = (ended, dropped);
    }

    /// Goes on at a marker, with no data before it.
    pub(super) fn seek(&mut self, marker: usize) {
        (self.next, self.filled, self.ended) = (marker, 0, true);
    }

    /// The data and eight zeros.
    pub(super) fn data(&self) -> &[u8] {
        &self.buffer[..self.filled + PADDING]
    }

    /// How many bytes of [`Window::data`] are data.
    pub(super) const fn filled(&self) -> usize {
        self.filled
    }

    /// Up to which byte an MCU may begin and be sure to find all of itself that there is.
    pub(super) const fn last_start(&self) -> usize {
        if self.ended { self.filled } else { self.filled.saturating_sub(self.reserve) }
    }

    /// Drops the first `used` bytes and fills up.
    pub(super) fn advance(&mut self, used: usize) {
        let used = used.min(self.filled);
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
        self.dropped += used;
        self.fill();
    }

    fn fill(&mut self) {
        let source = self.source;
        while self.filled < SIZE && !self.ended {
            let rest = source.get(self.next..).unwrap_or_default();
            let room = &rest[..rest.len().min(SIZE - self.filled)];
            let plain = memchr(0xFF, room).unwrap_or(room.len());
            self.buffer[self.filled..self.filled + plain].copy_from_slice(&room[..plain]);
            self.filled += plain;
            self.next += plain;
            match rest.get(plain..) {
                Some([0xFF, 0x00, ..]) if self.filled < SIZE => {
                    self.buffer[self.filled] = 0xFF;
                    self.filled += 1;
                    self.next += 2;
                }
                Some([0xFF, 0xFF, ..]) => self.next += 1,
                // No room for it in this round, or plain data beyond the room.
                Some([0xFF, 0x00, ..] | [0..=0xFE, ..]) => {}
                Some([] | [0xFF, ..]) | None => self.ended = true,
            }
        }
        self.buffer[self.filled..self.filled + PADDING].fill(0);
    }

    /// Where the next marker stands, the data before it being given up, and its code. `None`: the
    /// file ends without one. Codes that mean nothing are damage, and passed over.
    pub(super) fn marker(&mut self) -> Option<(usize, u8)> {
        self.filled = 0;
        self.ended = true;
        let found = find_marker(self.source, self.next);
        self.next = found.map_or(self.source.len(), |(at, _)| at);
        found
    }
}

/// The first marker at or behind `from` that can stand behind entropy-coded data: a restart, the
/// end, or what a scan may follow. Others are damage.
pub(super) fn find_marker(source: &[u8], from: usize) -> Option<(usize, u8)> {
    let mut at = from;
    loop {
        at += memchr(0xFF, source.get(at..)?)?;
        match *source.get(at + 1)? {
            code @ (0xC4 | 0xD0..=0xD7 | 0xD9..=0xDD | 0xE0..=0xEF | 0xFE) => {
                return Some((at, code));
            }
            0xFF => at += 1,
            _ => at += 2,
        }
    }
}

/// The marker behind a scan whose data begins at `from`: the first that is no restart.
pub(super) fn find_end(source: &[u8], from: usize) -> Option<(usize, u8)> {
    let mut marker = find_marker(source, from);
    while let Some((at, 0xD0..=0xD7)) = marker {
        marker = find_marker(source, at + 2);
    }
    marker
}

/// How many bytes of data `stuffed` holds. `None`: a marker is among them.
pub(super) fn data_bytes(stuffed: &[u8]) -> Option<usize> {
    let (mut at, mut bytes) = (0, 0);
    loop {
        let rest = stuffed.get(at..).unwrap_or_default();
        let Some(plain) = memchr(0xFF, rest) else { return Some(bytes + rest.len()) };
        bytes += plain;
        match rest.get(plain + 1)? {
            0x00 => (at, bytes) = (at + plain + 2, bytes + 1),
            0xFF => at += plain + 1,
            _ => return None,
        }
    }
}
