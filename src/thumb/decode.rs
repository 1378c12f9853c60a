//! Decoding: bytes of any supported format become an opaque raster with 8 bits a sample.
//!
//! The order is the promise (**T2**): sniff, survey the container, build the decoder from the
//! header, compare with the limits, and only then take memory for pixels. The decoders are other
//! people's work and meet hostile bytes here, so a panic inside them is caught and becomes
//! [`ThumbError::Damaged`] (**T1**).

use std::any::Any;
use std::error::Error as StdError;
use std::io::{self, Cursor};
use std::panic::{self, AssertUnwindSafe};

use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::container::{self, Format, Sniffed, Survey};
use super::error::ThumbError;
use super::orient::Orientation;
use super::resize::{Raster, Samples};
use super::spec::{Limits, ThumbSpec};

/// A decoded source, not yet upright.
pub(super) struct Decoded {
    pub(super) raster: Raster,
    pub(super) format: Format,
    pub(super) orientation: Orientation,
}

pub(super) fn decode(bytes: &[u8], spec: &ThumbSpec) -> Result<Decoded, ThumbError> {
    spec.limits.check_input_bytes(bytes.len() as u64)?;
    #[cfg(feature = "heic")]
    if Format::from_first_bytes(bytes) == Some(Format::Heic) {
        return super::heic::decode(bytes, spec);
    }
    let format = match container::sniff(bytes) {
        Sniffed::Known(format) => format,
        Sniffed::Foreign(what) => return Err(ThumbError::Unsupported { what: what.to_owned() }),
        Sniffed::Nothing => return Err(ThumbError::NotAnImage),
    };
    let survey = container::survey(format, bytes);
    spec.limits.check_scans(survey.scans)?;
    if format == Format::WebP && !survey.complete {
        // Its decoder trusts declared lengths, so a cut file must not reach it.
        return Err(ThumbError::Truncated { format });
    }
    if survey.planes_apart {
        // zune-jpeg 0.5.15 answers with wrong colours instead of an error (zune-image issue 422).
        return Err(ThumbError::Unsupported { what: "JPEG with one scan a plane".to_owned() });
    }
    let raster = guarded(format, || pixels(bytes, format, &survey, spec))?;
    if format == Format::Jpeg && !survey.complete && ends_in_filler(&raster) {
        return Err(ThumbError::Truncated { format });
    }
    let orientation = survey.exif.map(Orientation::from_tiff).unwrap_or_default();
    Ok(Decoded { raster, format, orientation })
}

fn pixels(
    bytes: &[u8],
    format: Format,
    survey: &Survey<'_>,
    spec: &ThumbSpec,
) -> Result<Raster, ThumbError> {
    let failed = |error| failure(error, format, survey, &spec.limits);
    let Some(kind) = image_format(format) else {
        return Err(ThumbError::Unsupported { what: format.to_string() });
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(spec.limits.max_alloc_bytes);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(failed)?;
    let ((width, height), color) = (decoder.dimensions(), decoder.color_type());

    spec.limits.check_pixels(width, height)?;
    spec.limits.check_pixels(survey.largest_frame.0, survey.largest_frame.1)?;
    let total = decoder.total_bytes();
    let needed = total.saturating_add(beside_the_pixels(bytes, format, survey, (width, height)));
    spec.limits.check_alloc_bytes(needed)?;

    let out_of_memory = || ThumbError::OutOfMemory { bytes: total };
    let length = usize::try_from(total).map_err(|_| out_of_memory())?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(length).map_err(|_| out_of_memory())?;
    buffer.resize(length, 0);
    decoder.read_image(&mut buffer).map_err(failed)?;
    let (pixels, samples) = flatten(buffer, color, spec.background)?;
    Ok(Raster { pixels, width, height, samples })
}

/// An upper estimate of what the decoder and [`flatten`] hold beside the decoded pixels, in bytes.
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
        // One row; with gray and alpha a second buffer in colour.
        Format::Png => area,
        // Planes or a frame of four samples, and for an animation the canvas.
        Format::WebP => area * 8,
        // The decoder counts its own frame against the limit it was given.
        Format::Gif => 0,
        // Not decoded here.
        _ => 0,
    }
}

