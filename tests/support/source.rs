//! Rust source as the layout rules see it: files, and the names and marks in their code.
//!
//! This is no parser. It knows just enough of the language to set comments and literals aside, and to
//! tell which tokens belong to a `#[cfg(test)]` item.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the tree has failed")]

use std::fs;
use std::path::Path;

/// A source file and the names in its code.
#[derive(Debug)]
pub(crate) struct File {
    /// Below the package's folder, with `/` on every system.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut tokens = tokens_of(text);
        mark_tests(&mut tokens);
        // A module of tests in a file of its own: its `#[cfg(test)]` stands where it is declared.
        if path.split(['/', '.']).any(|part| part == "tests" || part.ends_with("_tests")) {
            tokens.iter_mut().for_each(|token| token.in_test = true);
        }
        Self { path: path.to_owned(), text: text.to_owned(), tokens }
    }

    /// Whether the line lies between the first and the last token of a `#[cfg(test)]` item.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        let after = self.tokens.partition_point(|token| token.line < line);
        let before = self.tokens[..after].last();
        match self.tokens.get(after) {
            Some(token) if token.line == line => token.in_test,
            next => before.is_some_and(|t| t.in_test) && next.is_some_and(|t| t.in_test),
        }
    }
}

/// An identifier, or a punctuation mark; `::` is one mark.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    pub(crate) in_test: bool,
}

/// Splits code into names and marks, without comments, literals and lifetimes.
fn tokens_of(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let (length, is_code) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (comment_length(rest), false)
        } else if let Some(length) = literal_length(rest) {
            (length, false)
        } else if is_name(first) {
            (rest.find(|c| !is_name(c)).unwrap_or(rest.len()), true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        let (piece, tail) = rest.split_at(length);
        if is_code {
            tokens.push(Token { text: piece.to_owned(), line, in_test: false });
        }
        line += piece.matches('\n').count();
        rest = tail;
    }
    tokens
}

/// The length of a block comment, which may hold others.
fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(mark) = text.get(at..).and_then(|rest| rest.find(['/', '*'])) {
        at += mark;
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the string, byte, character literal or lifetime that `text` starts with.
fn literal_length(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""]
        .into_iter()
        .find(|p| text.strip_prefix(p).is_some_and(|rest| rest.starts_with(['"', '#', '\''])))?;
    let body = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        // `r#type` is a name.
        body[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let start = prefix.len() + hashes + 1;
        return Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()));
    }
    let quote = body.chars().next().filter(|c| *c != '#')?;
    if quote == '\'' {
        let mut chars = body.chars().skip(1);
        let is_escape = chars.next()? == '\\';
        if !is_escape && chars.next() != Some('\'') {
            // A lifetime: the mark and its name.
            let name = body[1..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
            return Some(prefix.len() + name.map_or(body.len(), |at| at + 1));
        }
    }
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// Marks the tokens of each item that stands behind `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let words: Vec<&str> = tokens[at..].iter().take(6).map(|t| t.text.as_str()).collect();
        let is_test = words.starts_with(&["#", "[", "cfg", "(", "test", ")"])
            || words == ["#", "[", "cfg", "(", "all", "("]
                && tokens.get(at + 6).is_some_and(|t| t.text == "test");
        if !is_test {
            at += 1;
            continue;
        }
        // The item ends with its block, or with a semicolon outside all brackets.
        let mut depth = 0_i32;
        while let Some(token) = tokens.get_mut(at) {
            token.in_test = true;
            at += 1;
            match token.text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(token.text.as_str(), "}" | ";") {
                break;
            }
        }
    }
}

/// Every Rust file of the package, members included, in the order of their paths.
pub(crate) fn read_tree(root: &Path) -> Vec<File> {
    const FOLDERS: [&str; 5] = ["src", "tests", "examples", "benches", "bindings"];
    let mut files = Vec::new();
    let mut folders: Vec<_> = FOLDERS.iter().map(|name| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_hidden = name.starts_with('.');
            if path.is_dir() && !is_hidden && !["target", "data", "node_modules"].contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_hidden {
                let text = fs::read_to_string(&path).unwrap();
                let below = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File::new(&below, &text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
