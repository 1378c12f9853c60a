//! Refusals: why the rules said no.

use std::num::NonZeroU64;

use crate::{
    AccountId, Credits, EndpointName, PaymentReference, ShareId, Timestamp, UploadId,
    error::{ACCOUNT_FROZEN, Face, RATE_LIMITED},
    trash::ItemId,
    webhook::EventId,
};

/// Why the rules said no: an ordinary answer, which commits like any other.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A value that no rule accepts. Nothing changed.
    #[error("{field}: {why}")]
    Invalid {
        /// What was wrong.
        field: &'static str,
        /// In which way.
        why: &'static str,
    },
    /// Nobody is signed in. For a host's own authorisation: this crate never asks who somebody is.
    #[error("nobody is signed in")]
    Unauthorized,
    /// Nobody of that name has an account. Nothing changed.
    #[error("no account {account}")]
    AccountUnknown {
        /// Who.
        account: AccountId,
    },
    /// The account is frozen. Nothing changed.
    #[error("{account} is frozen: {reason}")]
    AccountFrozen {
        /// Who.
        account: AccountId,
        /// What the admin wrote.
        reason: String,
        /// When it ends by itself; `None`: when an admin says so.
        until: Option<Timestamp>,
    },
    /// The bucket is empty. Nothing was spent.
    #[error("{key} asked {endpoint} too often")]
    RateLimited {
        /// Whose bucket.
        key: String,
        /// Which limit.
        endpoint: EndpointName,
        /// Until the same check can pass. `None`: never, it asks for more than the bucket holds.
        retry_after_ms: Option<NonZeroU64>,
    },
    /// No such limit is configured. Nothing changed.
    #[error("no endpoint {endpoint}")]
    EndpointUnknown {
        /// Which.
        endpoint: EndpointName,
    },
    /// The account cannot cover the amount. Nothing was reserved.
    #[error("{account} needs {needed} but has {available} free")]
    InsufficientCredits {
        /// Who asked.
        account: AccountId,
        /// What the operation costs.
        needed: Credits,
        /// Balance less reservations.
        available: Credits,
    },
    /// The key was used before with other content. Nothing changed; the first use stands.
    #[error("the {what} was used before with another {field}")]
    Conflict {
        /// Which kind of key.
        what: &'static str,
        /// The first field that differs.
        field: &'static str,
    },
    /// The account has no such purchase. Nothing changed.
    #[error("no purchase {reference} of that account")]
    PurchaseUnknown {
        /// The provider's name for it.
        reference: PaymentReference,
    },
    /// More is asked back than is left of what was bought or settled. Nothing changed.
    #[error("{asked} were asked back of {left} that are left")]
    ExceedsOriginal {
        /// How much was asked back; 0: all, but nothing is left.
        asked: Credits,
        /// How much was not asked back yet.
        left: Credits,
    },
    /// The account is not as the caller last saw it. Nothing changed.
    #[error("{account} has changed meanwhile")]
    VersionConflict {
        /// Whose.
        account: AccountId,
    },
    /// An import would overwrite an account, or a purchase of one. Nothing of it was written.
    #[error("{account}, or a purchase of it, exists already")]
    AccountExists {
        /// Whose.
        account: AccountId,
    },
    /// An operation of a linked batch was refused. None of the batch happened.
    #[error("operation {index} of the batch: {refusal}")]
    InBatch {
        /// Which, from 0.
        index: usize,
        /// Why.
        refusal: Box<Self>,
    },
    /// No event of that name is known, or not any more. Nothing changed.
    #[error("no event {event}")]
    EventUnknown {
        /// Which.
        event: EventId,
    },
    /// The lease on the event was over, and somebody else took it. Nothing changed.
    #[error("the lease on event {event} is lost")]
    LeaseLost {
        /// Which.
        event: EventId,
    },
    /// Only dead events are purged. Nothing changed.
    #[error("event {event} is {status}")]
    EventNotDead {
        /// Which.
        event: EventId,
        /// How far it is.
        status: &'static str,
    },
    /// Nobody registered such an item. Nothing changed.
    #[error("no item {item}")]
    ItemUnknown {
        /// Which.
        item: ItemId,
    },
    /// The item is deleted, or purged. Nothing changed.
    #[error("item {item} is {state}")]
    ItemNotLive {
        /// Which.
        item: ItemId,
        /// Where it stands.
        state: &'static str,
    },
    /// The item is live, or purged. Nothing changed.
    #[error("item {item} is {state}, not deleted")]
    ItemNotDeleted {
        /// Which.
        item: ItemId,
        /// Where it stands.
        state: &'static str,
    },
    /// Something live needs the item. Nothing changed.
    #[error("item {item}: {reason}")]
    ItemInUse {
        /// Which.
        item: ItemId,
        /// What needs it.
        reason: String,
        /// How many things do.
        count: u64,
    },
    /// The item has parts, which would have to go with it. Nothing changed.
    #[error("item {item} has {parts} parts")]
    ItemHasParts {
        /// Which.
        item: ItemId,
        /// How many.
        parts: u64,
    },
    /// The item is not as the caller last saw it. Nothing changed.
    #[error("item {item} has changed meanwhile")]
    ItemChanged {
        /// Which.
        item: ItemId,
    },
    /// Too much would go with the item. Nothing changed.
    #[error("{items} items would go with {item}")]
    CascadeTooLarge {
        /// Which.
        item: ItemId,
        /// How many, as far as they were counted.
        items: u64,
    },
    /// Another live item bears the name. Nothing changed.
    #[error("the name {name} is taken in {scope}")]
    NameTaken {
        /// Where it has to be unique.
        scope: String,
        /// The name.
        name: String,
    },
    /// What the item depends on is gone. Nothing changed.
    #[error("item {item} needs {need}, which is not live")]
    NeedNotLive {
        /// Which item.
        item: ItemId,
        /// What it needs.
        need: ItemId,
    },
    /// The item is held. Nothing changed.
    #[error("item {item} is held: {reason}")]
    ItemHeld {
        /// Which.
        item: ItemId,
        /// Why.
        reason: String,
    },
    /// The item's date has not come. Nothing changed.
    #[error("item {item} is kept until {}", purge_at.micros())]
    TooEarlyToPurge {
        /// Which.
        item: ItemId,
        /// From when on it may be purged.
        purge_at: Timestamp,
    },
    /// The viewer has no such media share. Nothing changed.
    #[error("no media share {share}")]
    ShareUnknown {
        /// Which.
        share: ShareId,
    },
    /// The pictures of the media share are made, or given up. Nothing changed.
    #[error("the pictures of media share {share} are {status}")]
    ProcessingEnded {
        /// Which.
        share: ShareId,
        /// How far they are.
        status: &'static str,
    },
    /// The viewer has no such upload. Nothing changed.
    #[error("no upload {upload}")]
    UploadUnknown {
        /// Which.
        upload: UploadId,
    },
    /// The upload has ended. Nothing changed.
    #[error("upload {upload} is {status}")]
    UploadEnded {
        /// Which.
        upload: UploadId,
        /// How it ended.
        status: &'static str,
    },
    /// The account has no such reservation. Nothing changed.
    #[error("{account} has no such reservation")]
    ReservationUnknown {
        /// Who.
        account: AccountId,
    },
    /// The reservation has ended. Nothing changed.
    #[error("the reservation is {state}")]
    ReservationEnded {
        /// How it ended.
        state: &'static str,
    },
}

