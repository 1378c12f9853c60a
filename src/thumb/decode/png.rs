//! PNG: rows are decoded one by one and shrunk at once.
//!
//! An interlaced file gives its rows in seven passes over the whole picture and is decoded whole. Of an
//! animated one the first picture is shown. Samples come out with 8 bits, palettes and transparent
//! colours resolved.

use std::io;

use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::super::colour;
use super::super::container::Survey;
use super::super::control::{Control, Watched};
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::geometry::Plan;
use super::super::orient::Orientation;
use super::super::raster::{Model, Raster};
use super::super::spec::ThumbSpec;
use super::reduce::{MAX_FACTOR, Reducer};
use super::{Decoded, narrow};

pub(super) fn decode(
    bytes: &[u8],
    survey: &Survey<'_>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    let failed = |error| failure(error, survey, spec);
    let mut decoder = Decoder::new(Watched::new(bytes, control));
    let budget = usize::try_from(spec.limits.max_alloc_bytes).unwrap_or(usize::MAX);
    decoder.set_limits(png::Limits { bytes: budget });
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(failed)?;
    let info = reader.info();
    let (full, interlaced) = (info.size(), info.interlaced);
    let profile = info.icc_profile.as_ref().map(|profile| profile.to_vec());
    spec.limits.check_pixels(full.0, full.1)?;

    let orientation = survey.exif.map(Orientation::from_tiff).unwrap_or_default();
    let plan = Plan::new(full, orientation, spec);
    let rows = Rows::new(reader.output_color_type())?;
    let factor = (1..=MAX_FACTOR).rev().find(|&factor| plan.allows_scale(1, factor)).unwrap_or(1);
    let reduced = Reducer::bytes(rows.model.samples(), full, factor);
    // The decoder's own row buffers, twice a row of up to eight bytes a pixel.
    let beside = u64::from(full.0) * 16 + (64 << 10);
    let whole = reader.output_buffer_size().map_or(u64::MAX, |size| size as u64);
    let needed = if interlaced { whole.saturating_add(beside) } else { beside };
    spec.limits.check_alloc_bytes(needed.saturating_add(reduced))?;

    let mut reducer = Reducer::new(rows.model, full, factor);
    let mut row = Vec::new();
    let mut stopped = None;
    if interlaced {
        let out_of_memory = || ThumbError::OutOfMemory { bytes: whole };
        let length = usize::try_from(whole).map_err(|_| out_of_memory())?;
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(length).map_err(|_| out_of_memory())?;
        buffer.resize(length, 0);
        let frame = reader.next_frame(&mut buffer).map_err(failed)?;
        for from in buffer.chunks_exact(frame.line_size).take(full.1 as usize) {
            rows.convert(from, &mut row);
            reducer.push(&row);
        }
    } else {
        while reducer.rows_taken() < full.1 {
            control.row(reducer.rows_taken(), full.1)?;
            match reader.next_row() {
                Ok(Some(from)) => {
                    rows.convert(from.data(), &mut row);
                    reducer.push(&row);
                }
                Ok(None) => break,
                Err(error) => {
                    stopped = Some(error);
                    break;
                }
            }
        }
    }
    control.check()?;
    let partial = reducer.rows_taken() < full.1;
    if partial && !spec.rows_suffice(reducer.rows_taken(), full.1) {
        return Err(stopped.map_or(ThumbError::Truncated { format: Format::Png }, failed));
    }
    let [r, g, b] = spec.background;
    let filler: &[u8] = match rows.model {
        Model::Gray => &[g],
        Model::Rgba => &[0; 4],
        _ => &[r, g, b],
    };
    let raster = opaque_if_it_is(reducer.finish(filler));
    Ok(Decoded { raster, plan, format: Format::Png, orientation, profile, partial })
}

/// Drops an alpha that is opaque everywhere.
pub(super) fn opaque_if_it_is(mut raster: Raster) -> Raster {
    if raster.model == Model::Rgba && raster.is_opaque() {
        if let Some(plane) = raster.planes.first_mut() {
            let kept = plane.data.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]);
            plane.data = kept.collect();
        }
        raster.model = Model::Rgb;
    }
    raster
}

/// How the decoder's rows become ours.
struct Rows {
    from: ColorType,
    deep: bool,
    model: Model,
}

impl Rows {
    fn new((from, depth): (ColorType, BitDepth)) -> Result<Self, ThumbError> {
        let model = match from {
            ColorType::Grayscale => Model::Gray,
            ColorType::Rgb => Model::Rgb,
            ColorType::GrayscaleAlpha | ColorType::Rgba => Model::Rgba,
            ColorType::Indexed => {
                let source = "the decoder left a palette unresolved".into();
                return Err(ThumbError::Internal { source });
            }
        };
        Ok(Self { from, deep: depth == BitDepth::Sixteen, model })
    }

    fn convert(&self, from: &[u8], row: &mut Vec<u8>) {
        row.clear();
        if self.deep {
            row.extend(from.as_chunks().0.iter().map(|&wide| narrow(u16::from_be_bytes(wide))));
        } else {
            row.extend_from_slice(from);
        }
        if self.from == ColorType::GrayscaleAlpha {
            let wide =
                row.as_chunks().0.iter().flat_map(|&[gray, alpha]| [gray, gray, gray, alpha]);
            *row = wide.collect();
        }
        if self.model == Model::Rgba {
            colour::premultiply(row);
        }
    }
}

fn failure(error: DecodingError, survey: &Survey<'_>, spec: &ThumbSpec) -> ThumbError {
    let format = Format::Png;
    match error {
        DecodingError::LimitsExceeded => ThumbError::TooLarge {
            what: "bytes of memory",
            found: spec.limits.max_alloc_bytes.saturating_add(1),
            limit: spec.limits.max_alloc_bytes,
        },
        DecodingError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            ThumbError::Truncated { format }
        }
        _ if !survey.complete => ThumbError::Truncated { format },
        error => ThumbError::Damaged { format, source: Box::new(error) },
    }
}
