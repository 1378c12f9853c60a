//! Samples of sRGB as amounts of light in 16 bits, and back: for mixing colours as light does.
//!
//! The tables are made once and by this crate's own arithmetic, so they are the same on every system
//! (**T6**).
//!
//! Source: IEC 61966-2-1, section 5.2.

use std::sync::OnceLock;

use super::icc::srgb_light;

/// Light of 65,535 is all there is.
struct Tables {
    light: [u16; 256],
    samples: Box<[u8]>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 65,535")]
        let light = |sample: f64| (srgb_light(sample / 255.0) * 65_535.0).round() as u16;
        let mut samples = Vec::with_capacity(1 << 16);
        for sample in 0..255_u8 {
            // Up to where the next sample is nearer.
            samples.resize(usize::from(light(f64::from(sample) + 0.5)), sample);
        }
        samples.resize(1 << 16, 255);
        let mut forward = [0; 256];
        for (sample, entry) in (0..=255_u8).zip(&mut forward) {
            *entry = light(f64::from(sample));
        }
        Tables { light: forward, samples: samples.into() }
    })
}

/// Writes samples as native 16-bit numbers. Every fourth of `each` 4 is alpha, and stays what it is.
pub(super) fn to_light(samples: &[u8], each: usize, light: &mut [u8]) {
    let tables = tables();
    let pairs = light.as_chunks_mut::<2>().0;
    for (at, (&sample, pair)) in samples.iter().zip(pairs).enumerate() {
        let is_alpha = each == 4 && at % 4 == 3;
        let wide =
            if is_alpha { u16::from(sample) * 257 } else { tables.light[usize::from(sample)] };
        *pair = wide.to_ne_bytes();
    }
}

/// The samples that such numbers stand for.
pub(super) fn to_samples(light: &[u8], each: usize) -> Vec<u8> {
    let tables = tables();
    let pairs = light.as_chunks::<2>().0.iter().enumerate();
    let samples = pairs.map(|(at, &pair)| {
        let wide = u16::from_ne_bytes(pair);
        if each == 4 && at % 4 == 3 {
            super::decode::narrow(wide)
        } else {
            tables.samples.get(usize::from(wide)).copied().unwrap_or(u8::MAX)
        }
    });
    samples.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_back_from_its_light() {
        let samples: Vec<u8> = (0..=255).collect();
        for each in [1, 4] {
            let mut light = vec![0; 512];
            to_light(&samples, each, &mut light);
            assert_eq!(to_samples(&light, each), samples);
        }
    }

    #[test]
    fn half_of_the_light_is_the_sample_that_the_standard_says() {
        let half = 32_768_u16.to_ne_bytes();
        assert_eq!(to_samples(&[half, half, half, half].concat(), 4), [188, 188, 188, 128]);
    }
}
