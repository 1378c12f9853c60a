//! Tables and commands of the suite's own.

use crate::{
    record,
    storage::{Command, KeySet, Only, Record, Rows, Schema},
    time::Timestamp,
};

/// Guards children.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parent {
    /// Its name.
    pub id: String,
    /// Moves with every child.
    pub version: i64,
    /// Anything.
    pub label: Option<String>,
}

/// One row under a parent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Child {
    /// Whose.
    pub parent: String,
    /// Its number.
    pub id: i64,
    /// Orders an index.
    pub weight: i64,
    /// Decides whether partial indexes hold it.
    pub note: Option<String>,
    /// Anything.
    pub data: Option<Vec<u8>>,
}

/// A counter under a binary key. A count of -1313 violates a check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Count {
    /// Its name.
    pub id: Vec<u8>,
    /// How many.
    pub count: i64,
}

record! {
    Parent: "fm_probe_parent",
    key: (id: String),
    columns: (version, label),
    version: version,
    shard: id,
    indexes: [],
}

record! {
    Child: "fm_probe_child",
    key: (parent: String, id: i64),
    columns: (weight, note, data),
    parent: Parent,
    shard: parent,
    indexes: [
        ("fm_probe_child_weight", (weight)),
        ("fm_probe_child_noted", (parent, weight), Only::Present("note")),
        ("fm_probe_child_red", (weight), Only::Equals("note", "red")),
    ],
}

record! {
    Count: "fm_probe_cell",
    key: (id: Vec<u8>),
    columns: (count),
    shard: id,
    indexes: [],
}

/// The suite's own tables.
pub const PROBE: Schema = Schema {
    name: "probe",
    tables: &[Parent::table, Child::table, Count::table],
    sqlite: &[include_str!("../../../sql/sqlite/testing/0001_probe.sql")],
    postgres: &[include_str!("../../../sql/postgres/testing/0001_probe.sql")],
};

/// A command made of two functions.
#[derive(Clone, Debug)]
pub struct Act<K, D> {
    keys: K,
    decide: D,
}

/// A command that names its keys by `keys` and decides by `decide`.
pub fn act<K, D, T>(keys: K, decide: D) -> Act<K, D>
where
    K: Fn(&Rows, &mut KeySet) + Send + 'static,
    D: Fn(&mut Rows, Timestamp) -> T + Send + 'static,
    T: Send + 'static,
{
    Act { keys, decide }
}

impl<K, D, T> Command for Act<K, D>
where
    K: Fn(&Rows, &mut KeySet) + Send + 'static,
    D: Fn(&mut Rows, Timestamp) -> T + Send + 'static,
    T: Send + 'static,
{
    type Out = T;
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        (self.keys)(seen, keys);
    }
    fn decide(&self, rows: &mut Rows, now: Timestamp) -> T {
        (self.decide)(rows, now)
    }
}

/// Adds `by` to a counter; the new count.
#[must_use]
pub fn count(id: &[u8], by: i64) -> impl Command<Out = i64> + use<> {
    let id = id.to_vec();
    let named = id.clone();
    act(
        move |_, keys| keys.own::<Count>(&named),
        move |rows, _| {
            let count = rows.get::<Count>(&id).map_or(0, |found| found.count) + by;
            rows.put(Count { id: id.clone(), count });
            count
        },
    )
}

/// Adds a child, or replaces it; its parent is made or moves on.
#[must_use]
pub fn add_child(child: Child) -> impl Command<Out = bool> {
    let (parent, id) = (child.parent.clone(), child.id);
    act(
        move |_, keys| {
            keys.own::<Parent>(&parent);
            keys.own::<Child>(&(parent.clone(), id));
        },
        move |rows, _| {
            touch(rows, &child.parent);
            let is_new = rows.get::<Child>(&(child.parent.clone(), child.id)).is_none();
            rows.put(child.clone());
            is_new
        },
    )
}

/// Removes a child, if it is there.
#[must_use]
pub fn remove_child(parent: &str, id: i64) -> impl Command<Out = bool> + use<> {
    let key = (parent.to_owned(), id);
    let named = key.clone();
    act(
        move |_, keys| {
            keys.own::<Parent>(&named.0);
            keys.own::<Child>(&named);
        },
        move |rows, _| {
            let was_there = rows.get::<Child>(&key).is_some();
            if was_there {
                touch(rows, &key.0);
            }
            rows.remove::<Child>(&key);
            was_there
        },
    )
}

/// Moves a parent's version, making the parent if it is not there.
pub fn touch(rows: &mut Rows, id: &String) {
    let found = rows.get::<Parent>(id).cloned();
    let found = found.unwrap_or(Parent { id: id.clone(), version: 0, label: None });
    rows.put(Parent { version: found.version + 1, ..found });
}

/// A child with nothing but a number and a weight.
#[must_use]
pub fn child(parent: &str, id: i64, weight: i64) -> Child {
    Child { parent: parent.to_owned(), id, weight, note: None, data: None }
}

/// Runs `work` and swallows the panic messages that it means to cause.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    // A hook is process-wide, so it lets through what other tests print.
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let meant = text.is_some_and(|text| {
                text.starts_with("meant:")
                    || text.contains("not asked for")
                    || text.contains("only peeked at")
                    || text.contains("a fresh row exists")
            });
            if !meant {
                before(info);
            }
        }));
    });
    work()
}
