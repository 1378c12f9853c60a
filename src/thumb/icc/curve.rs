//! Tone curves of colour profiles, and that of sRGB.
//!
//! Powers are computed here, by additions, multiplications and divisions, whose results IEEE 754 fixes
//! to the last bit. Those of a system's library depend on the system and the processor, and a picture's
//! bytes must not (**T6**).
//!
//! Source: ICC.1:2022, sections 10.6 (`curveType`) and 10.18 (`parametricCurveType`);
//! IEC 61966-2-1, section 5.2.

use moxcms::ToneReprCurve;

/// The curve's value at `x`; both lie between 0 and 1.
pub(super) fn value(curve: &ToneReprCurve, x: f64) -> f64 {
    let value = match curve {
        ToneReprCurve::Lut(steps) => match steps.as_slice() {
            [] => x,
            // An exponent with 8 fractional bits.
            [gamma] => power(x, f64::from(*gamma) / 256.0),
            steps => between(steps, x, |&step| f64::from(step) / 65_535.0),
        },
        ToneReprCurve::Parametric(numbers) => parametric(numbers, x),
    };
    value.clamp(0.0, 1.0)
}

fn parametric(numbers: &[f32], x: f64) -> f64 {
    let number = |at: usize| numbers.get(at).copied().map_or(0.0, f64::from);
    let [g, a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5, 6].map(number);
    let curved = || power(a * x + b, g);
    match numbers.len() {
        0..=2 => power(x, g),
        3 if x >= -b / a => curved(),
        3 => 0.0,
        4 if x >= -b / a => curved() + c,
        4 => c,
        5 | 6 if x >= d => curved(),
        5 | 6 => c * x,
        _ if x >= d => curved() + e,
        _ => c * x + f,
    }
}

/// What lies at `x`, from 0 to 1, between the entries of a table, which `read` turns into numbers.
pub(super) fn between<T>(table: &[T], x: f64, read: impl Fn(&T) -> f64) -> f64 {
    let (below, share) = place(x, table.len());
    let entry = |at: usize| table.get(at).or(table.last()).map_or(0.0, &read);
    let low = entry(below);
    low + (entry(below + 1) - low) * share
}

/// The entry at or below `x`, from 0 to 1, in a table of `length`, and the share of the next one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
pub(super) fn place(x: f64, length: usize) -> (usize, f64) {
    let last = u32::try_from(length.saturating_sub(1)).unwrap_or(u32::MAX);
    let at = x.clamp(0.0, 1.0) * f64::from(last);
    let below = (at as u32).min(last.saturating_sub(1));
    (below as usize, at - f64::from(below))
}

/// The light of what sRGB writes; both lie between 0 and 1.
pub(in crate::thumb) fn srgb_light(written: f64) -> f64 {
    if written <= 0.040_45 { written / 12.92 } else { power((written + 0.055) / 1.055, 2.4) }
}

/// Light, from 0 to 65,536, to what sRGB writes for it.
pub(super) struct ToSrgb(Vec<u8>);

impl ToSrgb {
    pub(super) fn new() -> Self {
        let mut table = Vec::with_capacity(ONE as usize + 1);
        for sample in 0..255_u8 {
            // Up to where the next sample is nearer.
            let light = srgb_light((f64::from(sample) + 0.5) / 255.0);
            let end = usize::try_from(fixed(light)).unwrap_or(0);
            table.resize(end.max(table.len()), sample);
        }
        table.resize(ONE as usize + 1, 255);
        Self(table)
    }

    /// The sample of light, which is clamped to what there is.
    pub(super) fn sample(&self, light: i64) -> u8 {
        let light = usize::try_from(light.max(0)).unwrap_or(usize::MAX);
        self.0.get(light).copied().unwrap_or(255)
    }
}

/// The number 1 with 16 fractional bits.
const ONE: u32 = 1 << 16;

/// A number with 16 fractional bits, to the nearest.
#[expect(clippy::cast_possible_truncation, reason = "what is too large becomes the largest")]
pub(super) fn fixed(x: f64) -> i64 {
    (x * f64::from(ONE)).round() as i64
}

/// `x` to the power of `y`, to some 14 digits; 0 unless `x` is positive.
fn power(x: f64, y: f64) -> f64 {
    if x > 0.0 { exponential(y * logarithm(x)) } else { 0.0 }
}

