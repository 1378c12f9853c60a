//! Colour profiles: a small picture in its camera's colours becomes one in sRGB.
//!
//! Phones tag photos with Display P3; shown without the tag they look pale. The tag is dropped with
//! all metadata, so the colours are converted, on the small picture and only if the profile differs
//! from sRGB visibly. A profile that cannot be read counts as none, as broken EXIF does.
//!
//! `moxcms` reads the profiles. Its transforms are other code on other processors, with other results,
//! so the colours are computed here (**T6**).

mod curve;
mod shaper;
mod table;

use moxcms::{ColorProfile, DataColorSpace};

use super::colour;
use super::raster::{Model, Raster};
use curve::ToSrgb;
pub(super) use curve::srgb_light;
use shaper::{Shaper, curve_of};
use table::Table;

/// Profiles are a few hundred bytes, for printers up to 2 MB; more is no profile.
const MAX_BYTES: usize = 4 << 20;

/// A profile that changes something.
pub(super) struct Profile {
    space: DataColorSpace,
    way: Way,
    srgb: ToSrgb,
}

/// How a pixel's colour is found.
enum Way {
    Curves(Box<Shaper>),
    Table(Box<Table>),
    /// Of samples of brightness.
    Gray(Box<[u8; 256]>),
}

impl Profile {
    /// Reads a profile; `None` when it means sRGB or nothing.
    pub(super) fn read(icc: &[u8]) -> Option<Self> {
        if icc.len() > MAX_BYTES {
            return None;
        }
        Self::of(&ColorProfile::new_from_slice(icc).ok()?)
    }

    fn of(parsed: &ColorProfile) -> Option<Self> {
        let (space, srgb) = (parsed.color_space, ToSrgb::new());
        let samples = match space {
            DataColorSpace::Gray => 1,
            DataColorSpace::Rgb => 3,
            DataColorSpace::Cmyk => 4,
            _ => return None,
        };
        // A table is the better measure where there are both.
        let tables = [&parsed.lut_a_to_b_perceptual, &parsed.lut_a_to_b_colorimetric];
        let mut tables = tables.into_iter().flatten();
        let way = match tables.find_map(|lut| Table::new(lut, parsed.pcs, samples)) {
            Some(table) => Way::Table(Box::new(table)),
            None if samples == 1 => {
                let light = curve_of(parsed.gray_trc.as_ref()?);
                Way::Gray(Box::new(light.map(|light| srgb.sample(light))))
            }
            None => Way::Curves(Box::new(Shaper::new(parsed).filter(|_| samples == 3)?)),
        };
        let profile = Self { space, way, srgb };
        (space != DataColorSpace::Rgb || profile.differs()).then_some(profile)
    }

    /// Whether some colour of a coarse grid moves by more than two steps of 255.
    fn differs(&self) -> bool {
        let steps = [0_u8, 64, 128, 192, 255];
        let pixels = steps.into_iter().flat_map(|r| {
            steps.into_iter().flat_map(move |g| steps.into_iter().map(move |b| [r, g, b]))
        });
        let moved = |pixel: [u8; 3]| {
            let new = self.colour(&pixel);
            pixel.iter().zip(new).any(|(old, new)| old.abs_diff(new) > 2)
        };
        pixels.into_iter().any(moved)
    }

    fn colour(&self, pixel: &[u8]) -> [u8; 3] {
        match (&self.way, pixel) {
            (Way::Curves(shaper), &[r, g, b, ..]) => shaper.colour([r, g, b], &self.srgb),
            (Way::Gray(samples), &[sample, ..]) => [samples[usize::from(sample)]; 3],
            (Way::Table(table), pixel) => table.colour(pixel, &self.srgb),
            _ => [0; 3],
        }
    }

    /// The colours of pixels of so many samples; neighbours that are the same are looked up once.
    fn colours(&self, samples: &[u8], each: usize) -> Vec<u8> {
        let mut colours = Vec::with_capacity(samples.len() / each * 3);
        let (mut last, mut colour): (&[u8], _) = (&[], [0; 3]);
        for pixel in samples.chunks_exact(each) {
            if pixel != last {
                (last, colour) = (pixel, self.colour(pixel));
            }
            colours.extend(colour);
        }
        colours
    }

