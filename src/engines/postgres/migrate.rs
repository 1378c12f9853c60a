//! Migrations: numbered scripts, forward only, one transaction each.

use tokio_postgres::types::Type;

use super::{
    session::Session,
    statements::{Call, Param},
};
use crate::storage::{Schema, StoreError, Value, script_digest};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS fm_migration (
    schema text COLLATE \"C\" NOT NULL, version bigint NOT NULL, sha256 bytea NOT NULL,
    at bigint NOT NULL, PRIMARY KEY (schema, version))";

/// Held while a script runs: "FMIL". Other instances wait for it, whatever their schema.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1179470156)";

/// Brings `schema` up to date. Takes no lock when nothing is to be done.
pub(super) fn migrate(session: &mut Session, schema: &Schema) -> Result<(), StoreError> {
    let latest = i64::try_from(schema.postgres.len()).unwrap_or(i64::MAX);
    let known = known(session, schema.name)?;
    if let Some((found, _)) = known.last().filter(|(version, _)| *version > latest) {
        let text =
            format!("{} is at version {found}, and this program knows {latest}", schema.name);
        return Err(StoreError::Schema(text));
    }
    for (version, script) in (1..).zip(schema.postgres) {
        let digest = script_digest(script);
        if is_done(&known, schema.name, version, &digest)? {
            continue;
        }
        session.say("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")?;
        match apply(session, schema.name, version, script, digest) {
            Ok(()) => session.say("COMMIT")?,
            Err(fault) => {
                session.dismiss("ROLLBACK");
                return Err(fault);
            }
        }
    }
    Ok(())
}

fn apply(
    session: &mut Session,
    name: &str,
    version: i64,
    script: &str,
    digest: Vec<u8>,
) -> Result<(), StoreError> {
    session.say(LOCK)?;
    session.say(TABLE)?;
    // Another instance may have done it while this one waited.
    if is_done(&known(session, name)?, name, version, &digest)? {
        return Ok(());
    }
    session.say(script)?;
    let text = "INSERT INTO fm_migration
                VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";
    let values = [Value::Text(name.to_owned()), Value::Int(version), Value::Blob(digest)];
    session
        .ask(&Call {
            text: text.to_owned(),
            types: vec![Type::TEXT, Type::INT8, Type::BYTEA],
            params: values.into_iter().map(Param::One).collect(),
        })
        .map(drop)
}

/// The versions that were applied, in order, each with its script's digest.
fn known(session: &mut Session, name: &str) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let made = session.ask(&Call::plain(
        // Only where the tables are made: another schema on the search path may have its own.
        "SELECT to_regclass(format('%I.fm_migration', current_schema())) IS NOT NULL",
    ))?;
    if !made.rows.first().is_some_and(|row| row.get(0)) {
        return Ok(Vec::new());
    }
    let text = "SELECT version, sha256 FROM fm_migration WHERE schema = $1 ORDER BY version";
    let call = Call::with(text.to_owned(), vec![Value::Text(name.to_owned())]);
    Ok(session.ask(&call)?.rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Whether that version is applied; refused when another script made it.
fn is_done(
    known: &[(i64, Vec<u8>)],
    name: &str,
    version: i64,
    digest: &[u8],
) -> Result<bool, StoreError> {
    match known.iter().find(|(known, _)| *known == version) {
        None => Ok(false),
        Some((_, known)) if known == digest => Ok(true),
        Some(_) => Err(StoreError::Schema(format!(
            "script {version} of {name} is not the one that made this database"
        ))),
    }
}
