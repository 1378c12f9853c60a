//! The segments between the scans, found by walking their lengths.
//!
//! A length is believed as long as it stays inside the file, so the thumbnail inside an EXIF block,
//! a whole JPEG file with markers of its own, is never looked at. Where no marker stands the next
//! one is looked for, as every viewer does.
//!
//! Source: ITU-T T.81, section B.1.1 and table B.1.

use memchr::{memchr, memmem};

pub(super) const SOF0: u8 = 0xC0;
pub(super) const DHT: u8 = 0xC4;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
pub(super) const DQT: u8 = 0xDB;
pub(super) const DNL: u8 = 0xDC;
pub(super) const DRI: u8 = 0xDD;
pub(super) const APP0: u8 = 0xE0;
pub(super) const APP14: u8 = 0xEE;

/// How much junk may precede a file.
const JUNK_MAX: usize = 64 << 10;

/// A marker and what belongs to it.
pub(super) struct Segment<'a> {
    pub(super) code: u8,
    /// What follows the length.
    pub(super) body: &'a [u8],
    /// Where the next one is looked for.
    pub(super) next: usize,
}

/// Where the first segment may begin: behind the start marker.
pub(super) fn start(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(&[0xFF, 0xD8]) {
        return Some(2);
    }
    let head = &bytes[..bytes.len().min(JUNK_MAX)];
    Some(memmem::find(head, &[0xFF, 0xD8, 0xFF])? + 2)
}

/// The first segment at or behind `at`. `None`: the file ends before one does.
pub(super) fn next(bytes: &[u8], mut at: usize) -> Option<Segment<'_>> {
    loop {
        at += memchr(0xFF, bytes.get(at..)?)?;
        match *bytes.get(at + 1)? {
            // A byte that fills up.
            0xFF => at += 1,
            // Stuffing, restarts and starts: nothing belongs to them. Or reserved codes: damage.
            0x00..=0xBF | 0xD0..=0xD8 => at += 2,
            EOI => return Some(Segment { code: EOI, body: &[], next: at + 2 }),
            code => {
                let next = at + 2 + usize::from(be16(bytes, at + 2)?);
                if let Some(body) = bytes.get(at + 4..next) {
                    return Some(Segment { code, body, next });
                }
                // The length is damaged, or the file is cut here.
                at += 2;
            }
        }
    }
}

pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
