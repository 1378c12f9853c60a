//! Placeholders: a picture in some twenty bytes, to be shown while it loads.
//!
//! Both kinds are made from the thumbnail, shrunk to 32 pixels first, since neither keeps more than a
//! few waves of it. Unlike pictures they use the platform's cosines, so the last digit may differ from
//! one platform to another.
//!
//! Source: <https://blurha.sh>, <https://evanw.github.io/thumbhash>.

use super::colour;
use super::error::ThumbError;
use super::geometry::{Frame, Region};
use super::raster::{Model, Raster};
use super::resize::{Chroma, resize};

const SIDE: u32 = 32;

/// A BlurHash, and a ThumbHash.
pub(super) fn of(thumbnail: &Raster, background: [u8; 3]) -> Result<(String, Vec<u8>), ThumbError> {
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
    let small = colour::interleaved(resize(&own, &frame, Chroma::Full)?);
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
