//! The layout rules of DESIGN.md, executed on the source tree.
//!
//! Each rule is a function from the tree's files to findings, and a finding says where, what and how
//! to mend it. Names are looked for in code alone: comments and string literals are set aside first,
//! so that documentation may speak of anything. Below the rules, each is shown a bad snippet, because
//! a rule that cannot fail guards nothing.
//!
//! The three rules about arrows (domain, engines, storage) look at the library itself; `#[cfg(test)]`
//! parts may reach across, since they are nobody's dependency.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the tree has failed")]

#[path = "support/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use source::{File, Token, read_tree};

/// What a file of `src/` may grow to before a second idea is looked for.
const MAX_LINES: usize = 500;
const MAX_LINE_CHARS: usize = 160;

/// Rules set aside for a path (a file, or a folder with its `/`), each with its reason:
/// `("length", "src/engines/sqlite/scan.rs", "one match over every column type")`.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "storage",
    "src/storage/conformance/",
    "the suite's log replays every command there is, and memory is its oracle",
)];

/// Folders (or files of that name) that hold rules and therefore know no database.
const DOMAIN: [&str; 7] = ["limit", "ledger", "upload", "webhook", "trash", "sweep", "report"];

/// Crates, the only place that may name them, and whether `src/lib.rs` may re-export them.
const HOMES: [(&str, &str, bool); 12] = [
    ("rusqlite", "src/engines/sqlite", true),
    ("postgres", "src/engines/postgres", true),
    ("tokio_postgres", "src/engines/postgres", true),
    ("uniffi", "bindings", false),
    ("image", "src/thumb", false),
    ("fast_image_resize", "src/thumb", false),
    ("jpeg_encoder", "src/thumb", false),
    ("memchr", "src/thumb", false),
    ("moxcms", "src/thumb", false),
    ("webpx", "src/thumb", false),
    ("rust_h264", "src/thumb/video", false),
    ("heifer", "src/thumb/decode", false),
];

#[test]
fn the_source_tree_is_tidy() {
    let files = read_tree(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "no sources found");
    let found = findings(&files);
    let list: String = found.iter().map(|finding| format!("\n{finding}\n")).collect();
    assert!(found.is_empty(), "{} untidy places:\n{list}", found.len());
}

/// A rule broken at a place.
#[derive(Debug)]
struct Finding {
    rule: &'static str,
    path: String,
    line: usize,
    what: String,
    advice: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, path, line, what, advice } = self;
        write!(f, "{path}:{line}: [{rule}] {what}\n    {advice}")
    }
}

/// Applies every rule to every file.
fn findings(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        starts_with_a_head(file, &mut found);
        if file.path.starts_with("src/") {
            is_short(file, &mut found);
            holds_nothing_unfinished(file, &mut found);
            reads_no_clock(file, &mut found);
            points_one_way(file, &mut found);
        }
        names_crates_at_home(file, &mut found);
    }
    keeps_its_promises(files, &mut found);
    found.retain(|finding| {
        !EXCEPTIONS
            .iter()
            .any(|(rule, path, _)| *rule == finding.rule && is_within(&finding.path, path))
    });
    found
}

fn starts_with_a_head(file: &File, found: &mut Vec<Finding>) {
    if !file.text.starts_with("//! ") {
        found.push(Finding {
            rule: "head",
            path: file.path.clone(),
            line: 1,
            what: "the file does not start with `//! `".to_owned(),
            advice: "Begin with a sentence that says in domain words what the file is for.",
        });
    }
}

fn is_short(file: &File, found: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        found.push(Finding {
            rule: "length",
            path: file.path.clone(),
            line: MAX_LINES + 1,
            what: format!("{lines} lines, at most {MAX_LINES} are allowed"),
            advice: "Look for the second idea and give it a file, or enter an exception with its reason.",
        });
    }
    for (index, line) in file.text.lines().enumerate() {
        let chars = line.chars().count();
        if chars > MAX_LINE_CHARS {
            found.push(Finding {
                rule: "width",
                path: file.path.clone(),
                line: index + 1,
                what: format!("a line of {chars} characters, at most {MAX_LINE_CHARS} are allowed"),
                advice: "Break the line; rustfmt gives up on long literals.",
            });
        }
    }
}

