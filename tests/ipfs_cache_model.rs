//! The cache against a plain map and the rules, over thousands of random calls with restarts.
//!
//! The model does not say which files are evicted; it looks which were, and judges: whether anything had to
//! go, whether what went was worth the least, whether pins and floors held, and whether too much went.
#![cfg(all(feature = "ipfs", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::float_arithmetic, reason = "the model takes roots as everybody does")]

use std::collections::BTreeMap;
use std::fs;

use finalmile::ipfs::{Cache, CacheOptions, Check, Cid, Eviction, Kind, cid_of_bytes};

const LIMIT: u64 = 400_000;
/// What is made free ahead.
const SPARE: u64 = LIMIT / 64;

#[derive(Clone, Debug)]
struct Known {
    bytes: u64,
    kind: Kind,
    uses: u32,
    worth: f64,
}

/// What must be true, written down plainly.
struct Model {
    files: BTreeMap<Cid, Known>,
    pins: Vec<Cid>,
    eviction: Eviction,
    /// The worth of the last victim, or the number of the last use.
    age: f64,
}

impl Model {
    fn worth(&mut self, uses: u32, bytes: u64) -> f64 {
        if self.eviction == Eviction::Lru {
            self.age += 1.0;
            return self.age;
        }
        self.age + f64::from(uses) / (bytes.clamp(1, 1 << 20) as f64).sqrt()
    }

    fn used(&mut self, cid: &Cid) {
        let mut known = self.files[cid].clone();
        known.uses += 1;
        known.worth = self.worth(known.uses, known.bytes);
        self.files.insert(cid.clone(), known);
    }

    fn bytes(&self) -> u64 {
        self.files.values().map(|known| known.bytes).sum()
    }

    fn thumbnail_bytes(&self) -> u64 {
        let thumbnails = self.files.values().filter(|known| known.kind == Kind::Thumbnail);
        thumbnails.map(|known| known.bytes).sum()
    }

    /// Judges what a call evicted for `needed` bytes of that kind; `None`: it had no reason to.
    fn judge(&mut self, cache: &Cache, needed: Option<(u64, Kind)>) {
        let before = self.bytes();
        let gone: Vec<Cid> =
            self.files.keys().filter(|cid| !cache.contains(cid)).cloned().collect();
        if gone.is_empty() {
            return;
        }
        let (needed, pusher) = needed.expect("only a put that needs room evicts");
        // A claim may hold what was made free ahead, and no more is ever made free.
        assert!(before + needed + 2 * SPARE > LIMIT, "{before} and {needed} would have had room");
        let victims: Vec<Known> = gone.iter().map(|cid| self.files.remove(cid).unwrap()).collect();
        assert!(gone.iter().all(|cid| !self.pins.contains(cid)), "a pinned one went");
        let largest = victims.iter().map(|known| known.bytes).max().unwrap();
        assert!(self.bytes() + needed + 2 * SPARE + largest > LIMIT, "more went than had to");
        if pusher == Kind::Media && victims.iter().any(|known| known.kind == Kind::Thumbnail) {
            assert!(self.thumbnail_bytes() >= LIMIT / 4, "media pushed below the floor");
        }
        for kind in [Kind::Thumbnail, Kind::Media] {
            let of_kind = |known: &&Known| known.kind == kind;
            let worst = victims.iter().filter(of_kind).map(|known| known.worth).fold(0.0, f64::max);
            let files = self.files.iter().filter(|(cid, _)| !self.pins.contains(cid));
            for (cid, known) in files.filter(|(_, known)| known.kind == kind) {
                // Worths are rounded to whole numbers there.
                assert!(
                    known.worth >= worst * (1.0 - 1e-4),
                    "{cid} should have gone: {known:?} {worst}"
                );
            }
        }
        if self.eviction == Eviction::Gdsf {
            self.age = victims.iter().map(|known| known.worth).fold(self.age, f64::max);
        }
    }
}

/// A small generator of test numbers.
///
/// Source: Marsaglia, "Xorshift RNGs", 2003.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// An object's bytes, the same each time.
fn content(object: u64) -> (Vec<u8>, Kind) {
    let is_thumbnail = object.is_multiple_of(3);
    let length =
        if is_thumbnail { 500 + object * 37 % 6_000 } else { 2_000 + object * 911 % 48_000 };
    let mut bytes = object.to_le_bytes().to_vec();
    bytes.resize(usize::try_from(length).unwrap(), u8::try_from(object % 256).unwrap());
    (bytes, if is_thumbnail { Kind::Thumbnail } else { Kind::Media })
}

