//! The ledger's own audit: history, checkpoints, verification, export and import.

use std::{
    io::{BufRead, Write},
    time::Duration,
};

use crate::{
    AccountId, Error, FinalMile, Timestamp,
    ledger::{BalanceAt, Checkpoint, Ledger, Proof, checkpoint, export, history, verify::verify},
    storage::{Cursor, Page, Pending, Scan},
    time::sixteen,
};

/// How long a pass over the whole ledger may take.
pub(super) const PASS_MAX: Duration = Duration::from_secs(3_600);

impl Ledger {
    /// What an account had after all that was recorded until `at`, inclusive (**L16**); `None` if it
    /// does not exist. Costs log2 of its number of entries in reads.
    pub fn balance_at(&self, account: &AccountId, at: Timestamp) -> Pending<Option<BalanceAt>> {
        let whose = account.clone();
        let fault = FinalMile::fault("balance-at", Some(account.clone()));
        self.fm
            .store()
            .snapshot_in(PASS_MAX, fault, move |reader| history::balance_at(reader, &whose, at))
    }

    /// One hash over the heads of all chains, to be kept where the database is not: a log, a mail,
    /// another company. Works on a thread of its own; reads all accounts and all marks, and writes a
    /// mark for each account that moved since the last checkpoint: take one a day rather than one a
    /// minute. If two run at once, the later one goes on and the other is
    /// [`StoreError::Busy`](crate::storage::StoreError::Busy).
    pub fn checkpoint(&self) -> Pending<Checkpoint> {
        let store = self.fm.store().clone();
        let fault = FinalMile::fault("checkpoint", None);
        Pending::on_thread("finalmile-checkpoint", move || checkpoint::take(&store).map_err(fault))
    }

    /// The checkpoints that were taken, newest first, 20 a page.
    pub fn checkpoints(&self, after: Option<Cursor>) -> Pending<Page<Checkpoint>> {
        let scan = Scan::of::<Checkpoint>().descending().limit(20).after(after);
        self.fm.store().scan_in(scan, FinalMile::fault("checkpoints", None))
    }

    /// Reads the whole ledger as it is at one moment and says what is wrong with it: any entry that
    /// was changed, moved or removed, any sum that is not what its parts say (**L13**). Against a
    /// checkpoint that was kept elsewhere, also a chain whose end was cut off or written anew
    /// (**L14**). Costs one pass over the ledger's tables, with a page of each in memory; on engines
    /// that any thread may use it runs on the caller's.
    pub fn verify(&self, against: Option<Checkpoint>) -> Pending<Proof> {
        let fault = FinalMile::fault("verify", None);
        let salt = sixteen(&**self.fm.store().world());
        self.fm
            .store()
            .snapshot_in(PASS_MAX, fault, move |reader| verify(reader, against.as_ref(), salt))
    }

    /// Writes the ledger as it is at one moment, as JSON lines: one row each, bytes in hexadecimal,
    /// in an order that [`Ledger::import`] can read.
    pub fn export(&self, mut to: impl Write + Send + 'static) -> Pending<()> {
        let fault = FinalMile::fault("export", None);
        self.fm.store().snapshot_in(PASS_MAX, fault, move |reader| export::export(reader, &mut to))
    }

    /// Reads what [`Ledger::export`] wrote into a ledger that has none of its accounts; the root is
    /// then the same (**L15**). Every chain is checked before it is written; run
    /// [`Ledger::verify`] when it is done. Waits. An account that somebody else changes before its
    /// last row is in is refused; after an error, start again with an empty database.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`](crate::storage::StoreError::Corrupt) with the line that is broken,
    /// [`Refusal::AccountExists`](crate::Refusal::AccountExists), and what the store says.
    pub fn import(&self, mut from: impl BufRead) -> Result<(), Error> {
        export::import(self.fm.store(), &mut from).inspect_err(|error| error.log("import", None))
    }
}
