//! Purchases: credits that arrive once, however often the news arrives.
//!
//! # Invariants
//!
//! - **L4** A payment reference credits once: the same content again gives the first receipt, other
//!   content (metadata aside) is a conflict that names the field and changes nothing.

use std::collections::BTreeMap;

use crate::{
    AccountId, Credits, PaymentReference, Provider, PurchaseId, Refusal, Timestamp, TransferId,
    ledger::account::{Account, EntryKind, Posting, post},
    record,
    storage::{Command, KeySet, Rows},
};

/// The metadata that is kept. Anything else may be personal data, and is refused.
pub const METADATA_KEYS: &[&str] =
    &["block_time", "from_wallet", "invoice_id", "plan", "session_id", "to_wallet"];

/// What was paid: whole minor units (cents, lamports) of a currency.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Money {
    /// How many minor units; 0 for what was free.
    pub minor: i64,
    /// `usd`, `eur`, `sol`: 3 to 8 lower-case letters.
    pub currency: String,
}

impl Money {
    /// So many minor units of a currency.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a negative amount, or a currency that is not 3 to 8 lower-case
    /// letters.
    pub fn minor(minor: i64, currency: &str) -> Result<Self, Refusal> {
        let letters = currency.bytes().all(|b| b.is_ascii_lowercase());
        if minor < 0 {
            return Err(Refusal::Invalid { field: "amount", why: "it is negative" });
        }
        if !letters || !(3..=8).contains(&currency.len()) {
            let why = "it is not 3 to 8 lower-case letters";
            return Err(Refusal::Invalid { field: "currency", why });
        }
        Ok(Self { minor, currency: currency.to_owned() })
    }
}

/// Credits that were paid for: the first seed of every balance.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// Who receives them. The account is opened if it is the first time.
    pub account: AccountId,
    /// How many.
    pub credits: Credits,
    /// Who took the payment.
    pub provider: Provider,
    /// The provider's name for the payment.
    pub reference: PaymentReference,
    /// What was paid.
    pub paid: Money,
    /// What else is known, under [`METADATA_KEYS`].
    pub metadata: BTreeMap<String, String>,
}

/// A purchase as it was recorded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PurchaseRecord {
    /// Whose.
    pub account: AccountId,
    /// Its own name; later ones sort later.
    pub id: PurchaseId,
    /// How many credits.
    pub credits: Credits,
    /// Who took the payment.
    pub provider: Provider,
    /// The provider's name for it.
    pub reference: PaymentReference,
    /// What was paid, in minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: String,
    /// What else is known, as canonical JSON.
    pub metadata: String,
    /// When it was recorded.
    pub at: Timestamp,
}

record! {
    PurchaseRecord: "fm_purchase",
    key: (account: AccountId, id: PurchaseId),
    columns: (credits, provider, reference, amount_minor, currency, metadata, at),
    shard: account,
    indexes: [],
}

/// The claim on a reference, with what a second arrival is compared to.
#[derive(Clone, Debug)]
pub(crate) struct PurchaseRef {
    provider: Provider,
    reference: PaymentReference,
    account: AccountId,
    purchase: PurchaseId,
    credits: Credits,
    amount_minor: i64,
    currency: String,
}

record! {
    PurchaseRef: "fm_purchase_ref",
    key: (provider: Provider, reference: PaymentReference),
    columns: (account, purchase, credits, amount_minor, currency),
    shard: reference,
    indexes: [],
}

/// What a purchase came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Receipt {
    /// The purchase.
    pub purchase: PurchaseId,
    /// How many credits it brought.
    pub credits: Credits,
    /// The account's balance now.
    pub balance: Credits,
    /// Whether it had been recorded before, and nothing changed.
    pub idempotent: bool,
}

/// Records a purchase and credits the account.
#[derive(Clone, Debug)]
pub struct AddCredits {
    id: PurchaseId,
    transfer: TransferId,
    purchase: Purchase,
    metadata: String,
}

impl AddCredits {
    /// Checks the purchase. The ids must be fresh.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for no credits, or metadata that is not kept.
    pub fn new(id: PurchaseId, transfer: TransferId, purchase: Purchase) -> Result<Self, Refusal> {
        if purchase.credits <= Credits::ZERO {
            return Err(Refusal::Invalid { field: "credits", why: "it is not positive" });
        }
        // Its fields are public, so it may not have come from `Money::minor`.
        Money::minor(purchase.paid.minor, &purchase.paid.currency)?;
        let known = |key: &String| METADATA_KEYS.contains(&key.as_str());
        if !purchase.metadata.keys().all(known) {
            return Err(Refusal::Invalid {
                field: "metadata",
                why: "a key is not one that is kept",
            });
        }
        let metadata = serde_json::json!(purchase.metadata).to_string();
        if metadata.len() > 4_096 || purchase.metadata.values().any(|text| text.contains('\0')) {
            return Err(Refusal::Invalid { field: "metadata", why: "it is too long or holds NUL" });
        }
        Ok(Self { id, transfer, purchase, metadata })
    }
}

impl Command for AddCredits {
    type Out = Result<Receipt, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        let Purchase { provider, reference, account, .. } = &self.purchase;
        keys.own::<PurchaseRef>(&(provider.clone(), reference.clone()));
        keys.own::<Account>(account);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let Purchase { account, credits, provider, reference, paid, .. } = &self.purchase;
        let opened = rows.get::<Account>(account).cloned();
        if let Some(first) = rows.get::<PurchaseRef>(&(provider.clone(), reference.clone())) {
            let same = [
                ("account", first.account == *account),
                ("credits", first.credits == *credits),
                ("amount", first.amount_minor == paid.minor),
                ("currency", first.currency == paid.currency),
            ];
            if let Some((field, _)) = same.iter().find(|(_, same)| !same) {
                return Err(Refusal::Conflict { what: "payment reference", field });
            }
            let balance = opened.map_or(Credits::ZERO, |account| account.balance);
            let (purchase, credits) = (first.purchase, first.credits);
            return Ok(Receipt { purchase, credits, balance, idempotent: true });
        }
        let opened = opened.unwrap_or_else(|| Account::new(account, now));
        let contra = format!("provider:{provider}");
        let posting = Posting {
            transfer: self.transfer,
            kind: EntryKind::Purchase,
            amount: *credits,
            contra: &contra,
        };
        let balance = post(rows, &opened, &posting, now)?.balance;
        rows.put(PurchaseRef {
            provider: provider.clone(),
            reference: reference.clone(),
            account: account.clone(),
            purchase: self.id,
            credits: *credits,
            amount_minor: paid.minor,
            currency: paid.currency.clone(),
        });
        rows.add(PurchaseRecord {
            account: account.clone(),
            id: self.id,
            credits: *credits,
            provider: provider.clone(),
            reference: reference.clone(),
            amount_minor: paid.minor,
            currency: paid.currency.clone(),
            metadata: self.metadata.clone(),
            at: now,
        });
        Ok(Receipt { purchase: self.id, credits: *credits, balance, idempotent: false })
    }

    fn size_bytes(&self) -> usize {
        512 + self.metadata.len()
    }
}
