//! Standings: every purchase, reservation, upload and freeze, by the number of its call.

use std::collections::BTreeMap;

use finalmile::{
    Error, FinalMile,
    ledger::{Account, Entry, EntryKind, PurchaseRecord, Reservation, ReservationState},
    storage::{PAGE_MAX, Record, Scan},
    upload::Upload,
};

use crate::{
    client::UNIT_BYTES,
    script::{ACCOUNTS, Thing},
};

/// How everything stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standings {
    /// What exists, and how it stands.
    pub things: BTreeMap<Thing, String>,
    /// Balance and reserved credits of each account.
    pub sums: BTreeMap<String, (i64, i64)>,
    /// What exists twice.
    pub twins: Vec<Thing>,
}

impl Standings {
    /// Reads them through the handle, as a host would.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub fn read(fm: &FinalMile) -> Result<Self, Error> {
        let mut all = Self::default();
        for account in rows::<Account>(fm)? {
            let id = account.id.to_string();
            if account.frozen_at.is_some()
                && let Some(name) = ACCOUNTS.iter().find(|name| **name == id)
            {
                all.stands(Thing::Freeze(name), "frozen".to_owned());
            }
            all.sums.insert(id, (account.balance.get(), account.reserved.get()));
        }
        for purchase in rows::<PurchaseRecord>(fm)? {
            let number = purchase.reference.as_str().trim_start_matches("pi_").parse();
            all.stands(Thing::Purchase(number.unwrap_or_default()), "bought".to_owned());
        }
        for entry in rows::<Entry>(fm)?.iter().filter(|entry| entry.amount.get() < 0) {
            let number = entry.amount.get().unsigned_abs();
            let thing = match entry.kind {
                EntryKind::Transfer => Thing::Gift(number),
                EntryKind::Refund | EntryKind::Chargeback => Thing::TakenBack(number),
                _ => continue,
            };
            all.stands(thing, entry.kind.to_string());
        }
        let uploads = rows::<Upload>(fm)?;
        for upload in &uploads {
            let number = upload.file_size_bytes.unsigned_abs() / UNIT_BYTES;
            all.stands(Thing::Upload(number), upload.status.to_string());
        }
        for held in rows::<Reservation>(fm)? {
            if uploads.iter().any(|upload| upload.id.as_bytes() == held.id.as_bytes()) {
                continue;
            }
            let stands = match held.state {
                ReservationState::Settled => format!("settled {}", held.settled),
                other => other.to_string(),
            };
            all.stands(Thing::Reservation(held.amount.get().unsigned_abs()), stands);
        }
        Ok(all)
    }

    fn stands(&mut self, thing: Thing, how: String) {
        if self.things.insert(thing, how).is_some() {
            self.twins.push(thing);
        }
    }
}

fn rows<R: Record>(fm: &FinalMile) -> Result<Vec<R>, Error> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let scan = Scan::of::<R>().limit(PAGE_MAX).after(cursor);
        let page = fm.store().scan::<R>(scan).wait()?;
        all.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}
