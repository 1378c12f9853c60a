//! What PostgreSQL's error codes mean to a store.

use std::error::Error as _;

use tokio_postgres::{Error, error::SqlState};

use crate::storage::StoreError;

/// Sorts an error of the server's or of the connection's.
///
/// The server's `DETAIL` is left out: it quotes the rows' values.
pub(super) fn fault(error: &Error) -> StoreError {
    let text = text(error);
    let Some(code) = error.code() else {
        return if is_lost(error) { StoreError::Busy(text) } else { StoreError::Backend(text) };
    };
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::UNIQUE_VIOLATION => StoreError::Conflict(text),
        // The last is a `statement_timeout` of the role's or the database's.
        SqlState::LOCK_NOT_AVAILABLE
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::QUERY_CANCELED => StoreError::Busy(text),
        SqlState::DISK_FULL => StoreError::Full(text),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => StoreError::Corrupt(text),
        _ if is_lost(error) => StoreError::Busy(text),
        _ => StoreError::Backend(text),
    }
}

/// Whether the session ended with this error, or must be ended because of it.
pub(super) fn is_lost(error: &Error) -> bool {
    let Some(db) = error.as_db_error() else {
        let io = error.source().is_some_and(|source| source.is::<std::io::Error>());
        return io || error.is_closed();
    };
    let code = db.code().code();
    // Connection exceptions; shutdown, crash, not up yet, idle for too long. A changed result type
    // is mended by preparing anew.
    code.starts_with("08")
        || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03")
        || (code == "0A000" && db.message().starts_with("cached plan"))
}

/// Sorts an error of connecting: a server that is starting or full is one to try again.
pub(super) fn connect_fault(error: &Error) -> StoreError {
    match error.code() {
        Some(_) => fault(error),
        None => StoreError::Backend(text(error)),
    }
}

fn text(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        let constraint = db.constraint().map(|name| format!(" ({name})")).unwrap_or_default();
        return format!("{}{constraint} [{}]", db.message(), db.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
