//! Video posters: the small pictures of one frame that shows what a video is about.
//!
//! [`render_poster_set_file`] reads a video's index, picks a few key frames, decodes them one by one
//! until one shows something, and makes of it the same pictures as of a photo. MP4 and QuickTime with
//! H.264 are read here; everything else is asked of the host's decoder, then of the program `ffmpeg`
//! when the feature of that name is on, or named in the error. What an MP4 says is HDR (PQ, HLG) is left to the
//! host's decoder alone: without tone mapping it comes out pale.
//!
//! # Promises
//!
//! - **VP1** Of a file only the index and the key frames that are tried are read, and at most
//!   [`PosterSpec::MAX_CANDIDATES`] are decoded, however long it is.
//! - **VP2** Any input, cut or changed at any point, ends in pictures or in a [`ThumbError`].
//! - **VP3** The rotation that the track declares is applied.
//! - **VP4** A black or even frame is chosen only when every frame that was tried is one.
//! - **VP5** What the file claims is compared with the [`Limits`](super::Limits) before memory is
//!   taken or a frame decoded; `max_input_bytes` counts the bytes that are read, not the file's.
//!
//! # Choice
//!
//! The first candidate is the key frame nearest to [`PosterSpec::at_ms`], then those nearest to 10, 25
//! and 50 % of the duration; where several of these are one frame, those at 75 and 90 % as well. The
//! first that is neither black (mean brightness below 20 of 255) nor even (standard deviation below 10)
//! is taken; if none is, the one with the most to see. Frames of more than 36 million pixels in all are
//! not tried.

mod aperture;
mod choice;
mod elsewhere;
mod fragments;
mod frame;
mod h264;
mod matroska;
mod movie;
mod program;
mod samples;
mod source;

use std::io::{Read, Seek};
use std::path::Path;

use crate::regular;

use super::control::{Control, Hooks};
use super::decode::Decoded;
use super::error::ThumbError;
use super::format::Format;
use super::geometry::Plan;
use super::orient::Orientation;
use super::raster::Raster;
use super::spec::{Limits, ThumbSpec};
use super::{Picture, set};
use choice::choose;
use movie::{Movie, SampleEntry, Track};
use samples::KeyFrame;
use source::Source;

/// The small pictures of one frame of a video, and what the video was.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PosterSet {
    /// As of a photo: a square, or with [`Fit::Contain`](super::Fit::Contain) what lies in one.
    pub thumbnail: Picture,
    /// The whole frame, fitted into the preview's square. `None`: the frame is so small that it fits
    /// into the thumbnail's square.
    pub preview: Option<Picture>,
    /// The thumbnail as a BlurHash of 28 characters, to be shown while it loads.
    pub blurhash: String,
    /// The thumbnail as a ThumbHash of at most 25 bytes, which knows its shape.
    pub thumbhash: Vec<u8>,
    /// The file is cut: a frame that was to be tried is not there, so the poster may be another one.
    pub partial: bool,
    /// What was read.
    pub source: VideoInfo,
}

/// What a video said about itself, and which of its frames was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct VideoInfo {
    /// Pixels from left to right once upright.
    pub width_px: u32,
    /// Pixels from top to bottom once upright.
    pub height_px: u32,
    /// The container, told from its first bytes.
    pub format: Format,
    /// The codec's usual name, such as `H.264`.
    pub codec: String,
    /// How the stored frames had to be turned. Already applied.
    pub orientation: Orientation,
    /// How long it plays. `None`: it does not say.
    pub duration_ms: Option<u64>,
    /// When the frame is shown.
    pub frame_ms: u64,
}

/// Which frame to show, and what finding it may cost.
///
/// # Example
///
/// ```
/// use finalmile::thumb::PosterSpec;
///
/// let mut poster = PosterSpec::default();
/// poster.at_ms = Some(5_000);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PosterSpec {
    /// The moment to show, if it shows something. Default: one second, or a tenth of a video that is
    /// shorter than ten.
    pub at_ms: Option<u64>,
    /// How long the program `ffmpeg` may take for one frame before it is ended. Default 10 seconds.
    /// Without the feature `ffmpeg` it has no meaning.
    pub program_timeout_ms: u32,
}

