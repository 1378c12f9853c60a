//! Verification: the whole ledger in one pass, against itself and against a checkpoint.
//!
//! Accounts, entries, purchases, reservations and marks are read side by side in the order of their
//! accounts, at one moment, with a page of each in memory. What must agree row by row is compared row
//! by row; what lies in different orders (the two sides of a transfer, a purchase and its entry) is
//! compared as sums of amounts, each times a hash of the name that both sides bear, so that nothing
//! has to be kept. The hash is keyed anew for each pass, so nobody can prepare changes that cancel
//! each other out. Idempotency keys are no part of the proof: whether one is missing, nothing else
//! can tell.
//!
//! # Invariants
//!
//! - **L14** Against a checkpoint, also a chain whose end was cut off, or that was written anew from
//!   some entry on, is found.

use std::{collections::BTreeMap, fmt};

use crate::{
    AccountId, Credits,
    ledger::{
        account::Account,
        checkpoint::{Checkpoint, Mark, Root},
        entry::{Entry, EntryKind, Party},
        purchase::{PurchaseRecord, PurchaseRef},
        reservation::{Reservation, ReservationState},
        stream::Stream,
    },
    once::digest,
    storage::{Field, Reader, StoreError},
};

/// How many breaks a proof names.
pub const BREAKS_MAX: usize = 100;

/// What verification found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "a proof may say that the books are broken"]
#[non_exhaustive]
pub struct Proof {
    /// The root over all chains, as a checkpoint taken at that moment has it.
    pub root: [u8; 32],
    /// How many accounts have entries.
    pub accounts: i64,
    /// How many entries there are.
    pub entries: i64,
    /// All balances.
    pub balances: i128,
    /// All debts.
    pub debts: i128,
    /// What each party gained that has no account: with balances less debts, they sum to zero.
    pub parties: BTreeMap<Party, i128>,
    /// What is wrong, the first [`BREAKS_MAX`] of it.
    pub breaks: Vec<Break>,
    /// How much is wrong in all.
    pub broken: u64,
}

impl Proof {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.broken == 0
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Break {
    /// An entry is not what its link says: it, or the one before it, was changed or moved.
    Changed {
        /// Whose.
        account: AccountId,
        /// Which.
        seq: i64,
    },
    /// An entry is not there, though a later one is.
    Missing {
        /// Whose.
        account: AccountId,
        /// Which.
        seq: i64,
    },
    /// The chain does not end where the account's row says, or not with that balance and debt.
    Head {
        /// Whose.
        account: AccountId,
    },
    /// There are rows, but no account.
    Orphan {
        /// Whose they would be.
        account: AccountId,
    },
    /// A row cannot be read: a column holds what it cannot hold. What depends on it may be named too.
    Damaged {
        /// Where.
        table: &'static str,
        /// Its key, as text.
        key: String,
    },
    /// What is reserved is not what the pending reservations hold.
    Reserved {
        /// Whose.
        account: AccountId,
    },
    /// The account's purchases, or what was taken back of them, are not its entries'.
    Purchases {
        /// Whose.
        account: AccountId,
    },
    /// What was settled, or came back of it, is not what the entries say.
    Settled {
        /// Whose.
        account: AccountId,
    },
    /// Purchases and the claims on their references differ.
    Claims,
    /// The two sides of transfers between accounts differ.
    Transfers,
    /// All sides do not sum to zero.
    Unbalanced,
    /// The entry that the chain ended with at the checkpoint is not there.
    Cut {
        /// Whose.
        account: AccountId,
        /// Which.
        seq: i64,
    },
    /// The chains up to the checkpoint do not give its root.
    Root,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { account, seq } => write!(f, "entry {seq} of {account} was changed"),
            Self::Missing { account, seq } => write!(f, "entry {seq} of {account} is missing"),
            Self::Head { account } => write!(f, "the chain of {account} does not end at its head"),
            Self::Orphan { account } => write!(f, "there is no account {account}, but rows of it"),
            Self::Damaged { table, key } => write!(f, "{table}: row {key} cannot be read"),
            Self::Reserved { account } => write!(f, "{account} has not reserved what it holds"),
            Self::Purchases { account } => write!(f, "purchases and entries of {account} differ"),
            Self::Settled { account } => write!(f, "reservations and entries of {account} differ"),
            Self::Claims => f.write_str("purchases and claims differ"),
            Self::Transfers => f.write_str("the sides of transfers differ"),
            Self::Unbalanced => f.write_str("the books do not sum to zero"),
            Self::Cut { account, seq } => write!(f, "the chain of {account} was cut before {seq}"),
            Self::Root => f.write_str("the root is not the checkpoint's"),
        }
    }
}

/// A sum of amounts, each times the hash of a name: equal for equal lists in any order.
#[derive(Default)]
struct Sum(u128);

/// What the hashes of one pass are keyed with.
type Salt = [u8; 16];

