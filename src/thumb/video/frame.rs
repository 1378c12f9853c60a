//! A decoded frame as video keeps it: one plane of brightness, two of colour, usually half the size.
//!
//! It stays in its planes and in its way of writing colour until the picture is small, as a photo's
//! do. Here too is what tells a frame that shows something from a black or even one.

use super::super::raster::{Model, Plane, Raster};
use super::super::signal::Signal;

/// Where the samples of colour lie between those of brightness in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Siting {
    /// On every second one: MPEG-2 and everything since.
    Left,
    /// Between two: JPEG and MPEG-1.
    #[cfg_attr(not(feature = "ffmpeg"), allow(dead_code, reason = "only the program's output"))]
    Middle,
}

/// Rows from top to bottom without gaps.
pub(super) struct Samples {
    pub(super) data: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The raster of a frame, as stored: not yet turned upright.
pub(super) fn raster(
    luma: Samples,
    chroma: [Samples; 2],
    siting: Siting,
    signal: Signal,
) -> Raster {
    let (width, height) = (luma.width, luma.height);
    let beside = chroma.map(|samples| {
        // An odd length is rounded up, so its last sample reaches beyond the picture.
        let pitch = |all: u32, here: u32| if here < all { 2.0 } else { 1.0 };
        let (across, down) = (pitch(width, samples.width), pitch(height, samples.height));
        let mut plane = Plane::packed(samples.width, samples.height, samples.data);
        plane.pitch = (across, down);
        if siting == Siting::Left && across > 1.0 {
            plane.origin = (-0.5, 0.0);
        }
        plane
    });
    let model = if signal.is_jfif() { Model::YCbCr } else { Model::Video(signal) };
    let mut planes = vec![Plane::packed(width, height, luma.data)];
    planes.extend(beside);
    Raster { width, height, model, planes }
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
    /// Measured on every fourth sample of every fourth row.
    pub(super) fn of(raster: &Raster) -> Self {
        let (mut count, mut sum, mut squares) = (0_u64, 0_u64, 0_u64);
        let samples = raster.model.samples();
        // Where colours lie together, green stands for brightness, most of which it is.
        let first = usize::from(samples > 1);
        for plane in raster.planes.iter().take(1) {
            let width = plane.width as usize * samples;
            let rows = plane.data.chunks((plane.stride as usize * samples).max(1));
            for row in rows.take(plane.height as usize).step_by(4) {
                for &sample in row.iter().take(width).skip(first).step_by(4 * samples) {
                    let value = u64::from(match raster.model {
                        Model::Video(signal) => signal.brightness(sample),
                        _ => sample,
                    });
                    count += 1;
                    sum += value;
                    squares += value * value;
                }
            }
        }
        let count = count.max(1);
        let mean = sum / count;
        Self { mean, variance: (squares * count - sum * sum) / (count * count) }
    }

    /// Whether it shows something: no black frame, and no even one.
    pub(super) const fn is_telling(&self) -> bool {
        self.mean >= 20 && self.variance >= 10 * 10
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::signal::Matrix;
    use super::*;

    /// A frame of 64 x 64 of one brightness, with a band of another over a quarter of it.
    pub(in super::super) fn banded(luma: u8, band: u8, is_full_range: bool) -> Raster {
        let mut data = vec![luma; 64 * 64];
        data[..64 * 16].fill(band);
        let half = || Samples { data: vec![128; 32 * 32], width: 32, height: 32 };
        let luma = Samples { data, width: 64, height: 64 };
        let signal = Signal { matrix: Matrix::Bt709, is_full_range };
        raster(luma, [half(), half()], Siting::Left, signal)
    }

    #[test]
    fn a_black_or_even_frame_tells_nothing() {
        let told = |raster: &Raster| {
            let luma = Luma::of(raster);
            (luma.mean, luma.variance, luma.is_telling())
        };
        assert_eq!(told(&banded(16, 16, false)), (0, 0, false));
        assert_eq!(told(&banded(235, 235, false)), (255, 0, false));
        assert_eq!(told(&banded(128, 128, true)), (128, 0, false));
        assert_eq!(told(&banded(100, 180, true)), (120, 1_200, true));
        let green = Raster::packed(8, 8, Model::Rgb, [0, 90, 255].repeat(64));
        assert_eq!(told(&green), (90, 0, false));
    }

    #[test]
    fn colour_lies_where_its_siting_says() {
        let samples = |width, height| Samples { data: vec![0; 64], width, height };
        let signal = Signal { matrix: Matrix::Bt601, is_full_range: true };
        let place = |siting, width, height| {
            let chroma = [samples(width, height), samples(width, height)];
            let frame = raster(samples(8, 8), chroma, siting, signal);
            assert_eq!(frame.model, Model::YCbCr);
            (frame.planes[1].pitch, frame.planes[2].origin)
        };
        assert_eq!(place(Siting::Left, 4, 4), ((2.0, 2.0), (-0.5, 0.0)));
        assert_eq!(place(Siting::Left, 4, 8), ((2.0, 1.0), (-0.5, 0.0)));
        assert_eq!(place(Siting::Middle, 4, 4), ((2.0, 2.0), (0.0, 0.0)));
    }
}
