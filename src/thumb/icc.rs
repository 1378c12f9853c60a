//! Colour profiles: a small picture in its camera's colours becomes one in sRGB.
//!
//! Phones tag photos with Display P3; shown without the tag they look pale. The tag is dropped with
//! all metadata, so the colours are converted, on the small picture and only if the profile differs
//! from sRGB visibly. A profile that cannot be read counts as none, as broken EXIF does.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::colour;
use super::raster::{Model, Raster};

/// Profiles are a few hundred bytes, for printers up to 2 MB; more is no profile.
const MAX_BYTES: usize = 4 << 20;

/// A profile that changes something.
pub(super) struct Profile {
    parsed: ColorProfile,
}

impl Profile {
    /// Reads a profile; `None` when it means sRGB or nothing.
    pub(super) fn read(icc: &[u8]) -> Option<Self> {
        if icc.len() > MAX_BYTES {
            return None;
        }
        let profile = Self { parsed: ColorProfile::new_from_slice(icc).ok()? };
        (profile.parsed.color_space != DataColorSpace::Rgb || profile.differs()).then_some(profile)
    }

    /// Whether some colour of a coarse grid moves by more than two steps of 255.
    fn differs(&self) -> bool {
        let steps = [0, 64, 128, 192, 255];
        let mut grid = Vec::with_capacity(steps.len().pow(3) * 3);
        for r in steps {
            for g in steps {
                grid.extend(steps.into_iter().flat_map(|b| [r, g, b]));
            }
        }
        let moved = self.transform(&grid, Layout::Rgb, Layout::Rgb);
        moved.is_some_and(|moved| grid.iter().zip(moved).any(|(a, b)| a.abs_diff(b) > 2))
    }

    /// The picture in sRGB: gray, or red, green and blue together. Its planes have one size.
    pub(super) fn to_srgb(&self, raster: Raster) -> Raster {
        let (width, height, model) = (raster.width, raster.height, raster.model);
        let place = raster.planes.first().map(|plane| (plane.pitch, plane.origin));
        let converted = match (self.parsed.color_space, model) {
            (DataColorSpace::Cmyk, Model::Cmyk | Model::Ycck) => {
                let mut inks = colour::inks(&raster);
                inks.iter_mut().for_each(|ink| *ink = 255 - *ink);
                self.transform(&inks, Layout::Rgba, Layout::Rgb).map(|rgb| (Model::Rgb, rgb))
            }
            (DataColorSpace::Gray, Model::Gray) => {
                let rgb = self.transform(raster.samples(), Layout::Gray, Layout::Rgb);
                rgb.map(|rgb| (Model::Gray, rgb.as_chunks().0.iter().map(|&[r, _, _]| r).collect()))
            }
            (DataColorSpace::Rgb, Model::Rgba) => {
                let mut pixels = raster.samples().to_vec();
                colour::unmultiply(&mut pixels);
                self.transform(&pixels, Layout::Rgba, Layout::Rgba).map(|mut pixels| {
                    colour::premultiply(&mut pixels);
                    (Model::Rgba, pixels)
                })
            }
            (DataColorSpace::Rgb, Model::YCbCr | Model::RgbPlanes | Model::Rgb) => {
                let rgb = colour::interleaved(raster.clone());
                self.transform(rgb.samples(), Layout::Rgb, Layout::Rgb).map(|rgb| (Model::Rgb, rgb))
            }
            _ => None,
        };
        let Some((model, pixels)) = converted else { return colour::interleaved(raster) };
        let mut small = Raster::packed(width, height, model, pixels);
        if let (Some(plane), Some(place)) = (small.planes.first_mut(), place) {
            (plane.pitch, plane.origin) = place;
        }
        small
    }

    fn transform(&self, from: &[u8], layout: Layout, to_layout: Layout) -> Option<Vec<u8>> {
        let srgb = ColorProfile::new_srgb();
        // Integers, so that every machine computes the same.
        let options = TransformOptions { prefer_fixed_point: true, ..TransformOptions::default() };
        let transform =
            self.parsed.create_transform_8bit(layout, &srgb, to_layout, options).ok()?;
        let mut to = vec![0; from.len() / layout.channels() * to_layout.channels()];
        transform.transform(from, &mut to).ok()?;
        Some(to)
    }
}
