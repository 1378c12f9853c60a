//! Whoever may use finalmile may use all that it builds on.
//!
//! Every crate that any feature, platform or test brings in must be offered under at least one licence
//! that asks for nothing but notices (or, as MPL-2.0 does, for changes to its own files). The list
//! names what is accepted, so a licence nobody has read fails until somebody does.

#![allow(clippy::unwrap_used, reason = "a test that cannot ask cargo has failed")]

use std::process::Command;

/// Accepted licences, by SPDX identifier.
const ACCEPTED: [&str; 19] = [
    "0BSD",
    "Apache-2.0",
    "BlueOak-1.0.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "IJG",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Crates whose licence is a file and not an expression, with what that file says.
const READ_BY_HAND: &[(&str, &str)] = &[];

#[test]
fn every_dependency_is_free_to_use() {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--workspace", "--all-features", "--target", "all", "--quiet"])
        .args(["--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}\t{l}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = tree.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed: {complaint}");

    let listing = String::from_utf8(output.stdout).unwrap();
    // A crate met before is shown without its subtree, and marked with a star.
    let crates = listing.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('\t'));
    let mut refused: Vec<String> = crates
        .filter(|(name, licence)| !is_accepted(licence) && !is_read_by_hand(name))
        .map(|(name, licence)| format!("{name}: {licence:?}"))
        .collect();
    refused.sort();
    refused.dedup();
    assert!(
        refused.is_empty(),
        "no accepted licence; find another crate, or read the text and extend tests/licences.rs:\n{}",
        refused.join("\n")
    );
    assert!(listing.contains("thiserror"), "the tree is not ours:\n{listing}");
}

fn is_read_by_hand(package: &str) -> bool {
    READ_BY_HAND.iter().any(|(name, _)| package.split(' ').next() == Some(name))
}

/// Whether an SPDX expression leaves a choice that consists of accepted licences only.
///
/// `AND` binds tighter than `OR`; `/` is how crates once wrote `OR`. An exception (`WITH …`) only
/// grants more, so it is passed over.
fn is_accepted(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest).is_some_and(|accepted| accepted && rest.is_empty())
}

/// `None` when the expression makes no sense, which accepts nothing.
fn either(rest: &mut &[&str]) -> Option<bool> {
    let mut accepted = both(rest)?;
    while take(rest, "OR") {
        accepted |= both(rest)?;
    }
    Some(accepted)
}

fn both(rest: &mut &[&str]) -> Option<bool> {
    let mut accepted = one(rest)?;
    while take(rest, "AND") {
        accepted &= one(rest)?;
    }
    Some(accepted)
}

fn one(rest: &mut &[&str]) -> Option<bool> {
    if take(rest, "(") {
        let accepted = either(rest)?;
        return take(rest, ")").then_some(accepted);
    }
    let (licence, tail) = rest.split_first()?;
    *rest = tail;
    if take(rest, "WITH") {
        *rest = rest.split_first()?.1;
    }
    Some(ACCEPTED.contains(licence))
}

/// Steps over `word` if it comes next.
fn take(rest: &mut &[&str], word: &str) -> bool {
    let is_next = rest.first() == Some(&word);
    if is_next {
        *rest = &rest[1..];
    }
    is_next
}

#[test]
fn a_choice_needs_one_accepted_licence() {
    for expression in [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "LGPL-2.1-or-later OR MIT",
        "Apache-2.0 OR GPL-3.0-only OR AGPL-3.0",
        "Apache-2.0 WITH LLVM-exception",
        "(MIT OR Apache-2.0) AND IJG",
        "GPL-2.0-only AND IJG OR ISC",
    ] {
        assert!(is_accepted(expression), "{expression}");
    }
}

#[test]
fn a_licence_that_spreads_or_is_unknown_is_refused() {
    for expression in [
        "",
        "GPL-3.0-or-later",
        "LGPL-2.1-only OR AGPL-3.0-only",
        "MIT AND AGPL-3.0-only",
        "(MIT OR Apache-2.0) AND GPL-2.0",
        "MIT OR",
        "(MIT",
        "MIT ISC",
        "WITH",
        "Proprietary",
    ] {
        assert!(!is_accepted(expression), "{expression}");
    }
}
