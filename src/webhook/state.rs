//! An event's life, from its arrival to its end.
//!
//! ```text
//! pending --claim---> working    a worker has it, until its lease is over
//! pending --finish--> ok
//! pending --ignore--> ignored
//! pending --fail----> retry      until it failed too often
//! pending --bury----> dead
//! working --claim---> working    its worker never answered, and another takes it over
//! working --finish--> ok
//! working --ignore--> ignored
//! working --fail----> retry
//! working --bury----> dead
//! retry   --claim---> working
//! retry   --finish--> ok
//! retry   --ignore--> ignored
//! retry   --fail----> retry
//! retry   --bury----> dead
//! retry   --replay--> pending    somebody does not want to wait
//! ignored --replay--> pending    a handler was added
//! dead    --replay--> pending    what hindered it was mended
//! ```
//!
//! # Invariants
//!
//! - **H6** An event that is ok is never worked on again, whoever asks.

use crate::storage::text_enum;

text_enum! {
    /// How far an event is.
    EventStatus {
        /// Nobody has tried yet.
        Pending = "pending",
        /// A worker has it.
        Working = "working",
        /// It failed, and will be tried again.
        Retry = "retry",
        /// Its effect is in the books.
        Ok = "ok",
        /// It was looked at, and there was nothing to do.
        Ignored = "ignored",
        /// It cannot be processed, or failed too often. An admin may replay it.
        Dead = "dead",
    }
}

/// What can happen to an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the table above lists each of them")]
pub enum Progress {
    /// A worker takes it.
    Claim,
    /// Its effect is applied.
    Finish,
    /// There is nothing to do.
    Ignore,
    /// It did not work this time.
    Fail,
    /// It will never work, or failed too often.
    Bury,
    /// An admin wants it tried again.
    Replay,
}

/// The status after something happened; `None`: it is refused.
#[must_use]
pub const fn next_status(status: EventStatus, progress: Progress) -> Option<EventStatus> {
    use EventStatus as S;
    use Progress as P;
    match (status, progress) {
        (S::Pending | S::Working | S::Retry, P::Claim) => Some(S::Working),
        (S::Pending | S::Working | S::Retry, P::Finish) => Some(S::Ok),
        (S::Pending | S::Working | S::Retry, P::Ignore) => Some(S::Ignored),
        (S::Pending | S::Working | S::Retry, P::Fail) => Some(S::Retry),
        (S::Pending | S::Working | S::Retry, P::Bury) => Some(S::Dead),
        (S::Retry | S::Ignored | S::Dead, P::Replay) => Some(S::Pending),
        (S::Pending | S::Working | S::Ok, P::Replay)
        | (S::Ok | S::Ignored | S::Dead, P::Claim | P::Finish | P::Ignore | P::Fail | P::Bury) => {
            None
        }
    }
}
