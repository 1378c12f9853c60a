//! The choice of a frame: candidates are decoded one by one until one shows something.
//!
//! The host is asked before each whether to go on, and told of each how far the search is.

use super::super::control::{Control, DECODED};
use super::super::decode::Decoded;
use super::super::error::ThumbError;
use super::PosterSpec;
use super::frame::Luma;

/// Pixels of all candidates of one video together: one frame of 8K, four of 4K.
const MAX_PIXELS_TRIED: u64 = 36_000_000;

/// Decodes candidates until one shows something; otherwise the one with the most to see (**VP4**).
///
/// One that cannot be decoded is passed over. When none can, the first one's error is the answer. A
/// decoder that answers `None` is asked no further; if it never gave a frame, so is this.
pub(super) fn choose<T>(
    candidates: Vec<T>,
    control: &Control<'_>,
    mut decode: impl FnMut(&T) -> Result<Option<Decoded>, ThumbError>,
) -> Result<Option<(Decoded, T)>, ThumbError> {
    let mut best: Option<(Luma, Decoded, T)> = None;
    let (mut first_error, mut decoded, mut pixels, mut last) = (None, 0_u8, 0, 0);
    for candidate in candidates {
        // The next is as large as the last one.
        if usize::from(decoded) == PosterSpec::MAX_CANDIDATES || pixels + last > MAX_PIXELS_TRIED {
            break;
        }
        control.check()?;
        match decode(&candidate) {
            Ok(Some(frame)) => {
                let luma = Luma::of(&frame.raster);
                if luma.is_telling() {
                    return Ok(Some((frame, candidate)));
                }
                let (width, height) = frame.plan.full;
                decoded += 1;
                control.tell(DECODED * f32::from(decoded) / 4.0);
                last = u64::from(width) * u64::from(height);
                pixels += last;
                if best.as_ref().is_none_or(|best| luma.variance > best.0.variance) {
                    best = Some((luma, frame, candidate));
                }
            }
            Ok(None) => break,
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    // Whatever a decoder made of being stopped, it was stopped.
    control.check()?;
    match (best, first_error) {
        (Some((_, frame, candidate)), _) => Ok(Some((frame, candidate))),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::super::control::Hooks;
    use super::super::super::format::Format;
    use super::super::super::spec::{Limits, ThumbSpec};
    use super::super::frame::tests::banded;
    use super::super::stored;
    use super::*;

    fn frame(luma: u8, band: u8) -> Decoded {
        stored(banded(luma, band, true), Format::Mp4, Default::default(), &ThumbSpec::default())
    }

    fn chosen_with(
        frames: &[(u8, u8)],
        hooks: &Hooks<'_>,
        tried: &Cell<usize>,
    ) -> Result<Option<usize>, ThumbError> {
        let candidates = (0..frames.len()).collect();
        let control = Control::new(hooks, &Limits::default());
        let found = choose(candidates, &control, |&index| {
            tried.set(tried.get() + 1);
            match frames[index] {
                (0, 255) => Err(ThumbError::NotAnImage),
                (255, 0) => Ok(None),
                (luma, band) => Ok(Some(frame(luma, band))),
            }
        });
        Ok(found?.map(|(_, index)| index))
    }

    fn chosen(frames: &[(u8, u8)]) -> Result<(Option<usize>, usize), ThumbError> {
        let tried = Cell::new(0);
        let found = chosen_with(frames, &Hooks::new(), &tried)?;
        Ok((found, tried.get()))
    }

    #[test]
    fn vp4_the_first_frame_that_shows_something_is_taken() {
        assert_eq!(chosen(&[(100, 200), (0, 0)]).unwrap(), (Some(0), 1));
        assert_eq!(chosen(&[(0, 0), (128, 128), (90, 200)]).unwrap(), (Some(2), 3));
        assert_eq!(chosen(&[(0, 255), (90, 200)]).unwrap(), (Some(1), 2));
    }

    #[test]
    fn vp4_of_frames_that_show_nothing_the_one_with_the_most_is_taken() {
        assert_eq!(chosen(&[(0, 0), (2, 14), (3, 3)]).unwrap(), (Some(1), 3));
        assert!(matches!(chosen(&[(0, 255), (0, 255)]), Err(ThumbError::NotAnImage)));
        assert_eq!(chosen(&[(0, 255), (0, 0)]).unwrap(), (Some(1), 2));
    }

    #[test]
    fn vp1_four_frames_are_decoded_at_most() {
        assert_eq!(chosen(&[(0, 0); 6]).unwrap(), (Some(0), 4));
    }

    #[test]
    fn who_declines_is_asked_no_further() {
        assert_eq!(chosen(&[(255, 0), (90, 200)]).unwrap(), (None, 1));
        assert_eq!(chosen(&[(0, 0), (255, 0), (90, 200)]).unwrap(), (Some(0), 2));
    }

    #[test]
    fn a_host_that_stops_is_heard_before_the_next_frame() {
        let stop = AtomicBool::new(false);
        let told = |_: f32| stop.store(true, Ordering::Relaxed);
        let hooks = Hooks::new().cancel(&stop).progress(&told);
        let tried = Cell::new(0);
        let error = chosen_with(&[(0, 0), (90, 200)], &hooks, &tried).unwrap_err();
        assert_eq!((error.code(), tried.get()), ("CANCELLED", 1));
    }
}
