//! The busiest keys, in little memory.
//!
//! Space-Saving keeps a fixed number of counters; a key without one takes over the smallest, with
//! its count. A key that really is among the busiest is always there, and its count is too high by
//! at most the total divided by the number of counters.
//!
//! Source: Metwally, Agrawal and El Abbadi, Efficient Computation of Frequent and Top-k Elements in
//! Data Streams, ICDT 2005.

use std::collections::{BTreeSet, HashMap};

/// Counters of one sketch.
const COUNTERS: usize = 512;

/// The sketch.
#[derive(Debug, Default)]
pub(crate) struct Top {
    counts: HashMap<String, Count>,
    /// The same, ordered by count.
    order: BTreeSet<(u64, String)>,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
}

impl Top {
    /// Counts requests of a key, so many of them refused.
    pub(crate) fn add(&mut self, key: &str, requests: u64, refused: u64) {
        let known = match self.counts.get(key) {
            Some(known) => *known,
            None if self.counts.len() < COUNTERS => Count::default(),
            None => {
                let smallest = self.order.pop_first();
                let inherited = smallest.map_or(0, |(count, key)| {
                    self.counts.remove(&key);
                    count
                });
                Count { requests: inherited, refused: 0 }
            }
        };
        self.order.remove(&(known.requests, key.to_owned()));
        let now = Count { requests: known.requests + requests, refused: known.refused + refused };
        self.order.insert((now.requests, key.to_owned()));
        self.counts.insert(key.to_owned(), now);
    }

    /// The busiest keys, the busiest first.
    pub(crate) fn busiest(&self, limit: usize) -> impl Iterator<Item = (&str, Count)> {
        self.order.iter().rev().take(limit).filter_map(|(_, key)| {
            let count = self.counts.get(key)?;
            Some((key.as_str(), *count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_keys_are_found_among_many() {
        let mut top = Top::default();
        for round in 0..100 {
            for i in 0..1_000 {
                top.add(&format!("one-off-{round}-{i}"), 1, 0);
            }
            for (key, requests) in [("first", 3_000), ("second", 2_000), ("third", 1_000)] {
                top.add(key, requests, requests / 2);
            }
        }
        let busiest: Vec<_> = top.busiest(3).collect();
        let keys: Vec<_> = busiest.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["first", "second", "third"]);
        let total = 700_000;
        for ((_, count), exact) in busiest.iter().zip([300_000, 200_000, 100_000]) {
            assert!((exact..=exact + total / COUNTERS as u64).contains(&count.requests));
        }
    }
}
