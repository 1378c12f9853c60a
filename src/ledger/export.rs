//! Export and import: the ledger as JSON lines.
//!
//! Each line is one row: `{"table":"fm_entry","account":"ada","seq":1,…}`, bytes in hexadecimal.
//! Lines stand in the order in which they can be read back: each account, then its entries,
//! purchases and reservations; the idempotency keys at the end. Uploads, limits and checkpoints are
//! not part of the ledger.
//!
//! # Invariants
//!
//! - **L15** What was exported and imported has the same root, and every replay its first answer.

use std::io::{BufRead, Write};

use serde_json::{Map, Value as Json};

use crate::{
    AccountId, Error, Refusal, Timestamp,
    ledger::{
        account::Account,
        entry::Entry,
        hex::{Hex, unhex},
        purchase::{PurchaseRecord, PurchaseRef},
        reservation::Reservation,
        stream::Stream,
    },
    once::Once,
    storage::{
        Columns, Command, Field, KeySet, Kind, Reader, Record, Rows, Store, StoreError, Value,
    },
};

/// How many rows one command imports.
const CHUNK: usize = 500;

/// What can go wrong besides the store.
fn io(error: &std::io::Error) -> StoreError {
    StoreError::Backend(format!("the export could not be written or read: {error}"))
}

fn line<R: Record>(row: &R, to: &mut dyn Write) -> Result<(), StoreError> {
    let table = R::table();
    let mut object = Map::from_iter([("table".to_owned(), table.name.into())]);
    for (column, value) in table.columns.iter().zip(row.encode()) {
        let value = match value {
            Value::Null => Json::Null,
            Value::Int(n) => n.into(),
            Value::Text(text) => text.into(),
            Value::Blob(bytes) => Hex(&bytes).to_string().into(),
        };
        object.insert(column.name.to_owned(), value);
    }
    writeln!(to, "{}", Json::Object(object)).map_err(|error| io(&error))
}

/// Writes the whole ledger as it is at one moment.
pub(super) fn export(reader: &mut dyn Reader, to: &mut dyn Write) -> Result<(), StoreError> {
    let (mut accounts, mut entries) = (Stream::<Account>::new(), Stream::<Entry>::new());
    let mut purchases = Stream::<PurchaseRecord>::new();
    let mut reservations = Stream::<Reservation>::new();
    while let Some(account) = accounts.next(reader)? {
        let bound = account.id.to_value();
        line(&account, to)?;
        while let Some(row) = entries.next_up_to(reader, Some(&bound))? {
            line(&row, to)?;
        }
        while let Some(row) = purchases.next_up_to(reader, Some(&bound))? {
            line(&row, to)?;
        }
        while let Some(row) = reservations.next_up_to(reader, Some(&bound))? {
            line(&row, to)?;
        }
    }
    let mut once = Stream::<Once>::new();
    while let Some(row) = once.next(reader)? {
        line(&row, to)?;
    }
    to.flush().map_err(|error| io(&error))
}

fn broken(number: usize, what: &str) -> Error {
    StoreError::Corrupt(format!("line {number} of the export: {what}")).into()
}

/// One row of `R`, if that is what the line holds.
fn row<R: Record>(object: &Map<String, Json>) -> Option<R> {
    let table = R::table();
    let mut values = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        values.push(match (object.get(column.name)?, column.kind) {
            (Json::Null, _) if column.nullable => Value::Null,
            (Json::Number(n), Kind::Int) => Value::Int(n.as_i64()?),
            (Json::String(text), Kind::Text) if !text.contains('\0') => Value::Text(text.clone()),
            (Json::String(text), Kind::Blob) => Value::Blob(unhex(text)?),
            _ => return None,
        });
    }
    R::decode(&mut Columns::new(table.name, values)).ok()
}