fn run(seed: u64, eviction: Eviction, steps: u64) {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let options = CacheOptions { limit_bytes: LIMIT, eviction, ..CacheOptions::default() };
        Cache::with(folder.path(), options).unwrap()
    };
    let mut cache = open();
    let mut model = Model { files: BTreeMap::new(), pins: Vec::new(), eviction, age: 0.0 };
    let mut numbers = Xorshift(seed * 2 + 1);
    for step in 0..steps {
        let (bytes, kind) = content(numbers.below(160).min(numbers.below(160)));
        let cid = cid_of_bytes(&bytes);
        let length = bytes.len() as u64;
        match numbers.below(100) {
            // Content that is there is put again only where that evicts nothing, itself least of all.
            0..40
                if !model.files.contains_key(&cid)
                    || model.bytes() + length + 2 * SPARE <= LIMIT =>
            {
                let put = cache.put_bytes(&bytes, kind);
                model.judge(&cache, Some((length, kind)));
                if let Err(error) = put {
                    assert_eq!(error.code(), "CACHE_FULL");
                    let pinned = model.files.iter().filter(|(cid, _)| model.pins.contains(cid));
                    let pinned: u64 = pinned.map(|(_, known)| known.bytes).sum();
                    let most = pinned + length + LIMIT / 4 + 2 * SPARE + 50_000;
                    assert!(most > LIMIT, "{step}: refused, though {pinned} are pinned");
                } else if put.is_ok_and(|entry| entry.kept) {
                    let uses = model.files.get(&cid).map_or(1, |known| known.uses + 1);
                    let worth = model.worth(uses, length);
                    model.files.insert(cid.clone(), Known { bytes: length, kind, uses, worth });
                }
            }
            0..80 => {
                let found = cache.get(&cid).unwrap();
                assert_eq!(found.is_some(), model.files.contains_key(&cid), "{step}");
                if let Some(path) = found {
                    assert_eq!(fs::read(path).unwrap(), bytes);
                    model.used(&cid);
                }
            }
            80..90 => {
                let found = cache.get_bytes(&cid).unwrap();
                assert_eq!(found.is_some(), model.files.contains_key(&cid), "{step}");
                if let Some(found) = found {
                    assert_eq!(*found, *bytes);
                    model.used(&cid);
                }
            }
            90..93 if model.pins.len() < 5 => {
                cache.pin(&cid).unwrap();
                model.pins.push(cid.clone());
            }
            90..95 => {
                assert_eq!(cache.unpin(&cid).unwrap(), model.pins.contains(&cid));
                model.pins.retain(|pin| *pin != cid);
            }
            95..97 => {
                assert_eq!(cache.remove(&cid).unwrap(), model.files.remove(&cid).is_some());
            }
            97 => {
                let expected =
                    if model.files.contains_key(&cid) { Check::Intact } else { Check::Missing };
                assert_eq!(cache.verify(&cid).unwrap(), expected);
            }
            98 => {
                drop(cache);
                cache = open();
            }
            _ => {
                let stats = cache.stats().unwrap();
                assert_eq!((stats.entries, stats.bytes), (model.files.len() as u64, model.bytes()));
                assert_eq!(stats.thumbnails.bytes, model.thumbnail_bytes());
                let pinned = model.files.iter().filter(|(cid, _)| model.pins.contains(cid));
                assert_eq!(stats.pinned_bytes, pinned.map(|(_, known)| known.bytes).sum::<u64>());
            }
        }
        model.judge(&cache, None);
        assert!(model.bytes() <= LIMIT, "{step}");
    }
    let on_disk: u64 = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(fs::Metadata::is_file)
        .map(|meta| meta.len())
        .sum();
    assert_eq!(on_disk, model.bytes());
}

#[test]
fn c20_c21_c22_c26_a_plain_model_agrees_with_what_goes_and_what_stays() {
    for seed in 1..=3 {
        for eviction in [Eviction::Gdsf, Eviction::Lru] {
            run(seed, eviction, 1_200);
        }
    }
}
