//! HEIC: what iPhones and many others store photos as. Feature `heic`.
//!
//! Decoded by `heifer`, which is written in safe Rust under MIT and Apache-2.0. As with the other
//! formats the declared size is compared with the limits first, and only then are pixels decoded.
//! What it does not know is left to the host's decoder. The decoder turns and mirrors as the container says and converts colours to sRGB.
//! The EXIF tag repeats the turn in this format and must not be applied as well.
//!
//! Source: ISO/IEC 23008-12, sections 6.5.10 (`irot`) and 6.5.12 (`imir`).

use super::super::colour;
use super::super::control::Control;
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::geometry::Plan;
use super::super::orient::Orientation;
use super::super::raster::{Model, Raster};
use super::super::spec::ThumbSpec;
use super::Decoded;
use super::png::opaque_if_it_is;
use heifer::heifer_isobmff::HeifFile;
use heifer::{Options, decode_rgba8, decode_srgb_rgba8};

/// What the decoder holds of a pixel at most: planes of two bytes a sample, the picture of four
/// bytes, and a copy of either while it is put together and turned.
const BYTES_PER_PIXEL: u64 = 16;

/// Decodes the primary picture of a file, upright.
pub(super) fn decode(
    bytes: &[u8],
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    let (format, limits) = (Format::Heic, &spec.limits);
    let file = HeifFile::parse(bytes).map_err(|error| refused(error.into()))?;
    let size = file.image_size(file.primary_id).map_err(|error| refused(error.into()))?;
    let Some((width, height)) = size else {
        let source = "a picture without a size".into();
        return Err(ThumbError::Damaged { format, source });
    };
    limits.check_pixels(width, height)?;
    limits.check_alloc_bytes(u64::from(width) * u64::from(height) * BYTES_PER_PIXEL)?;
    // Parts of the picture make claims of their own. 0 would mean no limit.
    let max_pixels = limits.max_pixels.min(limits.max_alloc_bytes / BYTES_PER_PIXEL).max(1);
    let options = Options { max_threads: 1, max_pixels };
    let image = match decode_srgb_rgba8(bytes, &options) {
        // A colour space that it cannot convert: better slightly pale than not at all.
        Err(heifer::Error::Unsupported(_)) => decode_rgba8(bytes, &options),
        image => image,
    };
    let mut image = image.map_err(refused)?;
    control.check()?;
    colour::premultiply(&mut image.data);
    let raster = Raster::packed(image.width, image.height, Model::Rgba, image.data);
    let orientation = Orientation::Upright;
    let plan = Plan::new((image.width, image.height), orientation, spec);
    let raster = opaque_if_it_is(raster);
    Ok(Decoded { raster, plan, format, orientation, profile: None, partial: false })
}

fn refused(error: heifer::Error) -> ThumbError {
    use heifer::heifer_hevc_dec::Error as Hevc;
    use heifer::heifer_isobmff::Error as Container;
    let format = Format::Heic;
    match error {
        heifer::Error::Container(Container::UnexpectedEof)
        | heifer::Error::Hevc(Hevc::UnexpectedEof) => ThumbError::Truncated { format },
        heifer::Error::Container(Container::Unimplemented(_))
        | heifer::Error::Hevc(Hevc::Unimplemented(_))
        | heifer::Error::Unsupported(_) => {
            ThumbError::Unsupported { what: error.to_string(), handled_by: format.handled_by() }
        }
        error => ThumbError::Damaged { format, source: Box::new(error) },
    }
}
