//! The ledger as an accountant would write it: slow, obvious, one sum at a time.
//!
//! Nothing is kept that could be computed: a balance is summed up from all movements each time it is
//! asked for, and so is what is reserved, owed or left of a purchase. No code is shared with the
//! crate.
//!
//! ```ignore
//! #[path = "support/books.rs"]
//! mod books;
//! ```

use std::collections::BTreeMap;

/// A moment, in microseconds.
pub(crate) type Micros = i64;

/// What the accountant answers: the account's balance now, or the public code of a refusal.
pub(crate) type Answer = Result<i64, &'static str>;

/// One thing that happened to an account.
struct Movement {
    account: usize,
    balance: i64,
    debt: i64,
}

struct Bought {
    account: usize,
    credits: i64,
    taken_back: i64,
}

struct Held {
    account: usize,
    amount: i64,
    until: Micros,
    /// `None`: pending; else what was spent, if it was settled.
    end: Option<Option<i64>>,
    returned: i64,
}

/// The books.
#[derive(Default)]
pub(crate) struct Books {
    movements: Vec<Movement>,
    bought: BTreeMap<String, Bought>,
    held: Vec<Held>,
    frozen: Vec<usize>,
    opened: Vec<usize>,
    /// What was asked under a key, and of which reservation it was.
    keys: BTreeMap<(&'static str, usize, String), (Vec<i64>, usize)>,
}

const LIMIT: &str = "STORAGE_LIMIT_REACHED";
const INVALID: &str = "INVALID_REQUEST";
const CONFLICT: &str = "IDEMPOTENCY_CONFLICT";
const NOBODY: &str = "ACCOUNT_NOT_FOUND";
const FROZEN: &str = "ACCOUNT_FROZEN";
const ENDED: &str = "RESERVATION_NOT_PENDING";
const TOO_MUCH: &str = "AMOUNT_TOO_LARGE";

impl Books {
    pub(crate) fn balance(&self, account: usize) -> i64 {
        self.movements.iter().filter(|m| m.account == account).map(|m| m.balance).sum()
    }

    pub(crate) fn debt(&self, account: usize) -> i64 {
        self.movements.iter().filter(|m| m.account == account).map(|m| m.debt).sum()
    }

    pub(crate) fn reserved(&self, account: usize) -> i64 {
        let held = self.held.iter().filter(|h| h.account == account && h.end.is_none());
        held.map(|h| h.amount).sum()
    }

    /// What may be reserved or given away. Whoever owes has that much less.
    fn free(&self, account: usize) -> i64 {
        (self.balance(account) - self.reserved(account) - self.debt(account)).max(0)
    }

    /// Credits arrive; what is owed is repaid first.
    fn arrive(&mut self, account: usize, credits: i64) {
        let repaid = self.debt(account).min(credits);
        self.movements.push(Movement { account, balance: credits - repaid, debt: -repaid });
    }

    fn leave(&mut self, account: usize, credits: i64) {
        self.movements.push(Movement { account, balance: -credits, debt: 0 });
    }

    fn may_act(&self, account: usize) -> Result<(), &'static str> {
        if !self.opened.contains(&account) {
            return Err(NOBODY);
        }
        if self.frozen.contains(&account) { Err(FROZEN) } else { Ok(()) }
    }