impl Default for PosterSpec {
    fn default() -> Self {
        Self { at_ms: None, program_timeout_ms: 10_000 }
    }
}

impl PosterSpec {
    /// Key frames that are decoded at most.
    pub const MAX_CANDIDATES: usize = 4;

    /// The moments to try, in units of which there are `per_second`.
    fn moments(&self, duration: u64, per_second: u64) -> [u64; 6] {
        let tenth = duration / 10;
        let first = self.at_ms.map_or_else(
            || if duration == 0 { 0 } else { tenth.min(per_second) },
            |at_ms| {
                let at = u128::from(at_ms) * u128::from(per_second) / 1_000;
                u64::try_from(at).unwrap_or(u64::MAX).min(1 << 48)
            },
        );
        [first, tenth, duration / 4, duration / 2, duration - duration / 4, duration - tenth]
    }
}

/// Renders the small pictures of the video that `video` reads.
///
/// It is read from wherever it stands, by seeking. It computes and waits for `video` only, so call it
/// on a worker thread.
///
/// # Errors
///
/// [`ThumbError::Unsupported`] when the container or the codec is not read here, with the name of
/// what would; [`ThumbError::Unreadable`] when `video` fails; [`ThumbError::Truncated`],
/// [`ThumbError::Damaged`], [`ThumbError::TooLarge`] and [`ThumbError::NotAnImage`] as for pictures.
///
/// # Example
///
/// ```
/// use finalmile::thumb::{PosterSpec, ThumbSpec, render_poster_set};
///
/// let cut = std::io::Cursor::new(b"\0\0\0\x14ftypisom\0\0\0\0isom");
/// let error = render_poster_set(cut, &ThumbSpec::default(), &PosterSpec::default()).unwrap_err();
/// assert_eq!(error.code(), "IMAGE_TRUNCATED");
/// ```
pub fn render_poster_set<R: Read + Seek>(
    video: R,
    spec: &ThumbSpec,
    poster: &PosterSpec,
) -> Result<PosterSet, ThumbError> {
    render_poster_set_with(video, spec, poster, &Hooks::new())
}

/// As [`render_poster_set`], with what the host lends: a flag that stops it, a function that is told
/// how far it is. A [`PlatformDecoder`](super::PlatformDecoder) is asked for files only.
///
/// # Errors
///
/// Those of [`render_poster_set`], and [`ThumbError::Cancelled`].
pub fn render_poster_set_with<R: Read + Seek>(
    mut video: R,
    spec: &ThumbSpec,
    poster: &PosterSpec,
    hooks: &Hooks<'_>,
) -> Result<PosterSet, ThumbError> {
    let control = Control::new(hooks, &spec.limits);
    let mut source = Source::open(&mut video, Path::new("the video"), spec.limits, &control)?;
    let found = read_here(&mut source, spec, poster, &control)?;
    found.render(source.length(), spec, &control)
}

/// Renders the small pictures of the video at `path`; see [`render_poster_set`].
///
/// # Errors
///
/// [`ThumbError::Unreadable`] when `path` is not a regular file or cannot be read, and all errors
/// of [`render_poster_set`].
///
/// # Example
///
/// ```
/// use finalmile::thumb::{PosterSpec, ThumbSpec, render_poster_set_file};
///
/// let path = "no/such/video.mp4".as_ref();
/// let missing = render_poster_set_file(path, &ThumbSpec::default(), &PosterSpec::default());
/// assert_eq!(missing.unwrap_err().code(), "FILE_UNREADABLE");
/// ```
pub fn render_poster_set_file(
    path: &Path,
    spec: &ThumbSpec,
    poster: &PosterSpec,
) -> Result<PosterSet, ThumbError> {
    render_poster_set_file_with(path, spec, poster, &Hooks::new())
}

