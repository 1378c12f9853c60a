//! The proof that each payment was credited once.
//!
//! What should be in the books is read from the events' own bodies, so that it does not matter who
//! sent them.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read as _},
};

use finalmile::{
    Error, FinalMile,
    ledger::{Account, PurchaseRecord},
    storage::{PAGE_MAX, Record, Scan},
    webhook::{EventStatus, StoredBody, StoredEvent},
};
use serde_json::Value;

use crate::{cli::say, open};

/// How much of what is wrong is told.
const TOLD_MAX: usize = 20;

/// What the events say of a payment, and what became of it.
#[derive(Default)]
struct Payment {
    account: String,
    credits: i64,
    /// How many credits its events brought.
    brought: i64,
    /// How often it is in the books.
    booked: u64,
}

/// Checks the books against the events, and the events against the lines; whether all is right.
pub(crate) fn check(db: &str) -> Result<bool, Error> {
    let acked = acked();
    let fm = open(db, None)?;
    let proof = fm.ledger().verify(None).wait()?;
    let mut wrong: Vec<String> = proof.breaks.iter().map(|one| format!("broken: {one}")).collect();
    let events = all::<StoredEvent>(&fm)?;
    let mut done = HashMap::new();
    for event in &events {
        // An event is stored in the transaction that does what it asks for.
        if event.status != EventStatus::Ok || event.bodies != 1 {
            wrong.push(format!("half done: {} is {}", event.id, event.status));
        }
        done.insert(event.id.as_str(), event.credited.get());
    }
    for id in acked.iter().filter(|id| !done.contains_key(id.as_str())) {
        wrong.push(format!("lost: {id}"));
    }
    let mut payments: BTreeMap<String, Payment> = BTreeMap::new();
    let bodies = all::<StoredBody>(&fm)?;
    if bodies.len() != events.len() {
        wrong.push(format!("{} events have {} bodies", events.len(), bodies.len()));
    }
    for body in &bodies {
        let Some((name, told)) = payment(&body.payload) else {
            wrong.push(format!("unreadable: {}", body.id));
            continue;
        };
        let brought = done.get(body.id.as_str()).copied().unwrap_or_default();
        let known = payments.entry(name).or_insert(told);
        known.brought += brought;
    }
    let mut balances: BTreeMap<&str, i64> = BTreeMap::new();
    for bought in all::<PurchaseRecord>(&fm)? {
        match payments.get_mut(bought.reference.as_str()) {
            Some(known)
                if known.account == bought.account.as_str()
                    && known.credits == bought.credits.get() =>
            {
                known.booked += 1;
            }
            _ => wrong.push(format!("credited for nothing: {}", bought.reference)),
        }
    }
    for (name, payment) in &payments {
        if payment.booked != 1 || payment.brought != payment.credits {
            let Payment { credits, brought, booked, .. } = payment;
            wrong.push(format!("{name}: {credits} credits, {booked} times, {brought} in all"));
        }
        *balances.entry(&payment.account).or_default() += payment.credits;
    }
    for account in all::<Account>(&fm)? {
        let expected = balances.get(account.id.as_str()).copied().unwrap_or_default();
        if account.balance.get() != expected {
            let (id, balance) = (&account.id, account.balance);
            wrong.push(format!("{id} has {balance} credits instead of {expected}"));
        }
    }
    wrong.iter().take(TOLD_MAX).for_each(|one| eprintln!("{one}"));
    say(&format!(
        "{} events, {} payments of {} accounts; {} acknowledged, {} wrong",
        events.len(),
        payments.len(),
        proof.accounts,
        acked.len(),
        wrong.len()
    ));
    Ok(wrong.is_empty() && proof.is_sound())
}

/// The events of the lines `acked ID`. The last line of a killed program may be half.
fn acked() -> Vec<String> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text).ok();
    let text = String::from_utf8_lossy(&text);
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    whole.filter_map(|line| line.strip_prefix("acked ")).map(str::to_owned).collect()
}

/// Every row of a table.
fn all<R: Record>(fm: &FinalMile) -> Result<Vec<R>, Error> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let scan = Scan::of::<R>().limit(PAGE_MAX).after(cursor);
        let page = fm.store().scan::<R>(scan).wait()?;
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}

/// The payment that a checkout or an intent tells of.
fn payment(body: &str) -> Option<(String, Payment)> {
    let event: Value = serde_json::from_str(body).ok()?;
    let object = event.pointer("/data/object")?;
    let name = object.get("payment_intent").or_else(|| object.get("id"))?.as_str()?;
    let account = object.pointer("/metadata/user_id")?.as_str()?.to_owned();
    let credits = object.pointer("/metadata/credits")?.as_str()?.parse().ok()?;
    Some((name.to_owned(), Payment { account, credits, ..Payment::default() }))
}
