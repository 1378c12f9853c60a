//! The PostgreSQL engine on a live server: its statements, its locks, its faults and its host side.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "postgres_engine/faults.rs"]
mod faults;
#[path = "postgres_engine/host.rs"]
mod host;
#[path = "postgres_engine/locks.rs"]
mod locks;
#[path = "postgres_engine/migrations.rs"]
mod migrations;
#[path = "postgres_engine/reads.rs"]
mod reads;
#[path = "postgres_engine/rows.rs"]
mod rows;
#[path = "support/postgres.rs"]
mod support;

use std::sync::Arc;

use finalmile::{
    SystemWorld, Timestamp,
    engines::Postgres,
    record,
    storage::{Command, KeySet, Record, Rows, Schema, Store, StoreError, Table},
};

/// A row with a text key and columns that may be null.
#[derive(Clone, Debug, PartialEq)]
struct Account {
    id: String,
    credits: i64,
    note: Option<String>,
    mark: Option<Vec<u8>>,
}
record! {
    Account: "t_account",
    key: (id: String),
    columns: (credits, note, mark),
    shard: id,
    indexes: [("t_account_credits", (credits))],
}

/// A row with a key of two columns, one of them bytes.
#[derive(Clone, Debug, PartialEq)]
struct Once {
    scope: String,
    key: Vec<u8>,
    outcome: String,
}
record! {
    Once: "t_once",
    key: (scope: String, key: Vec<u8>),
    columns: (outcome),
    shard: scope,
    indexes: [],
}

/// A row with a number for a key.
#[derive(Clone, Debug, PartialEq)]
struct Counter {
    id: i64,
    count: i64,
}
record! { Counter: "t_counter", key: (id: i64), columns: (count), shard: id, indexes: [] }

/// A row that guards children.
#[derive(Clone, Debug, PartialEq)]
struct Folder {
    id: String,
    version: i64,
}
record! {
    Folder: "t_folder",
    key: (id: String),
    columns: (version),
    version: version,
    shard: id,
    indexes: [],
}

/// A child.
#[derive(Clone, Debug, PartialEq)]
struct Leaf {
    folder: String,
    seq: i64,
    body: String,
}
record! {
    Leaf: "t_leaf",
    key: (folder: String, seq: i64),
    columns: (body),
    parent: Folder,
    shard: folder,
    indexes: [],
}

/// A row that is nothing but its key.
#[derive(Clone, Debug, PartialEq)]
struct Tag {
    name: String,
    of: String,
}
record! { Tag: "t_tag", key: (name: String, of: String), columns: (), shard: name, indexes: [] }

const TABLES: &[fn() -> &'static Table] =
    &[Account::table, Once::table, Counter::table, Folder::table, Leaf::table, Tag::table];

const SCRIPT: &str = r#"
CREATE TABLE t_account (id text COLLATE "C" PRIMARY KEY, credits bigint NOT NULL
    CONSTRAINT t_account_solvent CHECK (credits >= 0), note text, mark bytea);
CREATE INDEX t_account_credits ON t_account (credits, id);
CREATE TABLE t_once (scope text COLLATE "C", key bytea, outcome text NOT NULL, PRIMARY KEY (scope, key));
CREATE TABLE t_counter (id bigint PRIMARY KEY, count bigint NOT NULL);
CREATE TABLE t_folder (id text COLLATE "C" PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE t_leaf (folder text COLLATE "C", seq bigint, body text NOT NULL, PRIMARY KEY (folder, seq));
CREATE TABLE t_tag (name text COLLATE "C", "of" text COLLATE "C", PRIMARY KEY (name, "of"));
"#;

const SCHEMA: Schema = Schema { name: "test", tables: TABLES, sqlite: &[], postgres: &[SCRIPT] };

/// The schema of one test, or nothing when live tests are left out.
macro_rules! live {
    () => {
        match crate::support::live_or_skip() {
            Some(cluster) => cluster.schema(),
            None => return,
        }
    };
}
use live;

fn open(url: &str) -> Store {
    try_open(url).unwrap()
}

fn try_open(url: &str) -> Result<Store, StoreError> {
    Store::open(Postgres::url(url), Arc::new(SystemWorld), &[SCHEMA])
}

/// A command made of two closures.
struct Do<K, D> {
    keys: K,
    decide: D,
}

impl<K, D, O> Command for Do<K, D>
where
    K: Fn(&Rows, &mut KeySet) + Send + 'static,
    D: Fn(&mut Rows, Timestamp) -> O + Send + 'static,
    O: Send + 'static,
{
    type Out = O;
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        (self.keys)(seen, keys);
    }
    fn decide(&self, rows: &mut Rows, now: Timestamp) -> O {
        (self.decide)(rows, now)
    }
}

/// Decides one command made of two closures.
fn run<O: Send + 'static>(
    store: &Store,
    keys: impl Fn(&Rows, &mut KeySet) + Send + 'static,
    decide: impl Fn(&mut Rows, Timestamp) -> O + Send + 'static,
) -> Result<O, StoreError> {
    store.submit(Do { keys, decide }).wait()
}

/// Adds one to a counter, made if it is missing, and answers the count.
#[derive(Clone)]
struct Count(i64);

impl Command for Count {
    type Out = i64;
    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Counter>(&self.0);
    }
    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> i64 {
        let count = rows.get::<Counter>(&self.0).map_or(0, |counter| counter.count) + 1;
        rows.put(Counter { id: self.0, count });
        count
    }
}

fn account(id: &str, credits: i64) -> Account {
    Account { id: id.to_owned(), credits, note: None, mark: None }
}
