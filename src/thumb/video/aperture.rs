//! What of a stored frame is shown, and how wide its pixels are: the boxes `clap` and `pasp`.
//!
//! Recordings of old camcorders and of broadcasters have pixels that are no squares; cameras store
//! frames in whole blocks and say which part of them is the picture. Numbers that make no sense count
//! as none. Nothing is enlarged: of pixels that are wider than high the height is shrunk.
//!
//! Source: ISO/IEC 14496-12, section 12.1.4 (pixel aspect ratio and clean aperture).

use super::super::raster::Raster;
use super::source::be32;

/// More would be a picture of a few rows.
const MOST_UNEVEN: u32 = 16;

/// Numbers of the sample entry; the default shows the whole frame in squares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aperture {
    /// Width to height of a pixel.
    pixel: Option<(u32, u32)>,
    clean: Option<Clean>,
}

/// The part that is shown, around the frame's middle.
#[derive(Clone, Copy, Debug)]
struct Clean {
    width: f64,
    height: f64,
    /// From the frame's middle to this part's.
    right: f64,
    down: f64,
}

impl Aperture {
    pub(super) fn read_pasp(&mut self, body: &[u8]) {
        let pair = be32(body, 0).zip(be32(body, 4));
        self.pixel = pair.filter(|&(across, down)| {
            let most = |length: u32| length.saturating_mul(MOST_UNEVEN);
            across > 0 && down > 0 && across <= most(down) && down <= most(across)
        });
    }

    pub(super) fn read_clap(&mut self, body: &[u8]) {
        let fraction = |at: usize| {
            let (above, below) = be32(body, at).zip(be32(body, at + 4))?;
            (below > 0).then(|| f64::from(above.cast_signed()) / f64::from(below))
        };
        let all = (fraction(0), fraction(8), fraction(16), fraction(24));
        self.clean = match all {
            (Some(width), Some(height), Some(right), Some(down)) => {
                Some(Clean { width, height, right, down })
            }
            _ => None,
        };
    }

    /// Gives each plane its place in what is shown, and answers how large that is.
    pub(super) fn apply(&self, raster: &mut Raster) -> (u32, u32) {
        let (width, height) = (raster.width, raster.height);
        // From the left, and how many; whole samples, so that nothing beyond shows.
        let part = |all: u32, kept: f64, off: f64| {
            let first = ((f64::from(all) - kept) / 2.0 + off).round();
            let kept = kept.round();
            let fits = kept >= 1.0 && first >= 0.0 && first + kept <= f64::from(all);
            fits.then_some((first, kept))
        };
        let clean = self.clean.and_then(|clean| {
            let across = part(width, clean.width, clean.right)?;
            Some((across, part(height, clean.height, clean.down)?))
        });
        let whole = ((0.0, f64::from(width)), (0.0, f64::from(height)));
        let ((left, across), (top, down)) = clean.unwrap_or(whole);

        let (wide, high) = self.pixel.unwrap_or((1, 1));
        let narrower = |length: f64, by: u32, of: u32| {
            let length = (length * f64::from(by.min(of)) / f64::from(of)).round().max(1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "of u32")]
            let length = length as u32;
            length
        };
        let (shown_width, shown_height) =
            (narrower(across, wide, high), narrower(down, high, wide));
        let scale = (f64::from(shown_width) / across, f64::from(shown_height) / down);
        for plane in &mut raster.planes {
            plane.origin = ((plane.origin.0 - left) * scale.0, (plane.origin.1 - top) * scale.1);
            plane.pitch = (plane.pitch.0 * scale.0, plane.pitch.1 * scale.1);
        }
        (shown_width, shown_height)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::banded;
    use super::*;

    fn boxed(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn shown(pasp: &[u32], clap: &[u32]) -> ((u32, u32), (f64, f64), (f64, f64)) {
        let mut aperture = Aperture::default();
        aperture.read_pasp(&boxed(pasp));
        aperture.read_clap(&boxed(clap));
        let mut frame = banded(10, 20, true);
        let size = aperture.apply(&mut frame);
        (size, frame.planes[0].pitch, frame.planes[0].origin)
    }

    #[test]
    fn uneven_pixels_are_shrunk_to_squares() {
        assert_eq!(shown(&[4, 3], &[]), ((64, 48), (1.0, 0.75), (0.0, 0.0)));
        assert_eq!(shown(&[3, 4], &[]), ((48, 64), (0.75, 1.0), (0.0, 0.0)));
        for no_sense in [&[][..], &[1], &[0, 1], &[1, 0], &[17, 1], &[1, u32::MAX]] {
            assert_eq!(shown(no_sense, &[]), ((64, 64), (1.0, 1.0), (0.0, 0.0)), "{no_sense:?}");
        }
    }

    #[test]
    fn only_the_clean_part_is_shown() {
        let clean = [60, 1, 40, 1, 1, 1, (-4_i32).cast_unsigned(), 1];
        assert_eq!(shown(&[], &clean), ((60, 40), (1.0, 1.0), (-3.0, -8.0)));
        assert_eq!(shown(&[2, 1], &clean), ((60, 20), (1.0, 0.5), (-3.0, -4.0)));
        for no_sense in [
            [65, 1, 40, 1, 0, 1, 0, 1],
            [0, 1, 40, 1, 0, 1, 0, 1],
            [60, 0, 40, 1, 0, 1, 0, 1],
            [60, 1, 40, 1, 3, 1, 0, 1],
        ] {
            assert_eq!(shown(&[], &no_sense).0, (64, 64), "{no_sense:?}");
        }
    }
}
