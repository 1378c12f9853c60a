//! Videos that are not decoded here: the host's decoder is asked, then the program `ffmpeg`.
//!
//! Both are asked for one moment after the other, as key frames are tried here, and both turn the
//! picture upright themselves.

use std::path::Path;

use super::super::control::Control;
use super::super::decode::foreign;
use super::super::error::ThumbError;
use super::super::format::Format;
use super::super::orient::Orientation;
use super::super::spec::ThumbSpec;
use super::choice::choose;
use super::movie::Movie;
use super::source::Source;
use super::{Found, PosterSpec, TONE_MAPPER, codec_name, matroska, program, stored};

/// Finds a frame. `refusal` is the answer where nobody can.
pub(super) fn read(
    path: &Path,
    source: &mut Source<'_>,
    spec: &ThumbSpec,
    poster: &PosterSpec,
    control: &Control<'_>,
    refusal: ThumbError,
) -> Result<Found, ThumbError> {
    let format = source.format();
    let (codec, duration_ms) = summary(source)?;
    let mut moments = poster.moments(duration_ms.unwrap_or_default(), 1_000).to_vec();
    moments.dedup();
    let by_platform =
        |&at_ms: &u64| foreign::ask(&[], Some(path), format, Some(at_ms), spec, control);
    let by_program = |&at_ms: &u64| {
        let timeout_ms = poster.program_timeout_ms;
        let raster = program::frame(path, format, at_ms, &spec.limits, timeout_ms, control)?;
        Ok(raster.map(|raster| stored(raster, format, Orientation::Upright, spec)))
    };
    let needs_mapping = matches!(
        &refusal,
        ThumbError::Unsupported { handled_by, .. } if *handled_by == TONE_MAPPER
    );
    let chosen = match choose(moments.clone(), control, by_platform)? {
        None if !needs_mapping => choose(moments, control, by_program)?,
        chosen => chosen,
    };
    let (decoded, frame_ms) = chosen.ok_or(refusal)?;
    Ok(Found { decoded, codec, duration_ms, frame_ms })
}

/// The codec's usual name, and how long the video plays.
fn summary(source: &mut Source<'_>) -> Result<(String, Option<u64>), ThumbError> {
    if source.format() == Format::Matroska {
        let summary = matroska::read(source)?;
        return Ok((codec_name(&summary.codec), summary.duration_ms));
    }
    let track = Movie::read(source)?.track;
    let codec = track.entries.first().map(|entry| entry.codec).unwrap_or_default();
    let duration_ms = (track.duration > 0).then(|| track.millis(track.duration));
    Ok((codec_name(&String::from_utf8_lossy(&codec)), duration_ms))
}
