//! finalmile's SQLite engine on a disk that loses power, fills up and fails.
//!
//! The engine runs unmodified. Beneath it, SQLite's default file system is replaced by [`Machine`]s
//! in memory, which lose what was not synced; above it, a [`Client`] makes calls, notes what was
//! acknowledged and, when the power is back, asks for it.
//!
//! | file | is |
//! |---|---|
//! | `disk.rs` | bytes, and which of them survive |
//! | `machine.rs`, `files.rs`, `locks.rs` | who has files open, and what goes wrong |
//! | `vfs.rs` | the same, as SQLite calls it |
//! | `script.rs`, `client.rs` | calls, and what was answered |
//! | `standings.rs`, `books.rs` | what is found, and what must hold of it |
//! | `trial.rs`, `tally.rs` | lives with something going wrong, and what they come to |
//!
//! The disk's own head says what it models. Beyond it: one process at a time uses a database, though
//! with a writing and several reading connections; memory maps are not used; the clock of the rules
//! is [`Simulated`](finalmile::Simulated), while SQLite's own time and chance are the machine's, so
//! that a seed repeats the calls and the cut but not every byte.

mod books;
mod client;
mod disk;
mod files;
mod locks;
mod machine;
mod random;
mod script;
mod standings;
mod tally;
mod trial;
mod vfs;

use std::io::Write as _;

pub use books::books;
pub use client::Client;
pub use disk::{Disk, Inode, SECTOR, Survival};
pub use machine::{CHANGES, Fault, Harm, Machine, Operation};
pub use random::Random;
pub use script::{ACCOUNTS, Act, Call, Script, Standing, Step, TTL, Thing};
pub use standings::Standings;
pub use tally::Tally;
pub use trial::{Outcome, Setup, Trial};
pub use vfs::panics;

/// Says something that the test runner does not swallow.
pub fn say(line: &str) {
    // A closed terminal is no reason to fail.
    drop(writeln!(std::io::stderr(), "{line}"));
}