fn holds_nothing_unfinished(file: &File, found: &mut Vec<Finding>) {
    for (index, token) in file.tokens.iter().enumerate() {
        let is_macro = file.tokens.get(index + 1).is_some_and(|next| next.text == "!");
        let (rule, advice) = match token.text.as_str() {
            "unsafe" => {
                ("unsafe", "Write it safely, or in a member crate under tests/ that says why.")
            }
            "todo" | "unimplemented" if is_macro => {
                ("unfinished", "Finish it, or return a typed error that says what is missing.")
            }
            _ => continue,
        };
        found.push(finding_at(file, token, rule, advice));
    }
}

fn reads_no_clock(file: &File, found: &mut Vec<Finding>) {
    if file.path == "src/time.rs" {
        return;
    }
    for window in file.tokens.windows(3) {
        let [clock, colons, now] = window else { unreachable!("windows of three") };
        let is_clock = matches!(clock.text.as_str(), "SystemTime" | "Instant");
        if is_clock && colons.text == "::" && now.text == "now" {
            let advice = "Take `now: Timestamp` as an argument, or ask src/time.rs.";
            found.push(finding_at(file, clock, "clock", advice));
        }
    }
}

fn names_crates_at_home(file: &File, found: &mut Vec<Finding>) {
    for (name, home, reexported) in HOMES {
        // Tests, examples and benches may open a database of their own, but not cross the bindings.
        let concerned = file.path.starts_with("src/") || name == "uniffi";
        if !concerned || is_within(&file.path, home) {
            continue;
        }
        for (index, token) in file.tokens.iter().enumerate() {
            if token.text != name || !names_a_crate(&file.tokens, index) {
                continue;
            }
            if reexported && file.path == "src/lib.rs" && is_reexport(&file.tokens, index) {
                continue;
            }
            let advice = match home {
                "bindings" => {
                    "Only bindings/ knows the app's side; the core offers a plain function."
                }
                "src/thumb" | "src/thumb/video" | "src/thumb/decode" => {
                    "Only src/thumb/ knows image codecs; ask it for what you need."
                }
                _ => "Only the engine's own folder knows its database; go through src/storage/.",
            };
            found.push(finding_at(file, token, "home", advice));
        }
    }
}

/// Whether the name at `index` means a crate, and not a field, a variable or a module of ours.
///
/// Unmistakable names always do. `image` and `postgres` do at the start of a path.
fn names_a_crate(tokens: &[Token], index: usize) -> bool {
    let text_at = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |t| &t.text);
    let name = tokens[index].text.as_str();
    if !matches!(name, "image" | "postgres") {
        return true;
    }
    // Where a module of that name is declared, it is the one that is meant.
    if tokens.windows(2).any(|pair| pair[0].text == "mod" && pair[1].text == name) {
        return false;
    }
    let (before, after) = (text_at(index.checked_sub(1)), text_at(Some(index + 1)));
    if before == "::" {
        // `::image::load` starts at the crates; `engines::postgres::Postgres` is a path of ours.
        let owner = text_at(index.checked_sub(2));
        return !owner.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '>'))
            || matches!(owner, "use" | "as" | "return");
    }
    after == "::" || before == "crate" || (before == "use" && matches!(after, ";" | "as"))
}

/// Whether the statement around `index` begins with `pub use` or `pub extern crate`.
fn is_reexport(tokens: &[Token], index: usize) -> bool {
    let statement = tokens[..index].iter().rposition(|t| t.text == ";" || t.text == "]");
    let start = statement.map_or(0, |at| at + 1);
    let words: Vec<&str> = tokens[start..].iter().take(3).map(|t| t.text.as_str()).collect();
    words.starts_with(&["pub", "use"]) || words == ["pub", "extern", "crate"]
}

