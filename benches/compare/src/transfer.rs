//! The operation that every side performs: a transfer with an idempotency key.
//!
//! Look the 16-byte key up, insert it with a 32-byte digest, take from one of 10,000 accounts and
//! give to another. A unit of every transfer is burnt, so the sum of all balances counts the
//! transfers. Keys are time-ordered as UUIDv7 is: an ordered prefix and a random rest.
//!
//! The n-th transfer follows from n alone. So both sides meet the same accounts in the same order,
//! no caller shares a generator with another, and [`balances_after`] is what must be left.

use finalmile::{
    Timestamp, record,
    storage::{Command, KeySet, Record as _, Rows, Schema},
};

/// How many accounts there are.
pub const ACCOUNTS: i64 = 10_000;
/// What each account has at first: more than any run can take.
pub const BALANCE: i64 = 1_000_000_000;
/// What each transfer burns.
pub const FEE: i64 = 1;
/// Where the random numbers start.
const SEED: u64 = 0x0F1A_A1B1_7E5E_ED01;

/// The tables, filled with the accounts.
pub const SCHEMA: Schema = Schema {
    name: "bench",
    tables: &[Account::table, Once::table],
    sqlite: &[
        "CREATE TABLE bench_account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL) STRICT;
        CREATE TABLE bench_once (key BLOB PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
        WITH RECURSIVE n(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n WHERE id < 9999)
        INSERT INTO bench_account SELECT id, 1000000000 FROM n;",
    ],
    postgres: &["CREATE TABLE bench_account (id bigint PRIMARY KEY, balance bigint NOT NULL);
        CREATE TABLE bench_once (key bytea PRIMARY KEY, digest bytea NOT NULL);
        INSERT INTO bench_account SELECT id, 1000000000 FROM generate_series(0, 9999) AS id;"],
};

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    id: i64,
    balance: i64,
}

/// One idempotency key that was used.
#[derive(Clone, Debug)]
pub struct Once {
    key: [u8; 16],
    digest: [u8; 32],
}

record! { Account: "bench_account", key: (id: i64), columns: (balance), shard: id, indexes: [] }
record! { Once: "bench_once", key: (key: [u8; 16]), columns: (digest), shard: key, indexes: [] }

/// One transfer.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Names this transfer.
    pub key: [u8; 16],
    /// What was asked for under that key.
    pub digest: [u8; 32],
    /// The account that pays `amount` and the fee.
    pub from: i64,
    /// The account that gets `amount`.
    pub to: i64,
    /// From 1 to 100.
    pub amount: i64,
}

/// The answer to a transfer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moved {
    /// The balances changed.
    Now,
    /// They had changed already, by the same request.
    Before,
    /// Nothing changed: the key belongs to another request, or the balance is too small.
    Never,
}

impl Transfer {
    /// The n-th transfer.
    #[must_use]
    pub fn nth(n: u64) -> Self {
        let word = |i: u64| mix(SEED.wrapping_add(n.wrapping_mul(8)).wrapping_add(i));
        let mut key = [0; 16];
        key[..6].copy_from_slice(&n.to_be_bytes()[2..]);
        key[6..14].copy_from_slice(&word(0).to_be_bytes());
        let mut digest = [0; 32];
        for (i, part) in (1..).zip(digest.chunks_exact_mut(8)) {
            part.copy_from_slice(&word(i).to_be_bytes());
        }
        let from = below(word(5), ACCOUNTS);
        let to = (from + 1 + below(word(6), ACCOUNTS - 1)) % ACCOUNTS;
        Self { key, digest, from, to, amount: 1 + below(word(7), 100) }
    }
}

impl Command for Transfer {
    type Out = Moved;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Once>(&self.key);
        keys.own::<Account>(&self.from);
        keys.own::<Account>(&self.to);
    }

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> Moved {
        if let Some(once) = rows.get::<Once>(&self.key) {
            return if once.digest == self.digest { Moved::Before } else { Moved::Never };
        }
        let balance = |id| rows.get::<Account>(id).map_or(0, |account| account.balance);
        let (from, to) = (balance(&self.from), balance(&self.to));
        if from < self.amount + FEE {
            return Moved::Never;
        }
        rows.put(Account { id: self.from, balance: from - self.amount - FEE });
        rows.put(Account { id: self.to, balance: to + self.amount });
        rows.put(Once { key: self.key, digest: self.digest });
        Moved::Now
    }
}

/// Every account's balance after the first `count` transfers, in any order.
#[must_use]
pub fn balances_after(count: u64) -> Vec<i64> {
    gains_after(count, FEE).iter().map(|gain| BALANCE + gain).collect()
}

/// What every account has gained after the first `count` transfers, each of which burns `fee`.
#[must_use]
pub fn gains_after(count: u64, fee: i64) -> Vec<i64> {
    let mut gains = vec![0; usize::try_from(ACCOUNTS).unwrap_or_default()];
    let mut change = |id: i64, by: i64| {
        if let Some(gain) = usize::try_from(id).ok().and_then(|id| gains.get_mut(id)) {
            *gain += by;
        }
    };
    for transfer in (0..count).map(Transfer::nth) {
        change(transfer.from, -transfer.amount - fee);
        change(transfer.to, transfer.amount);
    }
    gains
}

/// Compares what a side left with the model.
///
/// # Panics
///
/// When a transfer is missing, or was done twice.
pub fn check(side: &str, count: u64, balances: &[i64], keys: i64) {
    let left: i64 = balances.iter().sum();
    let burnt = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(FEE);
    assert_eq!(left, ACCOUNTS * BALANCE - burnt, "{side}: the sum of all balances is wrong");
    assert_eq!(u64::try_from(keys), Ok(count), "{side}: every transfer leaves one key");
    assert!(balances == balances_after(count), "{side}: a balance is wrong");
}

/// `SplitMix64`'s finaliser (Steele, Lea and Flood 2014).
pub(crate) fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn below(random: u64, bound: i64) -> i64 {
    i64::try_from(random >> 1).unwrap_or_default() % bound
}
