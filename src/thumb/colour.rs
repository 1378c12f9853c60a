//! Colour: from the samples that a file has to those that an encoder wants, on small pictures.
//!
//! JFIF's colours are turned to red, green and blue and back in integers of 16 fractional bits, so
//! every machine computes the same. Inks become light as Adobe's programs write them: 255 is none.
//!
//! Source: ITU-T T.871 (JFIF), section 7; Adobe Technical Note 5116, section 18.

use super::raster::{Model, Plane, Raster};

/// Half of a number with 16 fractional bits: what rounds to the nearest.
const HALF: i32 = 1 << 15;

/// A raster of gray samples, or of red, green and blue together, with or without alpha.
///
/// Its planes must all have the raster's size.
pub(super) fn interleaved(raster: Raster) -> Raster {
    let (width, height) = (raster.width, raster.height);
    let rgb = |data| {
        let mut packed = Raster::packed(width, height, Model::Rgb, data);
        if let (Some(new), Some(old)) = (packed.planes.first_mut(), raster.planes.first()) {
            (new.pitch, new.origin) = (old.pitch, old.origin);
        }
        packed
    };
    match (raster.model, raster.planes.as_slice()) {
        (Model::YCbCr, [y, cb, cr]) => rgb(zip3([y, cb, cr], width, height, rgb_of)),
        (Model::Video(signal), [y, cb, cr]) => {
            rgb(zip3([y, cb, cr], width, height, signal.to_rgb()))
        }
        (Model::RgbPlanes, [r, g, b]) => rgb(zip3([r, g, b], width, height, |r, g, b| [r, g, b])),
        (Model::Cmyk | Model::Ycck, [_, _, _, k]) => {
            let inks = inks(&raster);
            let rows = (0..height).flat_map(|y| k.row(y).iter().copied());
            let light = |ink: u8, k: u8| div255(u32::from(ink) * u32::from(k));
            let pixels = inks.as_chunks::<4>().0.iter().zip(rows);
            rgb(pixels
                .flat_map(|([c, m, y, _], k)| [light(*c, k), light(*m, k), light(*y, k)])
                .collect())
        }
        _ => raster,
    }
}

/// Cyan, magenta, yellow and black together, 255 for no ink, from a raster of four planes.
pub(super) fn inks(raster: &Raster) -> Vec<u8> {
    let [c, m, y, k] = raster.planes.as_slice() else { return Vec::new() };
    let (width, height) = (raster.width, raster.height);
    let three = match raster.model {
        Model::Ycck => {
            zip3([c, m, y], width, height, |y, cb, cr| rgb_of(y, cb, cr).map(|n| 255 - n))
        }
        _ => zip3([c, m, y], width, height, |c, m, y| [c, m, y]),
    };
    let black = (0..height).flat_map(|row| k.row(row).iter().copied());
    let pixels = three.as_chunks::<3>().0.iter().zip(black);
    pixels.flat_map(|([c, m, y], k)| [*c, *m, *y, k]).collect()
}

fn zip3(
    [a, b, c]: [&Plane; 3],
    width: u32,
    height: u32,
    mix: impl Fn(u8, u8, u8) -> [u8; 3],
) -> Vec<u8> {
    let mut out = vec![0; width as usize * height as usize * 3];
    let rows = out.chunks_exact_mut((width as usize * 3).max(1));
    for (y, to) in (0..height).zip(rows) {
        let from = a.row(y).iter().zip(b.row(y)).zip(c.row(y));
        for (to, ((&a, &b), &c)) in to.as_chunks_mut().0.iter_mut().zip(from) {
            *to = mix(a, b, c);
        }
    }
    out
}

fn rgb_of(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y) << 16, i32::from(cb) - 128, i32::from(cr) - 128);
    [byte(y + 91_881 * cr), byte(y - 22_554 * cb - 46_802 * cr), byte(y + 116_130 * cb)]
}

/// The nearest sample to a number with 16 fractional bits.
fn byte(fixed: i32) -> u8 {
    u8::try_from(((fixed + HALF) >> 16).clamp(0, 255)).unwrap_or(u8::MAX)
}

/// `product / 255`, rounded to the nearest.
pub(super) fn div255(product: u32) -> u8 {
    u8::try_from((product + 127) / 255).unwrap_or(u8::MAX)
}