fn points_one_way(file: &File, found: &mut Vec<Finding>) {
    let folder = file.path["src/".len()..].split(['/', '.']).next().unwrap_or_default();
    let (rule, advice) = match folder {
        "engines" => ("engine", "An engine knows rows, not rules; move the rule into a command."),
        "storage" => {
            ("storage", "The contract knows neither rules nor databases; invert the call.")
        }
        name if DOMAIN.contains(&name) => {
            ("domain", "A rule knows no engine; ask for what it needs through src/storage/.")
        }
        _ => return,
    };
    for (index, token) in file.tokens.iter().enumerate() {
        let is_domain = || DOMAIN.contains(&token.text.as_str());
        let named = match folder {
            "engines" => is_domain() && is_module_of_ours(&file.tokens, index),
            "storage" => {
                (is_domain() || token.text == "engines") && is_module_of_ours(&file.tokens, index)
            }
            _ => token.text == "engines",
        };
        if named && !token.in_test {
            found.push(finding_at(file, token, rule, advice));
        }
    }
}

/// Whether the name at `index` stands right below the crate's root: `crate::ledger`,
/// `super::super::ledger`, or first in a branch of `use crate::{ledger::Entry, storage}`.
fn is_module_of_ours(tokens: &[Token], index: usize) -> bool {
    let text_at = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |t| &t.text);
    let is_root_at = |at| matches!(text_at(at), "crate" | "super" | "finalmile");
    match text_at(index.checked_sub(1)) {
        "::" => return is_root_at(index.checked_sub(2)),
        "{" | "," => {}
        _ => return false,
    }
    // Walk left, over earlier branches, to the brace that holds this one.
    let mut depth = 0_usize;
    for at in (0..index).rev() {
        match text_at(Some(at)) {
            "}" => depth += 1,
            "{" if depth > 0 => depth -= 1,
            "{" => {
                return text_at(at.checked_sub(1)) == "::" && is_root_at(at.checked_sub(2));
            }
            ";" => return false,
            _ => {}
        }
    }
    false
}

/// Each promise of a head's list (`//! - **B1** …`) has one home and a test that names it.
fn keeps_its_promises(files: &[File], found: &mut Vec<Finding>) {
    let tests: Vec<String> = files.iter().map(|file| test_text(file).to_lowercase()).collect();
    let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.starts_with("src/")) {
        for (index, line) in file.text.lines().enumerate() {
            let Some(name) = promise_of(line) else { continue };
            let mut report = |what: String, advice| {
                let (path, line) = (file.path.clone(), index + 1);
                found.push(Finding { rule: "promise", path, line, what, advice });
            };
            if let Some(other) = homes.insert(name, &file.path) {
                let what = format!("{name} is promised in {other} already");
                report(what, "A promise's number is its name everywhere: take a free one.");
            }
            if !tests.iter().any(|text| has_word(text, &name.to_lowercase())) {
                let what = format!("no test names {name}");
                let advice = "Name a test after it, such as `fn b1_a_key_never_overspends()`.";
                report(what, advice);
            }
        }
    }
}

/// The promise that a line of a head's list makes: one or two capitals and a number.
fn promise_of(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("//! - **")?.split_once("**")?;
    let digits = name.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = name.len() - digits.len();
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    (is_number && (1..=2).contains(&letters)).then_some(name)
}

/// The part of a file that counts as test: all of `tests/` and of the conformance suite, and the
/// `#[cfg(test)]` items elsewhere. Heads are left out, or every promise would name itself.
fn test_text(file: &File) -> String {
    if file.path == "tests/tidy.rs" {
        return String::new();
    }
    let whole = file.path.starts_with("tests/")
        || file.path.starts_with("bindings/")
        || is_within(&file.path, "src/storage/conformance");
    let lines = file.text.lines().enumerate();
    let kept = lines.filter(|(index, line)| {
        !line.starts_with("//!") && (whole || file.is_test_line(index + 1))
    });
    kept.flat_map(|(_, line)| [line, "\n"]).collect()
}

/// Whether `text` holds `word` between characters that are neither letters nor digits.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let outside = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        outside(text[..at].chars().next_back()) && outside(text[at + word.len()..].chars().next())
    })
}

/// Whether `path` is `place.rs`, lies in the folder `place`, or is `place` itself.
fn is_within(path: &str, place: &str) -> bool {
    let place = place.trim_end_matches('/');
    let rest = path.strip_prefix(place);
    rest.is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
}

