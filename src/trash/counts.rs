//! Counts by kind: how many bundles, how many subscriptions.

use std::collections::BTreeMap;

use crate::{
    storage::{Field, Kind, Value},
    trash::ItemId,
};

/// How many things of each kind; kinds without any are left out.
///
/// The store keeps it as JSON, its kinds in order: `{"bundle":2,"subscription":500}`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KindCounts(BTreeMap<String, u64>);

impl KindCounts {
    /// How many of one kind.
    #[must_use]
    pub fn get(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or_default()
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// One more.
    pub(super) fn add(&mut self, kind: &str) {
        *self.0.entry(kind.to_owned()).or_default() += 1;
    }

    /// One less.
    pub(super) fn take(&mut self, kind: &str) {
        if let Some(count) = self.0.get_mut(kind) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(kind);
            }
        }
    }

    /// These and those.
    pub(super) fn join(&mut self, others: &Self) {
        for (kind, count) in others.iter() {
            *self.0.entry(kind.to_owned()).or_default() += count;
        }
    }
}

impl<'a> FromIterator<&'a ItemId> for KindCounts {
    fn from_iter<T: IntoIterator<Item = &'a ItemId>>(items: T) -> Self {
        let mut counts = Self::default();
        items.into_iter().for_each(|item| counts.add(item.kind()));
        counts
    }
}

impl Field for KindCounts {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(serde_json::to_string(&self.0).unwrap_or_default())
    }
    fn from_value(value: Value) -> Option<Self> {
        serde_json::from_str(&String::from_value(value)?).ok().map(Self)
    }
}