/// As [`render_poster_set_file`], with what the host lends; see [`Hooks`].
///
/// What is not decoded here is asked of the [`PlatformDecoder`](super::PlatformDecoder), if one is
/// lent, and then, with the feature `ffmpeg`, of the program of that name, if the machine has it.
///
/// # Errors
///
/// Those of [`render_poster_set_file`], [`ThumbError::Cancelled`] and [`ThumbError::Platform`].
pub fn render_poster_set_file_with(
    path: &Path,
    spec: &ThumbSpec,
    poster: &PosterSpec,
    hooks: &Hooks<'_>,
) -> Result<PosterSet, ThumbError> {
    let control = Control::new(hooks, &spec.limits);
    let unreadable = |source| ThumbError::Unreadable { path: path.to_path_buf(), source };
    let (mut file, _) = regular::open(path).map_err(unreadable)?;
    let mut source = Source::open(&mut file, path, spec.limits, &control)?;
    let found = match read_here(&mut source, spec, poster, &control) {
        Err(error @ ThumbError::Unsupported { .. }) => {
            elsewhere::read(path, &mut source, spec, poster, &control, error)
        }
        found => found,
    };
    found?.render(source.length(), spec, &control)
}

/// The frame that was chosen.
struct Found {
    decoded: Decoded,
    codec: String,
    duration_ms: Option<u64>,
    frame_ms: u64,
}

/// Finds a frame without help from outside.
fn read_here(
    source: &mut Source<'_>,
    spec: &ThumbSpec,
    poster: &PosterSpec,
    control: &Control<'_>,
) -> Result<Found, ThumbError> {
    let format = source.format();
    if format == Format::Matroska {
        let summary = matroska::read(source)?;
        let what = format!("{} in Matroska or WebM", codec_name(&summary.codec));
        return Err(unsupported(&what, format));
    }
    let movie = Movie::read(source)?;
    let track = &movie.track;
    if !track.entries.iter().any(is_h264) {
        let entry = track.entries.first();
        let codec = entry.map(|entry| entry.codec).unwrap_or_default();
        let codec = codec_name(&String::from_utf8_lossy(&codec));
        let color = entry.and_then(|entry| entry.color);
        let high = color.and_then(|color| h264::high_range(color.transfer));
        return Err(match high {
            Some(range) => in_high_range(&codec, range),
            None => unsupported(&codec, format),
        });
    }
    let moments = poster.moments(track.duration, track.timescale.into());
    let moments = moments.map(|at| track.start.saturating_add(at));
    // The first frame of all is left when those that are listed turn out to be none.
    let frames = movie.nearest(source, &[&moments[..], &[0]].concat())?;
    let mut is_cut = false;
    let chosen = choose(frames, control, |frame| {
        let decoded = decode(source, track, frame, spec, control);
        is_cut |= matches!(decoded, Err(ThumbError::Truncated { .. }));
        decoded.map(Some)
    })?;
    let (mut decoded, frame) = chosen.ok_or(ThumbError::Truncated { format })?;
    decoded.partial |= is_cut;
    Ok(Found {
        decoded,
        codec: "H.264".to_owned(),
        duration_ms: (track.duration > 0).then(|| track.millis(track.duration)),
        frame_ms: track.millis(frame.time.saturating_sub(track.start)),
    })
}

fn is_h264(entry: &SampleEntry) -> bool {
    matches!(&entry.codec, b"avc1" | b"avc3") && entry.config.is_some()
}

fn decode(
    source: &mut Source<'_>,
    track: &Track,
    frame: &KeyFrame,
    spec: &ThumbSpec,
    control: &Control<'_>,
) -> Result<Decoded, ThumbError> {
    let Some(SampleEntry { config: Some(config), color, aperture, .. }) =
        track.entries.get(frame.entry).filter(|entry| is_h264(entry))
    else {
        return Err(source.damaged("a sample of an unknown kind"));
    };
    let sample = source.read_at(frame.offset, frame.size_bytes.into())?;
    let format = source.format();
    let mut raster = h264::decode(config, &sample, *color, format, source.limits(), control)?;
    let shown = aperture.apply(&mut raster);
    let plan = Plan::new(shown, track.orientation, spec);
    Ok(Decoded { plan, ..stored(raster, format, track.orientation, spec) })
}

/// A frame as a decoded picture, with the plan for it.
fn stored(raster: Raster, format: Format, orientation: Orientation, spec: &ThumbSpec) -> Decoded {
    let plan = Plan::new((raster.width, raster.height), orientation, spec);
    Decoded { raster, plan, format, orientation, profile: None, partial: false }
}

