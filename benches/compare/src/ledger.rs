//! The ledger beside rivals that write the same rows, and beside a loop over maps.
//!
//! All transfers are those of [`crate::transfer`], between 10,000 accounts and without a fee. Both sides'
//! requests lie ready before the clock starts. Afterwards every balance is compared with a model, and
//! [`Ledger::verify`] walks both sides' chains, so a rival that wrote other rows fails too.

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use finalmile::{
    AccountId, Credits, Error, FinalMile, SystemWorld, TransferId,
    engines::{Memory, Sqlite},
    ledger::{self, Ledger, Operation},
    storage::{Backend, Pending},
};
use rusqlite::Connection;
use rustix::time::ClockId;

use crate::{
    accounts::{self, BOUGHT},
    args::Args,
    callers,
    checks::reading,
    report::{Bar, Report, Row, Unit},
    rivals::{
        book::{self, Asked, Book},
        raw_ledger::{self, RawLedger},
    },
    rounds::{Pace, in_turns},
    transfer::{ACCOUNTS, Moved, Transfer, gains_after},
};

/// How many transfers share a transaction.
const BATCH: u16 = 1_000;
/// How many callers wait for durability.
const CALLERS: usize = 20;

/// A ledger with 10,000 accounts.
#[derive(Debug)]
pub struct Books {
    /// The store.
    pub fm: FinalMile,
    accounts: Vec<AccountId>,
}

impl Books {
    /// New ones.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn open(backend: impl Backend) -> Result<Self, Error> {
        let fm = FinalMile::builder(backend).open()?;
        let accounts = accounts::open(&fm, ACCOUNTS.unsigned_abs())?;
        Ok(Self { fm, accounts })
    }

    /// The n-th transfer, in a call of its own.
    pub fn transfer(&self, n: u64) -> Pending<ledger::Transferred> {
        let ledger::Transfer { from, to, amount, key, .. } = self.nth(n);
        self.fm.ledger().transfer(&from, &to, amount, &key)
    }

    fn nth(&self, n: u64) -> ledger::Transfer {
        let Transfer { key, from, to, amount, .. } = Transfer::nth(n);
        let account = |at: i64| self.accounts[usize::try_from(at).unwrap_or_default()].clone();
        ledger::Transfer {
            id: TransferId::fresh(&SystemWorld),
            from: account(from),
            to: account(to),
            amount: Credits::new(amount),
            key: text(key).parse().expect("it is a key"),
        }
    }

    /// Does these transfers in batches, and says how long it took by that clock.
    fn batches(&self, clock: ClockId, ops: Range<u64>) -> Duration {
        let all: Vec<_> = ops.map(|n| Operation::Transfer(self.nth(n))).collect();
        let batches: Vec<_> = all.chunks(BATCH.into()).map(<[_]>::to_vec).collect();
        let ledger = self.fm.ledger();
        let before = reading(clock);
        for batch in batches {
            let done = ledger.batch(batch).wait().expect("the store answers");
            assert!(done.iter().all(Result::is_ok), "every transfer is possible");
        }
        reading(clock) - before
    }

    /// Compares the books with the model, after so many transfers.
    fn check(&self, side: &str, count: u64) -> Result<(), Error> {
        let ledger: Ledger = self.fm.ledger();
        for (account, gain) in self.accounts.iter().zip(gains_after(count, 0)) {
            let found = ledger.account(account).wait()?.map(|found| found.balance);
            assert_eq!(found, Some(Credits::new(BOUGHT + gain)), "{side}: a balance is wrong");
        }
        let proof = ledger.verify(None).wait()?;
        assert!(proof.is_sound(), "{side}: {:?}", proof.breaks);
        let entries = ACCOUNTS.unsigned_abs() + 2 * count;
        assert_eq!(proof.entries.unsigned_abs(), entries, "{side}: entries are missing");
        Ok(())
    }
}

/// An idempotency key as text.
fn text(key: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(key))
}

/// The n-th transfer, as rivals are asked for it. Their clock shows the transfer's number.
fn asked(n: u64) -> Asked {
    let Transfer { key: id, from, to, amount, .. } = Transfer::nth(n);
    let [from, to] = [from, to].map(|at| accounts::name(at.unsigned_abs()));
    // After the accounts were opened, whenever that was: the year 2100.
    let at = 4_102_444_800_000_000 + n.cast_signed();
    Asked { id, from, to, amount, key: text(id), at }
}

/// Two files with the same accounts: ours, and the one that a rival goes on with.
struct Pair {
    ours: Books,
    rivals: RawLedger,
    paths: [PathBuf; 2],
}

impl Pair {
    fn below(place: &Path) -> Result<Self, Error> {
        let paths = ["ours.db", "rivals.db"].map(|name| place.join(name));
        // Closed at once, and with it the log is moved into the file.
        drop(Books::open(Sqlite::file(&paths[1]))?);
        let rivals = RawLedger::open(&paths[1]).expect("the file can be opened");
        Ok(Self { ours: Books::open(Sqlite::file(&paths[0]))?, rivals, paths })
    }

    fn check(self, counts: [u64; 2]) -> Result<(), Error> {
        let Self { ours, rivals, paths } = self;
        let accounts = ours.accounts.clone();
        drop((ours, rivals));
        for ((side, path), count) in ["ours", "rival"].iter().zip(paths).zip(counts) {
            let keys = |connection: Connection| {
                connection.query_row("SELECT count(*) FROM fm_once", [], |row| row.get::<_, i64>(0))
            };
            let keys = Connection::open(&path).and_then(keys).expect("the file can be read");
            assert_eq!(keys.unsigned_abs(), count, "{side}: every transfer leaves one key");
            let fm = FinalMile::builder(Sqlite::file(path)).open()?;
            Books { fm, accounts: accounts.clone() }.check(side, count)?;
        }
        Ok(())
    }
}