impl Refusal {
    pub(crate) const fn face(&self) -> Face {
        match self {
            Self::InBatch { refusal, .. } => refusal.face(),
            Self::Invalid { .. } => ("INVALID_REQUEST", 400, "The request is not valid"),
            Self::Unauthorized => ("UNAUTHORIZED", 401, "Authentication required"),
            Self::AccountUnknown { .. } => ("ACCOUNT_NOT_FOUND", 404, "Account not found"),
            Self::AccountFrozen { .. } => ACCOUNT_FROZEN,
            Self::RateLimited { .. } => RATE_LIMITED,
            Self::EndpointUnknown { .. } => ("ENDPOINT_NOT_FOUND", 404, "Unknown endpoint"),
            Self::InsufficientCredits { .. } => {
                ("STORAGE_LIMIT_REACHED", 403, "Storage limit reached")
            }
            Self::Conflict { .. } => {
                ("IDEMPOTENCY_CONFLICT", 409, "Already used for another request")
            }
            Self::PurchaseUnknown { .. } => ("PURCHASE_NOT_FOUND", 404, "Purchase not found"),
            Self::ExceedsOriginal { .. } => ("AMOUNT_TOO_LARGE", 409, "The amount is too large"),
            Self::VersionConflict { .. } => {
                ("VERSION_CONFLICT", 409, "The account has changed meanwhile")
            }
            Self::AccountExists { .. } => ("ACCOUNT_EXISTS", 409, "The account exists already"),
            Self::EventUnknown { .. } => ("EVENT_NOT_FOUND", 404, "Event not found"),
            Self::LeaseLost { .. } => ("LEASE_LOST", 409, "Somebody else took over"),
            Self::EventNotDead { .. } => ("EVENT_NOT_DEAD", 409, "The event is not dead"),
            Self::ItemUnknown { .. } => ("ITEM_NOT_FOUND", 404, "Item not found"),
            Self::ItemNotLive { .. } => ("ITEM_NOT_LIVE", 410, "The item was deleted"),
            Self::ItemNotDeleted { .. } => ("ITEM_NOT_DELETED", 409, "The item is not deleted"),
            Self::ItemInUse { .. } => ("ITEM_IN_USE", 409, "Something needs the item"),
            Self::ItemHasParts { .. } => ("ITEM_HAS_PARTS", 409, "The item has parts"),
            Self::ItemChanged { .. } => ("ITEM_CHANGED", 409, "The item has changed meanwhile"),
            Self::CascadeTooLarge { .. } => {
                ("CASCADE_TOO_LARGE", 409, "Too much would go with the item")
            }
            Self::NameTaken { .. } => ("NAME_TAKEN", 409, "The name is taken"),
            Self::NeedNotLive { .. } => ("NEED_NOT_LIVE", 409, "What the item needs is gone"),
            Self::ItemHeld { .. } => ("ITEM_HELD", 409, "The item is held"),
            Self::TooEarlyToPurge { .. } => ("TOO_EARLY_TO_PURGE", 409, "The item is kept for now"),
            Self::ShareUnknown { .. } => ("SHARE_NOT_FOUND", 404, "Media share not found"),
            Self::ProcessingEnded { .. } => {
                ("SHARE_NOT_PROCESSING", 409, "The media share is processed already")
            }
            Self::UploadUnknown { .. } => ("UPLOAD_NOT_FOUND", 404, "Upload not found"),
            Self::UploadEnded { .. } => ("UPLOAD_NOT_PENDING", 409, "The upload has already ended"),
            Self::ReservationUnknown { .. } => {
                ("RESERVATION_NOT_FOUND", 404, "Reservation not found")
            }
            Self::ReservationEnded { .. } => {
                ("RESERVATION_NOT_PENDING", 409, "The reservation has already ended")
            }
        }
    }

