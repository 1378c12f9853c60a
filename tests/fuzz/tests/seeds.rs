//! Every target over its seeds and over changes of them: what fuzzing found to be good stays good.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its seeds has failed")]

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use finalmile_fuzz::{TARGETS, car, mutate::Mutator, webhook_header, webhook_payload};

const CHANGES: usize = 20_000;

/// The seeds of a target in the order of their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut all: Vec<_> = entries.map(|path| (name(&path), fs::read(path).unwrap())).collect();
    all.sort();
    all
}

fn seed(target: &str, name: &str) -> Vec<u8> {
    let found = seeds(target).into_iter().find(|(known, _)| known == name);
    found.unwrap().1
}

fn all_hold(target: &str) {
    let (_, run) = TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "no seeds of {target}");
    for (_, seed) in &seeds {
        run(seed);
    }
    let mut mutator = Mutator::new(1);
    for _ in 0..CHANGES {
        let (name, seed) = &seeds[mutator.below(seeds.len())];
        let (_, other) = &seeds[mutator.below(seeds.len())];
        let changed = mutator.changed(seed, other);
        if panic::catch_unwind(AssertUnwindSafe(|| run(&changed))).is_err() {
            panic!("{target} fails on a change of {name}: {}", changed.escape_ascii());
        }
    }
}

#[test]
fn h1_h2_h3_headers_let_nothing_through_that_was_not_signed() {
    all_hold("webhook_header");
}

#[test]
fn h4_payloads_are_events_or_typed_refusals() {
    all_hold("webhook_payload");
}

#[test]
fn c1_c2_ids_are_read_in_the_one_right_way() {
    all_hold("cid");
}

#[test]
fn c9_blocks_are_read_in_the_one_right_way() {
    all_hold("dagpb");
}

#[test]
fn c10_c12_c13_archives_become_the_file_that_was_asked_for_or_nothing() {
    all_hold("car");
    // Or the target would prove nothing: it must be able to accept.
    for name in ["script", "backwards", "doubled"] {
        assert!(car::accepted(&seed("car", name)), "{name}");
    }
    for name in ["missing", "damaged", "junk", "lie"] {
        assert!(!car::accepted(&seed("car", name)), "{name}");
    }
}

#[test]
fn t1_t4_t6_pictures_are_rendered_as_promised_or_refused() {
    all_hold("thumbnail");
}

#[test]
fn jd1_jpeg_files_are_decoded_as_promised_or_refused() {
    all_hold("jpeg");
}

#[test]
fn vp2_videos_give_posters_or_typed_refusals() {
    all_hold("poster");
}

/// Or the target would prove nothing: it must be able to accept.
#[test]
fn h1_the_recordings_are_accepted_in_their_time() {
    let both = |name| webhook_header::accepted(&seed("webhook_header", name));
    assert_eq!(both("recorded-0"), [true; 2]);
    assert_eq!(both("recorded-1"), [true; 2]);
    assert_eq!(both("mixed"), [false; 2]);
    assert_eq!(both("too-late"), [false; 2]);
}

/// Under the feature `host`, this is what a host with such a `serde_json` relies on.
#[test]
fn h4_ordinary_events_are_accepted() {
    let both = |name| webhook_payload::accepted(&seed("webhook_payload", name));
    for name in ["checkout", "refund", "dispute", "numbers", "strings", "deep"] {
        assert_eq!(both(name), [true; 2], "{name}");
    }
    assert_eq!(both("standard"), [false, true]);
    for name in ["repeated", "unfolded", "standard-dot"] {
        assert_eq!(both(name), [false; 2], "{name}");
    }
}