impl Track {
    fn millis(&self, ticks: u64) -> u64 {
        let millis = u128::from(ticks) * 1_000 / u128::from(self.timescale);
        u64::try_from(millis).unwrap_or(u64::MAX)
    }
}

impl Found {
    /// Makes the same pictures of the frame as of a photo.
    fn render(
        self,
        file_bytes: u64,
        spec: &ThumbSpec,
        control: &Control<'_>,
    ) -> Result<PosterSet, ThumbError> {
        let set = set::make(self.decoded, file_bytes, None, spec, control)?;
        let source = VideoInfo {
            width_px: set.source.width_px,
            height_px: set.source.height_px,
            format: set.source.format,
            codec: self.codec,
            orientation: set.source.orientation,
            duration_ms: self.duration_ms,
            frame_ms: self.frame_ms,
        };
        let (thumbnail, preview) = (set.thumbnail, set.preview);
        let (blurhash, thumbhash) = (set.blurhash, set.thumbhash);
        let partial = set.partial;
        Ok(PosterSet { thumbnail, preview, blurhash, thumbhash, partial, source })
    }
}

/// The error that names what would handle a video.
fn unsupported(what: &str, format: Format) -> ThumbError {
    ThumbError::Unsupported { what: what.to_owned(), handled_by: format.handled_by() }
}

/// What shows videos in HDR: phones map their tones, the program as it is asked here does not.
const TONE_MAPPER: &str = "a `PlatformDecoder`";

fn in_high_range(codec: &str, range: &str) -> ThumbError {
    let what = format!("{codec} in HDR ({range})");
    ThumbError::Unsupported { what, handled_by: TONE_MAPPER }
}

/// The usual name of a codec that files know by four characters, or by `V_` and a word.
fn codec_name(code: &str) -> String {
    let name = match code {
        "hvc1" | "hev1" | "dvh1" | "dvhe" | "V_MPEGH/ISO/HEVC" => "HEVC",
        "avc1" | "avc2" | "avc3" | "avc4" | "V_MPEG4/ISO/AVC" => "H.264",
        "av01" | "V_AV1" => "AV1",
        "vp08" | "V_VP8" => "VP8",
        "vp09" | "V_VP9" => "VP9",
        "mp4v" | "V_MPEG4/ISO/ASP" => "MPEG-4 Visual",
        "s263" | "h263" => "H.263",
        "jpeg" | "mjpa" | "mjpb" | "V_MJPEG" => "Motion JPEG",
        "apch" | "apcn" | "apcs" | "apco" | "ap4h" | "ap4x" | "V_PRORES" => "ProRes",
        "encv" => "encrypted video",
        "" | "\0\0\0\0" => "a video without a codec",
        other => return format!("codec {}", other.escape_default()),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_are_the_wish_then_shares_of_the_duration() {
        let spec = PosterSpec::default();
        assert_eq!(spec.moments(60_000, 1_000), [1_000, 6_000, 15_000, 30_000, 45_000, 54_000]);
        assert_eq!(spec.moments(5_000, 1_000), [500, 500, 1_250, 2_500, 3_750, 4_500]);
        assert_eq!(spec.moments(0, 1_000), [0; 6]);
        let wish = PosterSpec { at_ms: Some(2_500), ..spec };
        assert_eq!(wish.moments(60_000, 600)[0], 1_500);
        let absurd = PosterSpec { at_ms: Some(u64::MAX), ..spec };
        assert_eq!(absurd.moments(0, u64::MAX)[0], 1 << 48);
    }

    #[test]
    fn a_codec_that_is_not_read_is_named() {
        assert_eq!(codec_name("hvc1"), "HEVC");
        assert_eq!(codec_name("V_VP9"), "VP9");
        assert_eq!(codec_name("x\u{1b}[1"), "codec x\\u{1b}[1");
        let error = unsupported(&codec_name("av01"), Format::Mp4).to_string();
        assert!(error.starts_with("unsupported: AV1; a `PlatformDecoder` or the "), "{error}");
    }
}
