//! Random lives of items against the slow and obvious rules, on every engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/items.rs"]
mod items;
#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use finalmile::{
    Budget, FinalMile, Simulated, Timestamp, World as _,
    engines::Memory,
    trash::{ItemState, Relation},
};
use items::{DAY, id, trash};

const NINETY_DAYS: i64 = 90 * 86_400 * 1_000_000;

#[test]
fn random_lives_agree_with_a_plain_model() {
    for seed in 0..40 {
        random_life(Memory::new(), seed, 400);
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_random_life_on_a_disk_agrees_too() {
    let folder = tempfile::tempdir().unwrap();
    random_life(finalmile::engines::Sqlite::file(folder.path().join("a.db")), 99, 800);
}

#[cfg(feature = "postgres")]
#[test]
fn a_random_life_on_a_server_agrees_too() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    random_life(finalmile::engines::Postgres::url(schema.url()).own_clock(), 98, 300);
}

#[derive(Clone, Copy, Eq, PartialEq, Debug)]
enum Life {
    Live,
    Deleted { at: i64, batch: usize },
    Purged,
}

/// The slow and obvious rules.
#[derive(Default)]
struct Model {
    lives: BTreeMap<usize, (Life, bool)>,
    needs: BTreeMap<(usize, usize), Relation>,
    batches: usize,
    /// Of which something is purged.
    parted: BTreeSet<usize>,
}

impl Model {
    fn is_live(&self, n: usize) -> bool {
        matches!(self.lives.get(&n), Some((Life::Live, _)))
    }

    fn users(&self, n: usize) -> Vec<usize> {
        let on = self
            .needs
            .iter()
            .filter(|((_, on), relation)| *on == n && **relation == Relation::Uses);
        on.map(|((by, _), _)| *by).filter(|by| self.is_live(*by)).collect()
    }

    fn parts(&self, n: usize) -> Vec<usize> {
        let of = self.needs.iter().filter(|((_, on), r)| *on == n && **r == Relation::PartOf);
        of.map(|((by, _), _)| *by).filter(|by| self.is_live(*by)).collect()
    }

    fn cascade(&self, n: usize) -> Vec<usize> {
        let mut all = vec![n];
        let mut at = 0;
        while at < all.len() {
            let parts = self.parts(all[at]);
            parts.into_iter().for_each(|part| {
                if !all.contains(&part) {
                    all.push(part);
                }
            });
            at += 1;
        }
        all
    }

    /// Whether one thing depends on another, over whatever lies between.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let mut on = self.needs.keys().filter(|(by, _)| *by == from).map(|(_, on)| *on);
        from == to || on.any(|on| self.reaches(on, to))
    }

    /// All that went together and is not purged.
    fn batch(&self, batch: usize) -> Vec<usize> {
        let is_one = |life: &Life| matches!(life, Life::Deleted { batch: b, .. } if *b == batch);
        self.lives.iter().filter(|(_, (life, _))| is_one(life)).map(|(n, _)| *n).collect()
    }

    fn purge(&mut self, n: usize, now: i64) -> &'static str {
        let (at, batch) = match self.lives.get(&n) {
            None => return "ITEM_NOT_FOUND",
            Some((Life::Live, _)) => return "ITEM_NOT_DELETED",
            Some((Life::Purged, _)) => return "again",
            Some((Life::Deleted { at, batch }, _)) => (*at, *batch),
        };
        if self.batch(batch).iter().any(|one| self.lives[one].1) {
            return "ITEM_HELD";
        }
        if now - at < NINETY_DAYS {
            return "TOO_EARLY_TO_PURGE";
        }
        self.parted.insert(batch);
        self.lives.insert(n, (Life::Purged, false));
        self.needs.retain(|(by, _), _| *by != n);
        "ok"
    }

    fn delete(&mut self, n: usize, cascade: bool, now: i64) -> &'static str {
        match self.lives.get(&n) {
            None => return "ITEM_NOT_FOUND",
            Some((Life::Deleted { .. }, _)) => return "again",
            Some((Life::Purged, _)) => return "ITEM_NOT_LIVE",
            Some((Life::Live, _)) => {}
        }
        let all = if cascade { self.cascade(n) } else { vec![n] };
        if all.iter().any(|one| self.users(*one).iter().any(|user| !all.contains(user))) {
            return "ITEM_IN_USE";
        }
        if !cascade && !self.parts(n).is_empty() {
            return "ITEM_HAS_PARTS";
        }
        self.batches += 1;
        for one in all {
            let held = self.lives[&one].1;
            let life = Life::Deleted { at: now, batch: self.batches };
            self.lives.insert(one, (life, held));
        }
        "ok"
    }

    fn restore(&mut self, n: usize) -> &'static str {
        let batch = match self.lives.get(&n) {
            None => return "ITEM_NOT_FOUND",
            Some((Life::Live, _)) => return "ok",
            Some((Life::Purged, _)) => return "ITEM_NOT_DELETED",
            Some((Life::Deleted { batch, .. }, _)) => *batch,
        };
        if self.parted.contains(&batch) {
            return "ITEM_NOT_DELETED";
        }
        let all = self.batch(batch);
        for one in &all {
            for (by, on) in self.needs.keys() {
                if by == one && !self.is_live(*on) && !all.contains(on) {
                    return "NEED_NOT_LIVE";
                }
            }
        }
        for one in all {
            let held = self.lives[&one].1;
            self.lives.insert(one, (Life::Live, held));
        }
        "ok"
    }
}