fn finding_at(file: &File, token: &Token, rule: &'static str, advice: &'static str) -> Finding {
    let line = token.line;
    let code = file.text.lines().nth(line - 1).unwrap_or_default().trim();
    let what = format!("`{}` in `{code}`", token.text);
    Finding { rule, path: file.path.clone(), line, what, advice }
}

mod each_rule_can_fail {
    use super::*;

    /// The rules broken by one file, and the lines they name.
    fn broken(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        let files = [File::new(path, &format!("//! Head.\n{text}"))];
        findings(&files).iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    const CLEAN: [(&str, usize); 0] = [];

    #[test]
    fn a_file_without_a_head_is_found() {
        let files = [File::new("examples/a.rs", "fn main() {}\n")];
        assert_eq!(findings(&files)[0].rule, "head");
        assert!(findings(&files)[0].to_string().starts_with("examples/a.rs:1: [head] "));
    }

    #[test]
    fn a_long_file_and_a_wide_line_are_found() {
        assert_eq!(broken("src/a.rs", &"\n".repeat(499)), CLEAN);
        assert_eq!(broken("src/a.rs", &"\n".repeat(500)), [("length", 501)]);
        assert_eq!(broken("tests/a.rs", &"\n".repeat(500)), CLEAN);
        assert_eq!(broken("src/a.rs", &format!("// {}", "é".repeat(157))), CLEAN);
        assert_eq!(broken("src/a.rs", &format!("// {}", "é".repeat(158))), [("width", 2)]);
    }

    #[test]
    fn unsafe_and_unfinished_code_is_found() {
        assert_eq!(broken("src/a.rs", "fn f() { unsafe { g() } }"), [("unsafe", 2)]);
        assert_eq!(broken("src/a.rs", "fn f() { todo!() }"), [("unfinished", 2)]);
        assert_eq!(broken("src/a.rs", "fn f() {\nunimplemented!(\"x\") }"), [("unfinished", 3)]);
        assert_eq!(broken("src/a.rs", "#![forbid(unsafe_code)]\n// unsafe, todo!()"), CLEAN);
    }

    #[test]
    fn a_clock_outside_its_file_is_found() {
        let code = "let a = std::time::SystemTime::now();\nlet b = Instant::now();";
        assert_eq!(broken("src/limit/a.rs", code), [("clock", 2), ("clock", 3)]);
        assert_eq!(broken("src/time.rs", code), CLEAN);
    }

    #[test]
    fn a_database_outside_its_engine_is_found() {
        let code = "use rusqlite::Connection;";
        assert_eq!(broken("src/storage/a.rs", code), [("home", 2)]);
        assert_eq!(broken("src/lib.rs", code), [("home", 2)]);
        assert_eq!(broken("src/engines/sqlite/a.rs", code), CLEAN);
        assert_eq!(broken("src/lib.rs", "#[cfg(feature = \"sqlite\")]\npub use rusqlite;"), CLEAN);
        assert_eq!(broken("tests/a.rs", code), CLEAN);

        assert_eq!(broken("src/engines/sqlite/a.rs", "use ::postgres::Client;"), [("home", 2)]);
        assert_eq!(broken("src/a.rs", "fn f(c: &mut postgres::Client) {}"), [("home", 2)]);
        assert_eq!(broken("src/a.rs", "use tokio_postgres as pg;"), [("home", 2)]);
        let own = "mod postgres;\npub use postgres::Postgres;\nlet postgres = 1;";
        assert_eq!(broken("src/engines/mod.rs", own), CLEAN);
        assert_eq!(broken("src/lib.rs", "use crate::engines::postgres::Postgres;"), CLEAN);
        assert_eq!(broken("src/engines/postgres/a.rs", "use postgres::Client;"), CLEAN);
    }

    #[test]
    fn codecs_and_bindings_away_from_home_are_found() {
        let code = "use image::DynamicImage;\nuse fast_image_resize as fir;\nuse jpeg_encoder::E;";
        assert_eq!(broken("src/upload/a.rs", code), [("home", 2), ("home", 3), ("home", 4)]);
        assert_eq!(broken("src/thumb/a.rs", code), CLEAN);
        assert_eq!(
            broken("src/upload/a.rs", "let image = post.image;\nuse crate::image::X;"),
            CLEAN
        );
        assert_eq!(broken("src/a.rs", "#[uniffi::export]\nfn f() {}"), [("home", 2)]);
        assert_eq!(broken("bindings/ffi/src/lib.rs", "#[uniffi::export]\nfn f() {}"), CLEAN);
    }

    #[test]
    fn a_rule_that_names_an_engine_is_found() {
        let code = "use crate::engines::Sqlite;";
        for path in ["src/sweep.rs", "src/ledger/a.rs", "src/report/mod.rs"] {
            assert_eq!(broken(path, code), [("domain", 2)], "{path}");
        }
        assert_eq!(broken("src/lib.rs", code), CLEAN);
        let in_test = "#[cfg(test)]\nmod tests {\n    use crate::engines::Memory;\n}\n";
        assert_eq!(broken("src/ledger/a.rs", in_test), CLEAN);
        assert_eq!(broken("src/ledger/tests.rs", code), CLEAN);
        assert_eq!(broken("src/ledger/a.rs", &format!("{in_test}{code}")), [("domain", 6)]);
    }

    #[test]
    fn an_engine_that_names_a_rule_is_found() {
        let path = "src/engines/sqlite/a.rs";
        assert_eq!(broken(path, "use crate::ledger::Entry;"), [("engine", 2)]);
        assert_eq!(
            broken(path, "use crate::{Error, storage::{Rows, Table},\nlimit};"),
            [("engine", 3)]
        );
        assert_eq!(broken(path, "let x = super::super::upload::begin;"), [("engine", 2)]);
        let own =
            "use crate::storage::{limit, scan};\nfn f(limit: usize) { limit::g(limit, x.report) }";
        assert_eq!(broken(path, own), CLEAN);
    }

    #[test]
    fn a_contract_that_names_a_rule_or_an_engine_is_found() {
        let code = "use crate::trash::guard;\nuse crate::engines::memory;";
        assert_eq!(broken("src/storage/a.rs", code), [("storage", 2), ("storage", 3)]);
        assert_eq!(broken("src/storage/a.rs", "use crate::storage::Rows;"), CLEAN);
    }

    #[test]
    fn a_promise_without_a_test_is_found() {
        let head = "//! - **B1** Never more.\n//! - **B12** Never less.\n";
        assert_eq!(broken("src/a.rs", head), [("promise", 2), ("promise", 3)]);

        let test = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn b1_never_more() {}\n}\n";
        assert_eq!(broken("src/a.rs", &format!("{head}{test}")), [("promise", 3)]);

        let comment =
            "#[cfg(test)]\nmod tests {\n    // B12, from both sides.\n    fn b1_f() {}\n}\n";
        assert_eq!(broken("src/a.rs", &format!("{head}{comment}")), CLEAN);
        assert_eq!(broken("src/a.rs", &format!("{head}fn b1_and_b12() {{}}")).len(), 2);
    }

    #[test]
    fn a_promise_with_two_homes_is_found() {
        let head = "//! Head.\n//! - **B1** Never more.\n";
        let test = "//! Test.\nfn b1_never_more() {}\n";
        let files = [
            File::new("src/a.rs", head),
            File::new("src/b.rs", head),
            File::new("tests/c.rs", test),
        ];
        let found = findings(&files);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("src/b.rs", 2));
    }

    #[test]
    fn comments_literals_and_lifetimes_hide_names() {
        let text = r##"
            // rusqlite
            /* rusqlite /* rusqlite */ rusqlite */
            let a = ("rusqlite \" rusqlite", r#"rusqlite " rusqlite"#, b"rusqlite", '"', b'\'', '\u{41}');
            fn f<'rusqlite>(x: &'rusqlite str, r#type: u8) {}
        "##;
        assert_eq!(broken("src/a.rs", text), CLEAN);
        assert_eq!(broken("src/a.rs", &format!("{text}use rusqlite;")), [("home", 7)]);
    }
}