    /// Whether the same was asked under this key before; of which reservation.
    fn asked(
        &self,
        what: &'static str,
        account: usize,
        key: &str,
        asked: &[i64],
    ) -> Result<Option<usize>, &'static str> {
        match self.keys.get(&(what, account, key.to_owned())) {
            None => Ok(None),
            Some((first, held)) if first == asked => Ok(Some(*held)),
            Some(_) => Err(CONFLICT),
        }
    }

    fn note(&mut self, what: &'static str, account: usize, key: &str, asked: &[i64], held: usize) {
        self.keys.insert((what, account, key.to_owned()), (asked.to_vec(), held));
    }

    pub(crate) fn freeze(&mut self, account: usize, frozen: bool) {
        self.frozen.retain(|one| *one != account);
        if frozen {
            self.frozen.push(account);
        }
        if frozen && !self.opened.contains(&account) {
            self.opened.push(account);
        }
    }

    pub(crate) fn buy(&mut self, account: usize, credits: i64, reference: &str) -> Answer {
        if credits <= 0 {
            return Err(INVALID);
        }
        if let Some(first) = self.bought.get(reference) {
            let same = first.account == account && first.credits == credits;
            return if same { Ok(self.balance(account)) } else { Err(CONFLICT) };
        }
        if !self.opened.contains(&account) {
            self.opened.push(account);
        }
        self.arrive(account, credits);
        self.bought.insert(reference.to_owned(), Bought { account, credits, taken_back: 0 });
        Ok(self.balance(account))
    }

    pub(crate) fn take_back(
        &mut self,
        what: &'static str,
        account: usize,
        reference: &str,
        credits: Option<i64>,
        key: &str,
    ) -> Answer {
        if credits.is_some_and(|credits| credits <= 0) {
            return Err(INVALID);
        }
        let number = reference.rsplit('_').next().and_then(|n| n.parse().ok()).unwrap_or(-1);
        let asked = [number, credits.unwrap_or(0)];
        let first = self.asked(what, account, key, &asked)?;
        let Some(bought) = self.bought.get(reference).filter(|b| b.account == account) else {
            return Err("PURCHASE_NOT_FOUND");
        };
        if first.is_some() {
            return Ok(self.balance(account));
        }
        let left = bought.credits - bought.taken_back;
        let credits = credits.unwrap_or(left);
        if credits > left || left == 0 {
            return Err(TOO_MUCH);
        }
        let free = self.free(account);
        if what == "refund" && credits > free {
            return Err(LIMIT);
        }
        let taken = credits.min(self.balance(account) - self.reserved(account));
        self.movements.push(Movement { account, balance: -taken, debt: credits - taken });
        if let Some(bought) = self.bought.get_mut(reference) {
            bought.taken_back += credits;
        }
        self.note(what, account, key, &asked, 0);
        Ok(self.balance(account))
    }

    /// The number of the reservation, new or as it was.
    pub(crate) fn reserve(
        &mut self,
        account: usize,
        amount: i64,
        ttl: Micros,
        key: &str,
        now: Micros,
    ) -> Result<usize, &'static str> {
        if amount <= 0 {
            return Err(INVALID);
        }
        if let Some(held) = self.asked("reserve", account, key, &[amount, ttl])? {
            return Ok(held);
        }
        self.may_act(account)?;
        if amount > self.free(account) {
            return Err(LIMIT);
        }
        self.held.push(Held { account, amount, until: now + ttl, end: None, returned: 0 });
        let held = self.held.len() - 1;
        self.note("reserve", account, key, &[amount, ttl], held);
        Ok(held)
    }

    pub(crate) fn settle(&mut self, held: usize, amount: Option<i64>, now: Micros) -> Answer {
        let Held { account, amount: most, until, end, .. } = self.held[held];
        let spend = amount.unwrap_or(most);
        if let Some(end) = end {
            return if end == Some(spend) { Ok(self.balance(account)) } else { Err(ENDED) };
        }
        if now >= until {
            return Err(ENDED);
        }
        if spend <= 0 || spend > most {
            return Err(INVALID);
        }
        self.held[held].end = Some(Some(spend));
        self.leave(account, spend);
        Ok(self.balance(account))
    }

    pub(crate) fn release(&mut self, held: usize) -> Answer {
        let Held { account, end, .. } = self.held[held];
        match end {
            None => self.held[held].end = Some(None),
            Some(None) => {}
            Some(Some(_)) => return Err(ENDED),
        }
        Ok(self.balance(account))
    }

    /// What maintenance does. A reservation that expired can not be released any more.
    pub(crate) fn expire(&mut self, now: Micros) -> Vec<usize> {
        let due = (0..self.held.len())
            .filter(|held| self.held[*held].end.is_none() && self.held[*held].until <= now);
        let due: Vec<usize> = due.collect();
        due.iter().for_each(|held| self.held[*held].end = Some(None));
        due
    }

    pub(crate) fn give_back(&mut self, held: usize, credits: Option<i64>, key: &str) -> Answer {
        if credits.is_some_and(|credits| credits <= 0) {
            return Err(INVALID);
        }
        let Held { account, end, returned, .. } = self.held[held];
        let asked = [i64::try_from(held).unwrap_or(-1), credits.unwrap_or(0)];
        if self.asked("return", account, key, &asked)?.is_some() {
            return Ok(self.balance(account));
        }
        let Some(Some(spent)) = end else { return Err(ENDED) };
        let left = spent - returned;
        let credits = credits.unwrap_or(left);
        if credits > left || left == 0 {
            return Err(TOO_MUCH);
        }
        self.held[held].returned += credits;
        self.arrive(account, credits);
        self.note("return", account, key, &asked, 0);
        Ok(self.balance(account))
    }

    pub(crate) fn transfer(&mut self, from: usize, to: usize, amount: i64, key: &str) -> Answer {
        if amount <= 0 || from == to {
            return Err(INVALID);
        }
        let asked = [i64::try_from(to).unwrap_or(-1), amount];
        if self.asked("transfer", from, key, &asked)?.is_some() {
            return Ok(self.balance(from));
        }
        if !self.opened.contains(&from) || !self.opened.contains(&to) {
            return Err(NOBODY);
        }
        self.may_act(from)?;
        if amount > self.free(from) {
            return Err(LIMIT);
        }
        self.leave(from, amount);
        self.arrive(to, amount);
        self.note("transfer", from, key, &asked, 0);
        Ok(self.balance(from))
    }
}
