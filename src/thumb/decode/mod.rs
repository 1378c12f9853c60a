//! Decoding: bytes of any supported format become a raster with 8 bits a sample, and a plan for it.
//!
//! The order is the promise (**T2**): sniff, survey the container, read the header, compare with the
//! limits, and only then take memory for pixels. The plan is made from the header, because it says how
//! small the picture may be decoded. Some decoders are other people's work and meet hostile bytes here,
//! so a panic inside them is caught and becomes [`ThumbError::Damaged`] (**T1**).

pub(super) mod foreign;
mod general;
#[cfg(feature = "heic")]
mod heic;
mod jpeg;
#[cfg(feature = "libwebp")]
mod libwebp;
mod png;
mod reduce;

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use super::container;
use super::control::Control;
use super::error::ThumbError;
use super::format::{Format, jpeg_start};
use super::geometry::Plan;
use super::orient::Orientation;
use super::raster::Raster;
use super::spec::ThumbSpec;

/// A decoded source, not yet upright and in its own colours.
pub(super) struct Decoded {
    pub(super) raster: Raster,
    pub(super) plan: Plan,
    pub(super) format: Format,
    pub(super) orientation: Orientation,
    /// The colour profile, if it brought one.
    pub(super) profile: Option<Vec<u8>>,
    /// Some rows are missing.
    pub(super) partial: bool,
}

/// Decodes a picture that came as bytes, and from `path` if it is known.
pub(super) fn decode(
    bytes: &[u8],
    path: Option<&Path>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    spec.limits.check_input_bytes(bytes.len() as u64)?;
    control.check()?;
    let format = Format::from_first_bytes(bytes).ok_or(ThumbError::NotAnImage)?;
    if format.is_video() {
        let what = format!("{format} as a picture");
        return Err(ThumbError::Unsupported { what, handled_by: "`render_poster_set_file`" });
    }
    let foreign = || foreign::decode(bytes, path, format, spec, control);
    #[cfg(feature = "heic")]
    if format == Format::Heic {
        return match guarded(format, || heic::decode(bytes, spec, control)) {
            Err(ThumbError::Unsupported { .. }) => foreign(),
            decoded => decoded,
        };
    }
    if !format.is_common() {
        return foreign();
    }
    let junk = if format == Format::Jpeg { jpeg_start(bytes).unwrap_or(0) } else { 0 };
    let bytes = bytes.get(junk..).unwrap_or(bytes);
    let survey = container::survey(format, bytes);
    spec.limits.check_scans(survey.scans)?;
    guarded(format, || match format {
        Format::Jpeg => jpeg::decode(bytes, &survey, spec, control),
        Format::Png => png::decode(bytes, &survey, spec, control),
        #[cfg(feature = "libwebp")]
        Format::WebP => libwebp::decode(bytes, &survey, spec, control),
        _ => general::decode(bytes, format, &survey, spec, control),
    })
    // Whatever a decoder made of being stopped, it was stopped.
    .map_err(|error| control.check().err().unwrap_or(error))
}

/// A 16-bit sample as the nearest 8-bit one.
pub(super) fn narrow(wide: u16) -> u8 {
    // `wide * 255 / 65535`, rounded; the quotient lies in bits 16 to 23.
    (u32::from(wide) * 255 + 32_895).to_be_bytes()[1]
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
    use std::error::Error;

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
