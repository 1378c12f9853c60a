//! Figures of accounts: what they have set aside, and who has nothing left.

use super::natural;
use crate::{
    Credits, Day, Timestamp,
    ledger::{Account, Reservation},
    storage::{By, Field as _, Reader, Record as _, StoreError, Tally, Value, decoded},
    upload::RefusalDay,
};

/// C: credits that reservations hold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CreditsReserved {
    /// How many accounts have some set aside.
    pub accounts: u64,
    /// How many are set aside in all.
    pub total: Credits,
    /// How much of their balance, on average over these accounts: parts of ten thousand, each
    /// account's and the average cut off; `None`: there are none.
    pub average_bp: Option<u64>,
}

/// D: users who were refused an upload for want of credits on one day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BlockedDay {
    /// The day.
    pub day: Day,
    /// How many users.
    pub users: u64,
    /// How often they were refused.
    pub refusals: u64,
}

pub(super) fn reserved(reader: &mut dyn Reader) -> Result<CreditsReserved, StoreError> {
    let pending = Tally::of::<Reservation>().in_index("fm_reservation_due");
    let holders = reader.tally(&pending.by(By::Value("account")))?;
    let (mut accounts, mut total, mut parts) = (0_u64, 0_i64, 0_u64);
    for holder in holders {
        let found = reader.get(Account::table(), &vec![holder.group])?;
        let account: Option<Account> = found.map(decoded).transpose()?;
        let Some(account) = account.filter(|account| account.reserved > Credits::ZERO) else {
            continue;
        };
        let (reserved, balance) = (account.reserved.get(), account.balance.get());
        let part = (i128::from(reserved) * 10_000).checked_div(balance.into()).unwrap_or(0);
        accounts += 1;
        total = total.saturating_add(reserved);
        parts = parts.saturating_add(u64::try_from(part).unwrap_or(0));
    }
    let average_bp = parts.checked_div(accounts);
    Ok(CreditsReserved { accounts, total: Credits::new(total), average_bp })
}

pub(super) fn blocked(
    reader: &mut dyn Reader,
    now: Timestamp,
) -> Result<Vec<BlockedDay>, StoreError> {
    // Seven days, today among them.
    let since = Day::of(now).before(7).to_value();
    let by_day = Tally::of::<RefusalDay>().beyond(since).sum("count").by(By::Value("day"));
    let mut days = Vec::new();
    for line in reader.tally(&by_day)? {
        if let Value::Int(day) = line.group {
            let (users, refusals) = (natural(line.count), natural(line.sum));
            days.push(BlockedDay { day: Day(day), users, refusals });
        }
    }
    days.sort_unstable_by_key(|one| std::cmp::Reverse(one.day));
    Ok(days)
}
