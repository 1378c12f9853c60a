//! The memory engine: maps, for tests, and the oracle that every other engine must equal.
//!
//! Writers exclude each other; a snapshot shares the tables it saw and the next writer copies what
//! it changes. Nothing survives the last handle, but a clone of [`Memory`] opened again sees the
//! same rows.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::{
    storage::{
        Backend, Capabilities, Change, Engine, EngineTx, Index, Key, KeySet, Reader, Readers, Row,
        RowId, Rows, Scan, Schema, StoreError, Table, Value, Verdict, ViewRows, Work,
    },
    time::Deadline,
};

/// A database in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    tables: Arc<RwLock<Tables>>,
}

type Tables = BTreeMap<&'static str, Arc<Content>>;

#[derive(Clone, Debug, Default)]
struct Content {
    /// As the records that commands work with: they are encoded only for indexes and readers.
    rows: BTreeMap<Key, Arc<dyn Row>>,
    /// For each index, from the order's values to the key.
    orders: BTreeMap<&'static str, BTreeMap<Key, Key>>,
}

impl Memory {
    /// An empty database.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn seen(&self) -> Tables {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Backend for Memory {
    fn is_inline(&self) -> bool {
        true
    }

    fn open(self: Box<Self>) -> Result<Box<dyn Engine>, StoreError> {
        Ok(self)
    }
}

impl Engine for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities { exclusive: true, inline: true, durable: false }
    }

    fn migrate(&mut self, schema: &Schema) -> Result<(), StoreError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for table in schema.tables {
            tables.entry(table().name).or_default();
        }
        Ok(())
    }

    fn transaction(&mut self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let mut tx = Open { memory: self, writes: Vec::new() };
        let verdict = work(&mut tx)?;
        let writes = std::mem::take(&mut tx.writes);
        if verdict == Verdict::Commit {
            let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
            for (id, row) in writes {
                Arc::make_mut(tables.entry(id.table.name).or_default()).apply(id, row);
            }
        }
        Ok(())
    }

    fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(self.clone())
    }
}

struct Open<'m> {
    memory: &'m Memory,
    /// The rows to be; `None`: it goes.
    writes: Vec<(RowId, Option<Arc<dyn Row>>)>,
}

impl EngineTx for Open<'_> {
    fn load(&mut self, keys: &KeySet, rows: &mut Rows) -> Result<(), StoreError> {
        let tables = self.memory.tables.read().unwrap_or_else(PoisonError::into_inner);
        for (id, _) in keys.rows() {
            let content = tables.get(id.table.name).ok_or_else(|| unknown(id.table))?;
            if let Some(row) = content.rows.get(&id.key) {
                rows.found_record(id, row.clone());
            }
        }
        for (range, limit) in keys.ranges() {
            let content = tables.get(range.table.name).ok_or_else(|| unknown(range.table))?;
            let under = content.rows.range(range.key.clone()..);
            let under = under.take_while(|(key, _)| key.starts_with(&range.key));
            let under = under.take(limit).map(|(_, row)| row.encode_row());
            rows.found_range(range, limit, under.collect())?;
        }
        Ok(())
    }

    fn apply(&mut self, rows: &Rows) -> Result<(), StoreError> {
        let tables = self.memory.tables.read().unwrap_or_else(PoisonError::into_inner);
        for (id, change) in rows.changes() {
            let content = tables.get(id.table.name).ok_or_else(|| unknown(id.table))?;
            let row = match change {
                Change::Insert(_) if content.rows.contains_key(&id.key) => {
                    let text = format!("{}: the row exists", id.table.name);
                    return Err(StoreError::Conflict(text));
                }
                Change::Insert(row) | Change::Update(row) => Some(row.clone()),
                Change::Delete => None,
            };
            self.writes.push((id.clone(), row));
        }
        Ok(())
    }
}

