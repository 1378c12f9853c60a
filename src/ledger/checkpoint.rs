//! Checkpoints: one hash over the heads of all chains, to be kept where the database is not.
//!
//! Whoever can write to the database can cut off the end of a chain and set its head back; nothing
//! inside the database then shows it. A root that the host has put elsewhere (a log, a mail, another
//! company) does: it is computed again from the entries, up to where each account stood.
//!
//! Where that was is noted in marks, one for each account that moved since the checkpoint before. A
//! mark needs no trust: a wrong one leads to another root.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;

use crate::{
    AccountId, Refusal, Timestamp,
    expiry::CHUNK,
    ledger::{account::Account, proof::PASS_MAX, stream::Stream},
    once::Sha,
    record,
    storage::{Command, Field, KeySet, Reader, Rows, Store, StoreError},
    time::sixteen,
};

/// One hash over all chains, and how far they reached.
///
/// As text, which is what to keep elsewhere: number, accounts, entries, microseconds and root.
///
/// ```
/// # use finalmile::{FinalMile, engines::Memory, ledger::Checkpoint};
/// # let fm = FinalMile::builder(Memory::new()).open()?;
/// let kept = fm.ledger().checkpoint().wait()?.to_string();
/// assert!(fm.ledger().verify(Some(kept.parse()?)).wait()?.is_sound());
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its place in the line of checkpoints, from 1.
    pub number: i64,
    /// SHA-256 over account, number of entries and head of each account that has any, by account.
    pub root: [u8; 32],
    /// How many accounts had entries.
    pub accounts: i64,
    /// How many entries there were.
    pub entries: i64,
    /// When it was taken.
    pub at: Timestamp,
}

record! {
    Checkpoint: "fm_checkpoint",
    key: (number: i64),
    columns: (root, accounts, entries, at),
    shard: number,
    indexes: [],
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, accounts, entries, at, root } = self;
        write!(f, "{number} {accounts} {entries} {} {}", at.micros(), HEXLOWER.encode(root))
    }
}

impl FromStr for Checkpoint {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = text.split(' ').collect();
        let read = || {
            let [number, accounts, entries, at, root] = parts[..] else { return None };
            let number_of = |text: &str| text.parse::<i64>().ok().filter(|n| *n >= 0);
            Some(Self {
                number: number_of(number)?,
                root: HEXLOWER.decode(root.as_bytes()).ok()?.try_into().ok()?,
                accounts: number_of(accounts)?,
                entries: number_of(entries)?,
                at: Timestamp::from_micros(number_of(at)?),
            })
        };
        let why = "it is not the text of one";
        read().ok_or(Refusal::Invalid { field: "checkpoint", why })
    }
}

/// The last number, and which run works on the next one.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointHead {
    /// There is one head, at 0.
    id: i64,
    last: i64,
    run: Option<[u8; 16]>,
}

record! {
    CheckpointHead: "fm_checkpoint_head",
    key: (id: i64),
    columns: (last, run),
    shard: id,
    indexes: [],
}

/// How many entries an account had at a checkpoint, if they were more than at the one before.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) account: AccountId,
    pub(crate) number: i64,
    pub(crate) entries: i64,
}

record! {
    Mark: "fm_checkpoint_mark",
    key: (account: AccountId, number: i64),
    columns: (entries),
    shard: account,
    indexes: [],
}

/// The root while it is computed: feed it the accounts in order.
#[derive(Clone, Default)]
pub(super) struct Root {
    hash: Sha,
    pub(super) accounts: i64,
    pub(super) entries: i64,
}

