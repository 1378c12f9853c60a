//! Migrations: numbered scripts, forward only, one transaction each.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{connect::APPLICATION_ID, fault::fault};
use crate::storage::{Schema, StoreError, script_digest};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS fm_migration (
    schema TEXT NOT NULL, version INTEGER NOT NULL, sha256 BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (schema, version)) STRICT, WITHOUT ROWID";

/// Brings `schema` up to date.
pub(super) fn migrate(connection: &mut Connection, schema: &Schema) -> Result<(), StoreError> {
    let latest = i64::try_from(schema.sqlite.len()).unwrap_or(i64::MAX);
    refuse_newer(connection, schema.name, latest)?;
    for (version, script) in (1..).zip(schema.sqlite) {
        let digest = script_digest(script);
        let tx = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(|e| fault(&e))?;
        // Under the write lock, because another process may be migrating too.
        tx.execute_batch(TABLE).map_err(|e| fault(&e))?;
        refuse_newer(&tx, schema.name, latest)?;
        let known = "SELECT sha256 FROM fm_migration WHERE schema = ?1 AND version = ?2";
        let known: Option<Vec<u8>> = tx
            .query_row(known, params![schema.name, version], |row| row.get(0))
            .optional()
            .map_err(|e| fault(&e))?;
        if let Some(known) = known {
            if known != digest {
                return Err(changed(schema.name, version));
            }
            continue;
        }
        let apply = || {
            tx.execute_batch(script)?;
            tx.execute(
                "INSERT INTO fm_migration VALUES
                 (?1, ?2, ?3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))",
                params![schema.name, version, digest],
            )?;
            if schema.name == "core" && application_id(&tx)? == APPLICATION_ID {
                tx.pragma_update(None, "user_version", version)?;
            }
            Ok(())
        };
        apply().map_err(|e: rusqlite::Error| fault(&e))?;
        tx.commit().map_err(|e| fault(&e))?;
    }
    Ok(())
}

fn application_id(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

fn refuse_newer(connection: &Connection, name: &str, latest: i64) -> Result<(), StoreError> {
    let found = || -> rusqlite::Result<i64> {
        let made = "SELECT 1 FROM sqlite_schema WHERE name = 'fm_migration'";
        if connection.query_row(made, [], |_| Ok(())).optional()?.is_none() {
            return Ok(0);
        }
        let newest = "SELECT coalesce(max(version), 0) FROM fm_migration WHERE schema = ?1";
        connection.query_row(newest, [name], |row| row.get(0))
    };
    let found = found().map_err(|e| fault(&e))?;
    if found > latest {
        let text = format!("{name} is at version {found}, and this program knows {latest}");
        return Err(StoreError::Schema(text));
    }
    Ok(())
}

fn changed(name: &str, version: i64) -> StoreError {
    StoreError::Schema(format!("script {version} of {name} is not the one that made this database"))
}
