//! Which scans of a progressive file are read at a scale, decided before the first is.
//!
//! A scan matters if it tells a coefficient that the scale keeps. One that does not matter is not
//! parsed at all: its end is found by looking for the next marker. One exception: a scan that
//! refines says nothing about where the coefficients lie that are known already, and its bits
//! cannot be told apart without that. So a scan of dropped coefficients is read for their places
//! when a later scan that matters refines them. Going through the scans backwards decides it.
//!
//! Unless every bit is asked for, last refinements are also left out while what they would change
//! stays below half a level in the mean square, by estimate: with the quantisers of a good camera
//! that saves five sixths of the time at two eighths. What a coefficient lacks is then taken as
//! the middle of what it may be.
//!
//! Source: ITU-T T.81, section G.1.2.3, for what a refining scan depends on.

use super::error::JpegError;
use super::header::Header;
use super::idct::places;
use super::script::{Scan, Script};
use super::tables::Quantiser;
use super::{Control, check, planes::Frame};

/// The scans of a file, and which are read.
pub(super) struct Plan {
    pub(super) scans: Vec<Planned>,
    /// For each plane, whether the places of its coefficients are remembered.
    pub(super) remembered: Vec<bool>,
    /// The quantisers that hold at the planes' first scans.
    pub(super) quantisers: Vec<Quantiser>,
    /// For each plane, how many low bits of each coefficient are not read.
    pub(super) unread: Vec<[u32; 64]>,
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
        control: &Control<'_>,
    ) -> Result<Self, JpegError> {
        let Listing { scans, quantisers, has_end } = list(bytes, header, control.max_scans)?;
        let planes = frame.extents.len();
        let mut plan = Self {
            scans: Vec::new(),
            remembered: vec![false; planes],
            quantisers: Vec::new(),
            unread: vec![[0; 64]; planes],
            is_complete: has_end || tells_all(&scans, planes),
        };
        // Coefficients whose places a later scan must know, by plane.
        let mut asked = vec![0_u64; planes];
        for (scan, end) in scans.iter().rev() {
            let band = band(scan);
            let mut is_read = false;
            for part in &scan.parts {
                let asked = &mut asked[part.component];
                if band & (kept::<N>() | *asked) == 0 {
                    continue;
                }
                // The constant coefficients are refined without any knowledge, and always.
                let refines = scan.high > 0 && scan.first > 0;
                if refines && band & *asked == 0 && !control.exact {
                    let unread = &mut plan.unread[part.component];
                    let mut more = *unread;
                    for bits in &mut more[scan.first..=scan.last] {
                        *bits = scan.high.max(*bits);
                    }
                    if error::<N>(&more, &quantisers[part.component]) <= UNSEEN {
                        *unread = more;
                        continue;
                    }
                }
                if refines {
                    *asked |= band;
                    plan.remembered[part.component] = true;
                }
                is_read = true;
            }
            plan.scans.push(Planned { end: *end, is_read });
        }
        plan.scans.reverse();
        plan.quantisers = quantisers;
        Ok(plan)
    }
}

/// What [`error`] may come to: a mean square of a quarter of a level.
const UNSEEN: u64 = 64 * 12 / 4;

/// 64 x 12 times what the samples lack in the mean square when low bits are not read, by estimate.
///
/// What is lacking lies evenly between nothing and a step, so its variance is a twelfth of the
/// step's square. The transform keeps sums of squares, and spreads them over 64 eighths.
fn error<const N: usize>(unread: &[u32; 64], quantiser: &Quantiser) -> u64 {
    let of = |index: usize| match unread[index] {
        0 => 0,
        bits => (u64::from(quantiser[index]) << bits).saturating_pow(2),
    };
    let kept = (0..64).filter(|&index| kept::<N>() >> index & 1 > 0);
    kept.map(of).fold(0, u64::saturating_add)
}

/// A scan and where the segments behind it begin.
type Listed = (Scan, Option<(usize, u8)>);

/// What a file holds.
struct Listing {
    scans: Vec<Listed>,
    /// Those that hold at the planes' first scans.
    quantisers: Vec<Quantiser>,
    /// An end marker stands behind the scans.
    has_end: bool,
}

fn list(bytes: &[u8], header: &Header, max_scans: u32) -> Result<Listing, JpegError> {
    let mut script = Script::new(bytes);
    let mut scans = Vec::new();
    let mut quantisers = vec![None; header.components.len()];
    while let Some(scan) = script.next_scan(header) {
        check("scans", scans.len() as u64 + 1, u64::from(max_scans))?;
        for part in &scan.parts {
            let quantiser = &mut quantisers[part.component];
            *quantiser = quantiser.or(script.tables.quantiser(&header.components[part.component]));
        }
        let end = script.pass_over(&scan);
        scans.push((scan, end));
    }
    // One that is missing makes its plane grey, whatever is read.
    let quantisers = quantisers.into_iter().map(|known| known.unwrap_or([0; 64])).collect();
    Ok(Listing { scans, quantisers, has_end: script.has_ended })
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
