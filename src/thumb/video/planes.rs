//! A decoded frame as video keeps it: one plane of brightness, two of colour at half the size.
//!
//! The planes are shrunk before they become red, green and blue, which is a twentieth of the work of
//! doing it the other way round for a frame of full HD. Arithmetic is in integers throughout.
//!
//! Source: ITU-T H.273, section 8.3 (matrices and ranges).

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::super::error::ThumbError;
use super::super::resize::{Raster, Samples};

/// One frame, 4:2:0, 8 bits a sample, as stored: not yet turned upright.
#[derive(Debug)]
pub(in super::super) struct Planes {
    /// Brightness.
    pub(in super::super) luma: Plane,
    /// Blue-yellow and red-green, each of half the width and height, rounded up or down.
    pub(in super::super) chroma: [Plane; 2],
    /// Samples use all of 0 to 255, and not 16 to 235 (chroma 240).
    pub(in super::super) is_full_range: bool,
    /// How colour is computed.
    pub(in super::super) matrix: Matrix,
}

/// Samples in rows from top to bottom, without gaps between the rows.
#[derive(Debug)]
pub(in super::super) struct Plane {
    pub(in super::super) samples: Vec<u8>,
    pub(in super::super) width: u32,
    pub(in super::super) height: u32,
}

/// Which share of brightness is red, and which blue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Matrix {
    /// Standard definition, and JPEG.
    Bt601,
    /// High definition.
    Bt709,
    /// Ultra high definition.
    Bt2020,
}

impl Matrix {
    /// The matrix of a code in the file. One that is not said is guessed from the height, as players
    /// do.
    pub(super) const fn from_code(code: u8, height: u32) -> Self {
        match code {
            1 => Self::Bt709,
            5 | 6 => Self::Bt601,
            9 | 10 => Self::Bt2020,
            _ if height >= 720 => Self::Bt709,
            _ => Self::Bt601,
        }
    }

    /// What a step of Cr adds to red, Cb and Cr take from green, and Cb adds to blue, in 65,536ths.
    const fn factors(self) -> [i32; 4] {
        match self {
            Self::Bt601 => [91_881, 22_554, 46_802, 116_130],
            Self::Bt709 => [103_206, 12_276, 30_679, 121_609],
            Self::Bt2020 => [96_639, 10_784, 37_444, 123_299],
        }
    }
}

/// How bright a frame is, and how much there is to see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Luma {
    /// From 0, black, to 255.
    pub(super) mean: u64,
    /// Mean square distance from the mean.
    pub(super) variance: u64,
}

impl Luma {
    /// Whether it shows something: no black frame, and no even one.
    pub(super) const fn is_telling(&self) -> bool {
        self.mean >= 20 && self.variance >= 10 * 10
    }
}

impl Planes {
    pub(super) const fn size(&self) -> (u32, u32) {
        (self.luma.width, self.luma.height)
    }

    /// Measured on every fourth sample of every fourth row, in full range.
    pub(super) fn luma(&self) -> Luma {
        let (mut count, mut sum, mut squares) = (0_u64, 0_u64, 0_u64);
        let width = self.luma.width as usize;
        for row in self.luma.samples.chunks_exact(width.max(1)).step_by(4) {
            for &sample in row.iter().step_by(4) {
                let sample = u64::from(sample);
                let value = if self.is_full_range {
                    sample
                } else {
                    (sample.saturating_sub(16) * 255 / 219).min(255)
                };
                count += 1;
                sum += value;
                squares += value * value;
            }
        }
        let count = count.max(1);
        let mean = sum / count;
        Luma { mean, variance: (squares * count - sum * sum) / (count * count) }
    }

