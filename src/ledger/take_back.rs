//! Refunds and chargebacks: a purchase that is taken back, in part or whole.
//!
//! A refund is the host's own act: it happens only if the credits are still free. A chargeback has
//! happened already, at the bank: credits that were spent or set aside meanwhile become a debt, which
//! everybody can see, which is not free to spend, and which the next credits repay; no balance ever
//! falls below zero.
//!
//! # Invariants
//!
//! - **L9** Never more is taken back than was bought, in however many parts; each part once.
//! - **L10** What a chargeback cannot take is owed; as much of the balance can then not be reserved or
//!   given away, and credits that come in repay it before anything else.

use crate::{
    AccountId, Credits, IdempotencyKey, PaymentReference, Provider, PurchaseId, Refusal, Timestamp,
    TransferId,
    ledger::{
        account::{Account, existing},
        entry::{EntryKind, Party, Posting, Shortfall, lose},
        purchase::{PurchaseRecord, PurchaseRef},
    },
    once::{Once, digest, remember, replay},
    storage::{Command, KeySet, Rows},
};

/// Takes a purchase back. Frozen accounts are no exception.
#[derive(Clone, Debug)]
pub struct TakeBack {
    account: AccountId,
    provider: Provider,
    reference: PaymentReference,
    credits: Option<Credits>,
    kind: EntryKind,
    shortfall: Shortfall,
    key: IdempotencyKey,
    id: TransferId,
}

/// What taking a purchase back came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TakenBack {
    /// The movement.
    pub transfer: TransferId,
    /// The purchase.
    pub purchase: PurchaseId,
    /// How many credits were asked back; of these, what was not free is owed.
    pub credits: Credits,
    /// The account's balance now.
    pub balance: Credits,
    /// What the account owes now.
    pub debt: Credits,
    /// Whether it had been taken back before, and nothing changed.
    pub replayed: bool,
}

impl TakeBack {
    /// The host gives money back: refused unless the credits are free. `credits` of `None` takes all
    /// that is left of the purchase. The key is the refund's name, at the provider or the host's own.
    #[must_use]
    pub fn refund(
        account: &AccountId,
        (provider, reference): (Provider, PaymentReference),
        credits: Option<Credits>,
        key: &IdempotencyKey,
        id: TransferId,
    ) -> Self {
        let (account, key) = (account.clone(), key.clone());
        let (kind, shortfall) = (EntryKind::Refund, Shortfall::Refuse);
        Self { account, provider, reference, credits, kind, shortfall, key, id }
    }

    /// Whoever paid has taken the money back: what is not free is owed.
    #[must_use]
    pub fn chargeback(
        account: &AccountId,
        payment: (Provider, PaymentReference),
        credits: Option<Credits>,
        key: &IdempotencyKey,
        id: TransferId,
    ) -> Self {
        let (kind, shortfall) = (EntryKind::Chargeback, Shortfall::Owe);
        Self { kind, shortfall, ..Self::refund(account, payment, credits, key, id) }
    }

    /// What to do if the credits are not free any more: a refund that the provider has paid out
    /// already can only be owed.
    #[must_use]
    pub fn or(self, shortfall: Shortfall) -> Self {
        Self { shortfall, ..self }
    }

    /// Whether its key was used, whatever for; `None` where its rows were not asked for.
    pub(crate) fn was_done(&self, rows: &Rows) -> Option<bool> {
        rows.is_held::<Once>(&self.once()).then(|| rows.get::<Once>(&self.once()).is_some())
    }

    fn payment(&self) -> (Provider, PaymentReference) {
        (self.provider.clone(), self.reference.clone())
    }

    fn once(&self) -> (String, IdempotencyKey) {
        (format!("{}:{}", self.kind, self.account), self.key.clone())
    }
}

impl Command for TakeBack {
    type Out = Result<TakenBack, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        keys.own::<Once>(&self.once());
        keys.own::<Account>(&self.account);
        // A claim never changes, so it need not be held.
        keys.peek::<PurchaseRef>(&self.payment());
        if let Some(claim) = seen.get::<PurchaseRef>(&self.payment()) {
            keys.own::<PurchaseRecord>(&(self.account.clone(), claim.purchase));
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let asked = self.credits.map_or(0, Credits::get).to_be_bytes();
        let (provider, reference) = (self.provider.as_str(), self.reference.as_str());
        let (once, digest) =
            (self.once(), digest(&[provider.as_bytes(), reference.as_bytes(), &asked]));
        self.credits.map_or(Ok(()), Credits::positive)?;
        let first = replay(rows, &once, digest)?.map(parse).transpose()?;
        let claim = rows.get::<PurchaseRef>(&self.payment());
        let claim = claim.filter(|claim| claim.account == self.account);
        let unknown = || Refusal::PurchaseUnknown { reference: self.reference.clone() };
        let purchase = claim.map(|claim| claim.purchase).ok_or_else(unknown)?;
        if let Some((transfer, credits)) = first {
            let Account { balance, debt, .. } = existing(rows, &self.account)?;
            return Ok(TakenBack { transfer, purchase, credits, balance, debt, replayed: true });
        }
        let found = rows.get::<PurchaseRecord>(&(self.account.clone(), purchase)).cloned();
        let bought = found.ok_or_else(unknown)?;
        let left = bought.credits.minus(bought.refunded).unwrap_or_default();
        let credits = self.credits.unwrap_or(left);
        if credits > left || left == Credits::ZERO {
            return Err(Refusal::ExceedsOriginal { asked: credits, left });
        }
        let Account { balance, debt, .. } =
            take(rows, bought, credits, self.kind, self.shortfall, self.id, now)?;
        remember(rows, once, digest, format_args!("{} {credits}", self.id), now);
        Ok(TakenBack { transfer: self.id, purchase, credits, balance, debt, replayed: false })
    }
}

/// Takes so many of a purchase's credits back; no more than are left of it.
pub(crate) fn take(
    rows: &mut Rows,
    bought: PurchaseRecord,
    credits: Credits,
    kind: EntryKind,
    shortfall: Shortfall,
    id: TransferId,
    now: Timestamp,
) -> Result<Account, Refusal> {
    let account = existing(rows, &bought.account)?;
    let contra = Party::Provider(bought.provider.clone());
    let posting = Posting::new(kind, id, contra).undoing(bought.transfer());
    let account = lose(rows, &account, credits, shortfall, &posting, now)?;
    let refunded = bought.refunded.plus(credits).unwrap_or(bought.credits);
    rows.put(PurchaseRecord { refunded, ..bought });
    Ok(account)
}

/// The first answer, as it was kept.
fn parse(first: &str) -> Result<(TransferId, Credits), Refusal> {
    let damaged = Refusal::Invalid { field: "idempotency key", why: "its answer cannot be read" };
    let (id, credits) = first.split_once(' ').ok_or(damaged.clone())?;
    Ok((id.parse()?, Credits::new(credits.parse().map_err(|_| damaged)?)))
}