/// The natural logarithm of a positive number.
fn logarithm(x: f64) -> f64 {
    let (mut x, mut doublings) = (x, 0.0);
    while x > std::f64::consts::SQRT_2 {
        (x, doublings) = (x / 2.0, doublings + 1.0);
    }
    while x < std::f64::consts::FRAC_1_SQRT_2 {
        (x, doublings) = (x * 2.0, doublings - 1.0);
    }
    // ln x = 2 artanh((x - 1) / (x + 1)), of which the argument is at most 0.172.
    let ratio = (x - 1.0) / (x + 1.0);
    let square = ratio * ratio;
    let series = (0..11).rev().fold(0.0, |sum, n: u8| sum * square + 1.0 / f64::from(2 * n + 1));
    doublings * std::f64::consts::LN_2 + 2.0 * ratio * series
}

/// e to the power of `x`.
fn exponential(x: f64) -> f64 {
    // Beyond these it is nothing, or more than is asked for.
    let x = x.clamp(-700.0, 700.0);
    let doublings = (x / std::f64::consts::LN_2).round();
    let rest = x - doublings * std::f64::consts::LN_2;
    let series = (1..15).rev().fold(1.0, |sum, n: u8| 1.0 + sum * rest / f64::from(n));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "13 to 2,033")]
    let exponent = (doublings + 1_023.0) as u64;
    series * f64::from_bits(exponent << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_the_library() {
        for x in [1e-9, 0.003, 0.25, 0.5, 0.999, 1.0, 1.7, 40.0] {
            for y in [0.1, 0.45, 1.0, 1.8, 2.2, 2.4, 3.0] {
                let (found, wanted) = (power(x, y), x.powf(y));
                assert!((found / wanted - 1.0).abs() < 1e-13, "{x}^{y}: {found}, not {wanted}");
            }
        }
        assert_eq!((power(0.0, 2.2), power(-1.0, 2.2)), (0.0, 0.0));
    }

    #[test]
    fn each_kind_of_curve_is_read_as_the_standard_says() {
        let lut = |steps: &[u16]| ToneReprCurve::Lut(steps.to_vec());
        let numbers = |numbers: &[f32]| ToneReprCurve::Parametric(numbers.to_vec());
        for (curve, x, wanted) in [
            (lut(&[]), 0.3, 0.3),
            (lut(&[0x200]), 0.5, 0.25),
            (lut(&[0, 13_107, 65_535]), 0.25, 0.1),
            (lut(&[0, 13_107, 65_535]), 1.0, 1.0),
            (numbers(&[2.0]), 0.5, 0.25),
            (numbers(&[2.0, 2.0, -0.5]), 0.5, 0.25),
            (numbers(&[2.0, 2.0, -0.5]), 0.2, 0.0),
            (numbers(&[2.0, 2.0, -0.5, 0.125]), 0.5, 0.375),
            (numbers(&[2.0, 2.0, -0.5, 0.125]), 0.2, 0.125),
            (numbers(&[2.0, 0.5, 0.25, 0.5, 0.25]), 0.5, 0.25),
            (numbers(&[2.0, 0.5, 0.25, 0.5, 0.25]), 0.2, 0.1),
            (numbers(&[2.0, 0.5, 0.25, 0.5, 0.25, 0.125, 0.25]), 0.5, 0.375),
            (numbers(&[2.0, 0.5, 0.25, 0.5, 0.25, 0.125, 0.25]), 0.2, 0.35),
        ] {
            let found = value(&curve, x);
            assert!((found - wanted).abs() < 1e-6, "{curve:?} at {x}: {found}, not {wanted}");
        }
    }

    #[test]
    fn light_becomes_the_nearest_sample() {
        let srgb = ToSrgb::new();
        for sample in 0..=255_u8 {
            let written = f64::from(sample) / 255.0;
            let light = if written <= 0.040_45 {
                written / 12.92
            } else {
                ((written + 0.055) / 1.055).powf(2.4)
            };
            assert_eq!(srgb.sample(fixed(light)), sample);
        }
        assert_eq!((srgb.sample(-5), srgb.sample(i64::MAX)), (0, 255));
    }
}