    /// The stable public name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.face().0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One of each refusal, full of what must not get out.
    pub(crate) fn refusals() -> Vec<Refusal> {
        let account = AccountId::new("secret-account").unwrap();
        let endpoint = EndpointName::new("secret-endpoint").unwrap();
        let upload = UploadId::from_bytes([0x5E; 16]);
        let event = EventId::stripe("secret-event").unwrap();
        let item = ItemId::new("secret-kind", "secret-item").unwrap();
        let secret = || "secret-text".to_owned();
        let all = vec![
            Refusal::Invalid { field: "secret-field", why: "secret-why" },
            Refusal::Unauthorized,
            Refusal::AccountUnknown { account: account.clone() },
            Refusal::AccountFrozen {
                account: account.clone(),
                reason: "secret-reason".to_owned(),
                until: Some(Timestamp::from_millis(770_077)),
            },
            Refusal::RateLimited {
                key: "secret-key".to_owned(),
                endpoint: endpoint.clone(),
                retry_after_ms: NonZeroU64::new(770_077),
            },
            Refusal::EndpointUnknown { endpoint },
            Refusal::InsufficientCredits {
                account: account.clone(),
                needed: Credits::new(770_077),
                available: Credits::new(770_077),
            },
            Refusal::Conflict { what: "secret-what", field: "secret-field" },
            Refusal::PurchaseUnknown { reference: "secret-reference".parse().unwrap() },
            Refusal::ExceedsOriginal { asked: Credits::new(770_077), left: Credits::new(770_077) },
            Refusal::VersionConflict { account: account.clone() },
            Refusal::AccountExists { account: account.clone() },
            Refusal::InBatch {
                index: 770_077,
                refusal: Box::new(Refusal::AccountUnknown { account: account.clone() }),
            },
            Refusal::EventUnknown { event: event.clone() },
            Refusal::LeaseLost { event: event.clone() },
            Refusal::EventNotDead { event, status: "secret-status" },
            Refusal::ItemUnknown { item: item.clone() },
            Refusal::ItemNotLive { item: item.clone(), state: "secret-state" },
            Refusal::ItemNotDeleted { item: item.clone(), state: "secret-state" },
            Refusal::ItemInUse { item: item.clone(), reason: secret(), count: 770_077 },
            Refusal::ItemHasParts { item: item.clone(), parts: 770_077 },
            Refusal::ItemChanged { item: item.clone() },
            Refusal::CascadeTooLarge { item: item.clone(), items: 770_077 },
            Refusal::NameTaken { scope: secret(), name: secret() },
            Refusal::NeedNotLive { item: item.clone(), need: item.clone() },
            Refusal::ItemHeld { item: item.clone(), reason: secret() },
            Refusal::TooEarlyToPurge { item, purge_at: Timestamp::from_millis(770_077) },
            Refusal::ShareUnknown { share: ShareId::from_bytes([0x5E; 16]) },
            Refusal::ProcessingEnded {
                share: ShareId::from_bytes([0x5E; 16]),
                status: "secret-status",
            },
            Refusal::UploadUnknown { upload },
            Refusal::UploadEnded { upload, status: "secret-status" },
            Refusal::ReservationUnknown { account },
            Refusal::ReservationEnded { state: "secret-state" },
        ];
        // A new variant fails to compile here, and then belongs into the list above.
        let count = |refusal: &Refusal| match refusal {
            Refusal::Invalid { .. }
            | Refusal::Unauthorized
            | Refusal::AccountUnknown { .. }
            | Refusal::AccountFrozen { .. }
            | Refusal::RateLimited { .. }
            | Refusal::EndpointUnknown { .. }
            | Refusal::InsufficientCredits { .. }
            | Refusal::Conflict { .. }
            | Refusal::PurchaseUnknown { .. }
            | Refusal::ExceedsOriginal { .. }
            | Refusal::VersionConflict { .. }
            | Refusal::AccountExists { .. }
            | Refusal::InBatch { .. }
            | Refusal::EventUnknown { .. }
            | Refusal::LeaseLost { .. }
            | Refusal::EventNotDead { .. }
            | Refusal::ItemUnknown { .. }
            | Refusal::ItemNotLive { .. }
            | Refusal::ItemNotDeleted { .. }
            | Refusal::ItemInUse { .. }
            | Refusal::ItemHasParts { .. }
            | Refusal::ItemChanged { .. }
            | Refusal::CascadeTooLarge { .. }
            | Refusal::NameTaken { .. }
            | Refusal::NeedNotLive { .. }
            | Refusal::ItemHeld { .. }
            | Refusal::TooEarlyToPurge { .. }
            | Refusal::ShareUnknown { .. }
            | Refusal::ProcessingEnded { .. }
            | Refusal::UploadUnknown { .. }
            | Refusal::UploadEnded { .. }
            | Refusal::ReservationUnknown { .. }
            | Refusal::ReservationEnded { .. } => 1,
        };
        assert_eq!(all.iter().map(count).sum::<usize>(), 33);
        all
    }

    #[test]
    fn two_refusals_never_share_a_code() {
        // A batch answers with the code of what it met.
        let in_batch = |refusal: &Refusal| matches!(refusal, Refusal::InBatch { .. });
        let own: Vec<_> = refusals().into_iter().filter(|refusal| !in_batch(refusal)).collect();
        let mut codes: Vec<_> = own.iter().map(Refusal::code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), own.len());
    }
}
