//! What SQLite's result codes mean to a store.

use rusqlite::{Error, ErrorCode, ffi};

use crate::storage::StoreError;

/// Sorts an error of SQLite's.
///
/// Only a violated *key* is a conflict: someone else made the row. A violated CHECK or trigger is a
/// fault of this crate's, and deciding again would meet it again.
pub(super) fn fault(error: &Error) -> StoreError {
    let text = error.to_string();
    let Error::SqliteFailure(failure, _) = error else {
        return StoreError::Backend(text);
    };
    match failure.extended_code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_ROWID => return StoreError::Conflict(text),
        _ => {}
    }
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy(text),
        ErrorCode::DiskFull => StoreError::Full(text),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(text),
        _ => StoreError::Backend(text),
    }
}

/// Sorts an error of `COMMIT`: after a failed sync, the log may or may not hold the transaction.
pub(super) fn commit_fault(error: &Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => StoreError::Unknown(error.to_string()),
        _ => fault(error),
    }
}
