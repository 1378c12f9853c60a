//! JPEG: planes at the smallest fraction of the size that the plan allows.
//!
//! What the scaled decoder does not know by name (12 bits, arithmetic or lossless coding) is left to
//! the general one. A cut file is a partial picture if enough of its rows are there.

use super::super::container::{self, Survey};
use super::super::control::Control;
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::geometry::Plan;
use super::super::jpeg::{self, Colour, Header, JpegError, Planes, Scale};
use super::super::orient::Orientation;
use super::super::raster::{Model, Plane, Raster};
use super::super::spec::ThumbSpec;
use super::{Decoded, general};

/// Below it, a second thread is not worth its beginning: some 2 ms of decoding.
const IN_TWO_BYTES: usize = 256 << 10;

pub(super) fn decode(
    bytes: &[u8],
    survey: &Survey<'_>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    let format = Format::Jpeg;
    let failed = |error| failure(error, bytes);
    let others = || {
        let survey = container::survey_jpeg_to_end(bytes);
        spec.limits.check_scans(survey.scans)?;
        general::decode(bytes, format, &survey, spec, control)
    };
    let header = match jpeg::read_header(bytes) {
        Err(JpegError::Unsupported(_)) => return others(),
        header => header.map_err(failed)?,
    };
    let full = (header.width, header.height);
    let orientation = survey.exif.map(Orientation::from_tiff).unwrap_or_default();
    let plan = Plan::new(full, orientation, spec);
    let scale = Scale::ALL
        .into_iter()
        .find(|scale| plan.allows_scale(u32::try_from(scale.eighths()).unwrap_or(8), 8))
        .unwrap_or(Scale::Full);
    let limits = &spec.limits;
    if scale == Scale::Full {
        limits.check_pixels(full.0, full.1)?;
    }
    let mut watch = |done: u32, of: u32| control.row(done, of).is_ok();
    let mut decoding = jpeg::Control {
        max_pixels: limits.max_scaled_pixels.max(limits.max_pixels),
        max_bytes: limits.max_alloc_bytes,
        max_scans: limits.max_scans,
        in_two_from: if spec.is_parallel() { IN_TWO_BYTES } else { usize::MAX },
        exact: false,
        watch: &mut watch,
    };
    let planes = match jpeg::decode(bytes, scale, &mut decoding) {
        Err(JpegError::Unsupported(_)) => return others(),
        planes => planes.map_err(failed)?,
    };
    if let Some(partial) = planes.partial
        && !spec.rows_suffice(partial.rows, partial.of)
    {
        return Err(failed(JpegError::Truncated));
    }
    let partial = planes.partial.is_some();
    let raster = raster(planes, &header, scale);
    let profile = (!survey.icc.is_empty()).then(|| survey.icc.concat());
    Ok(Decoded { raster, plan, format, orientation, profile, partial })
}

/// The decoder's planes, each with its place in the full picture.
fn raster(planes: Planes, header: &Header, scale: Scale) -> Raster {
    let model = match planes.colour {
        Colour::Grey => Model::Gray,
        Colour::YCbCr => Model::YCbCr,
        Colour::Rgb => Model::RgbPlanes,
        Colour::Cmyk => Model::Cmyk,
        Colour::Ycck => Model::Ycck,
    };
    // Adobe's programs write inks inverted, as they are wanted here; others do not.
    let inverted = header.components.len() == 4 && header.adobe_transform.is_none();
    let most = |share: fn(u8, u8) -> u8| {
        let shares = header.components.iter().map(|c| share(c.horizontal, c.vertical));
        f64::from(shares.max().unwrap_or(1))
    };
    let (across, down) = (most(|across, _| across), most(|_, down| down));
    let eighths = f64::from(u32::try_from(scale.eighths()).unwrap_or(8));
    let planes_here =
        planes.planes.into_iter().zip(&header.components).map(|(plane, component)| {
            let mut data = plane.data;
            if inverted {
                data.iter_mut().for_each(|ink| *ink = 255 - *ink);
            }
            let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
            Plane {
                width: side(plane.width),
                height: side(plane.height),
                stride: side(plane.stride),
                data,
                pitch: (
                    across / f64::from(component.horizontal) * 8.0 / eighths,
                    down / f64::from(component.vertical) * 8.0 / eighths,
                ),
                origin: (0.0, 0.0),
            }
        });
    Raster { width: planes.width, height: planes.height, model, planes: planes_here.collect() }
}

fn failure(error: JpegError, bytes: &[u8]) -> ThumbError {
    let format = Format::Jpeg;
    match error {
        JpegError::TooLarge { what, found, limit } => ThumbError::TooLarge { what, found, limit },
        JpegError::Cancelled => ThumbError::Cancelled,
        JpegError::OutOfMemory { bytes } => ThumbError::OutOfMemory { bytes },
        JpegError::Unsupported(feature) => ThumbError::Unsupported {
            what: format!("JPEG with {feature}"),
            handled_by: "converting it with another program",
        },
        JpegError::Truncated => ThumbError::Truncated { format },
        _ if !container::survey_jpeg_to_end(bytes).complete => ThumbError::Truncated { format },
        error => ThumbError::Damaged { format, source: Box::new(error) },
    }
}
