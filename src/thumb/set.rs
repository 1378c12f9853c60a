//! The set: from a decoded source to a thumbnail, a preview and their placeholders.
//!
//! Everything that costs by the pixel happens once, and as late as it can: the preview is made from the
//! decode, the thumbnail from the preview if that covers it, and only these small pictures are turned
//! upright, brought to sRGB and encoded. A photo's planes of brightness and colour stay apart from the
//! decoder to the encoder.

use super::colour;
use super::control::{Control, DECODED};
use super::decode::{Decoded, guarded};
use super::encode::{self, Prepared};
use super::error::ThumbError;
use super::geometry::Frame;
use super::icc::Profile;
use super::orient::Orientation;
use super::raster::{Model, Raster};
use super::resize::{Chroma, Resizer};
use super::spec::{Encoding, ThumbSpec};
use super::{Format, Picture, SourceInfo, ThumbnailSet, placeholder, strip};

/// Makes the pictures of a decoded source of `source_bytes` bytes; of a picture they are `own`.
pub(super) fn make(
    decoded: Decoded,
    source_bytes: u64,
    own: Option<&[u8]>,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<ThumbnailSet, ThumbError> {
    control.check()?;
    control.tell(DECODED);
    let Decoded { mut raster, plan, format, orientation, profile, partial } = decoded;
    // Whatever a profile says, it cannot keep a picture from being shown.
    let profile =
        profile.and_then(|icc| guarded(format, || Ok(Profile::read(&icc))).ok().flatten());
    let resizer = &mut Resizer::default();
    if spec.linear_light {
        raster = merged(raster, resizer)?;
    }
    let shrinking = Shrinking { spec, orientation, profile: profile.as_ref() };

    let preview = shrinking.shrink(&raster, &plan.preview, resizer)?;
    let thumbnail = if plan.thumbnail_from_preview {
        drop(raster);
        // Already in sRGB.
        Shrinking { profile: None, ..shrinking }.shrink(&preview, &plan.thumbnail, resizer)?
    } else {
        shrinking.shrink(&raster, &plan.thumbnail, resizer)?
    };
    control.check()?;
    control.tell(0.9);

    let thumbnail = orientation.apply(thumbnail);
    let (blurhash, thumbhash) = placeholder::of(&thumbnail, spec.background, resizer)?;
    let encoded =
        |upright, own| encode::encode(&Prepared::new(upright, spec), spec, source_bytes, own);
    let thumbnail = encoded(thumbnail, None)?;
    let preview = if plan.shows_preview {
        let as_it_is = !partial
            && profile.is_none()
            && orientation == Orientation::Upright
            && plan.preview.region.width == plan.preview.width
            && plan.preview.region.height == plan.preview.height
            && format == Format::Jpeg
            && matches!(preview.model, Model::Gray | Model::YCbCr);
        let own = own.filter(|_| as_it_is).and_then(|bytes| original(bytes, &preview, spec));
        Some(encoded(orientation.apply(preview), own)?)
    } else {
        None
    };
    control.tell(1.0);
    let (width_px, height_px) = orientation.upright_size(plan.full);
    let source = SourceInfo { width_px, height_px, format, orientation };
    Ok(ThumbnailSet { thumbnail, preview, blurhash, thumbhash, partial, source })
}

/// The source without its metadata, where that is a preview as asked for.
fn original(bytes: &[u8], shown: &Raster, spec: &ThumbSpec) -> Option<Picture> {
    if spec.encoding != Encoding::Jpeg {
        return None;
    }
    let bytes = strip::strip(bytes)?;
    let fits = spec.max_picture_bytes.is_none_or(|most| bytes.len() as u64 <= most.into());
    let (width_px, height_px) = (shown.width, shown.height);
    fits.then_some(Picture { bytes, format: Format::Jpeg, width_px, height_px })
}

/// How every small picture of one source is made.
#[derive(Clone, Copy)]
struct Shrinking<'s> {
    spec: &'s ThumbSpec,
    orientation: Orientation,
    profile: Option<&'s Profile>,
}

impl Shrinking<'_> {
    /// Resizes, and brings to sRGB.
    fn shrink(
        &self,
        raster: &Raster,
        frame: &Frame,
        resizer: &mut Resizer,
    ) -> Result<Raster, ThumbError> {
        let planar = self.spec.encoding == Encoding::Jpeg && self.profile.is_none();
        let small = if self.spec.linear_light {
            resizer.resize_light(raster, frame)?
        } else {
            let chroma = if planar { Chroma::Halved(self.orientation) } else { Chroma::Full };
            resizer.resize(raster, frame, chroma)?
        };
        Ok(match self.profile {
            Some(profile) => {
                let spare = small.clone();
                let converted = guarded(Format::Jpeg, || Ok(profile.to_srgb(small)));
                converted.unwrap_or_else(|_| colour::interleaved(spare))
            }
            None if planar && matches!(small.model, Model::Gray | Model::YCbCr) => small,
            None => colour::interleaved(small),
        })
    }
}

/// The same picture with its colours together, at its own size.
fn merged(raster: Raster, resizer: &mut Resizer) -> Result<Raster, ThumbError> {
    if !raster.model.is_apart() {
        return Ok(raster);
    }
    let Some(first) = raster.planes.first() else { return Ok(raster) };
    let place = (first.pitch, first.origin);
    let whole = resizer.same_size(&raster)?;
    let mut merged = colour::interleaved(whole);
    for plane in &mut merged.planes {
        (plane.pitch, plane.origin) = place;
    }
    Ok(merged)
}
