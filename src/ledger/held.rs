//! Who has most of his balance set aside.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::{
    ledger::{Account, Reservation},
    storage::{Scan, Store, StoreError},
};

/// The accounts that have at least `percent` of their balance set aside, the fullest first, of those that
/// were found while `go_on`. Reads all pending reservations and their accounts. Waits.
pub(crate) fn high_reserved(
    store: &Store,
    percent: i64,
    go_on: impl Fn() -> bool,
) -> Result<Vec<Account>, StoreError> {
    let mut names = BTreeSet::new();
    let scan = Scan::of::<Reservation>().by("fm_reservation_due");
    store.for_each(&scan, |held: Reservation| {
        names.insert(held.account);
        go_on()
    })?;
    let mut accounts = Vec::new();
    for name in names.into_iter().take_while(|_| go_on()) {
        let account: Option<Account> = store.get(&name).wait()?;
        accounts.extend(account.filter(|account| account.reserved_percent() >= percent));
    }
    accounts.sort_by_key(|account| Reverse(account.reserved_percent()));
    Ok(accounts)
}
