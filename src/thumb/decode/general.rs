//! Everything that is decoded whole: GIF, WebP, and the JPEGs that the scaled decoder leaves.
//!
//! Of an animation the first frame is shown, composited. The decoders take their bytes through a reader
//! that ends when the host cancels, as they know nothing of cancelling themselves.

use std::error::Error as StdError;
use std::io;

use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::super::colour;
use super::super::container::Survey;
use super::super::control::{Control, Watched};
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::geometry::Plan;
use super::super::orient::Orientation;
use super::super::raster::{Model, Raster};
use super::super::spec::{Limits, ThumbSpec};
use super::png::opaque_if_it_is;
use super::{Decoded, narrow};

pub(super) fn decode(
    bytes: &[u8],
    format: Format,
    survey: &Survey<'_>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    if format == Format::WebP && !survey.complete {
        // Its decoder trusts declared lengths, so a cut file must not reach it.
        return Err(ThumbError::Truncated { format });
    }
    if survey.planes_apart {
        // zune-jpeg 0.5.15 answers with wrong colours instead of an error (zune-image issue 422).
        let what = "JPEG with one scan a plane".to_owned();
        return Err(ThumbError::Unsupported { what, handled_by: "the scaled decoder" });
    }
    let (raster, partial) = pixels(bytes, format, survey, spec, control)?;
    if format == Format::Jpeg && !survey.complete && ends_in_filler(&raster) {
        return Err(ThumbError::Truncated { format });
    }
    let orientation = survey.exif.map(Orientation::from_tiff).unwrap_or_default();
    let plan = Plan::new((raster.width, raster.height), orientation, spec);
    let profile = (!survey.icc.is_empty()).then(|| survey.icc.concat());
    Ok(Decoded { raster, plan, format, orientation, profile, partial })
}

fn pixels(
    bytes: &[u8],
    format: Format,
    survey: &Survey<'_>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<(Raster, bool), ThumbError> {
    let failed = |error| {
        control.check().err().unwrap_or_else(|| failure(error, format, survey, &spec.limits))
    };
    let kind = match format {
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        _ => ImageFormat::Jpeg,
    };
    let mut reader = ImageReader::with_format(Watched::new(bytes, control), kind);
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(spec.limits.max_alloc_bytes);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(failed)?;
    let ((width, height), color) = (decoder.dimensions(), decoder.color_type());

    // First what the container says: the decoder takes a lossless WebP of 16,384 pixels for one without any.
    spec.limits.check_pixels(survey.largest_frame.0, survey.largest_frame.1)?;
    if width == 0 || height == 0 {
        // Which a GIF may say.
        return Err(ThumbError::Damaged { format, source: "a picture without pixels".into() });
    }
    spec.limits.check_pixels(width, height)?;
    let total = decoder.total_bytes();
    let needed = total.saturating_add(beside_the_pixels(bytes, format, survey, (width, height)));
    spec.limits.check_alloc_bytes(needed)?;

    let out_of_memory = || ThumbError::OutOfMemory { bytes: total };
    let length = usize::try_from(total).map_err(|_| out_of_memory())?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(length).map_err(|_| out_of_memory())?;
    buffer.resize(length, 0);
    let read = decoder.read_image(&mut buffer);
    control.check()?;
    let partial = read.is_err();
    if let Err(error) = read {
        // Its rows are written one by one, from the top unless they are interlaced.
        let is_cut = format == Format::Gif && !survey.complete && !survey.interlaced;
        if !is_cut || !spec.rows_suffice(rows_in(&buffer, width), height) {
            return Err(failed(error));
        }
    }
    let (pixels, model) = eight_bits(buffer, color)?;
    Ok((opaque_if_it_is(Raster::packed(width, height, model, pixels)), partial))
}

/// Up to which row there is a pixel that is not transparent, as all are at first.
fn rows_in(buffer: &[u8], width: u32) -> u32 {
    let pixels = buffer.as_chunks::<4>().0;
    let found = pixels.iter().rposition(|pixel| pixel[3] != 0).map_or(0, |last| last + 1);
    u32::try_from(found.div_ceil(width.max(1) as usize)).unwrap_or(u32::MAX)
}

/// An upper estimate of what the decoder holds beside the decoded pixels, in bytes.
fn beside_the_pixels(
    bytes: &[u8],
    format: Format,
    survey: &Survey<'_>,
    (width, height): (u32, u32),
) -> u64 {
    let area = u64::from(width) * u64::from(height);
    match format {
        // A copy of the input, and two bytes a coefficient when they are kept.
        Format::Jpeg => {
            let planes = if survey.buffers_coefficients { u64::from(survey.components) } else { 0 };
            bytes.len() as u64 + area * 2 * planes
        }
        // Planes or a frame of four samples, and for an animation the canvas.
        Format::WebP | Format::Png => area * 8,
        // Of a GIF the decoder counts its own frame against the limit it was given.
        _ => 0,
    }
}

/// The JPEG decoder fills what it could not read with exactly this gray. A file without an end
/// marker is accepted when its last row is a picture: then only the marker is missing, or the fine
/// detail of a progressive file.
fn ends_in_filler(raster: &Raster) -> bool {
    let row = raster.width as usize * raster.model.samples();
    raster.samples().iter().rev().take(row).all(|&sample| sample == 128)
}

/// Narrows samples to 8 bits and multiplies colours by their alpha.
fn eight_bits(mut buffer: Vec<u8>, color: ColorType) -> Result<(Vec<u8>, Model), ThumbError> {
    if matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16) {
        let count = buffer.len() / 2;
        for sample in 0..count {
            // In place: what is written is never behind what is not yet read.
            let wide = u16::from_ne_bytes([buffer[sample * 2], buffer[sample * 2 + 1]]);
            buffer[sample] = narrow(wide);
        }
        buffer.truncate(count);
    }
    Ok(match color {
        ColorType::L8 | ColorType::L16 => (buffer, Model::Gray),
        ColorType::Rgb8 | ColorType::Rgb16 => (buffer, Model::Rgb),
        ColorType::La8 | ColorType::La16 => {
            let wide =
                buffer.as_chunks().0.iter().flat_map(|&[gray, alpha]| [gray, gray, gray, alpha]);
            let mut pixels = wide.collect::<Vec<u8>>();
            colour::premultiply(&mut pixels);
            (pixels, Model::Rgba)
        }
        ColorType::Rgba8 | ColorType::Rgba16 => {
            colour::premultiply(&mut buffer);
            (buffer, Model::Rgba)
        }
        other => {
            let what = format!("{other:?} samples");
            return Err(ThumbError::Unsupported { what, handled_by: "another program" });
        }
    })
}

fn failure(error: ImageError, format: Format, survey: &Survey<'_>, limits: &Limits) -> ThumbError {
    match error {
        ImageError::Unsupported(error) => ThumbError::Unsupported {
            what: error.to_string(),
            handled_by: "converting it with another program",
        },
        // The decoder met the limit it was given and does not say by how much.
        ImageError::Limits(_) => ThumbError::TooLarge {
            what: "bytes of memory",
            found: limits.max_alloc_bytes.saturating_add(1),
            limit: limits.max_alloc_bytes,
        },
        error if !survey.complete || ended_early(&error) => ThumbError::Truncated { format },
        error => ThumbError::Damaged { format, source: Box::new(error) },
    }
}

/// Whether the cause, however deep, is that the input ended.
fn ended_early(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::UnexpectedEof;
        }
        next = error.source();
    }
    false
}
