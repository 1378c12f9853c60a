//! Scripts: once each, in order, and never by two at the same time.

use std::thread;

use super::*;

#[test]
fn two_instances_that_migrate_at_once_run_each_script_once() {
    let schema = live!();
    let stores = thread::scope(|scope| {
        let each: Vec<_> = (0..6).map(|_| scope.spawn(|| open(schema.url()))).collect();
        each.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(stores.iter().map(|store| store.submit(Count(1)).wait().unwrap()).sum::<i64>(), 21);
    let sql = "SELECT count(*), max(version) FROM fm_migration WHERE schema = 'test'";
    let row = schema.connect().query_one(sql, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 1));
}

#[test]
fn a_newer_schema_and_a_changed_script_are_refused() {
    let schema = live!();
    let reopen = |scripts: &'static [&'static str]| {
        let schemas = [Schema { postgres: scripts, ..SCHEMA }];
        Store::open(Postgres::url(schema.url()), Arc::new(SystemWorld), &schemas).map(drop)
    };
    reopen(&[SCRIPT, "CREATE TABLE second (n bigint)"]).unwrap();
    reopen(&[SCRIPT, "CREATE TABLE second (n bigint)"]).unwrap();
    let newer = reopen(&[SCRIPT]).unwrap_err();
    assert!(matches!(&newer, StoreError::Schema(text) if text.contains("version 2")), "{newer}");
    let changed = reopen(&[SCRIPT, "CREATE TABLE other (n bigint)"]).unwrap_err();
    assert!(matches!(&changed, StoreError::Schema(text) if text.contains("script 2")), "{changed}");
}

#[test]
fn a_script_that_fails_leaves_nothing_and_can_be_mended() {
    let schema = live!();
    let reopen = |scripts: &'static [&'static str]| {
        let schemas = [Schema { postgres: scripts, ..SCHEMA }];
        Store::open(Postgres::url(schema.url()), Arc::new(SystemWorld), &schemas).map(drop)
    };
    let failed = reopen(&["CREATE TABLE half (n bigint); SELECT 1 / 0"]).unwrap_err();
    assert!(matches!(failed, StoreError::Backend(_)), "{failed}");
    reopen(&["CREATE TABLE half (n bigint)"]).unwrap();
}