impl Sum {
    fn add(&mut self, amount: i128, salt: &Salt, name: &[&[u8]]) {
        let hash = digest(&[&[&salt[..]], name].concat());
        let (half, _) = hash.as_chunks::<16>();
        let product = u128::from_be_bytes(half[0]).wrapping_mul(amount.cast_unsigned());
        self.0 = self.0.wrapping_add(product);
    }
}

fn wide(credits: Credits) -> i128 {
    i128::from(credits.get())
}

/// What is summed up for the account at hand: each is zero when both sides agree.
#[derive(Default)]
struct Side {
    purchases: Sum,
    taken_back: Sum,
    settled: Sum,
    returned: Sum,
    reserved: i128,
}

struct Pass {
    salt: Salt,
    proof: Proof,
    root: Root,
    /// The root up to the checkpoint.
    marked: Root,
    transfers: Sum,
    claims: Sum,
}

impl Pass {
    fn found(&mut self, broken: Break) {
        self.proof.broken += 1;
        if self.proof.breaks.len() < BREAKS_MAX {
            self.proof.breaks.push(broken);
        }
    }

    fn expect(&mut self, holds: bool, broken: impl FnOnce() -> Break) {
        if !holds {
            self.found(broken());
        }
    }

    /// One entry's part in all sums.
    fn count(&mut self, entry: &Entry, side: &mut Side) {
        let (gained, salt) = (entry.gained(), &self.salt);
        let transfer = entry.transfer.as_bytes();
        let original = entry.original.as_ref().map_or(&[][..], |id| id.as_bytes());
        match entry.kind {
            EntryKind::Purchase => {
                let detail = entry.detail.unwrap_or_default();
                side.purchases.add(gained, salt, &[transfer, &detail]);
            }
            EntryKind::Refund | EntryKind::Chargeback => {
                side.taken_back.add(gained, salt, &[original]);
            }
            EntryKind::Upload | EntryKind::Settle => side.settled.add(gained, salt, &[transfer]),
            EntryKind::Return => side.returned.add(gained, salt, &[original]),
            EntryKind::Transfer => {
                let contra = entry.contra.to_string();
                let own = Party::Account(entry.account.clone()).to_string();
                let (from, to) = if gained < 0 { (own, contra) } else { (contra, own) };
                let name = [&transfer[..], from.as_bytes(), to.as_bytes()];
                self.transfers.add(gained, salt, &name);
                return;
            }
        }
        *self.proof.parties.entry(entry.contra.clone()).or_default() -= gained;
    }

    /// Walks the chain of one account (**L13**).
    fn chain(
        &mut self,
        reader: &mut dyn Reader,
        entries: &mut Stream<Entry>,
        account: &Account,
        mark: i64,
        side: &mut Side,
    ) -> Result<(), StoreError> {
        let bound = account.id.to_value();
        let (mut last, mut link) = (0, [0; 32]);
        let (mut balance, mut debt) = (0, 0);
        let (mut marked, mut whole) = (None, true);
        let mut at = None;
        while let Some(entry) = entries.next_up_to(reader, Some(&bound))? {
            if entry.account != account.id {
                self.found(Break::Orphan { account: entry.account });
                continue;
            }
            let (id, seq) = (|| account.id.clone(), entry.seq);
            if seq != last + 1 {
                self.found(Break::Missing { account: id(), seq: last + 1 });
                whole = false;
            } else {
                self.expect(entry.link == entry.link_after(&link), || Break::Changed {
                    account: id(),
                    seq,
                });
            }
            // Halving needs times in order.
            self.expect(at <= Some(entry.at), || Break::Changed { account: id(), seq });
            at = Some(entry.at);
            balance += wide(entry.amount);
            debt += wide(entry.owed);
            if whole {
                let sums = (balance, debt) == (wide(entry.balance), wide(entry.debt));
                self.expect(sums, || Break::Changed { account: id(), seq });
            }
            self.count(&entry, side);
            (last, link) = (seq, entry.link);
            if seq == mark {
                marked = Some(link);
            }
        }
        let time = at.is_none_or(|at| at == account.moved_at);
        let ends = last == account.entries && link == account.head && time;
        let sums = (balance, debt) == (wide(account.balance), wide(account.debt));
        self.expect(ends && (sums || !whole), || Break::Head { account: account.id.clone() });
        match marked {
            Some(head) => self.marked.add(&account.id, mark, &head),
            None if mark > 0 => self.found(Break::Cut { account: account.id.clone(), seq: mark }),
            None => {}
        }
        Ok(())
    }

    fn purchase(&mut self, purchase: &PurchaseRecord, side: &mut Side) {
        let id = purchase.id.as_bytes();
        side.purchases.add(-wide(purchase.credits), &self.salt, &[id, &purchase.detail()]);
        side.taken_back.add(wide(purchase.refunded), &self.salt, &[id]);
        self.claims.add(1, &self.salt, &[&purchase.claim().digest()]);
    }