fn random_life(backend: impl finalmile::storage::Backend, seed: u64, steps: usize) {
    let clock = Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), seed));
    let fm = FinalMile::builder(backend).world(clock.clone()).open().unwrap();
    let dice = Simulated::new(Timestamp::default(), seed + 11);
    let throw = |sides: u64| usize::try_from(dice.random() % sides).unwrap();
    let (mut model, trash) = (Model::default(), trash(&fm));
    let names: Vec<String> = (0..14).map(|n| format!("thing:{n}")).collect();
    let said = |answer: Result<bool, finalmile::Error>| match answer {
        Ok(true) => "ok",
        Ok(false) => "again",
        Err(error) => error.code(),
    };
    for step in 0..steps {
        let (n, other) = (throw(14), throw(14));
        let now = fm.store().now().micros();
        let item = id(&names[n]);
        let (found, expected) = match throw(12) {
            0 | 1 => {
                let found = fm.items().register(&item, "a thing", None).wait().map(|_| true);
                let expected = match model.lives.get(&n) {
                    None => {
                        model.lives.insert(n, (Life::Live, false));
                        "ok"
                    }
                    Some((Life::Live, _)) => "ok",
                    Some(_) => "ITEM_NOT_LIVE",
                };
                (said(found), expected)
            }
            2..5 => {
                let relation = if throw(2) == 0 { Relation::Uses } else { Relation::PartOf };
                let on = id(&names[other]);
                let found = fm.items().depend(&item, &on, relation).wait();
                let known = |n| model.lives.contains_key(&n);
                let expected = if !known(n) || !known(other) {
                    "ITEM_NOT_FOUND"
                } else if !model.is_live(n) {
                    "ITEM_NOT_LIVE"
                } else if model.needs.get(&(n, other)) == Some(&relation) {
                    "again"
                } else if !model.is_live(other) {
                    "ITEM_NOT_LIVE"
                } else if model.reaches(other, n) {
                    "INVALID_REQUEST"
                } else {
                    model.needs.insert((n, other), relation);
                    "ok"
                };
                (said(found), expected)
            }
            5 | 6 => {
                let found = trash.delete(&item, "x").wait().map(|done| !done.replayed);
                (said(found), model.delete(n, false, now))
            }
            7 => {
                let found = trash.delete_with_parts(&item, "x").wait().map(|done| !done.replayed);
                (said(found), model.delete(n, true, now))
            }
            8 => {
                let found = trash.restore(&item, "x").wait().map(|_| true);
                (said(found), model.restore(n))
            }
            9 => {
                let holds = throw(2) == 0;
                let act = if holds { trash.hold(&item, "x") } else { trash.unhold(&item, "x") };
                let found = act.wait();
                let expected = match model.lives.get_mut(&n) {
                    None => "ITEM_NOT_FOUND",
                    Some((Life::Purged, _)) => "ITEM_NOT_LIVE",
                    Some((_, held)) if *held != holds => {
                        *held = holds;
                        "ok"
                    }
                    Some(_) => "again",
                };
                (said(found), expected)
            }
            10 => {
                let found = trash.purge(&item, "x").wait();
                (said(found), model.purge(n, now))
            }
            _ => {
                clock.advance(DAY * u32::try_from(throw(30)).unwrap());
                let now = fm.store().now().micros();
                let budget = Budget::seconds(9).trust_clock();
                let purged = fm.maintain(budget).wait().unwrap().items_purged;
                let known: Vec<usize> = model.lives.keys().copied().collect();
                let expected = known.into_iter().filter(|n| model.purge(*n, now) == "ok").count();
                assert_eq!(purged, expected as u64, "seed {seed}, step {step}");
                ("ok", "ok")
            }
        };
        assert_eq!(found, expected, "seed {seed}, step {step}: {item} {other}");
        for (n, (life, held)) in &model.lives {
            let item = trash.get(&id(&names[*n])).wait().unwrap().unwrap();
            let state = match life {
                Life::Live => ItemState::Live,
                Life::Deleted { .. } => ItemState::Deleted,
                Life::Purged => ItemState::Purged,
            };
            assert_eq!(
                (item.state, item.held_at.is_some()),
                (state, *held && state != ItemState::Purged),
                "seed {seed}, step {step}: {n}"
            );
            if state == ItemState::Live {
                // What lives depends on nothing that does not.
                let needs = model.needs.keys().filter(|(by, _)| by == n);
                assert!(needs.into_iter().all(|(_, on)| model.is_live(*on)), "seed {seed}: {n}");
                let counts = (item.used_by, item.parts);
                let count = |all: Vec<usize>| i64::try_from(all.len()).unwrap();
                let expected = (count(model.users(*n)), count(model.parts(*n)));
                assert_eq!(counts, expected, "seed {seed}, step {step}: {n}");
            }
        }
    }
}