/// The row of batches that share a sync.
///
/// # Errors
///
/// Whatever the store answers.
pub fn batches(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let figure = "durable transfers, batches of 1,000";
    if !args.wants(figure) {
        return Ok(());
    }
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let Pair { ours, mut rivals, paths } = Pair::below(place.path())?;
    let mut our_side = |ops| ours.batches(ClockId::Monotonic, ops);
    let mut rival_side = |ops: Range<u64>| {
        let all: Vec<_> = ops.map(|n| rivals.prepare(asked(n))).collect();
        let before = reading(ClockId::Monotonic);
        for batch in all.chunks(BATCH.into()) {
            raw_ledger::write(&rivals.connection, batch).expect("the rows can be written");
        }
        reading(ClockId::Monotonic) - before
    };
    let pace = Pace { step: BATCH.into(), ..args.pace() };
    let runs = in_turns(pace, [&mut our_side, &mut rival_side]);
    Pair { ours, rivals, paths }.check(runs.each_ref().map(|runs| runs.ops))?;
    let rival = "the same rows in rusqlite, 1,000 a transaction, every value ready";
    let (figure, rival, bar) = (figure.to_owned(), rival.to_owned(), Bar::AtLeast(0.5));
    report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar });
    Ok(())
}

/// The row of callers that each wait until their transfer is durable.
///
/// # Errors
///
/// Whatever the store answers.
pub fn callers(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let figure = format!("{CALLERS} callers, a durable transfer a call");
    if !args.wants(&figure) {
        return Ok(());
    }
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let Pair { ours, mut rivals, paths } = Pair::below(place.path())?;
    let mut our_side = |ops| {
        callers::threads(CALLERS, ops, |n| {
            let done = ours.transfer(n).wait().expect("the store answers");
            assert!(!done.replayed, "every key is fresh");
        })
    };
    let mut rival_side = |ops: Range<u64>| {
        let all: Vec<_> = ops.clone().map(|n| rivals.prepare(asked(n))).collect();
        // Whoever has the lock writes what comes next.
        let shared = Mutex::new((&mut rivals.connection, all.iter()));
        callers::threads(CALLERS, ops, |_| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let next = shared.1.next().expect("there are as many as calls");
            let one = std::slice::from_ref(next);
            raw_ledger::write(shared.0, one).expect("the rows can be written");
        })
    };
    let runs = in_turns(args.pace(), [&mut our_side, &mut rival_side]);
    Pair { ours, rivals, paths }.check(runs.each_ref().map(|runs| runs.ops))?;
    let rival = "the same rows in rusqlite behind a mutex, a transaction a call, every value ready";
    let (rival, bar) = (rival.to_owned(), Bar::AtLeast(5.0));
    report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar });
    Ok(())
}

/// The rows of the memory engine beside a loop over maps.
///
/// # Errors
///
/// Whatever the store answers.
pub fn memory(args: &Args, report: &mut Report) -> Result<(), Error> {
    let figure = "transfers in memory, batches of 1,000, one thread, of processor time";
    if !args.wants(figure) {
        return Ok(());
    }
    // All of the process: what another thread did for us counts too.
    let clock = ClockId::ProcessCPUTime;
    let ours = Books::open(Memory::new())?;
    let [mut plain, mut chained] = [false, true].map(|is_chained| {
        let opened =
            book::Account { balance: BOUGHT, version: 0, entries: 0, head: [0; 32], moved_at: 0 };
        let account = |at| (accounts::name(at), opened.clone());
        let all: HashMap<_, _> = (0..ACCOUNTS.unsigned_abs()).map(account).collect();
        Book::new(all, is_chained)
    });
    let by_hand = |book: &mut Book, ops: Range<u64>| {
        let all: Vec<_> = ops.map(asked).collect();
        let before = reading(clock);
        for one in &all {
            assert_eq!(book.transfer(one), Moved::Now);
        }
        reading(clock) - before
    };
    let mut our_side = |ops| ours.batches(clock, ops);
    let mut plain_side = |ops| by_hand(&mut plain, ops);
    let mut chained_side = |ops| by_hand(&mut chained, ops);
    // Short ones, because everything stays in memory.
    let Pace { rounds, round, .. } = args.pace();
    let pace = Pace { rounds, round: round / 4, step: BATCH.into() };
    let runs = in_turns(pace, [&mut our_side, &mut plain_side, &mut chained_side]);
    ours.check("ours", runs[0].ops)?;
    for (book, runs) in [&plain, &chained].iter().zip(&runs[1..]) {
        let gains = (0..).zip(gains_after(runs.ops, 0));
        gains.for_each(|(n, gain)| {
            let found = book.accounts[&accounts::name(n)].balance;
            assert_eq!(found, BOUGHT + gain, "rival: a balance is wrong");
        });
        assert_eq!(book.entries.len() as u64, 2 * runs.ops, "rival: entries are missing");
    }
    let [ours, plain, chained] = runs;
    let rivals = [
        ("std's `HashMap`s and a `Vec` of entries", plain, Bar::AtLeast(0.25)),
        ("the same with the chain of SHA-256", chained, Bar::None),
    ];
    for (rival, theirs, bar) in rivals {
        let (figure, rival) = (figure.to_owned(), rival.to_owned());
        let (unit, runs) = (Unit::PerSecond, [ours.clone(), theirs]);
        report.row(&Row { figure, rival, unit, runs, bar });
    }
    Ok(())
}