    fn reservation(&mut self, held: &Reservation, side: &mut Side) {
        let settled = held.state == ReservationState::Settled;
        let fits = settled == (held.settled > Credits::ZERO);
        self.expect(fits, || Break::Settled { account: held.account.clone() });
        let id = held.id.as_bytes();
        side.settled.add(wide(held.settled), &self.salt, &[id]);
        side.returned.add(-wide(held.returned), &self.salt, &[id]);
        if held.state == ReservationState::Pending {
            side.reserved += wide(held.amount);
        }
    }

    fn settle(&mut self, account: &Account, side: &Side) {
        let id = || account.id.clone();
        let all = side.purchases.0 == 0 && side.taken_back.0 == 0;
        self.expect(all, || Break::Purchases { account: id() });
        let all = side.settled.0 == 0 && side.returned.0 == 0;
        self.expect(all, || Break::Settled { account: id() });
        let held = side.reserved == wide(account.reserved)
            && account.reserved >= Credits::ZERO
            && account.reserved <= account.balance;
        self.expect(held, || Break::Reserved { account: id() });
        self.proof.balances += wide(account.balance);
        self.proof.debts += wide(account.debt);
        self.root.add(&account.id, account.entries, &account.head);
    }
}

/// Reads the whole ledger and says what is wrong with it.
pub(crate) fn verify(
    reader: &mut dyn Reader,
    against: Option<&Checkpoint>,
    salt: Salt,
) -> Result<Proof, StoreError> {
    let (mut accounts, mut entries) = (Stream::<Account>::lenient(), Stream::<Entry>::lenient());
    let mut purchases = Stream::<PurchaseRecord>::lenient();
    let mut reservations = Stream::<Reservation>::lenient();
    let mut marks = Stream::<Mark>::lenient();
    let mut pass = Pass {
        salt,
        proof: Proof {
            root: [0; 32],
            accounts: 0,
            entries: 0,
            balances: 0,
            debts: 0,
            parties: BTreeMap::new(),
            breaks: Vec::new(),
            broken: 0,
        },
        root: Root::default(),
        marked: Root::default(),
        transfers: Sum::default(),
        claims: Sum::default(),
    };
    let until = against.map_or(0, |checkpoint| checkpoint.number);
    // A round for each account, and one for what comes after the last.
    loop {
        let account = accounts.next(reader)?;
        let bound = account.as_ref().map(|account| account.id.to_value());
        let is_ours = |id: &AccountId| account.as_ref().is_some_and(|account| account.id == *id);
        let (mut side, mut mark) = (Side::default(), 0);
        while let Some(row) = marks.next_up_to(reader, bound.as_ref())? {
            if row.number > until {
                continue;
            } else if is_ours(&row.account) {
                mark = row.entries;
            } else {
                pass.found(Break::Cut { account: row.account, seq: row.entries });
            }
        }
        match &account {
            Some(account) => pass.chain(reader, &mut entries, account, mark, &mut side)?,
            None => {
                while let Some(entry) = entries.next(reader)? {
                    pass.found(Break::Orphan { account: entry.account });
                }
            }
        }
        while let Some(row) = purchases.next_up_to(reader, bound.as_ref())? {
            if is_ours(&row.account) {
                pass.purchase(&row, &mut side);
            } else {
                pass.found(Break::Orphan { account: row.account });
            }
        }
        while let Some(row) = reservations.next_up_to(reader, bound.as_ref())? {
            if is_ours(&row.account) {
                pass.reservation(&row, &mut side);
            } else {
                pass.found(Break::Orphan { account: row.account });
            }
        }
        match &account {
            Some(account) => pass.settle(account, &side),
            None => break,
        }
    }
    let mut claims = Stream::<PurchaseRef>::lenient();
    while let Some(claim) = claims.next(reader)? {
        pass.claims.add(-1, &pass.salt, &[&claim.digest()]);
    }
    let lists = [
        accounts.damaged(),
        entries.damaged(),
        purchases.damaged(),
        reservations.damaged(),
        marks.damaged(),
        claims.damaged(),
    ];
    for (table, key) in lists.into_iter().flatten() {
        pass.found(Break::Damaged { table, key });
    }
    Ok(pass.finish(against))
}

impl Pass {
    fn finish(mut self, against: Option<&Checkpoint>) -> Proof {
        let (claims, transfers) = (self.claims.0 == 0, self.transfers.0 == 0);
        self.expect(claims, || Break::Claims);
        self.expect(transfers, || Break::Transfers);
        let outside: i128 = self.proof.parties.values().sum();
        let zero = self.proof.balances - self.proof.debts + outside == 0;
        self.expect(zero, || Break::Unbalanced);
        let marked = std::mem::take(&mut self.marked);
        if let Some(checkpoint) = against {
            let counted = (marked.accounts, marked.entries);
            let same = counted == (checkpoint.accounts, checkpoint.entries)
                && marked.finish() == checkpoint.root;
            self.expect(same, || Break::Root);
        }
        let (accounts, entries) = (self.root.accounts, self.root.entries);
        Proof { root: self.root.finish(), accounts, entries, ..self.proof }
    }
}