impl Content {
    fn apply(&mut self, id: RowId, new: Option<Arc<dyn Row>>) {
        let RowId { table, key } = id;
        let enters = new.as_ref().map(|row| positions(table, row)).unwrap_or_default();
        let enters: Vec<_> =
            enters.into_iter().map(|(index, at)| (index, at, key.clone())).collect();
        let old = match new {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        };
        for (index, at) in old.map(|row| positions(table, &row)).unwrap_or_default() {
            self.orders.entry(index).or_default().remove(&at);
        }
        for (index, at, key) in enters {
            self.orders.entry(index).or_default().insert(at, key);
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Vec<Value>>, StoreError> {
        scan.order()?;
        let empty = BTreeMap::new();
        Ok(match scan.index {
            Some(index) => {
                let keys = page(self.orders.get(index).unwrap_or(&empty), scan);
                keys.into_iter().filter_map(|key| Some(self.rows.get(key)?.encode_row())).collect()
            }
            None => page(&self.rows, scan).into_iter().map(|row| row.encode_row()).collect(),
        })
    }
}

/// The values of one page of an ordered map.
fn page<'m, V>(map: &'m BTreeMap<Key, V>, scan: &Scan) -> Vec<&'m V> {
    let within = |(at, _): &(&Key, &V)| at.starts_with(&scan.prefix);
    let values = |(_, value)| value;
    if !scan.descending {
        let start =
            scan.after.clone().map_or(Bound::Included(scan.prefix.clone()), Bound::Excluded);
        let ahead = map.range((start, Bound::Unbounded));
        return ahead.take_while(within).take(scan.limit).map(values).collect();
    }
    let end = match &scan.after {
        Some(after) => Bound::Excluded(after.clone()),
        None => beyond(&scan.prefix).map_or(Bound::Unbounded, Bound::Excluded),
    };
    let back = map.range((Bound::Unbounded, end)).rev();
    back.take_while(within).take(scan.limit).map(values).collect()
}

/// The smallest key greater than all that start with `prefix`.
fn beyond(prefix: &Key) -> Option<Key> {
    let mut end = prefix.clone();
    let next = match end.pop()? {
        Value::Null => Value::Int(i64::MIN),
        Value::Int(n) => n.checked_add(1).map_or(Value::Text(String::new()), Value::Int),
        Value::Text(text) => Value::Text(text + "\0"),
        Value::Blob(bytes) => Value::Blob([bytes, vec![0]].concat()),
    };
    end.push(next);
    Some(end)
}

/// Where a row stands in each index that holds it.
fn positions(table: &'static Table, row: &Arc<dyn Row>) -> Vec<(&'static str, Key)> {
    if table.indexes.is_empty() {
        return Vec::new();
    }
    let row = &row.encode_row()[..];
    let admitted = |index: &&Index| index.only.is_none_or(|only| table.admits(only, row));
    let at = |index: &Index| table.order(Some(index)).iter().map(|i| row[*i].clone()).collect();
    table.indexes.iter().filter(admitted).map(|index| (index.name, at(index))).collect()
}

impl Readers for Memory {
    fn open(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(Live(self.clone())))
    }
}

struct Live(Memory);

impl Reader for Live {
    fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        let tables = self.0.tables.read().unwrap_or_else(PoisonError::into_inner);
        let content = tables.get(table.name).ok_or_else(|| unknown(table))?;
        Ok(content.rows.get(key).map(|row| row.encode_row()))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Vec<Value>>, StoreError> {
        let tables = self.0.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.get(scan.table.name).ok_or_else(|| unknown(scan.table))?.scan(scan)
    }

    fn view(&mut self, _name: &str, _limit: usize) -> Result<ViewRows, StoreError> {
        Err(no_views())
    }

    fn snapshot(
        &mut self,
        deadline: Duration,
        work: &mut dyn FnMut(&mut dyn Reader) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        work(&mut Still { tables: self.0.seen(), deadline: Deadline::after(deadline) })
    }
}

/// The tables as they were at one moment.
struct Still {
    tables: Tables,
    deadline: Deadline,
}

impl Still {
    fn content(&self, table: &'static Table) -> Result<&Content, StoreError> {
        if self.deadline.is_over() {
            return Err(StoreError::Busy("the snapshot's time is over".to_owned()));
        }
        self.tables.get(table.name).map(|content| &**content).ok_or_else(|| unknown(table))
    }
}

impl Reader for Still {
    fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        Ok(self.content(table)?.rows.get(key).map(|row| row.encode_row()))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Vec<Value>>, StoreError> {
        self.content(scan.table)?.scan(scan)
    }

    fn view(&mut self, _name: &str, _limit: usize) -> Result<ViewRows, StoreError> {
        Err(no_views())
    }

    fn snapshot(
        &mut self,
        _deadline: Duration,
        work: &mut dyn FnMut(&mut dyn Reader) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        work(self)
    }
}

fn unknown(table: &'static Table) -> StoreError {
    StoreError::Schema(format!("{} was never migrated", table.name))
}

fn no_views() -> StoreError {
    StoreError::Backend("the memory engine has no views".to_owned())
}
