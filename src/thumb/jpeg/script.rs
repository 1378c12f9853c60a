//! The sequence of scans: which planes, which coefficients, with which tables.
//!
//! Source: ITU-T T.81, sections B.2.3 and G.1.1.1.

use super::header::Header;
use super::markers::{self, EOI, SOS};
use super::tables::Tables;
use super::window::find_end;

/// Walks through a file from scan to scan, keeping the tables that hold.
pub(super) struct Script<'a> {
    bytes: &'a [u8],
    /// Where the next segment is looked for.
    at: usize,
    pub(super) tables: Tables,
    /// The end marker was met.
    pub(super) has_ended: bool,
}

/// A scan's header, and where its data begins.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// The first coefficient, in zigzag order.
    pub(super) first: usize,
    /// The last coefficient.
    pub(super) last: usize,
    /// The bit that the last scan of these coefficients ended with; 0 for the first scan.
    pub(super) high: u32,
    /// The lowest bit that this scan tells.
    pub(super) low: u32,
    /// Where the entropy-coded data begins.
    pub(super) data: usize,
}

/// What a scan says about one of its planes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Its index in the frame.
    pub(super) component: usize,
    /// The number of its DC codes, below 4.
    pub(super) dc: usize,
    /// The number of its AC codes, below 4.
    pub(super) ac: usize,
}

impl<'a> Script<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let at = markers::start(bytes).unwrap_or(bytes.len());
        Self { bytes, at, tables: Tables::default(), has_ended: false }
    }

    /// Walks to the next scan that makes sense. `None`: there is none.
    pub(super) fn next_scan(&mut self, header: &Header) -> Option<Scan> {
        loop {
            let segment = markers::next(self.bytes, self.at)?;
            self.at = segment.next;
            match segment.code {
                EOI => {
                    self.has_ended = true;
                    return None;
                }
                SOS => {
                    if let Some(scan) = read_scan(segment.body, header, segment.next) {
                        return Some(scan);
                    }
                }
                _ => self.tables.read(&segment),
            }
        }
    }

    /// Goes on behind a scan's data, at the marker found there.
    pub(super) fn resume(&mut self, marker: Option<(usize, u8)>) {
        self.at = marker.map_or(self.bytes.len(), |(at, _)| at);
    }

    /// Goes on behind the data of `scan`, which nobody reads, at the marker that is the answer.
    pub(super) fn pass_over(&mut self, scan: &Scan) -> Option<(usize, u8)> {
        let marker = find_end(self.bytes, scan.data);
        self.resume(marker);
        marker
    }
}

fn read_scan(body: &[u8], header: &Header, data: usize) -> Option<Scan> {
    let (&count, rest) = body.split_first()?;
    let (planes, rest) = rest.split_at_checked(usize::from(count) * 2)?;
    let mut parts: Vec<Part> = Vec::new();
    for &[id, tables] in planes.as_chunks().0 {
        // Some encoders give all planes one name; then they come in the frame's order.
        let is_free = |index| parts.iter().all(|part| part.component != index);
        let mut named = (0..).zip(&header.components).filter(|(_, known)| known.id == id);
        let component = named.find(|&(index, _)| is_free(index))?.0;
        let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
        if dc > 3 || ac > 3 {
            return None;
        }
        parts.push(Part { component, dc, ac });
    }
    if parts.is_empty() {
        return None;
    }
    let &[first, last, bits, ..] = rest else { return None };
    if !header.progressive {
        // Whatever is written there, a sequential scan has all coefficients.
        return Some(Scan { parts, first: 0, last: 63, high: 0, low: 0, data });
    }
    let (first, last) = (usize::from(first), usize::from(last));
    let (high, low) = (u32::from(bits >> 4), u32::from(bits & 15));
    let scan = Scan { parts, first, last, high, low, data };
    is_sound(&scan).then_some(scan)
}

/// Whether a progressive scan keeps to the rules: DC alone or AC of one plane; 13 bits at most.
fn is_sound(scan: &Scan) -> bool {
    let dc = scan.first == 0 && scan.last == 0;
    let ac = scan.first > 0 && scan.first <= scan.last && scan.last < 64 && scan.parts.len() == 1;
    (dc || ac) && scan.low <= 13 && scan.high <= 13
}
