//! Purchases: credits that arrive once, however often the news arrives.
//!
//! # Invariants
//!
//! - **L4** A payment reference credits once: the same content again gives the first receipt, other
//!   content (metadata and time aside) is a conflict that names the field and changes nothing.

use std::collections::BTreeMap;

use crate::{
    AccountId, Credits, PaymentReference, Provider, PurchaseId, Refusal, Timestamp, TransferId,
    ledger::{
        account::Account,
        entry::{EntryKind, Party, Posting, gain},
        money::Money,
    },
    once::digest,
    record,
    storage::{Command, KeySet, Rows},
};

/// The metadata that is kept. Anything else may be personal data, and is refused.
pub const METADATA_KEYS: &[&str] =
    &["block_time", "from_wallet", "invoice_id", "plan", "session_id", "to_wallet"];

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
    /// When, by the provider's word; `None`: now.
    pub paid_at: Option<Timestamp>,
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
    /// When it was paid.
    pub paid_at: Timestamp,
    /// How many of the credits were given or taken back since.
    pub refunded: Credits,
}

record! {
    PurchaseRecord: "fm_purchase",
    key: (account: AccountId, id: PurchaseId),
    columns: (credits, provider, reference, amount_minor, currency, metadata, at, paid_at, refunded),
    shard: account,
    indexes: [],
}

impl PurchaseRecord {
    /// What its entry commits to: the payment's facts, without the metadata, which may be erased.
    pub(crate) fn detail(&self) -> [u8; 32] {
        digest(&[
            b"purchase",
            self.provider.as_str().as_bytes(),
            self.reference.as_str().as_bytes(),
            &self.credits.get().to_be_bytes(),
            &self.amount_minor.to_be_bytes(),
            self.currency.as_bytes(),
            &self.paid_at.micros().to_be_bytes(),
        ])
    }

    /// The claim that goes with it.
    pub(crate) fn claim(&self) -> PurchaseRef {
        PurchaseRef {
            provider: self.provider.clone(),
            reference: self.reference.clone(),
            account: self.account.clone(),
            purchase: self.id,
            credits: self.credits,
            amount_minor: self.amount_minor,
            currency: self.currency.clone(),
        }
    }

    /// A purchase is a transfer, under the same name.
    pub(crate) fn transfer(&self) -> TransferId {
        TransferId::from_bytes(*self.id.as_bytes())
    }
}

/// The claim on a reference, with what a second arrival is compared to.
#[derive(Clone, Debug)]
pub(crate) struct PurchaseRef {
    pub(crate) provider: Provider,
    pub(crate) reference: PaymentReference,
    pub(crate) account: AccountId,
    pub(crate) purchase: PurchaseId,
    credits: Credits,
    amount_minor: i64,
    currency: String,
}

impl PurchaseRef {
    /// Of all its columns: a second arrival is compared with each.
    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(&[
            self.provider.as_str().as_bytes(),
            self.reference.as_str().as_bytes(),
            self.account.as_str().as_bytes(),
            self.purchase.as_bytes(),
            &self.credits.get().to_be_bytes(),
            &self.amount_minor.to_be_bytes(),
            self.currency.as_bytes(),
        ])
    }
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
    purchase: Purchase,
    metadata: String,
}

impl AddCredits {
    /// Checks the purchase. The id must be fresh.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for no credits, or metadata that is not kept.
    pub fn new(id: PurchaseId, purchase: Purchase) -> Result<Self, Refusal> {
        purchase.credits.positive()?;
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
        Ok(Self { id, purchase, metadata })
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
        let record = PurchaseRecord {
            account: account.clone(),
            id: self.id,
            credits: *credits,
            provider: provider.clone(),
            reference: reference.clone(),
            amount_minor: paid.minor,
            currency: paid.currency.clone(),
            metadata: self.metadata.clone(),
            at: now,
            paid_at: self.purchase.paid_at.unwrap_or(now),
            refunded: Credits::ZERO,
        };
        let contra = Party::Provider(provider.clone());
        let posting = Posting {
            event_at: Some(record.paid_at),
            detail: Some(record.detail()),
            ..Posting::new(EntryKind::Purchase, record.transfer(), contra)
        };
        let balance = gain(rows, &opened, *credits, &posting, now)?.balance;
        rows.put(record.claim());
        rows.add(record);
        Ok(Receipt { purchase: self.id, credits: *credits, balance, idempotent: false })
    }

    fn size_bytes(&self) -> usize {
        512 + self.metadata.len()
    }
}
