//! Importing on several threads: whoever has a core to spare halves the time.
//!
//! Hashing is nearly all of importing, and chunks are hashed each by itself. So pieces of a few chunks go
//! round: the caller's own thread reads them all, hashes one in so many itself, and puts the leaves into
//! the tree in their order.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};

use super::super::error::IpfsError;
use super::encode::{self, Link};
use super::import::{Builder, Nodes};
use super::profile::Profile;

/// The least bytes of a piece: below it, handing it over would cost more than it saves.
const PIECE_BYTES: usize = 256 << 10;

/// Imports everything `reader` yields, on so many threads in all, and gives the inner blocks to `nodes`.
///
/// Holds at most three pieces a thread: whole chunks, of 256 KiB or more together.
pub(super) fn import(
    mut reader: impl Read,
    profile: Profile,
    threads: NonZeroUsize,
    failed: impl Fn(io::Error) -> IpfsError,
    nodes: &mut impl Nodes,
) -> Result<Link, IpfsError> {
    let chunk_bytes = profile.chunk_bytes();
    let piece_bytes = chunk_bytes.saturating_mul(PIECE_BYTES.div_ceil(chunk_bytes));
    let mut builder = Builder::new(profile);
    thread::scope(|scope| {
        let mut lanes = Lanes::new(threads, profile);
        loop {
            let mut piece = lanes.spare.pop().unwrap_or_default();
            let read = reader.by_ref().take(piece_bytes as u64).read_to_end(&mut piece);
            let is_last = read.map_err(&failed)? < piece_bytes;
            let is_only = is_last && lanes.under_way.is_empty();
            lanes.give(scope, piece, is_only);
            while lanes.under_way.len() > if is_last { 0 } else { lanes.most() } {
                // A thread of ours that is gone can only have been killed.
                let leaves = lanes.take().ok_or_else(|| failed(io::ErrorKind::Other.into()))?;
                leaves.into_iter().try_for_each(|leaf| builder.push(leaf, nodes))?;
            }
            if is_last {
                return builder.finish(nodes);
            }
        }
    })
}

/// Leaves of one piece, and the piece to be filled again.
type Hashed = (Vec<Link>, Vec<u8>);

/// Another thread, and the way to it and back.
struct Lane {
    pieces: Sender<Vec<u8>>,
    hashed: Receiver<Hashed>,
}

/// Who hashes a piece that was given away.
enum Place {
    Here(Hashed),
    There(usize),
}

struct Lanes {
    profile: Profile,
    /// How many other threads are still to be started: none before there is something for them.
    to_start: usize,
    others: Vec<Lane>,
    /// In the order of the file.
    under_way: VecDeque<Place>,
    spare: Vec<Vec<u8>>,
    /// Whose turn it is: one of the others, or, after them, this thread.
    turn: usize,
}

impl Lanes {
    fn new(threads: NonZeroUsize, profile: Profile) -> Self {
        let to_start = threads.get() - 1;
        let (others, under_way, spare) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { profile, to_start, others, under_way, spare, turn: 0 }
    }

    /// How many pieces may be under way: two a thread, so that none waits for the reader.
    fn most(&self) -> usize {
        2 * (self.others.len() + 1)
    }

    /// Has a piece hashed by whose turn it is.
    fn give<'scope>(&mut self, scope: &'scope Scope<'scope, '_>, piece: Vec<u8>, is_only: bool) {
        if !is_only && self.to_start > 0 {
            self.to_start -= 1;
            self.others.extend(Lane::start(scope, self.profile));
            self.turn = self.others.len() - usize::from(!self.others.is_empty());
        }
        let turn = self.turn;
        self.turn = if turn >= self.others.len() { 0 } else { turn + 1 };
        let place = match self.others.get(turn) {
            Some(lane) => match lane.pieces.send(piece) {
                Ok(()) => Place::There(turn),
                Err(back) => Place::Here(hash(back.0, self.profile)),
            },
            None => Place::Here(hash(piece, self.profile)),
        };
        self.under_way.push_back(place);
    }

    /// The leaves of the piece that was given first.
    fn take(&mut self) -> Option<Vec<Link>> {
        let (leaves, mut piece) = match self.under_way.pop_front()? {
            Place::Here(hashed) => hashed,
            Place::There(lane) => self.others.get(lane)?.hashed.recv().ok()?,
        };
        piece.clear();
        self.spare.push(piece);
        Some(leaves)
    }
}

impl Lane {
    /// `None`: the system has no thread for us, and the caller's own does the work.
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, profile: Profile) -> Option<Self> {
        let (pieces, given) = channel::<Vec<u8>>();
        let (done, hashed) = channel();
        let work = move || {
            for piece in given {
                if done.send(hash(piece, profile)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("finalmile-import".to_owned());
        thread.spawn_scoped(scope, work).ok()?;
        Some(Self { pieces, hashed })
    }
}

fn hash(piece: Vec<u8>, profile: Profile) -> Hashed {
    let chunks = piece.chunks(profile.chunk_bytes());
    (chunks.map(|chunk| encode::leaf(chunk, profile)).collect(), piece)
}
