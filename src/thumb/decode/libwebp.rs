//! WebP through libwebp, which shrinks while it decodes: rows leave it already small.
//!
//! For still pictures, under the feature `libwebp`; it needs a C compiler. Its crate hides all unsafe
//! code, and libwebp's fast paths give the bytes of its plain ones.

use webpx::{Decoder, DecoderConfig, Limits};

use super::super::colour;
use super::super::container::Survey;
use super::super::control::Control;
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::geometry::Plan;
use super::super::orient::Orientation;
use super::super::raster::{Model, Plane, Raster};
use super::super::spec::ThumbSpec;
use super::png::opaque_if_it_is;
use super::{Decoded, general};

pub(super) fn decode(
    bytes: &[u8],
    survey: &Survey<'_>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    let format = Format::WebP;
    let whole = || general::decode(bytes, format, survey, spec, control);
    if !survey.complete {
        return whole();
    }
    let Ok(decoder) = Decoder::new(bytes) else { return whole() };
    let info = decoder.info();
    let (full, has_alpha) = ((info.width, info.height), info.has_alpha);
    if info.has_animation {
        return whole();
    }
    spec.limits.check_pixels(full.0, full.1)?;
    spec.limits.check_pixels(survey.largest_frame.0, survey.largest_frame.1)?;
    let orientation = survey.exif.map(Orientation::from_tiff).unwrap_or_default();
    let plan = Plan::new(full, orientation, spec);
    let factor = (1..=256).rev().find(|&factor| plan.allows_scale(1, factor)).unwrap_or(1);
    let (width, height) = (full.0.div_ceil(factor), full.1.div_ceil(factor));
    // A lossless picture is decoded whole inside; what comes out has three or four samples.
    let area = u64::from(full.0) * u64::from(full.1);
    let small = u64::from(width) * u64::from(height);
    spec.limits.check_alloc_bytes((area + small) * 4)?;

    // Limits are checked above; the crate's own ones are not the host's.
    let config = DecoderConfig::new().scale(width, height).limits(Limits::none());
    let decoder = decoder.config(config);
    let (model, decoded) = if has_alpha {
        (Model::Rgba, decoder.decode_rgba_raw())
    } else {
        (Model::Rgb, decoder.decode_rgb_raw())
    };
    let (mut pixels, ..) = decoded.map_err(|error| {
        let source = error.to_string().into();
        ThumbError::Damaged { format, source }
    })?;
    control.check()?;
    if model == Model::Rgba {
        colour::premultiply(&mut pixels);
    }
    let pitch = |all: u32, here: u32| f64::from(all) / f64::from(here);
    let plane = Plane::packed(width, height, pixels)
        .reduced_by(pitch(full.0, width), pitch(full.1, height));
    let raster = opaque_if_it_is(Raster { width, height, model, planes: vec![plane] });
    let profile = (!survey.icc.is_empty()).then(|| survey.icc.concat());
    Ok(Decoded { raster, plan, format, orientation, profile, partial: false })
}
