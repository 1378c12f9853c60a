//! Export and import: the ledger as JSON lines.
//!
//! Each line is one row: `{"table":"fm_entry","account":"ada","seq":1,…}`, bytes in hexadecimal.
//! Lines stand in the order in which they can be read back: the idempotency keys, then each account
//! with its entries, purchases and reservations. Uploads, limits and checkpoints are not part of the
//! ledger; credits that pending uploads hold come back when those reservations expire.
//!
//! # Invariants
//!
//! - **L15** What was exported and imported has the same root, and every replay its first answer.

use std::{
    collections::VecDeque,
    io::{BufRead, Write},
};

use data_encoding::HEXLOWER;
use serde_json::{Map, Value as Json};

use crate::{
    AccountId, Error, Refusal, Timestamp,
    expiry::CHUNK,
    ledger::{
        account::Account,
        entry::Entry,
        purchase::{PurchaseRecord, PurchaseRef},
        reservation::{Reservation, ReservationState},
        stream::Stream,
    },
    once::Once,
    storage::{
        Command, Field, KeySet, Kind, Pending, Reader, Record, Rows, Store, StoreError, Value,
        decoded,
    },
};

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
            Value::Blob(bytes) => HEXLOWER.encode(&bytes).into(),
        };
        object.insert(column.name.to_owned(), value);
    }
    writeln!(to, "{}", Json::Object(object)).map_err(|error| io(&error))
}

/// Writes the whole ledger as it is at one moment.
pub(super) fn export(reader: &mut dyn Reader, to: &mut dyn Write) -> Result<(), StoreError> {
    let mut once = Stream::<Once>::new();
    while let Some(row) = once.next(reader)? {
        // An upload that is not there cannot be begun again, so its key must not say that it was.
        if !row.scope.starts_with(crate::upload::BEGIN_SCOPE) {
            line(&row, to)?;
        }
    }
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
            (Json::String(text), Kind::Blob) => Value::Blob(HEXLOWER.decode(text.as_bytes()).ok()?),
            _ => return None,
        });
    }
    decoded(values).ok()
}

/// Reads what [`export`] wrote into a ledger that has none of its accounts. Every chain is checked
/// before it is written.
pub(super) fn import(store: &Store, from: &mut dyn BufRead) -> Result<(), Error> {
    let mut part: Option<Part> = None;
    let (mut keys, mut sent) = (Vec::new(), Sent { store, pending: VecDeque::new() });
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
        if table == Once::table().name {
            keys.push(row::<Once>(&object).ok_or_else(damaged)?);
            if keys.len() == CHUNK {
                sent.send(Keys(std::mem::take(&mut keys)))?;
            }
            continue;
        } else if table == Account::table().name {
            sent.send(Keys(std::mem::take(&mut keys)))?;
            let next = Part::new(row(&object).ok_or_else(damaged)?);
            if let Some(last) = part.replace(next) {
                sent.send(last.end()?)?;
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
            part.reserve(held);
        } else {
            return Err(broken(number, "its table is not known"));
        }
        if part.len() == CHUNK {
            sent.send(part.cut())?;
        }
    }
    if let Some(last) = part {
        sent.send(last.end()?)?;
    }
    sent.send(Keys(keys))?;
    sent.all()
}

/// How many commands of an import are on their way at once: they share their syncs.
const UNDER_WAY: usize = 256;

/// What was sent and not answered yet.
struct Sent<'s> {
    store: &'s Store,
    pending: VecDeque<Pending<Result<(), Refusal>, StoreError>>,
}

impl Sent<'_> {
    fn send(&mut self, command: impl Command<Out = Result<(), Refusal>>) -> Result<(), Error> {
        self.pending.push_back(self.store.submit(command));
        if self.pending.len() > UNDER_WAY { self.first() } else { Ok(()) }
    }

    fn first(&mut self) -> Result<(), Error> {
        let first = self.pending.pop_front();
        first.map_or(Ok(()), |pending| Ok(pending.wait()??))
    }

    fn all(mut self) -> Result<(), Error> {
        while !self.pending.is_empty() {
            self.first()?;
        }
        Ok(())
    }
}

/// Some rows of one account, which end with its row as it was.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    account: Account,
    /// How many parts went before.
    number: i64,
    /// The last entry of the parts before.
    last: Option<Entry>,
    entries: Vec<Entry>,
    purchases: Vec<PurchaseRecord>,
    reservations: Vec<Reservation>,
    /// Reservations that maintenance could end: they wait for the last part.
    open: Vec<Reservation>,
    is_end: bool,
}

impl Part {
    fn new(account: Account) -> Self {
        let (entries, purchases, reservations, open) = (vec![], vec![], vec![], vec![]);
        let (number, last, is_end) = (0, None, false);
        Self { account, number, last, entries, purchases, reservations, open, is_end }
    }

    fn len(&self) -> usize {
        self.entries.len() + self.purchases.len() + self.reservations.len()
    }

    fn reserve(&mut self, held: Reservation) {
        match held.state {
            ReservationState::Pending => self.open.push(held),
            _ => self.reservations.push(held),
        }
    }

    fn continues(&self, entry: &Entry) -> bool {
        let (seq, link) = self.head();
        entry.seq == seq + 1 && entry.link == entry.link_after(&link)
    }

    /// Number and link of the last entry so far.
    fn head(&self) -> (i64, [u8; 32]) {
        let last = self.entries.last().or(self.last.as_ref());
        last.map_or((0, [0; 32]), |last| (last.seq, last.link))
    }

    /// Takes what is there as a part of its own.
    fn cut(&mut self) -> Self {
        let last = self.entries.last().or(self.last.as_ref()).cloned();
        let open = std::mem::take(&mut self.open);
        let rest = Self { number: self.number + 1, last, open, ..Self::new(self.account.clone()) };
        std::mem::replace(self, rest)
    }

    fn end(self) -> Result<Self, Error> {
        if self.head() != (self.account.entries, self.account.head) {
            let text = format!("the chain of {} does not end at its head", self.account.id);
            return Err(StoreError::Corrupt(text).into());
        }
        Ok(Self { is_end: true, ..self })
    }

    /// The account as the parts before this one left it. Its version counts them.
    fn so_far(&self) -> Account {
        let fresh = Account {
            version: self.number,
            created_at: self.account.created_at,
            moved_at: self.account.created_at,
            ..Account::new(&self.account.id, self.account.created_at)
        };
        shown(fresh, self.last.as_ref())
    }
}

/// An account that shows what its entries say, up to this one; nothing is set aside.
fn shown(account: Account, last: Option<&Entry>) -> Account {
    let Some(last) = last else { return account };
    Account {
        balance: last.balance,
        debt: last.debt,
        entries: last.seq,
        head: last.link,
        moved_at: last.at,
        ..account
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

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> Self::Out {
        let so_far = self.so_far();
        let expected = (self.number > 0).then_some(&so_far);
        // Whoever changed it meanwhile would be overwritten.
        if rows.get::<Account>(&self.account.id) != expected {
            return Err(exists(&self.account.id));
        }
        rows.attempt(|rows| {
            let next = Account { version: so_far.version + 1, ..so_far };
            let next = shown(next, self.entries.last());
            rows.put(if self.is_end { self.account.clone() } else { next });
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
            if self.is_end {
                self.open.iter().for_each(|held| rows.add(held.clone()));
            }
            Ok(())
        })
    }

    fn size_bytes(&self) -> usize {
        (self.len() + self.open.len()) * 512
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
