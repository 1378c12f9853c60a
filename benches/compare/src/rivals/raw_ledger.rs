//! The ledger's rows by hand: what SQLite alone takes for them.
//!
//! Every value lies ready, links and digests included, so nothing is read, decided or hashed while
//! the clock runs. The file is one that finalmile made, and its books must be sound afterwards.

use std::{collections::HashMap, path::Path};

use finalmile::TransferId;
use rusqlite::{Connection, params, types::ValueRef};

use super::{
    book::{Account, Asked, Book, Entry, Fields},
    by_hand,
};
use crate::transfer::Moved;

/// A file with accounts, and the books that say what comes next in it.
#[derive(Debug)]
pub struct RawLedger {
    /// Settings as our engine's writer has them.
    pub connection: Connection,
    book: Book,
}

/// The rows of one transfer.
#[derive(Debug)]
pub struct Written {
    accounts: [(String, Account); 2],
    entries: [Entry; 2],
    contras: [String; 2],
    scope: String,
    key: String,
    digest: [u8; 32],
    outcome: String,
    at: i64,
}

impl RawLedger {
    /// Opens a file that finalmile made.
    ///
    /// # Errors
    ///
    /// Whatever hinders SQLite.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = by_hand::open(path)?;
        let text = "SELECT id, balance, version, entries, head, moved_at FROM fm_account";
        let account = |row: &rusqlite::Row<'_>| {
            let [balance, version, entries, moved_at] =
                [row.get(1)?, row.get(2)?, row.get(3)?, row.get(5)?];
            Ok((row.get(0)?, Account { balance, version, entries, head: row.get(4)?, moved_at }))
        };
        let accounts: HashMap<_, _> =
            connection.prepare(text)?.query_map([], account)?.collect::<rusqlite::Result<_>>()?;
        Ok(Self { connection, book: Book::new(accounts, true) })
    }

    /// What a transfer will write, after all that were prepared before it.
    ///
    /// # Panics
    ///
    /// When it cannot happen.
    pub fn prepare(&mut self, asked: Asked) -> Written {
        let book = &mut self.book;
        assert_eq!(book.transfer(&asked), Moved::Now);
        let digest = book.keys.drain().map(|(_, digest)| digest).next();
        let entries = std::mem::take(&mut book.entries).try_into();
        let Asked { id, from, to, key, at, .. } = asked;
        Written {
            scope: format!("transfer:{from}"),
            contras: [&to, &from].map(|name| format!("account:{name}")),
            accounts: [from, to].map(|name| {
                let account = book.accounts[&name].clone();
                (name, account)
            }),
            entries: entries.expect("a transfer has two sides"),
            key,
            digest: digest.expect("its key is new"),
            outcome: TransferId::from_bytes(id).to_string(),
            at,
        }
    }
}

/// Writes the rows of all these transfers in one transaction.
///
/// # Errors
///
/// Whatever hinders SQLite; the transaction is then still open, and so is the question.
pub fn write(connection: &Connection, all: &[Written]) -> rusqlite::Result<()> {
    let run = |text| connection.prepare_cached(text)?.execute([]).map(drop);
    run("BEGIN IMMEDIATE")?;
    let mut update = connection.prepare_cached(
        "UPDATE fm_account SET balance = ?2, version = ?3, entries = ?4, head = ?5, moved_at = ?6
         WHERE id = ?1",
    )?;
    let mut entry = connection.prepare_cached(
        "INSERT INTO fm_entry (account, seq, transfer, kind, amount, owed, contra, balance, debt,
                               event_at, at, link)
         VALUES (?1, ?2, ?3, 'transfer', ?4, 0, ?5, ?6, 0, ?7, ?7, ?8)",
    )?;
    let mut once = connection.prepare_cached(
        "INSERT INTO fm_once (scope, key, digest, outcome, at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for one in all {
        for (id, account) in &one.accounts {
            let Account { balance, version, entries, head, moved_at } = account;
            update.execute(params![id, balance, version, entries, head, moved_at])?;
        }
        for (row, contra) in one.entries.iter().zip(&one.contras) {
            let Entry { account, seq, transfer, amount, balance, at, link, .. } = row;
            entry.execute(params![account, seq, transfer, amount, contra, balance, at, link])?;
        }
        let Written { scope, key, digest, outcome, at, .. } = one;
        once.execute(params![scope, key, digest, outcome, at])?;
    }
    run("COMMIT")
}

/// Reads every entry of a file and computes its link: how many there are.
///
/// # Errors
///
/// Whatever hinders SQLite.
///
/// # Panics
///
/// When a link is wrong.
pub fn chain(path: &Path) -> rusqlite::Result<u64> {
    let connection = by_hand::open(path)?;
    let mut statement = connection.prepare(
        "SELECT account, seq, transfer, original, kind, amount, owed, contra, balance, debt,
                event_at, at, detail, link
         FROM fm_entry ORDER BY account, seq",
    )?;
    let (mut rows, mut count, mut previous) = (statement.query([])?, 0, [0; 32]);
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? == 1 {
            previous = [0; 32];
        }
        let mut hash = Fields::default();
        hash.add(&[&previous]);
        for column in 0..13 {
            match row.get_ref(column)? {
                ValueRef::Integer(n) => hash.add(&[&n.to_be_bytes()]),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => hash.add(&[bytes]),
                ValueRef::Null | ValueRef::Real(_) => hash.add(&[]),
            }
        }
        let link = hash.finish();
        assert_eq!(row.get::<_, [u8; 32]>(13)?, link, "a link is wrong");
        (previous, count) = (link, count + 1);
    }
    Ok(count)
}