/// The planes of 4:2:0: brightness, and unless the picture is gray, two of half the size.
pub(super) fn planes_420(raster: &Raster, background: [u8; 3]) -> Vec<Plane> {
    let samples = raster.samples();
    match raster.model {
        Model::Rgb => halved(raster, samples.as_chunks().0),
        Model::Rgba => {
            let flat: Vec<[u8; 3]> =
                samples.as_chunks().0.iter().map(|&pixel| over(pixel, background)).collect();
            halved(raster, &flat)
        }
        _ => raster.planes.clone(),
    }
}

/// A pixel whose colours are multiplied by its alpha, over an opaque one.
pub(super) fn over([r, g, b, alpha]: [u8; 4], below: [u8; 3]) -> [u8; 3] {
    let rest = 255 - u32::from(alpha);
    let mut result = [r, g, b];
    for (above, below) in result.iter_mut().zip(below) {
        *above = above.saturating_add(div255(u32::from(below) * rest));
    }
    result
}

fn halved(raster: &Raster, pixels: &[[u8; 3]]) -> Vec<Plane> {
    let (width, height) = (raster.width as usize, raster.height as usize);
    let y = pixels.iter().map(|&[r, g, b]| {
        let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
        byte(19_595 * r + 38_470 * g + 7_471 * b)
    });
    let y = Plane::packed(raster.width, raster.height, y.collect());
    let (half_width, half_height) = (raster.width.div_ceil(2), raster.height.div_ceil(2));
    let mut blue = Vec::with_capacity(half_width as usize * half_height as usize);
    let mut red = Vec::with_capacity(blue.capacity());
    for row in (0..height).step_by(2) {
        let upper = &pixels[row * width..][..width];
        let lower = &pixels[(row + 1).min(height - 1) * width..][..width];
        for column in (0..width).step_by(2) {
            let right = (column + 1).min(width - 1);
            let four = [upper[column], upper[right], lower[column], lower[right]];
            let sum = |n: usize| four.iter().map(|pixel| i32::from(pixel[n])).sum::<i32>();
            let (r, g, b) = (sum(0), sum(1), sum(2));
            // Two bits fewer of fraction, because four pixels were added up.
            let middle = 128 << 16;
            blue.push(byte(middle + (-11_059 * r - 21_709 * g + 32_768 * b) / 4));
            red.push(byte(middle + (32_768 * r - 27_439 * g - 5_329 * b) / 4));
        }
    }
    let half = |data| Plane::packed(half_width, half_height, data);
    vec![y, half(blue), half(red)]
}

/// Multiplies the colours of interleaved red, green, blue and alpha by the alpha.
pub(super) fn premultiply(pixels: &mut [u8]) {
    for [r, g, b, alpha] in pixels.as_chunks_mut().0 {
        if *alpha != 255 {
            for colour in [r, g, b] {
                *colour = div255(u32::from(*colour) * u32::from(*alpha));
            }
        }
    }
}

/// The inverse of [`premultiply`], as far as the rounding left it.
pub(super) fn unmultiply(pixels: &mut [u8]) {
    for [r, g, b, alpha] in pixels.as_chunks_mut().0 {
        if *alpha != 255 && *alpha != 0 {
            let alpha = u32::from(*alpha);
            for colour in [r, g, b] {
                let whole = (u32::from(*colour) * 255 + alpha / 2) / alpha;
                *colour = u8::try_from(whole).unwrap_or(u8::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_the_way_to_planes_and_back() {
        for colour in [[0, 0, 0], [255, 255, 255], [220, 30, 30], [3, 200, 77], [0, 0, 255]] {
            let raster = Raster::packed(2, 2, Model::Rgb, colour.repeat(4));
            let planes = planes_420(&raster, [0; 3]);
            let [y, cb, cr] = [0, 1, 2].map(|n: usize| planes[n].data[0]);
            let found = rgb_of(y, cb, cr);
            let far = found.iter().zip(colour).map(|(&found, wanted)| found.abs_diff(wanted));
            assert!(far.max() <= Some(2), "{colour:?} became {found:?}");
        }
    }

    #[test]
    fn adobe_inks_become_light() {
        let plane = |value| Plane::packed(1, 1, vec![value]);
        let raster = |model, inks: [u8; 4]| {
            let planes = inks.map(plane).to_vec();
            interleaved(Raster { width: 1, height: 1, model, planes }).samples().to_vec()
        };
        assert_eq!(raster(Model::Cmyk, [255, 0, 128, 255]), [255, 0, 128]);
        assert_eq!(raster(Model::Cmyk, [255, 255, 255, 0]), [0, 0, 0]);
        // No ink at all: the inverse of black.
        assert_eq!(raster(Model::Ycck, [0, 128, 128, 255]), [255, 255, 255]);
    }
}
