//! Geometry: which part of a picture becomes which size, decided before anything is decoded.
//!
//! All of it is integer arithmetic on the size that the header tells. A [`Plan`] is made in the
//! upright picture, where people say "top" and "left", and then turned into the stored one, where
//! the pixels are. It also says at what fraction of its size the picture may be decoded.

use super::orient::Orientation;
use super::spec::{Fit, ThumbSpec};

/// How much larger than its target a picture must be decoded, in tenths: a filter that shrinks by
/// less than 1.6 would show what the decoder's own reduction left out.
const SPARE_TENTHS: u64 = 16;

/// A part of the stored picture, in its full pixels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Region {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A region and the size it becomes, both as stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) region: Region,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// What is made of a picture of a known size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The size of the stored picture.
    pub(super) full: (u32, u32),
    /// The whole picture inside the preview's box.
    pub(super) preview: Frame,
    /// Whether the preview is handed out: not if the source fits into the thumbnail's square.
    pub(super) shows_preview: bool,
    /// The thumbnail.
    pub(super) thumbnail: Frame,
    /// Whether the thumbnail can be made from the preview without enlarging anything.
    pub(super) thumbnail_from_preview: bool,
}

impl Plan {
    pub(super) fn new(full: (u32, u32), orientation: Orientation, spec: &ThumbSpec) -> Self {
        let (width, height) = full;
        let whole = Region { left: 0, top: 0, width, height };
        let fitted = |side: u32| {
            let (width, height) = fit(full, side);
            Frame { region: whole, width, height }
        };
        let preview = fitted(spec.preview_side());
        let side = spec.thumbnail_side();
        let thumbnail = match spec.fit {
            Fit::Contain => fitted(side),
            Fit::Cover(gravity) => {
                let square = width.min(height);
                let (across, down) = gravity.halves();
                // Rounded down in the upright picture, so that all eight ways of storing one
                // picture show the same square.
                let upright = orientation.upright_size(full);
                let before = |length: u32, halves: u32| (length - square) * halves / 2;
                let (left, top) = (before(upright.0, across), before(upright.1, down));
                let region = Region { left, top, width: square, height: square };
                let region = orientation.stored_region(region, upright);
                Frame { region, width: side.min(square), height: side.min(square) }
            }
        };
        Self {
            full,
            preview,
            shows_preview: width.max(height) > side,
            thumbnail,
            thumbnail_from_preview: preview.has_pixels_for(&thumbnail),
        }
    }

    /// Whether a decode at `numerator / denominator` of the full size is large enough for all that
    /// is made from it.
    pub(super) fn allows_scale(&self, numerator: u32, denominator: u32) -> bool {
        let mut frames = vec![&self.preview];
        if !self.thumbnail_from_preview {
            frames.push(&self.thumbnail);
        }
        frames.iter().all(|frame| {
            let source = u64::from(frame.region.width.max(frame.region.height));
            let target = u64::from(frame.width.max(frame.height));
            let (numerator, denominator) = (u64::from(numerator), u64::from(denominator));
            source * numerator * 10 >= target * denominator * SPARE_TENTHS
        })
    }
}

impl Frame {
    fn has_pixels_for(&self, other: &Self) -> bool {
        // What `other` shows, at the scale of this one.
        let enough = |region: u32, full: u32, here: u32, wanted: u32| {
            u64::from(region) * u64::from(here) >= u64::from(wanted) * u64::from(full)
        };
        let (here, there) = (&self.region, &other.region);
        enough(there.width, here.width, self.width, other.width)
            && enough(there.height, here.height, self.height, other.height)
    }
}

/// The size of a picture inside a square: its own, or with its longer side as long as the square's.
fn fit((width, height): (u32, u32), side: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= side {
        return (width, height);
    }
    // Rounded to the nearest, and at least 1: the picture may be 10,000 times as long as wide.
    let scaled = |length: u32| {
        let nearest = (u64::from(length) * u64::from(side) + u64::from(long / 2)) / u64::from(long);
        u32::try_from(nearest).unwrap_or(side).clamp(1, side)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::super::spec::Gravity;
    use super::*;

    #[test]
    fn a_decode_is_at_least_one_and_six_tenths_of_what_is_made_from_it() {
        let least_eighth = |full| {
            let plan = Plan::new(full, Orientation::Upright, &ThumbSpec::default());
            [1, 2, 4].into_iter().find(|&eighths| plan.allows_scale(eighths, 8)).unwrap_or(8)
        };
        assert_eq!(least_eighth((4032, 3024)), 2);
        assert_eq!(least_eighth((3840, 2160)), 2);
        assert_eq!(least_eighth((3836, 2160)), 4);
        assert_eq!(least_eighth((8064, 6048)), 1);
        // The square needs 480 rows of a panorama, which a quarter does not have.
        assert_eq!(least_eighth((4000, 1000)), 4);
        assert_eq!(least_eighth((900, 600)), 8);
    }

    #[test]
    fn gravity_is_a_direction_in_the_upright_picture() {
        let spec = ThumbSpec { fit: Fit::Cover(Gravity::Left), ..ThumbSpec::default() };
        let left = |orientation| {
            let stored = Orientation::upright_size(orientation, (41, 20));
            let region = Plan::new(stored, orientation, &spec).thumbnail.region;
            (region.left, region.top)
        };
        assert_eq!(left(Orientation::Upright), (0, 0));
        assert_eq!(left(Orientation::Rotate180), (21, 0));
        assert_eq!(left(Orientation::Rotate90), (0, 21));
        assert_eq!(left(Orientation::Transpose), (0, 0));
    }
}