/// Reads what [`export`] wrote into a ledger that has none of its accounts. Every chain is checked
/// before it is written.
pub(super) fn import(store: &Store, from: &mut dyn BufRead) -> Result<(), Error> {
    let mut part: Option<Part> = None;
    let mut keys = Vec::new();
    let mut text = String::new();
    for number in 1.. {
        text.clear();
        if from.read_line(&mut text).map_err(|error| io(&error))? == 0 {
            break;
        }
        let json = serde_json::from_str(&text).map_err(|_| broken(number, "it is no JSON"))?;
        let Json::Object(object) = json else { return Err(broken(number, "it is no object")) };
        let damaged = || broken(number, "it is no row of its table");
        let foreign = || broken(number, "it belongs to another account");
        let table = object.get("table").and_then(Json::as_str).unwrap_or_default();
        if table == Account::table().name {
            if let Some(part) = part.take() {
                part.write(store, true)?;
            }
            part = Some(Part::new(row(&object).ok_or_else(damaged)?));
            continue;
        } else if table == Once::table().name {
            if let Some(part) = part.take() {
                part.write(store, true)?;
            }
            keys.push(row::<Once>(&object).ok_or_else(damaged)?);
            if keys.len() == CHUNK {
                store.submit(Keys(std::mem::take(&mut keys))).wait()??;
            }
            continue;
        }
        let part = part.as_mut().ok_or_else(foreign)?;
        let id = &part.account.id;
        if table == Entry::table().name {
            let entry: Entry = row(&object).ok_or_else(damaged)?;
            if entry.account != *id || !part.continues(&entry) {
                return Err(broken(number, "it does not continue the chain"));
            }
            part.entries.push(entry);
        } else if table == PurchaseRecord::table().name {
            let purchase: PurchaseRecord = row(&object).ok_or_else(damaged)?;
            (purchase.account == *id).then_some(()).ok_or_else(foreign)?;
            part.purchases.push(purchase);
        } else if table == Reservation::table().name {
            let held: Reservation = row(&object).ok_or_else(damaged)?;
            (held.account == *id).then_some(()).ok_or_else(foreign)?;
            part.reservations.push(held);
        } else {
            return Err(broken(number, "its table is not known"));
        }
        if part.len() == CHUNK {
            let rest = Part { written: true, ..Part::new(part.account.clone()) };
            let last = part.entries.last().cloned();
            let last = last.or_else(|| part.last.clone());
            std::mem::replace(part, Part { last, ..rest }).write(store, false)?;
        }
    }
    if let Some(part) = part {
        part.write(store, true)?;
    }
    store.submit(Keys(keys)).wait()??;
    Ok(())
}

/// Some rows of one account, which end with its row as it was.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    account: Account,
    /// Whether an earlier part was written.
    written: bool,
    /// The last entry of the parts before.
    last: Option<Entry>,
    entries: Vec<Entry>,
    purchases: Vec<PurchaseRecord>,
    reservations: Vec<Reservation>,
    is_end: bool,
}

impl Part {
    fn new(account: Account) -> Self {
        let (entries, purchases, reservations) = (vec![], vec![], vec![]);
        let (written, last, is_end) = (false, None, false);
        Self { account, written, last, entries, purchases, reservations, is_end }
    }

    fn len(&self) -> usize {
        self.entries.len() + self.purchases.len() + self.reservations.len()
    }

    fn continues(&self, entry: &Entry) -> bool {
        let last = self.entries.last().or(self.last.as_ref());
        let (seq, link) = last.map_or((0, [0; 32]), |last| (last.seq, last.link));
        entry.seq == seq + 1 && entry.link == entry.link_after(&link)
    }

    fn write(self, store: &Store, is_end: bool) -> Result<(), Error> {
        let last = self.entries.last().or(self.last.as_ref());
        let head = last.map_or((0, [0; 32]), |last| (last.seq, last.link));
        if is_end && head != (self.account.entries, self.account.head) {
            let text = format!("the chain of {} does not end at its head", self.account.id);
            return Err(StoreError::Corrupt(text).into());
        }
        Ok(store.submit(Self { is_end, ..self }).wait()??)
    }
}

impl Command for Part {
    type Out = Result<(), Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Account>(&self.account.id);
        for purchase in &self.purchases {
            keys.own::<PurchaseRef>(&(purchase.provider.clone(), purchase.reference.clone()));
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let found = rows.get::<Account>(&self.account.id).cloned();
        if found.is_some() != self.written {
            return Err(exists(&self.account.id));
        }
        let so_far = found.unwrap_or_else(|| Account::new(&self.account.id, now));
        rows.attempt(|rows| {
            let account = match self.entries.last() {
                _ if self.is_end => self.account.clone(),
                // Until its end it shows what its entries say, and nothing is set aside.
                Some(last) => Account {
                    balance: last.balance,
                    debt: last.debt,
                    entries: last.seq,
                    head: last.link,
                    moved_at: last.at,
                    version: so_far.version + 1,
                    ..so_far
                },
                None => Account { version: so_far.version + 1, ..so_far },
            };
            rows.put(account);
            self.entries.iter().for_each(|entry| rows.add(entry.clone()));
            for purchase in &self.purchases {
                let claim = purchase.claim();
                let key = (claim.provider.clone(), claim.reference.clone());
                if rows.get::<PurchaseRef>(&key).is_some() {
                    return Err(exists(&self.account.id));
                }
                rows.put(claim);
                rows.add(purchase.clone());
            }
            self.reservations.iter().for_each(|held| rows.add(held.clone()));
            Ok(())
        })
    }

    fn size_bytes(&self) -> usize {
        self.len() * 512
    }
}

fn exists(account: &AccountId) -> Refusal {
    Refusal::AccountExists { account: account.clone() }
}

/// Idempotency keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Vec<Once>);

impl Command for Keys {
    type Out = Result<(), Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        self.0.iter().for_each(|once| keys.own::<Once>(&(once.scope.clone(), once.key.clone())));
    }

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> Self::Out {
        for once in &self.0 {
            // A key that was used here already stands.
            if rows.get::<Once>(&(once.scope.clone(), once.key.clone())).is_none() {
                rows.put(once.clone());
            }
        }
        Ok(())
    }
}