impl Root {
    pub(super) fn add(&mut self, account: &AccountId, entries: i64, head: &[u8; 32]) {
        if entries > 0 {
            self.hash.field(account.as_str().as_bytes());
            self.hash.field(&entries.to_be_bytes());
            self.hash.field(head);
            self.accounts += 1;
            self.entries = self.entries.saturating_add(entries);
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        self.hash.finish()
    }
}

/// What a pass over the accounts found.
struct Heads {
    root: Root,
    /// Accounts that moved since the last mark.
    moved: Vec<(AccountId, i64)>,
}

fn heads(reader: &mut dyn Reader) -> Result<Heads, StoreError> {
    let (mut accounts, mut marks) = (Stream::<Account>::new(), Stream::<Mark>::new());
    let mut heads = Heads { root: Root::default(), moved: Vec::new() };
    while let Some(account) = accounts.next(reader)? {
        heads.root.add(&account.id, account.entries, &account.head);
        let bound = account.id.to_value();
        let mut marked = 0;
        while let Some(mark) = marks.next_up_to(reader, Some(&bound))? {
            if mark.account == account.id {
                marked = mark.entries;
            }
        }
        if marked != account.entries {
            heads.moved.push((account.id, account.entries));
        }
    }
    Ok(heads)
}

/// Takes a checkpoint. If two run at once, the one that began later goes on and the other is `Busy`.
///
/// A run that was overtaken, or died, may leave marks under the number that the next one uses. They
/// are older than its snapshot, so it moves those that are behind.
pub(super) fn take(store: &Store) -> Result<Checkpoint, StoreError> {
    let run = sixteen(&**store.world());
    let number = store.submit(Open { run }).wait()?;
    let Heads { root, moved } = store.snapshot(PASS_MAX, heads).wait()?;
    let overtaken = || StoreError::Busy("another checkpoint has begun".to_owned());
    for chunk in moved.chunks(CHUNK) {
        let marks = chunk.iter().map(|(account, entries)| Mark {
            account: account.clone(),
            number,
            entries: *entries,
        });
        let note = Note { run, marks: marks.collect() };
        store.submit(note).wait()?.map_err(|_| overtaken())?;
    }
    let (accounts, entries) = (root.accounts, root.entries);
    let at = Timestamp::default();
    let checkpoint = Checkpoint { number, root: root.finish(), accounts, entries, at };
    store.submit(Close { run, checkpoint }).wait()?.map_err(|_| overtaken())
}

/// Begins a run, and ends any other.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) run: [u8; 16],
}

impl Command for Open {
    type Out = i64;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<CheckpointHead>(&0);
    }

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> i64 {
        let last = rows.get::<CheckpointHead>(&0).map_or(0, |head| head.last);
        rows.put(CheckpointHead { id: 0, last, run: Some(self.run) });
        last + 1
    }
}

/// Whether the run is still the one that works.
fn current(rows: &Rows, run: [u8; 16]) -> Result<CheckpointHead, Refusal> {
    let head = rows.get::<CheckpointHead>(&0).filter(|head| head.run == Some(run));
    head.cloned().ok_or(Refusal::Conflict { what: "checkpoint", field: "run" })
}

/// Writes marks.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) run: [u8; 16],
    pub(crate) marks: Vec<Mark>,
}

impl Command for Note {
    type Out = Result<(), Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<CheckpointHead>(&0);
        self.marks.iter().for_each(|mark| keys.own::<Mark>(&(mark.account.clone(), mark.number)));
    }

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> Self::Out {
        current(rows, self.run)?;
        self.marks.iter().for_each(|mark| rows.put(mark.clone()));
        Ok(())
    }

    fn is_background(&self) -> bool {
        true
    }
}

/// Ends a run with its result.
#[derive(Clone, Debug)]
pub(crate) struct Close {
    pub(crate) run: [u8; 16],
    pub(crate) checkpoint: Checkpoint,
}

impl Command for Close {
    type Out = Result<Checkpoint, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<CheckpointHead>(&0);
        keys.own::<Checkpoint>(&self.checkpoint.number);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let head = current(rows, self.run)?;
        let checkpoint = Checkpoint { at: now, ..self.checkpoint.clone() };
        rows.put(CheckpointHead { last: checkpoint.number, run: None, ..head });
        rows.put(checkpoint.clone());
        Ok(checkpoint)
    }
}
