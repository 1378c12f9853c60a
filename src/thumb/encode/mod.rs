//! Encoding: an upright raster becomes a file, within a number of bytes.
//!
//! An encoder is given nothing but pixels, so it can write nothing else (**T5**), and computes the same
//! on every machine (**T6**). A file that must be smaller is encoded anew at a lower quality, found by
//! halving: six times two milliseconds at most.

mod dct;
mod huffman;
mod jpeg;

use super::colour;
use super::error::ThumbError;
use super::format::Format;
use super::raster::{Model, Raster};
use super::spec::{Encoding, ThumbSpec};
use super::{Picture, raster::Plane};

/// Below this, blocks and fringes are plain to see; only a budget goes there.
const LEAST_QUALITY: u8 = 30;

/// An upright picture, ready for the encoder that the spec asks for.
pub(super) enum Prepared {
    /// Planes of 4:2:0, or one of gray.
    Planes(Vec<Plane>),
    /// Gray, or red, green and blue, with alpha or without.
    Pixels(Raster),
}

impl Prepared {
    pub(super) fn new(upright: Raster, spec: &ThumbSpec) -> Self {
        if spec.encoding == Encoding::Jpeg {
            return Self::Planes(colour::planes_420(&upright, spec.background));
        }
        let mut raster = colour::interleaved(upright);
        if raster.model == Model::Rgba {
            if spec.keeps_alpha() {
                raster.planes.iter_mut().for_each(|plane| colour::unmultiply(&mut plane.data));
            } else {
                let pixels = raster.samples().as_chunks().0.iter();
                let flat = pixels.flat_map(|&pixel| colour::over(pixel, spec.background)).collect();
                raster = Raster::packed(raster.width, raster.height, Model::Rgb, flat);
            }
        }
        Self::Pixels(raster)
    }

    fn size(&self) -> (u32, u32) {
        match self {
            Self::Planes(planes) => planes.first().map_or((0, 0), |y| (y.width, y.height)),
            Self::Pixels(raster) => (raster.width, raster.height),
        }
    }

    fn encode(&self, encoding: Encoding, quality: u8) -> Result<Vec<u8>, ThumbError> {
        match (self, encoding) {
            (Self::Planes(planes), _) => Ok(jpeg::encode(planes, quality)),
            (Self::Pixels(raster), Encoding::WebP) => webp(raster, quality),
            (Self::Pixels(raster), _) => png(raster),
        }
    }
}

/// Encodes within the spec's budget, and if some lower quality can do it, within `source_bytes`.
/// `own`, the same picture as a file that is there already, is taken where it is smaller.
pub(super) fn encode(
    prepared: &Prepared,
    spec: &ThumbSpec,
    source_bytes: u64,
    own: Option<Picture>,
) -> Result<Picture, ThumbError> {
    let wanted = spec.quality.clamp(1, 100);
    let mut bytes = prepared.encode(spec.encoding, wanted)?;
    if let Some(own) = own.filter(|own| own.bytes.len() < bytes.len()) {
        return Ok(own);
    }
    if has_quality(spec.encoding) {
        let budget = spec.max_picture_bytes.map_or(u64::MAX, u64::from);
        let mut lower = |least: u8, most: u64| -> Result<(), ThumbError> {
            if bytes.len() as u64 > most
                && let Some(smaller) = within(prepared, spec.encoding, least..wanted, most)?
            {
                bytes = smaller;
            }
            Ok(())
        };
        lower(LEAST_QUALITY, source_bytes.min(budget))?;
        lower(1, budget)?;
        if bytes.len() as u64 > budget {
            bytes = prepared.encode(spec.encoding, 1)?;
        }
    }
    let (width_px, height_px) = prepared.size();
    let format = match spec.encoding {
        Encoding::Jpeg => Format::Jpeg,
        Encoding::Png => Format::Png,
        Encoding::WebP => Format::WebP,
    };
    Ok(Picture { bytes, format, width_px, height_px })
}

const fn has_quality(encoding: Encoding) -> bool {
    match encoding {
        Encoding::Jpeg => true,
        Encoding::WebP => cfg!(feature = "libwebp"),
        Encoding::Png => false,
    }
}

/// The file of the highest of these qualities that has at most so many bytes.
fn within(
    prepared: &Prepared,
    encoding: Encoding,
    qualities: std::ops::Range<u8>,
    most: u64,
) -> Result<Option<Vec<u8>>, ThumbError> {
    let (mut low, mut high, mut best) = (qualities.start, qualities.end, None);
    while low < high {
        let middle = low + (high - low) / 2;
        let bytes = prepared.encode(encoding, middle)?;
        if bytes.len() as u64 <= most {
            (best, low) = (Some(bytes), middle + 1);
        } else {
            high = middle;
        }
    }
    Ok(best)
}

pub(super) fn png(raster: &Raster) -> Result<Vec<u8>, ThumbError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, raster.width, raster.height);
    encoder.set_color(match raster.model {
        Model::Gray => png::ColorType::Grayscale,
        Model::Rgba => png::ColorType::Rgba,
        _ => png::ColorType::Rgb,
    });
    let mut writer = encoder.write_header().map_err(ThumbError::internal)?;
    writer.write_image_data(raster.samples()).map_err(ThumbError::internal)?;
    writer.finish().map_err(ThumbError::internal)?;
    Ok(bytes)
}

/// Lossy where libwebp is there, otherwise without loss.
#[cfg(feature = "libwebp")]
fn webp(raster: &Raster, quality: u8) -> Result<Vec<u8>, ThumbError> {
    let (width, height) = (raster.width, raster.height);
    let gray: Vec<u8>;
    let encoder = match raster.model {
        Model::Rgba => webpx::Encoder::new_rgba(raster.samples(), width, height),
        Model::Gray => {
            gray = raster.samples().iter().flat_map(|&gray| [gray; 3]).collect();
            webpx::Encoder::new_rgb(&gray, width, height)
        }
        _ => webpx::Encoder::new_rgb(raster.samples(), width, height),
    };
    encoder.quality(f32::from(quality)).encode(webpx::Unstoppable).map_err(|error| {
        let source = error.to_string().into();
        ThumbError::Internal { source }
    })
}

#[cfg(not(feature = "libwebp"))]
fn webp(raster: &Raster, _quality: u8) -> Result<Vec<u8>, ThumbError> {
    use image::{ExtendedColorType, ImageEncoder, codecs::webp::WebPEncoder};

    let mut bytes = Vec::new();
    let kind = match raster.model {
        Model::Gray => ExtendedColorType::L8,
        Model::Rgba => ExtendedColorType::Rgba8,
        _ => ExtendedColorType::Rgb8,
    };
    WebPEncoder::new_lossless(&mut bytes)
        .write_image(raster.samples(), raster.width, raster.height, kind)
        .map_err(ThumbError::internal)?;
    Ok(bytes)
}
