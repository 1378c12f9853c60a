//! H.264 key frames: from a sample of a file to planes.
//!
//! The decoding is done by `rust_h264`, which takes everything up to High 4:2:2 with 10 bits,
//! interlaced too. It meets hostile bytes here, so before a slice reaches it the claims are compared
//! with what the standard and the caller allow: the frame's size, the bytes and the number of its
//! slices, and that every slice is coded from itself alone. The last keeps its prediction from other
//! frames, and so most of its `unsafe` code, out of reach, and bounds the time.
//!
//! Source: ITU-T H.264, sections 7.3.3 (slice header), 7.3.4 and annex A (limits); ISO/IEC 14496-15,
//! section 5.3 (`avcC` and samples).

use rust_h264::decoder::{Decoder, Frame};
use rust_h264::error::DecodeError;
use rust_h264::nal::{
    NalUnit, NalUnitType, SpsInfo, parse_avcc, parse_avcc_config, parse_sps_info,
};

use super::super::control::Control;
use super::super::decode::guarded;
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::raster::Raster;
use super::super::signal::{Matrix, Signal};
use super::super::spec::Limits;
use super::frame::{self, Samples, Siting};
use super::movie::Color;

/// Macroblocks of a frame at the highest level there is, 6.2: 8192 x 4320 and a little more.
const MAX_MACROBLOCKS: u64 = 139_264;
/// A macroblock stored raw has 384 bytes, twice that with 10 bits and 4:2:2; coded ones have less.
const MAX_BYTES_PER_MACROBLOCK: u64 = 800;
/// The decoder copies the frame before each slice but the first, so their product is what costs.
const MAX_SLICE_MACROBLOCKS: u64 = 1 << 20;
/// A slice a row is usual; small frames have no reason for more.
const USUAL_SLICES: u64 = 68;

/// Decodes the key frame in `sample`, coded as `config`, the content of `avcC`, says.
///
/// `color` is what the container says about matrix and range, which goes before the stream's word.
pub(super) fn decode(
    config: &[u8],
    sample: &[u8],
    color: Option<Color>,
    format: Format,
    limits: &Limits,
    control: &Control<'_>,
) -> Result<Raster, ThumbError> {
    guarded(format, || {
        let damaged = |source: &str| ThumbError::Damaged { format, source: source.into() };
        let config = parse_avcc_config(config).map_err(damaged)?;
        let mut nals = config.sps_nals;
        nals.extend(config.pps_nals);
        nals.extend(parse_avcc(sample, config.length_size));

        let info = check(&nals, format, limits)?;
        if let Some(range) = high_range(color.map_or(info.transfer, |color| color.transfer)) {
            return Err(super::in_high_range("H.264", range));
        }
        let frame = first_frame(&nals, format, control)?;
        let matrix = color.map_or(info.matrix, |color| color.matrix);
        let is_full_range = info.full_range || color.is_some_and(|color| color.is_full_range);
        let matrix = Matrix::from_code(matrix, frame.height);
        raster(frame, Signal { matrix, is_full_range })
            .ok_or_else(|| damaged("a frame without its pixels"))
    })
}

/// The name of a transfer of high dynamic range. Shown without tone mapping such a frame is pale.
///
/// Source: ITU-T H.273, section 8.2.
pub(super) const fn high_range(transfer: u8) -> Option<&'static str> {
    match transfer {
        16 => Some("PQ"),
        18 => Some("HLG"),
        _ => None,
    }
}

