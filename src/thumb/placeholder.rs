//! Placeholders: a picture in some twenty bytes, to be shown while it loads.
//!
//! Both kinds are made from the thumbnail, shrunk to 32 pixels first, since neither keeps more than a
//! few waves of it. Unlike pictures they use the platform's cosines, so the last digit may differ from
//! one platform to another.
//!
//! Source: <https://blurha.sh>, <https://evanw.github.io/thumbhash>.

use super::Picture;
use super::colour;
use super::encode::png;
use super::error::ThumbError;
use super::format::Format;
use super::geometry::{Frame, Region};
use super::raster::{Model, Raster};
use super::resize::{Chroma, Resizer};

const SIDE: u32 = 32;

/// A BlurHash, and a ThumbHash.
pub(super) fn of(
    thumbnail: &Raster,
    background: [u8; 3],
    resizer: &mut Resizer,
) -> Result<(String, Vec<u8>), ThumbError> {
    let (width, height) = (thumbnail.width, thumbnail.height);
    let long = width.max(height);
    let scaled = |length: u32| if long <= SIDE { length } else { (length * SIDE / long).max(1) };
    let mut own = thumbnail.clone();
    for plane in &mut own.planes {
        // In its own pixels, whatever it was cut from.
        let pitch = |all: u32, here: u32| f64::from(all) / f64::from(here);
        plane.pitch = (pitch(width, plane.width), pitch(height, plane.height));
        plane.origin = (0.0, 0.0);
    }
    let region = Region { left: 0, top: 0, width, height };
    let frame = Frame { region, width: scaled(width), height: scaled(height) };
    let small = colour::interleaved(resizer.resize(&own, &frame, Chroma::Full)?);
    let rgba: Vec<u8> = match small.model {
        Model::Gray => small.samples().iter().flat_map(|&gray| [gray, gray, gray, 255]).collect(),
        Model::Rgba => {
            let mut pixels = small.samples().to_vec();
            colour::unmultiply(&mut pixels);
            pixels
        }
        _ => {
            let pixels = small.samples().as_chunks().0.iter();
            pixels.flat_map(|&[r, g, b]| [r, g, b, 255]).collect()
        }
    };
    let thumb_hash =
        thumbhash::rgba_to_thumb_hash(small.width as usize, small.height as usize, &rgba);
    // A BlurHash knows no transparency.
    let mut premultiplied = rgba;
    colour::premultiply(&mut premultiplied);
    let opaque: Vec<u8> = premultiplied
        .as_chunks()
        .0
        .iter()
        .flat_map(|&pixel| {
            let [r, g, b] = colour::over(pixel, background);
            [r, g, b, 255]
        })
        .collect();
    let (across, down) = if width >= height { (4, 3) } else { (3, 4) };
    let blur_hash = blurhash::encode(across, down, small.width, small.height, &opaque)
        .map_err(ThumbError::internal)?;
    Ok((blur_hash, thumb_hash))
}

/// Paints a ThumbHash: a PNG of at most 32 pixels a side, to be stretched over the place where the picture
/// will be.
///
/// Costs some ten microseconds.
///
/// # Errors
///
/// [`ThumbError::NotAnImage`] for bytes that are no ThumbHash.
///
/// # Example
///
/// ```
/// let hash = [
///     0xD5, 0x07, 0x12, 0x1D, 0x04, 0x67, 0x87, 0x8F, 0x77, 0x57, 0x87, 0x48, 0x87, 0x87, 0x97, 0x87,
///     0x58, 0x78, 0x90, 0x95, 0x08,
/// ];
/// let painted = finalmile::thumb::paint_thumbhash(&hash)?;
/// assert_eq!((painted.width_px, painted.height_px), (23, 32));
/// assert!(finalmile::thumb::paint_thumbhash(&hash[..9]).is_err());
/// # Ok::<(), finalmile::thumb::ThumbError>(())
/// ```
pub fn paint_thumbhash(hash: &[u8]) -> Result<Picture, ThumbError> {
    let none = || ThumbError::NotAnImage;
    let (width, height, rgba) = thumbhash::thumb_hash_to_rgba(hash).map_err(|()| none())?;
    let side = |length: usize| match u32::try_from(length) {
        Ok(length @ 1..=SIDE) => Ok(length),
        // A shape that no picture has: infinitely long or without an area.
        _ => Err(none()),
    };
    let (width_px, height_px) = (side(width)?, side(height)?);
    let bytes = png(&Raster::packed(width_px, height_px, Model::Rgba, rgba))?;
    Ok(Picture { bytes, format: Format::Png, width_px, height_px })
}