fn image_format(format: Format) -> Option<ImageFormat> {
    Some(match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        _ => return None,
    })
}

/// The JPEG decoder fills what it could not read with exactly this gray. A file without an end
/// marker is accepted when its last row is a picture: then only the marker is missing, or the fine
/// detail of a progressive file.
fn ends_in_filler(raster: &Raster) -> bool {
    let row = raster.width as usize * raster.samples.count();
    raster.pixels.iter().rev().take(row).all(|&sample| sample == 128)
}

/// Lays `buffer` over `background` and narrows it to 8 bits a sample (**T7**).
///
/// Done before the resize: filtering opaque pixels gives what filtering premultiplied ones and
/// laying them over the background afterwards would give.
pub(super) fn flatten(
    mut buffer: Vec<u8>,
    color: ColorType,
    background: [u8; 3],
) -> Result<(Vec<u8>, Samples), ThumbError> {
    if matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16) {
        narrow(&mut buffer);
    }
    Ok(match color {
        ColorType::L8 | ColorType::L16 => (buffer, Samples::Gray),
        ColorType::Rgb8 | ColorType::Rgb16 => (buffer, Samples::Rgb),
        ColorType::La8 | ColorType::La16 => {
            let pixels = buffer
                .as_chunks()
                .0
                .iter()
                .flat_map(|&[gray, alpha]| over([gray; 3], alpha, background))
                .collect();
            (pixels, Samples::Rgb)
        }
        ColorType::Rgba8 | ColorType::Rgba16 => {
            let count = buffer.len() / 4;
            for pixel in 0..count {
                let at = pixel * 4;
                let &[red, green, blue, alpha] = &buffer[at..at + 4] else { continue };
                let opaque = over([red, green, blue], alpha, background);
                // In place: the third byte written is never behind the first one not yet read.
                buffer[pixel * 3..pixel * 3 + 3].copy_from_slice(&opaque);
            }
            buffer.truncate(count * 3);
            (buffer, Samples::Rgb)
        }
        other => return Err(ThumbError::Unsupported { what: format!("{other:?} samples") }),
    })
}

/// Turns 16-bit samples into the nearest 8-bit ones, in place.
fn narrow(buffer: &mut Vec<u8>) {
    let count = buffer.len() / 2;
    for sample in 0..count {
        let wide = u16::from_ne_bytes([buffer[sample * 2], buffer[sample * 2 + 1]]);
        // `wide * 255 / 65535`, rounded; the quotient lies in bits 16 to 23.
        buffer[sample] = (u32::from(wide) * 255 + 32_895).to_be_bytes()[1];
    }
    buffer.truncate(count);
}

fn over(color: [u8; 3], alpha: u8, background: [u8; 3]) -> [u8; 3] {
    let alpha = u16::from(alpha);
    let mut result = background;
    for (below, above) in result.iter_mut().zip(color) {
        let sum = u16::from(above) * alpha + u16::from(*below) * (255 - alpha);
        *below = u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX);
    }
    result
}

fn failure(error: ImageError, format: Format, survey: &Survey<'_>, limits: &Limits) -> ThumbError {
    match error {
        ImageError::Unsupported(error) => ThumbError::Unsupported { what: error.to_string() },
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

/// Runs a decoder, and turns its panic into the error of a damaged file (**T1**).
pub(super) fn guarded<T>(
    format: Format,
    decoder: impl FnOnce() -> Result<T, ThumbError>,
) -> Result<T, ThumbError> {
    // Nothing outlives the closure but its answer, so a panic cannot leave half a change behind.
    panic::catch_unwind(AssertUnwindSafe(decoder)).unwrap_or_else(|payload| {
        let payload: &(dyn Any + Send) = payload.as_ref();
        let said = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Err(ThumbError::Damaged { format, source: format!("decoder panicked: {said}").into() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_a_panic_inside_a_decoder_becomes_an_error_that_tells_it() {
        let error = guarded(Format::Gif, || -> Result<(), _> { panic!("index {} too far", 7) });
        let error = error.expect_err("the panic is reported");
        let cause = error.source().map(ToString::to_string);
        assert_eq!(error.code(), "IMAGE_DAMAGED");
        assert_eq!(cause.as_deref(), Some("decoder panicked: index 7 too far"));
    }
}