/// Compares every claim with its limit. The answer is the last parameter set's.
fn check(nals: &[NalUnit<'_>], format: Format, limits: &Limits) -> Result<SpsInfo, ThumbError> {
    let damaged = |source: &str| ThumbError::Damaged { format, source: source.into() };
    let (mut last, mut macroblocks) = (None, 0);
    let (mut slices, mut slice_bytes) = (0, 0);
    for nal in nals {
        match nal.nal_unit_type {
            NalUnitType::Sps => {
                let info = parse_sps_info(nal).map_err(|error| refused(&error, format))?;
                limits.check_pixels(info.coded_width, info.coded_height)?;
                let area = u64::from(info.coded_width) * u64::from(info.coded_height);
                if area == 0 || info.reference_frames > 16 {
                    return Err(damaged("a parameter set makes no sense"));
                }
                // The frame and its copies, at most two bytes a sample, and about 2 KiB a macroblock.
                limits.check_alloc_bytes(area * 16)?;
                at_most("macroblocks", area / 256, MAX_MACROBLOCKS)?;
                macroblocks = (area / 256).max(macroblocks);
                last = Some(info);
            }
            NalUnitType::SliceIdr | NalUnitType::Slice => {
                if !is_intra(&nal.rbsp) {
                    return Err(damaged("a key frame that needs other frames"));
                }
                slices += 1;
                slice_bytes += nal.rbsp.len() as u64;
            }
            _ => {}
        }
    }
    let Some(info) = last else { return Err(damaged("no sequence parameter set")) };
    let most_bytes = macroblocks * MAX_BYTES_PER_MACROBLOCK + 65_536;
    at_most("bytes of a frame", slice_bytes, most_bytes)?;
    at_most("slices", slices, (MAX_SLICE_MACROBLOCKS / macroblocks).max(USUAL_SLICES))?;
    Ok(info)
}

fn at_most(what: &'static str, found: u64, limit: u64) -> Result<(), ThumbError> {
    if found > limit { Err(ThumbError::TooLarge { what, found, limit }) } else { Ok(()) }
}

/// Whether a slice header says that the slice is coded from itself alone.
fn is_intra(slice: &[u8]) -> bool {
    let mut bits = Bits { bytes: slice, at: 0 };
    // The number of its first macroblock, then its type, of which 5 to 9 mean the same as 0 to 4.
    bits.exp_golomb().and_then(|_| bits.exp_golomb()).is_some_and(|kind| kind % 5 == 2)
}

struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    /// Source: ITU-T H.264, section 9.1.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut value = 1_u32;
        for _ in 0..zeros {
            value = value << 1 | self.bit()?;
        }
        Some(value - 1)
    }
}

/// Feeds the decoder slice by slice, and asks the host between them.
fn first_frame(
    nals: &[NalUnit<'_>],
    format: Format,
    control: &Control<'_>,
) -> Result<Frame, ThumbError> {
    let mut decoder = Decoder::new();
    for nal in nals {
        control.check()?;
        if let Some(frame) = decoder.decode_nal(nal).map_err(|error| refused(&error, format))? {
            return Ok(frame);
        }
    }
    decoder.flush().ok_or_else(|| ThumbError::Damaged { format, source: "no frame".into() })
}

fn refused(error: &DecodeError, format: Format) -> ThumbError {
    match error {
        DecodeError::Unsupported(what) => super::unsupported(&format!("H.264 with {what}"), format),
        error => ThumbError::Damaged { format, source: error.to_string().into() },
    }
}

/// The frame with 8 bits a sample.
fn raster(frame: Frame, signal: Signal) -> Option<Raster> {
    let (width, height) = (frame.width, frame.height);
    let (chroma_width, chroma_height) = (frame.chroma_width(), frame.chroma_height());
    let is_deep = frame.bit_depth > 8;
    let samples = |data: Vec<u8>, width: u32, height: u32| {
        let data = if is_deep { narrowed(&data) } else { data };
        let area = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
        (area > 0 && data.len() == area).then_some(Samples { data, width, height })
    };
    let chroma = |data| samples(data, chroma_width, chroma_height);
    let chroma = [chroma(frame.u)?, chroma(frame.v)?];
    Some(frame::raster(samples(frame.y, width, height)?, chroma, Siting::Left, signal))
}

/// Samples of 10 bits in two bytes, rounded to 8 bits.
fn narrowed(samples: &[u8]) -> Vec<u8> {
    let wide = samples.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair));
    wide.map(|sample| u8::try_from((sample + 2) >> 2).unwrap_or(u8::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slices_coded_from_themselves_are_intra() {
        // First macroblock 0 is the bit 1; types 0, 2 and 7 are 1, 011 and 0001000.
        assert!(is_intra(&[0b1011_0000]));
        assert!(is_intra(&[0b1000_1000]));
        assert!(!is_intra(&[0b1100_0000]));
        assert!(!is_intra(&[0b1000_0000, 0]));
        assert!(!is_intra(&[]));
    }

    #[test]
    fn deep_samples_are_rounded() {
        let deep: Vec<u8> = [0_u16, 2, 512, 1_023].iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(narrowed(&deep), [0, 1, 128, 255]);
    }
}
