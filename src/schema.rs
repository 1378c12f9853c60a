//! The core's tables and the scripts that make them.

use crate::{
    audit::{AuditEntry, AuditHead},
    ledger::{
        Account, Checkpoint, Entry, PurchaseRecord, Reservation,
        checkpoint::{CheckpointHead, Mark},
        purchase::PurchaseRef,
    },
    limit::{
        Bucket, Policy,
        change::{ChangeHead, ChangeRow},
        rows::{LogRow, Minute, TopKey},
    },
    once::Once,
    storage::{Record, Schema},
    upload::{MediaShare, Upload},
    webhook::{Failure, Lane, Payment, StoredBody, StoredEvent, Subscription},
};

/// Everything that finalmile keeps in a database.
pub const CORE: Schema = Schema {
    name: "core",
    tables: &[
        Account::table,
        AuditEntry::table,
        AuditHead::table,
        Bucket::table,
        ChangeHead::table,
        ChangeRow::table,
        Checkpoint::table,
        CheckpointHead::table,
        Entry::table,
        Failure::table,
        Lane::table,
        LogRow::table,
        Mark::table,
        MediaShare::table,
        Minute::table,
        Once::table,
        Payment::table,
        Policy::table,
        PurchaseRecord::table,
        PurchaseRef::table,
        Reservation::table,
        StoredBody::table,
        StoredEvent::table,
        Subscription::table,
        TopKey::table,
        Upload::table,
    ],
    sqlite: &[
        include_str!("../sql/sqlite/0001_core.sql"),
        include_str!("../sql/sqlite/0002_limits.sql"),
        include_str!("../sql/sqlite/0003_ledger.sql"),
        include_str!("../sql/sqlite/0004_webhooks.sql"),
    ],
    postgres: &[
        include_str!("../sql/postgres/0001_core.sql"),
        include_str!("../sql/postgres/0002_limits.sql"),
        include_str!("../sql/postgres/0003_ledger.sql"),
        include_str!("../sql/postgres/0004_webhooks.sql"),
    ],
};
