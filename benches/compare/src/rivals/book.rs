//! Double entry by hand, in memory: a loop over the standard library's maps.
//!
//! It does what a ledger has to: a key is used once, nothing is overdrawn, both accounts change, and
//! each gets an entry. With a chain, an entry's link is finalmile's own (**L13**), so its rows are
//! sound in a database too.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::transfer::Moved;

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    /// What it has.
    pub balance: i64,
    /// Counts its changes.
    pub version: i64,
    /// How many entries it has.
    pub entries: i64,
    /// The link of the last of them.
    pub head: [u8; 32],
    /// The time of the last of them, in microseconds.
    pub moved_at: i64,
}

/// One side of a transfer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose.
    pub account: String,
    /// Its place among the account's entries, from 1.
    pub seq: i64,
    /// Which transfer.
    pub transfer: [u8; 16],
    /// What the balance gained.
    pub amount: i64,
    /// The account on the other side.
    pub contra: String,
    /// The balance after it.
    pub balance: i64,
    /// When, in microseconds.
    pub at: i64,
    /// Of a chain; zeros without one.
    pub link: [u8; 32],
}

/// A transfer as it is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id.
    pub id: [u8; 16],
    /// Who gives.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// How much.
    pub amount: i64,
    /// The giver's key for it.
    pub key: String,
    /// When, in microseconds.
    pub at: i64,
}

/// The books.
#[derive(Debug)]
pub struct Book {
    /// By name.
    pub accounts: HashMap<String, Account>,
    /// What was asked for under each giver's keys.
    pub keys: HashMap<(String, String), [u8; 32]>,
    /// All that happened since they were last taken.
    pub entries: Vec<Entry>,
    is_chained: bool,
}

impl Book {
    /// Books that begin with these accounts.
    #[must_use]
    pub fn new(accounts: HashMap<String, Account>, is_chained: bool) -> Self {
        Self { accounts, keys: HashMap::new(), entries: Vec::new(), is_chained }
    }

    /// One transfer.
    pub fn transfer(&mut self, asked: &Asked) -> Moved {
        let Asked { from, to, amount, key, .. } = asked;
        let digest = digest(&[&[to.as_bytes()], &[&amount.to_be_bytes()]]);
        let key = (from.clone(), key.clone());
        if let Some(known) = self.keys.get(&key) {
            return if *known == digest { Moved::Before } else { Moved::Never };
        }
        let Some(giver) = self.accounts.get(from) else { return Moved::Never };
        if giver.balance < *amount || !self.accounts.contains_key(to) {
            return Moved::Never;
        }
        self.post(asked, from, to, -amount);
        self.post(asked, to, from, *amount);
        self.keys.insert(key, digest);
        Moved::Now
    }

    fn post(&mut self, asked: &Asked, whose: &str, contra: &str, amount: i64) {
        let Some(account) = self.accounts.get_mut(whose) else { return };
        account.balance += amount;
        account.version += 1;
        account.entries += 1;
        account.moved_at = asked.at;
        let mut entry = Entry {
            account: whose.to_owned(),
            seq: account.entries,
            transfer: asked.id,
            amount,
            contra: contra.to_owned(),
            balance: account.balance,
            at: asked.at,
            link: [0; 32],
        };
        if self.is_chained {
            entry.link = entry.link_after(&account.head);
            account.head = entry.link;
        }
        self.entries.push(entry);
    }
}

impl Entry {
    fn link_after(&self, previous: &[u8; 32]) -> [u8; 32] {
        let [seq, amount, balance, at] =
            [self.seq, self.amount, self.balance, self.at].map(i64::to_be_bytes);
        let none = [0; 8];
        digest(&[
            &[previous],
            &[self.account.as_bytes()],
            &[&seq],
            &[&self.transfer],
            &[],
            &[b"transfer"],
            &[&amount],
            &[&none],
            &[b"account:", self.contra.as_bytes()],
            &[&balance],
            &[&none],
            &[&at],
            &[&at],
            &[],
        ])
    }
}

/// SHA-256 over fields, each with its length.
#[derive(Clone, Debug, Default)]
pub struct Fields(Sha256);

impl Fields {
    /// Adds a field, which may come in parts.
    pub fn add(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.0.update((length as u64).to_be_bytes());
        parts.iter().for_each(|part| self.0.update(part));
    }

    /// The hash of all.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

fn digest(fields: &[&[&[u8]]]) -> [u8; 32] {
    let mut hash = Fields::default();
    fields.iter().for_each(|parts| hash.add(parts));
    hash.finish()
}
