//! How video writes colour: one number of brightness and two of colour, in one of several ways.
//!
//! Photos have one way, JFIF's; videos say which matrix made brightness of red, green and blue, and
//! whether the numbers use the whole byte. Arithmetic is in integers of 16 fractional bits, so every
//! machine computes the same.
//!
//! Source: ITU-T H.273, section 8.3 (matrices and ranges).

/// What the three numbers of a pixel mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Signal {
    /// How colour is computed.
    pub(super) matrix: Matrix,
    /// Numbers use all of 0 to 255, and not 16 to 235 (colour 240).
    pub(super) is_full_range: bool,
}

/// Which share of brightness is red, and which blue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Matrix {
    /// Standard definition, and JPEG.
    Bt601,
    /// High definition.
    Bt709,
    /// Ultra high definition.
    Bt2020,
}

impl Signal {
    /// As JFIF writes it, and photos do.
    pub(super) const fn is_jfif(self) -> bool {
        matches!(self.matrix, Matrix::Bt601) && self.is_full_range
    }

    /// A function from brightness, blue-yellow and red-green to red, green and blue.
    pub(super) fn to_rgb(self) -> impl Fn(u8, u8, u8) -> [u8; 3] {
        let mut factors = self.matrix.factors();
        let (mut black, mut gain) = (0, 65_536);
        if !self.is_full_range {
            (black, gain) = (16, 76_309);
            factors = factors.map(|factor| factor * 255 / 224);
        }
        let [red_of_red, green_of_blue, green_of_red, blue_of_blue] = factors;
        move |luma, blue, red| {
            let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
            // The half rounds to the nearest.
            let bright = (i32::from(luma) - black) * gain + 32_768;
            let sums = [
                bright + red_of_red * red,
                bright - green_of_blue * blue - green_of_red * red,
                bright + blue_of_blue * blue,
            ];
            sums.map(|sum| u8::try_from((sum >> 16).clamp(0, 255)).unwrap_or(u8::MAX))
        }
    }

    /// Brightness from 0 to 255.
    pub(super) const fn brightness(self, sample: u8) -> u8 {
        if self.is_full_range {
            return sample;
        }
        let above = (sample as u32).saturating_sub(16) * 255 / 219;
        if above > 255 { 255 } else { above.to_le_bytes()[0] }
    }
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

    /// What a step of Cr adds to red, Cb and Cr take from green, and Cb adds to blue, in parts of 65,536.
    const fn factors(self) -> [i32; 4] {
        match self {
            Self::Bt601 => [91_881, 22_554, 46_802, 116_130],
            Self::Bt709 => [103_206, 12_276, 30_679, 121_609],
            Self::Bt2020 => [96_639, 10_784, 37_444, 123_299],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_white_and_primaries_come_out_as_they_went_in() {
        let color = |[luma, blue, red]: [u8; 3], is_full_range, matrix| {
            Signal { matrix, is_full_range }.to_rgb()(luma, blue, red)
        };
        assert_eq!(color([16, 128, 128], false, Matrix::Bt709), [0; 3]);
        assert_eq!(color([235, 128, 128], false, Matrix::Bt709), [255; 3]);
        assert_eq!(color([0, 128, 128], true, Matrix::Bt601), [0; 3]);
        assert_eq!(color([255, 128, 128], true, Matrix::Bt601), [255; 3]);
        // Red in four ways of writing it, from the standard's equations.
        for (samples, is_full_range, matrix) in [
            ([81, 90, 240], false, Matrix::Bt601),
            ([63, 102, 240], false, Matrix::Bt709),
            ([74, 97, 240], false, Matrix::Bt2020),
            ([76, 85, 255], true, Matrix::Bt601),
        ] {
            let [red, green, blue] = color(samples, is_full_range, matrix);
            assert!(red >= 253 && green <= 2 && blue <= 2, "{red} {green} {blue}, {matrix:?}");
        }
    }

    #[test]
    fn brightness_of_a_limited_range_fills_the_byte() {
        let limited = Signal { matrix: Matrix::Bt709, is_full_range: false };
        assert_eq!([0, 16, 235, 255].map(|n| limited.brightness(n)), [0, 0, 255, 255]);
        assert_eq!(Signal { is_full_range: true, ..limited }.brightness(77), 77);
    }

    #[test]
    fn a_matrix_that_is_not_said_is_guessed_from_the_height() {
        assert_eq!(Matrix::from_code(2, 1_080), Matrix::Bt709);
        assert_eq!(Matrix::from_code(2, 480), Matrix::Bt601);
        assert_eq!(Matrix::from_code(9, 480), Matrix::Bt2020);
    }
}
