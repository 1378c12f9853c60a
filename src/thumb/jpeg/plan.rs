//! Which scans of a progressive file are read at a scale, decided before the first is.
//!
//! A scan matters if it tells a coefficient that the scale keeps. One that does not matter is not
//! parsed at all: its end is found by looking for the next marker. One exception: a scan that
//! refines says nothing about where the coefficients lie that are known already, and its bits
//! cannot be told apart without that. So a scan of dropped coefficients is read for their places
//! when a later scan that matters refines them. Going through the scans backwards decides it.
//!
//! Source: ITU-T T.81, section G.1.2.3, for what a refining scan depends on.

use super::error::JpegError;
use super::header::Header;
use super::idct::places;
use super::script::{Scan, Script};
use super::{check, planes::Frame};

/// The scans of a file, and which are read.
pub(super) struct Plan {
    pub(super) scans: Vec<Planned>,
    /// For each plane, whether the places of its coefficients are remembered.
    pub(super) remembered: Vec<bool>,
    /// Nothing more can come: every coefficient is told to its last bit, or the file says so.
    pub(super) is_complete: bool,
}

/// What becomes of a scan.
pub(super) struct Planned {
    /// Where the segments behind it begin.
    pub(super) end: Option<(usize, u8)>,
    pub(super) is_read: bool,
}

impl Plan {
    /// Lists the scans of `bytes` and decides which are read for `N`/8.
    pub(super) fn new<const N: usize>(
        bytes: &[u8],
        header: &Header,
        frame: &Frame,
        max_scans: u32,
    ) -> Result<Self, JpegError> {
        let (scans, has_end) = list(bytes, header, max_scans)?;
        let planes = frame.extents.len();
        let mut plan = Self {
            scans: Vec::new(),
            remembered: vec![false; planes],
            is_complete: has_end || tells_all(&scans, planes),
        };
        // Coefficients whose places a later scan must know, by plane.
        let mut asked = vec![0_u64; planes];
        for (scan, end) in scans.iter().rev() {
            let band = band(scan);
            let is_read = scan.parts.iter().any(|part| {
                let asked = &mut asked[part.component];
                let is_read = band & (kept::<N>() | *asked) != 0;
                // The constant coefficients are refined without any knowledge.
                if is_read && scan.high > 0 && scan.first > 0 {
                    *asked |= band;
                    plan.remembered[part.component] = true;
                }
                is_read
            });
            plan.scans.push(Planned { end: *end, is_read });
        }
        plan.scans.reverse();
        Ok(plan)
    }
}

/// A scan and where the segments behind it begin.
type Listed = (Scan, Option<(usize, u8)>);

/// All scans, and whether an end marker stands behind them.
fn list(bytes: &[u8], header: &Header, max_scans: u32) -> Result<(Vec<Listed>, bool), JpegError> {
    let mut script = Script::new(bytes);
    let mut scans = Vec::new();
    while let Some(scan) = script.next_scan(header) {
        check("scans", scans.len() as u64 + 1, u64::from(max_scans))?;
        let end = script.pass_over(&scan);
        scans.push((scan, end));
    }
    Ok((scans, script.has_ended))
}

/// The coefficients of a scan, as bits.
fn band(scan: &Scan) -> u64 {
    (u64::MAX >> (63 - scan.last)) & (u64::MAX << scan.first)
}

/// The coefficients that N/8 needs, as bits.
const fn kept<const N: usize>() -> u64 {
    let (mut kept, mut index) = (0, 0);
    let places = places(N);
    while index < 64 {
        if places[index] < 64 {
            kept |= 1 << index;
        }
        index += 1;
    }
    kept
}

/// Whether every coefficient of every plane is told to its last bit.
fn tells_all(scans: &[Listed], planes: usize) -> bool {
    let mut told = vec![0_u64; planes];
    for (scan, _) in scans.iter().filter(|(scan, _)| scan.low == 0) {
        for part in &scan.parts {
            told[part.component] |= band(scan);
        }
    }
    told.iter().all(|&told| told == u64::MAX)
}
