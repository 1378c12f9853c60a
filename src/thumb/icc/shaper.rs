//! Profiles of three curves and a matrix: displays, and the colour spaces of cameras and phones.
//!
//! A curve for each of red, green and blue gives its light, a matrix the light of sRGB, and sRGB's own
//! curve what is written. Integers of 16 fractional bits, so every processor computes the same
//! (**T6**).
//!
//! Source: ICC.1:2022, annex F (three-component matrix-based profiles); IEC 61966-2-1, section 5.2.

use moxcms::{ColorProfile, ToneReprCurve};

use super::curve::{ToSrgb, fixed, value};

/// From XYZ as profiles have it, with the white of D50, to the light of sRGB.
///
/// Source: the inverse of IEC 61966-2-1's primaries after Bradford's adaptation.
const FROM_XYZ: [[f64; 3]; 3] = [
    [3.133_856_1, -1.616_866_7, -0.490_614_6],
    [-0.978_768_4, 1.916_141_5, 0.033_454_0],
    [0.071_945_3, -0.228_991_4, 1.405_242_7],
];

/// Three curves and a matrix.
pub(super) struct Shaper {
    /// The light of each sample of red, green and blue.
    light: [[i64; 256]; 3],
    /// A row for each colour of sRGB.
    matrix: [[i64; 3]; 3],
}

impl Shaper {
    /// `None`: a curve is missing.
    pub(super) fn new(profile: &ColorProfile) -> Option<Self> {
        let curve = |curve: &Option<ToneReprCurve>| curve.as_ref().map(curve_of);
        let curves = [&profile.red_trc, &profile.green_trc, &profile.blue_trc].map(curve);
        let [Some(red), Some(green), Some(blue)] = curves else { return None };
        let columns = [profile.red_colorant, profile.green_colorant, profile.blue_colorant];
        let [r, g, b] = columns.map(|xyz| from_xyz([xyz.x, xyz.y, xyz.z]).map(fixed));
        let matrix = [[r[0], g[0], b[0]], [r[1], g[1], b[1]], [r[2], g[2], b[2]]];
        // Primaries beyond every light: no profile.
        let is_sane = matrix.iter().flatten().all(|factor| factor.abs() < 1 << 24);
        is_sane.then_some(Self { light: [red, green, blue], matrix })
    }

    /// The colour of a pixel.
    pub(super) fn colour(&self, [r, g, b]: [u8; 3], srgb: &ToSrgb) -> [u8; 3] {
        let [red, green, blue] = &self.light;
        let (r, g, b) = (red[usize::from(r)], green[usize::from(g)], blue[usize::from(b)]);
        let half = 1 << 15;
        self.matrix.map(|[x, y, z]| srgb.sample((x * r + y * g + z * b + half) >> 16))
    }
}

/// The light of each of 256 samples.
pub(super) fn curve_of(curve: &ToneReprCurve) -> [i64; 256] {
    let mut light = [0; 256];
    for (sample, light) in (0..=255_u8).zip(&mut light) {
        *light = fixed(value(curve, f64::from(sample) / 255.0));
    }
    light
}

/// The light of sRGB's red, green and blue in a colour.
pub(super) fn from_xyz([x, y, z]: [f64; 3]) -> [f64; 3] {
    FROM_XYZ.map(|[a, b, c]| a * x + b * y + c * z)
}
