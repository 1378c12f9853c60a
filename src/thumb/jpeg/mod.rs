//! JPEG decoded at a fraction of its size: one, two, three, four or eight eighths.
//!
//! [`read_header`] tells what a picture is and [`decode`] gives its planes, each at its own size: no
//! plane is upsampled and nothing becomes RGB, since what follows here shrinks planes and encodes
//! them as such. Baseline, extended and progressive files of 8 bits with Huffman codes are decoded,
//! with 1, 3 or 4 planes in all samplings; the rest is [`JpegError::Unsupported`] by name.
//!
//! # Promises
//!
//! - **JD1** Any bytes, cut or changed at any point, end in planes or in a [`JpegError`], within a
//!   time that the limits bound. Nothing panics.
//! - **JD2** Every sample is within 1 of what the transform's definition gives in full precision, at
//!   every scale, sampling and order of scans; at one and two eighths it is exact.
//! - **JD3** Limits are compared with what the headers claim before memory for pixels is taken.
//! - **JD4** Entropy-coded data is read through a window, so beside the planes (and the kept
//!   coefficients of progressive files) memory does not grow with the file.
//! - **JD5** A cut file gives all rows of MCUs that lie before the cut, and says how many.
//! - **JD6** A damaged or missing restart marker costs the intervals around it and no more.
//! - **JD7** What comes behind the picture's end marker is not looked at.
//! - **JD8** The caller's watch is asked after every row of MCUs and can end the work.
//! - **JD9** Unless every bit is asked for, the last bits of progressive files are left out where that
//!   changes a plane by less than 0.75 in the mean square, 49 dB, and the estimate says 0.25.
//! - **JD10** Whether a second thread helps changes nothing but the time: planes and what is said to be
//!   missing are the same, for any bytes.

mod ac;
mod ahead;
mod baseline;
mod bits;
mod error;
mod four;
mod header;
mod huffman;
mod idct;
mod markers;
mod plan;
mod planes;
mod progressive;
mod refine;
mod scan;
mod scout;
mod script;
mod tables;
mod window;

#[cfg(feature = "testing")]
mod probe;
#[cfg(test)]
mod tests;

pub(in crate::thumb) use error::JpegError;
pub(in crate::thumb) use header::{Colour, Header, read_header};
pub(in crate::thumb) use planes::Planes;
pub(in crate::thumb) use scan::Watch;

#[cfg(feature = "testing")]
pub use probe::{decode_quarter, probe};

use planes::Frame;

/// How many eighths of its size a picture is decoded at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::thumb) enum Scale {
    /// 1/8: a sample a block.
    Eighth,
    /// 2/8.
    Quarter,
    /// 3/8.
    ThreeEighths,
    /// 4/8.
    Half,
    /// 8/8.
    Full,
}

impl Scale {
    /// From the smallest.
    pub(in crate::thumb) const ALL: [Self; 5] =
        [Self::Eighth, Self::Quarter, Self::ThreeEighths, Self::Half, Self::Full];

    /// The n of n/8: samples that a block keeps of each row.
    pub(in crate::thumb) const fn eighths(self) -> usize {
        match self {
            Self::Eighth => 1,
            Self::Quarter => 2,
            Self::ThreeEighths => 3,
            Self::Half => 4,
            Self::Full => 8,
        }
    }
}

/// What a decoding may take, and who watches it.
pub(in crate::thumb) struct Control<'a> {
    /// Pixels of the picture at full size.
    pub(in crate::thumb) max_pixels: u64,
    /// Bytes for planes and coefficients.
    pub(in crate::thumb) max_bytes: u64,
    /// Scans that are looked at. A small file can have many, each of which costs all its blocks.
    pub(in crate::thumb) max_scans: u32,
    /// Sequential files: from how many bytes of a scan on a second thread decodes its back.
    pub(in crate::thumb) in_two_from: usize,
    /// Progressive files: whether bits are read whose lack cannot be seen.
    pub(in crate::thumb) exact: bool,
    /// Told after each row of MCUs how many are done, of how many. `false` cancels.
    pub(in crate::thumb) watch: &'a mut Watch<'a>,
}

/// Decodes the picture in `bytes` at `scale`.
///
/// Takes what the planes need, some 100 KB of tables and window, and for a progressive file what
/// its coefficients need at this scale.
///
/// # Errors
///
/// See [`JpegError`]. A picture that is cut or damaged behind its headers is none: see
/// [`Planes::partial`], which may say that no row is whole.
pub(in crate::thumb) fn decode(
    bytes: &[u8],
    scale: Scale,
    control: &mut Control<'_>,
) -> Result<Planes, JpegError> {
    match scale {
        Scale::Eighth => decode_at::<1>(bytes, control),
        Scale::Quarter => decode_at::<2>(bytes, control),
        Scale::ThreeEighths => decode_at::<3>(bytes, control),
        Scale::Half => decode_at::<4>(bytes, control),
        Scale::Full => decode_at::<8>(bytes, control),
    }
}

fn decode_at<const N: usize>(bytes: &[u8], control: &mut Control<'_>) -> Result<Planes, JpegError> {
    let header = read_header(bytes)?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    check("pixels", pixels, control.max_pixels)?;
    let frame = Frame::new(&header);
    let (planes, partial) = if header.progressive {
        progressive::decode::<N>(bytes, &header, &frame, control)?
    } else {
        baseline::decode::<N>(bytes, &header, &frame, control)?
    };
    let scaled = |length: u32| {
        let length = (length as usize * N).div_ceil(8);
        u32::try_from(length).unwrap_or(u32::MAX)
    };
    Ok(Planes {
        colour: header.colour,
        width: scaled(header.width),
        height: scaled(header.height),
        planes,
        partial,
    })
}

fn check(what: &'static str, found: u64, limit: u64) -> Result<(), JpegError> {
    if found > limit { Err(JpegError::TooLarge { what, found, limit }) } else { Ok(()) }
}
