//! The decoder against a plain reference, against cuts and against damage.
//!
//! The files are those of `tests/data/jpeg`, whose script tells what each is.

#![allow(clippy::float_arithmetic, reason = "the reference is written in full precision")]

mod cut;
mod damage;
mod exact;
mod headers;
mod limits;
mod reference;

use std::fs;
use std::path::Path;

use super::{Control, JpegError, Planes, Scale, decode};

/// The sound files in the order of their names.
fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jpeg");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".jpg") && !name.starts_with("unsupported") {
            all.push((name, fs::read(path).unwrap()));
        }
    }
    all.sort();
    assert!(all.len() > 50, "the files are there");
    all
}

fn file(name: &str) -> Vec<u8> {
    files().into_iter().find(|(known, _)| known == name).unwrap().1
}

/// Decodes under limits that small files do not reach.
fn decoded(bytes: &[u8], scale: Scale) -> Result<Planes, JpegError> {
    let mut watch = |_, _| true;
    let mut control = Control {
        max_pixels: 1 << 20,
        max_bytes: 8 << 20,
        max_scans: 50,
        exact: true,
        watch: &mut watch,
    };
    decode(bytes, scale, &mut control)
}

/// `bytes` with `new` in place of the first `old`.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = position(bytes, old).unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