    /// The frame at another size, in red, green and blue.
    pub(super) fn to_raster(&self, width: u32, height: u32) -> Result<Raster, ThumbError> {
        let luma = self.luma.resized(width, height)?;
        let [blue, red] = &self.chroma;
        let (blue, red) = (blue.resized(width, height)?, red.resized(width, height)?);
        let mut pixels = Vec::with_capacity(luma.len() * 3);
        let mut factors = self.matrix.factors();
        let (mut black, mut gain) = (0, 65_536);
        if !self.is_full_range {
            (black, gain) = (16, 76_309);
            factors = factors.map(|factor| factor * 255 / 224);
        }
        let [red_of_red, green_of_blue, green_of_red, blue_of_blue] = factors;
        for ((&luma, &blue), &red) in luma.iter().zip(&blue).zip(&red) {
            let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
            // The half rounds to the nearest.
            let bright = (i32::from(luma) - black) * gain + 32_768;
            let sums = [
                bright + red_of_red * red,
                bright - green_of_blue * blue - green_of_red * red,
                bright + blue_of_blue * blue,
            ];
            pixels.extend(sums.map(|sum| u8::try_from((sum >> 16).clamp(0, 255)).unwrap_or(0)));
        }
        Ok(Raster { pixels, width, height, samples: Samples::Rgb })
    }
}

impl Plane {
    fn resized(&self, width: u32, height: u32) -> Result<Vec<u8>, ThumbError> {
        let from = ImageRef::new(self.width, self.height, &self.samples, PixelType::U8)
            .map_err(ThumbError::internal)?;
        let mut to = Image::new(width, height, PixelType::U8);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
            .use_alpha(false);
        Resizer::new().resize(&from, &mut to, &options).map_err(ThumbError::internal)?;
        Ok(to.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(samples: [u8; 3], is_full_range: bool, matrix: Matrix) -> Planes {
        let plane = |sample, side: u32| Plane {
            samples: vec![sample; (side * side) as usize],
            width: side,
            height: side,
        };
        let [luma, blue, red] = samples;
        Planes {
            luma: plane(luma, 16),
            chroma: [plane(blue, 8), plane(red, 8)],
            is_full_range,
            matrix,
        }
    }

    fn color(samples: [u8; 3], is_full_range: bool, matrix: Matrix) -> [u8; 3] {
        let raster = frame(samples, is_full_range, matrix).to_raster(4, 4).unwrap();
        *raster.pixels.first_chunk().unwrap()
    }

    #[test]
    fn black_white_and_primaries_come_out_as_they_went_in() {
        assert_eq!(color([16, 128, 128], false, Matrix::Bt709), [0; 3]);
        assert_eq!(color([235, 128, 128], false, Matrix::Bt709), [255; 3]);
        assert_eq!(color([0, 128, 128], true, Matrix::Bt601), [0; 3]);
        assert_eq!(color([255, 128, 128], true, Matrix::Bt601), [255; 3]);
        // Red in three ways of writing it, from the standard's equations.
        for (samples, is_full_range, matrix) in [
            ([81, 90, 240], false, Matrix::Bt601),
            ([63, 102, 240], false, Matrix::Bt709),
            ([76, 85, 255], true, Matrix::Bt601),
        ] {
            let [red, green, blue] = color(samples, is_full_range, matrix);
            assert!(red >= 253 && green <= 2 && blue <= 2, "{red} {green} {blue}, {matrix:?}");
        }
    }

    #[test]
    fn a_black_or_even_frame_tells_nothing() {
        let even = |luma, is_full_range| {
            let frame = frame([luma, 128, 128], is_full_range, Matrix::Bt709);
            (frame.luma().mean, frame.luma().variance, frame.luma().is_telling())
        };
        assert_eq!(even(16, false), (0, 0, false));
        assert_eq!(even(235, false), (255, 0, false));
        assert_eq!(even(128, true), (128, 0, false));

        let mut half = frame([100, 128, 128], true, Matrix::Bt709);
        half.luma.samples[..128].fill(140);
        let luma = half.luma();
        assert_eq!((luma.mean, luma.variance, luma.is_telling()), (120, 400, true));
    }
}
