//! What is not decoded here: the host's decoder is asked, and its answer taken from there.

use std::path::Path;

use super::super::colour;
use super::super::control::Control;
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::geometry::Plan;
use super::super::orient::Orientation;
use super::super::platform::{PlatformPicture, PlatformRequest};
use super::super::raster::{Model, Raster};
use super::super::read_file;
use super::super::spec::ThumbSpec;
use super::Decoded;
use super::png::opaque_if_it_is;

/// Has the host's decoder decode it, or says what would.
pub(super) fn decode(
    bytes: &[u8],
    path: Option<&Path>,
    format: Format,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    ask(bytes, path, format, None, spec, control)?.ok_or_else(|| ThumbError::Unsupported {
        what: format.to_string(),
        handled_by: format.handled_by(),
    })
}

/// Asks the host's decoder, if it lent one; `at_ms` is the moment of a video. `None`: nobody decodes it.
pub(in super::super) fn ask(
    bytes: &[u8],
    path: Option<&Path>,
    format: Format,
    at_ms: Option<u64>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Option<Decoded>, ThumbError> {
    let Some(decoder) = control.platform() else { return Ok(None) };
    let wanted_side_px = spec.preview_side().max(spec.thumbnail_side());
    let request = PlatformRequest { format, bytes, path, wanted_side_px, at_ms };
    let failed = |said| ThumbError::Platform { what: format, said };
    let Some(answer) = decoder.decode(&request).map_err(failed)? else { return Ok(None) };
    taken(answer, format, spec, control).map(Some)
}

/// The decoder's answer as everything else is decoded.
fn taken(
    answer: PlatformPicture,
    format: Format,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    let failed = |said| ThumbError::Platform { what: format, said };
    match answer {
        PlatformPicture::Encoded(bytes) => encoded(&bytes, format, spec, control),
        PlatformPicture::File(path) => {
            encoded(&read_file(&path, &spec.limits)?, format, spec, control)
        }
        PlatformPicture::Rgba { mut pixels, width_px, height_px } => {
            let area = u64::from(width_px) * u64::from(height_px);
            if area == 0 || pixels.len() as u64 != area.saturating_mul(4) {
                let said = format!("{} bytes for {width_px} x {height_px}", pixels.len());
                return Err(failed(said));
            }
            spec.limits.check_pixels(width_px, height_px)?;
            colour::premultiply(&mut pixels);
            let raster = Raster::packed(width_px, height_px, Model::Rgba, pixels);
            Ok(Decoded {
                raster: opaque_if_it_is(raster),
                plan: Plan::new((width_px, height_px), Orientation::Upright, spec),
                format,
                orientation: Orientation::Upright,
                profile: None,
                partial: false,
            })
        }
    }
}

/// What the host's decoder wrote, which must be of a kind that is decoded here.
fn encoded(
    bytes: &[u8],
    format: Format,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    if Format::from_first_bytes(bytes).is_some_and(|answer| !answer.is_common()) {
        let said = "it answered with what is not decoded here either".to_owned();
        return Err(ThumbError::Platform { what: format, said });
    }
    let decoded = super::decode(bytes, None, spec, control)?;
    Ok(Decoded { format, ..decoded })
}
