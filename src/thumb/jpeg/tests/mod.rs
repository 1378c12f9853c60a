//! The decoder against a plain reference, against cuts and against damage.
//!
//! The files are those of `tests/data/jpeg`, whose script tells what each is.

#![allow(clippy::float_arithmetic, reason = "the reference is written in full precision")]

mod ahead;
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
    decoded_from(usize::MAX, bytes, scale)
}

/// The same, on two threads from so many bytes on.
fn decoded_from(in_two_from: usize, bytes: &[u8], scale: Scale) -> Result<Planes, JpegError> {
    let mut watch = |_, _| true;
    let mut control = Control { in_two_from, ..control(AMPLE, &mut watch) };
    decode(bytes, scale, &mut control)
}

/// Pixels, bytes and scans that small files do not reach.
const AMPLE: (u64, u64, u32) = (1 << 20, 8 << 20, 50);

/// On one thread, and to the last bit.
fn control<'a>(limits: (u64, u64, u32), watch: &'a mut super::Watch<'a>) -> Control<'a> {
    let (max_pixels, max_bytes, max_scans) = limits;
    Control { max_pixels, max_bytes, max_scans, in_two_from: usize::MAX, exact: true, watch }
}

/// `bytes` with `new` in place of the first `old`.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = position(bytes, old).unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Pseudo-random numbers. Source: Marsaglia, "Xorshift RNGs", 2003.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end
    }

    /// Changes, cuts, drops or doubles some of the bytes, of which at least one is left.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = [0x00, 0xFF, 0xD0, 0xDA][self.below(4)],
                2 => bytes.truncate(at.max(1)),
                3 => drop(bytes.drain(at..(at + 1 + self.below(9)).min(bytes.len()))),
                4 => {
                    let part = bytes[at..(at + 64).min(bytes.len())].to_vec();
                    let to = self.below(bytes.len());
                    drop(bytes.splice(to..to, part));
                }
                // Most of what makes sense stands in the first bytes.
                _ => {
                    let at = self.below(bytes.len().min(700));
                    bytes[at] = u8::try_from(self.below(256)).unwrap();
                }
            }
            if bytes.is_empty() {
                bytes.push(0xFF);
            }
        }
    }
}
