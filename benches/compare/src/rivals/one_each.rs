//! An inbox by hand: a transaction per event on one connection.
//!
//! What an event says was read before: every value lies ready. A second arrival is found by the
//! event's name, a second event of the same payment by the purchase's reference.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, params};

use super::by_hand;
use crate::{
    accounts::{self, BOUGHT},
    inbox,
    stripe::{self, CENTS, CREDITS, NOW},
    transfer::{ACCOUNTS, Moved},
};

const SCHEMA: &str = "
    CREATE TABLE stripe_events (
        id TEXT NOT NULL PRIMARY KEY, type TEXT NOT NULL, payload TEXT NOT NULL,
        status TEXT NOT NULL, error TEXT, received_at INTEGER NOT NULL, processed_at INTEGER
    ) STRICT;
    CREATE TABLE accounts (
        user_id TEXT NOT NULL PRIMARY KEY, balance INTEGER NOT NULL, version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE purchases (
        id INTEGER PRIMARY KEY, user_id TEXT NOT NULL REFERENCES accounts, credits INTEGER NOT NULL,
        provider TEXT NOT NULL, reference TEXT NOT NULL, amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL, created_at INTEGER NOT NULL, UNIQUE (provider, reference)
    ) STRICT;
    CREATE TABLE ledger (
        id INTEGER PRIMARY KEY, user_id TEXT NOT NULL REFERENCES accounts, kind TEXT NOT NULL,
        amount INTEGER NOT NULL, balance INTEGER NOT NULL, reference TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;";

/// A paid checkout, read.
#[derive(Clone, Debug)]
pub struct Paid {
    id: String,
    body: String,
    user: String,
    reference: String,
}

impl Paid {
    /// The n-th one.
    #[must_use]
    pub fn nth(n: u64) -> Self {
        Self {
            id: stripe::event(n),
            body: stripe::checkout(n).body,
            user: accounts::name(stripe::payer(n)),
            reference: stripe::payment(n),
        }
    }
}

/// One connection for all.
#[derive(Debug)]
pub struct OneEach(Mutex<Connection>);

impl OneEach {
    /// A new file with the accounts.
    ///
    /// # Errors
    ///
    /// Whatever hinders SQLite.
    pub fn create(path: &Path) -> rusqlite::Result<Self> {
        let connection = by_hand::open(path)?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch("BEGIN")?;
        for n in 0..ACCOUNTS.unsigned_abs() {
            let account = params![accounts::name(n), BOUGHT];
            connection
                .prepare_cached("INSERT INTO accounts VALUES (?1, ?2, 1)")?
                .execute(account)?;
        }
        connection.execute_batch("COMMIT")?;
        Ok(Self(Mutex::new(connection)))
    }

    /// One event in a transaction of its own.
    ///
    /// # Errors
    ///
    /// Whatever hinders SQLite; the transaction is then still open, and so is the question.
    pub fn consume(&self, paid: &Paid) -> rusqlite::Result<Moved> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = |text| connection.prepare_cached(text)?.execute([]).map(drop);
        run("BEGIN IMMEDIATE")?;
        let moved = inside(&connection, paid)?;
        run(if moved == Moved::Now { "COMMIT" } else { "ROLLBACK" })?;
        Ok(moved)
    }

    /// Compares the books with the model: each of these payments was credited once.
    ///
    /// # Errors
    ///
    /// Whatever hinders SQLite.
    pub fn check(&self, payments: impl IntoIterator<Item = u64>) -> rusqlite::Result<()> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (model, count) = inbox::balances(payments);
        for (n, balance) in (0..).zip(model) {
            let found: i64 = connection
                .prepare_cached("SELECT balance FROM accounts WHERE user_id = ?1")?
                .query_row([accounts::name(n)], |row| row.get(0))?;
            assert_eq!(found, balance, "rival: a balance is wrong");
        }
        for text in [
            "SELECT count(*) FROM stripe_events WHERE status = 'ok'",
            "SELECT count(*) FROM purchases",
            "SELECT count(*) FROM ledger",
        ] {
            let found: i64 = connection.query_row(text, [], |row| row.get(0))?;
            assert_eq!(found, count, "rival: {text}");
        }
        Ok(())
    }
}

fn inside(connection: &Connection, paid: &Paid) -> rusqlite::Result<Moved> {
    let Paid { id, body, user, reference } = paid;
    let now = NOW * 1_000_000;
    let is_new = connection
        .prepare_cached(
            "INSERT INTO stripe_events (id, type, payload, status, received_at)
             VALUES (?1, 'checkout.session.completed', ?2, 'pending', ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![id, body, now])?;
    if is_new == 0 {
        return Ok(Moved::Before);
    }
    let is_new = connection
        .prepare_cached(
            "INSERT INTO purchases
                 (user_id, credits, provider, reference, amount_minor, currency, created_at)
             VALUES (?1, ?2, 'stripe', ?3, ?4, 'usd', ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![user, CREDITS, reference, CENTS, now])?;
    if is_new == 1 {
        let balance: i64 = connection
            .prepare_cached(
                "UPDATE accounts SET balance = balance + ?2, version = version + 1
                 WHERE user_id = ?1 RETURNING balance",
            )?
            .query_row(params![user, CREDITS], |row| row.get(0))?;
        connection
            .prepare_cached(
                "INSERT INTO ledger (user_id, kind, amount, balance, reference, created_at)
                 VALUES (?1, 'purchase', ?2, ?3, ?4, ?5)",
            )?
            .execute(params![user, CREDITS, balance, reference, now])?;
    }
    connection
        .prepare_cached("UPDATE stripe_events SET status = 'ok', processed_at = ?2 WHERE id = ?1")?
        .execute(params![id, now])?;
    Ok(Moved::Now)
}
