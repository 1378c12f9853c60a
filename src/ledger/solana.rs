//! Payments on Solana: credits under the transaction's signature.

use std::collections::BTreeMap;

use crate::{
    AccountId, Credits, PaymentReference, Provider, Refusal, Timestamp,
    ipfs::cid::base58,
    ledger::{Money, Purchase},
};

/// How many bytes a signature has (Ed25519), and a wallet's key.
const SIGNATURE_BYTES: usize = 64;
const KEY_BYTES: usize = 32;
/// The longest text of a signature.
const SIGNATURE_CHARS_MAX: usize = 88;

/// A transaction that the host has seen confirmed on the chain: nothing here looks it up.
///
/// ```
/// # use finalmile::{AccountId, Credits, FinalMile, Timestamp, engines::Memory, ledger::SolanaPayment};
/// # let fm = FinalMile::builder(Memory::new()).open()?;
/// let payment = SolanaPayment {
///     signature: "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
///         .to_owned(),
///     lamports: 250_000_000,
///     from_wallet: "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM".to_owned(),
///     to_wallet: "So11111111111111111111111111111111111111112".to_owned(),
///     block_time: Timestamp::from_millis(1_800_000_000_000),
/// };
/// let purchase = payment.purchase(&AccountId::new("ada")?, Credits::new(1_000))?;
/// assert!(!fm.ledger().add_credits(purchase.clone()).wait()?.idempotent);
/// assert!(fm.ledger().add_credits(purchase).wait()?.idempotent);
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "these are the fields of the documents' call")]
pub struct SolanaPayment {
    /// The transaction's signature, in base58: unique on the chain, so it credits once.
    pub signature: String,
    /// What was paid, in billionths of a SOL.
    pub lamports: u64,
    /// Who paid.
    pub from_wallet: String,
    /// Who was paid.
    pub to_wallet: String,
    /// When the block was made.
    pub block_time: Timestamp,
}

impl SolanaPayment {
    /// The purchase of so many credits for an account.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a signature that is not 64 bytes in base58, a wallet that is not 32, or
    /// more lamports than a ledger holds.
    pub fn purchase(&self, account: &AccountId, credits: Credits) -> Result<Purchase, Refusal> {
        is_base58(&self.signature, SIGNATURE_BYTES, "signature")?;
        is_base58(&self.from_wallet, KEY_BYTES, "from_wallet")?;
        is_base58(&self.to_wallet, KEY_BYTES, "to_wallet")?;
        let why = "it is more than a ledger holds";
        let minor = i64::try_from(self.lamports);
        let minor = minor.map_err(|_| Refusal::Invalid { field: "lamports", why })?;
        let seconds = self.block_time.micros().div_euclid(1_000_000);
        Ok(Purchase {
            account: account.clone(),
            credits,
            provider: Provider::ours("solana"),
            reference: PaymentReference::new(&self.signature)?,
            paid: Money::minor(minor, "sol")?,
            paid_at: Some(self.block_time),
            metadata: BTreeMap::from([
                ("block_time".to_owned(), seconds.to_string()),
                ("from_wallet".to_owned(), self.from_wallet.clone()),
                ("to_wallet".to_owned(), self.to_wallet.clone()),
            ]),
        })
    }
}

/// Refuses a text that does not stand for so many bytes. Another spelling of a signature would be
/// another payment; base58 has one for each.
fn is_base58(text: &str, bytes: usize, field: &'static str) -> Result<(), Refusal> {
    let read = Some(text).filter(|text| text.len() <= SIGNATURE_CHARS_MAX).and_then(base58::decode);
    if read.is_some_and(|read| read.len() == bytes) {
        return Ok(());
    }
    Err(Refusal::Invalid { field, why: "it is not base58 of the right length" })
}