    /// The picture in sRGB: gray, or red, green and blue together. Its planes have one size.
    pub(super) fn to_srgb(&self, raster: Raster) -> Raster {
        let (width, height, model) = (raster.width, raster.height, raster.model);
        let place = raster.planes.first().map(|plane| (plane.pitch, plane.origin));
        let converted = match (self.space, model) {
            (DataColorSpace::Cmyk, Model::Cmyk | Model::Ycck) => {
                let mut inks = colour::inks(&raster);
                inks.iter_mut().for_each(|ink| *ink = 255 - *ink);
                Some((Model::Rgb, self.colours(&inks, 4)))
            }
            (DataColorSpace::Gray, Model::Gray) => {
                let rgb = self.colours(raster.samples(), 1);
                Some((Model::Gray, rgb.as_chunks().0.iter().map(|&[_, g, _]| g).collect()))
            }
            (DataColorSpace::Rgb, Model::Rgba) => {
                let mut pixels = raster.samples().to_vec();
                colour::unmultiply(&mut pixels);
                for pixel in pixels.as_chunks_mut::<4>().0 {
                    let [r, g, b] = self.colour(&pixel[..3]);
                    *pixel = [r, g, b, pixel[3]];
                }
                colour::premultiply(&mut pixels);
                Some((Model::Rgba, pixels))
            }
            (DataColorSpace::Rgb, Model::YCbCr | Model::RgbPlanes | Model::Rgb) => {
                let rgb = colour::interleaved(raster.clone());
                Some((Model::Rgb, self.colours(rgb.samples(), 3)))
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
}

#[cfg(test)]
mod tests {
    use moxcms::{
        ColorProfile, DataColorSpace, Layout, LutDataType, LutStore, LutType, LutWarehouse,
        Matrix3d, ToneReprCurve, TransformOptions,
    };

    use super::Profile;

    /// As the library converts it, by other arithmetic.
    fn wanted(profile: &ColorProfile, pixels: &[u8], layout: Layout) -> Vec<u8> {
        let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
        let transform = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, options);
        let mut converted = vec![0; pixels.len() / layout.channels() * 3];
        transform.unwrap().transform(pixels, &mut converted).unwrap();
        converted
    }

    /// Every 15th sample of each channel.
    fn grid(channels: u32) -> Vec<u8> {
        let count = 18_u32.pow(channels);
        let sample = |index: u32, channel| (index / 18_u32.pow(channel) % 18 * 15).to_le_bytes()[0];
        (0..count).flat_map(|index| (0..channels).map(move |c| sample(index, c))).collect()
    }

    fn found(name: &str, profile: &ColorProfile, channels: usize) -> Vec<u8> {
        let read = Profile::of(profile).unwrap_or_else(|| panic!("{name} is no profile"));
        read.colours(&grid(u32::try_from(channels).unwrap()), channels)
    }

    fn assert_close(name: &str, found: &[u8], wanted: &[u8], most: u8) {
        let worst = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(most), "{name}: {worst:?}");
    }

    fn assert_as_wanted(name: &str, profile: &ColorProfile, layout: Layout, most: u8) {
        let channels = layout.channels();
        let wanted = wanted(profile, &grid(u32::try_from(channels).unwrap()), layout);
        assert_close(name, &found(name, profile, channels), &wanted, most);
    }

    #[test]
    fn t9_curves_and_matrices_are_those_of_the_library() {
        for (name, profile) in [
            ("Display P3", ColorProfile::new_display_p3()),
            ("Adobe RGB", ColorProfile::new_adobe_rgb()),
            ("BT.2020", ColorProfile::new_bt2020()),
            ("ProPhoto", ColorProfile::new_pro_photo_rgb()),
            ("ACES", ColorProfile::new_aces_cg_linear()),
        ] {
            assert_as_wanted(name, &profile, Layout::Rgb, 2);
        }
        let gray = ColorProfile::new_gray_with_gamma(1.8);
        assert_as_wanted("gray", &gray, Layout::Gray, 2);
    }

    /// A table of Lab colours over inks, or over light where `inks` is 3.
    fn table(inks: u8, lut_type: LutType) -> LutDataType {
        let (points, wide) = (9_u32, lut_type == LutType::Lut16);
        let full = if wide { 65_280.0 } else { 255.0 };
        let zero = if wide { 32_768.0 } else { 128.0 };
        let mut grid: Vec<f64> = Vec::new();
        for index in 0..points.pow(inks.into()) {
            // The first channel changes last.
            let ink = |channel: u32| {
                let step = index / points.pow(u32::from(inks) - 1 - channel) % points;
                f64::from(step) / f64::from(points - 1)
            };
            let black = if inks == 4 { ink(3) } else { 0.0 };
            let light = (1.0 - ink(0) * 0.3 - ink(1) * 0.3 - ink(2) * 0.2) * (1.0 - black * 0.8);
            let (a, b) = ((ink(1) - ink(0)) * 50.0, (ink(2) - ink(1)) * 50.0);
            let step = if wide { 256.0 } else { 1.0 };
            grid.extend([light * full, zero + a * step, zero + b * step]);
        }
        let store = |numbers: Vec<f64>| {
            let numbers = numbers.into_iter().map(|n| n.round().clamp(0.0, 65_535.0));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let numbers = numbers.map(|n| n as u16);
            if wide {
                LutStore::Store16(numbers.collect())
            } else {
                LutStore::Store8(numbers.map(|n| u8::try_from(n).unwrap_or(255)).collect())
            }
        };
        let last = if wide { 65_535.0 } else { 255.0 };
        let line = |channels: u8| {
            let one = (0..256).map(|step| f64::from(step) / 255.0 * last);
            let one: Vec<f64> = one.collect();
            store(one.repeat(channels.into()))
        };
        LutDataType {
            num_input_channels: inks,
            num_output_channels: 3,
            num_clut_grid_points: 9,
            matrix: Matrix3d::IDENTITY,
            num_input_table_entries: 256,
            num_output_table_entries: 256,
            input_table: line(inks),
            clut_table: store(grid),
            output_table: line(3),
            lut_type,
        }
    }

    fn with_table(inks: u8, lut_type: LutType) -> ColorProfile {
        let mut profile = ColorProfile::new_srgb();
        let space = if inks == 4 { DataColorSpace::Cmyk } else { DataColorSpace::Rgb };
        (profile.pcs, profile.color_space) = (DataColorSpace::Lab, space);
        profile.lut_a_to_b_perceptual = Some(LutWarehouse::Lut(table(inks, lut_type)));
        (profile.red_trc, profile.green_trc, profile.blue_trc) = (None, None, None);
        profile
    }

    #[test]
    fn t9_tables_are_those_of_the_library() {
        assert_as_wanted("light", &with_table(3, LutType::Lut8), Layout::Rgb, 3);
        // The library mixes four inks in another way: along the grid's diagonals.
        assert_as_wanted("inks", &with_table(4, LutType::Lut8), Layout::Rgba, 10);
    }

    #[test]
    fn t9_the_older_encoding_of_lab_is_read_as_such() {
        for inks in [3, 4] {
            let [wide, narrow] = [LutType::Lut16, LutType::Lut8]
                .map(|lut_type| found("table", &with_table(inks, lut_type), inks.into()));
            // Steps of 8 bits in Lab are larger than those in sRGB, most of all in the dark.
            assert_close("in 16 bits", &wide, &narrow, 12);
            let sum: u32 = wide.iter().zip(&narrow).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert!(sum < u32::try_from(wide.len()).unwrap(), "{sum} of {}", wide.len());
        }
    }

    #[test]
    fn t1_t9_profiles_changed_anywhere_are_read_or_none() {
        let (mut tables, mut curves) = (ColorProfile::new_srgb(), ColorProfile::new_display_p3());
        (tables.pcs, curves.red_trc) =
            (DataColorSpace::Lab, Some(ToneReprCurve::Parametric(vec![2.4, 0.9, 0.1, 0.08, 0.04])));
        tables.lut_a_to_b_perceptual = Some(LutWarehouse::Lut(table(3, LutType::Lut8)));
        let mut state = 1_u64;
        let mut random = move |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((state >> 33) % below as u64).unwrap()
        };
        for profile in [tables, curves] {
            let bytes = profile.encode().unwrap();
            for _ in 0..2_000 {
                let mut changed = bytes.clone();
                for _ in 0..=random(4) {
                    let reach = if random(2) == 0 { 400 } else { changed.len() };
                    let at = random(reach.min(changed.len()));
                    changed[at] = if random(2) == 0 { changed[at] ^ 1 << random(8) } else { 0xFF };
                }
                if let Some(profile) = Profile::read(&changed) {
                    let _ = profile.colour(&[0, 127, 255, 9]);
                }
            }
        }
    }
}
