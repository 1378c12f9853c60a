//! Video posters: the small pictures of one frame that shows what a video is about.
//!
//! [`render_poster_set_file`] reads a video's index, picks a few key frames, decodes them one by one
//! until one shows something, and makes of it the same pictures as of a photo. MP4 and QuickTime with
//! H.264 are read here; everything else is named in the error, or handed to the program `ffmpeg` when
//! the feature of that name is on.
//!
//! # Promises
//!
//! - **VP1** Of a file only the index and the key frames that are tried are read, at most
//!   [`PosterSpec::MAX_CANDIDATES`] of them, however long it is.
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
//! first that is neither black (mean brightness below 20 of 255) nor
//! even (standard deviation below 10) is taken; if none is, the one with the most to see. Frames of
//! more than 36 million pixels in all are not tried.

mod fragments;
mod h264;
mod matroska;
mod movie;
mod planes;
mod program;
mod samples;
mod source;

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use super::Picture;
use super::container::Format;
use super::encode;
use super::error::ThumbError;
use super::orient::Orientation;
use super::resize;
use super::spec::ThumbSpec;
use movie::{Movie, SampleEntry, Track};
use planes::{Luma, Planes};
use samples::KeyFrame;
use source::Source;

/// Pixels of all candidates of one video together: one frame of 8K, four of 4K.
const MAX_PIXELS_TRIED: u64 = 36_000_000;

/// The small pictures of one frame of a video, and what the video was.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PosterSet {
    /// The centred square, as of a photo.
    pub thumbnail: Picture,
    /// The whole frame, fitted into the preview's square. `None`: the frame is so small that it fits
    /// into the thumbnail's square.
    pub preview: Option<Picture>,
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
    mut video: R,
    spec: &ThumbSpec,
    poster: &PosterSpec,
) -> Result<PosterSet, ThumbError> {
    let mut source = Source::open(&mut video, Path::new("the video"), spec.limits)?;
    read_here(&mut source, poster)?.render(spec)
}

/// Renders the small pictures of the video at `path`; see [`render_poster_set`].
///
/// With the feature `ffmpeg`, what is [`ThumbError::Unsupported`] otherwise is tried with the program
/// of that name, when the machine has it.
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
    let unreadable = |source| ThumbError::Unreadable { path: path.to_path_buf(), source };
    // Asked before opening: opening a named pipe would wait for its writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut source = Source::open(&mut file, path, spec.limits)?;
    let found = match read_here(&mut source, poster) {
        Err(error @ ThumbError::Unsupported { .. }) => {
            program::read(path, &mut source, poster, error)
        }
        found => found,
    };
    found?.render(spec)
}

/// The frame that was chosen.
struct Found {
    planes: Planes,
    format: Format,
    codec: String,
    orientation: Orientation,
    duration_ms: Option<u64>,
    frame_ms: u64,
}

/// Finds a frame without help from outside.
fn read_here(source: &mut Source<'_>, poster: &PosterSpec) -> Result<Found, ThumbError> {
    if source.format() == Format::Matroska {
        let summary = matroska::read(source)?;
        return Err(unsupported(&format!("{} in Matroska or WebM", codec_name(&summary.codec))));
    }
    let movie = Movie::read(source)?;
    let track = &movie.track;
    if !track.entries.iter().any(is_h264) {
        let codec = track.entries.first().map(|entry| entry.codec).unwrap_or_default();
        return Err(unsupported(&codec_name(&String::from_utf8_lossy(&codec))));
    }
    let moments = poster.moments(track.duration, track.timescale.into());
    let moments = moments.map(|at| track.start.saturating_add(at));
    // The first frame of all is left when those that are listed turn out to be none.
    let frames = movie.nearest(source, &[&moments[..], &[0]].concat())?;
    if frames.is_empty() {
        return Err(ThumbError::Truncated { format: source.format() });
    }
    let (planes, frame) = choose(frames, |frame| decode(source, track, frame))?;
    Ok(Found {
        planes,
        format: source.format(),
        codec: "H.264".to_owned(),
        orientation: track.orientation,
        duration_ms: (track.duration > 0).then(|| track.millis(track.duration)),
        frame_ms: track.millis(frame.time.saturating_sub(track.start)),
    })
}

fn is_h264(entry: &SampleEntry) -> bool {
    matches!(&entry.codec, b"avc1" | b"avc3") && entry.config.is_some()
}

fn decode(source: &mut Source<'_>, track: &Track, frame: &KeyFrame) -> Result<Planes, ThumbError> {
    let Some(SampleEntry { config: Some(config), color, .. }) =
        track.entries.get(frame.entry).filter(|entry| is_h264(entry))
    else {
        return Err(source.damaged("a sample of an unknown kind"));
    };
    let sample = source.read_at(frame.offset, frame.size_bytes.into())?;
    h264::decode(config, &sample, *color, source.format(), source.limits())
}

/// Decodes candidates until one shows something; otherwise the one with the most to see (**VP4**).
///
/// One that cannot be decoded is passed over. When none can, the first one's error is the answer.
fn choose<T>(
    candidates: Vec<T>,
    mut decode: impl FnMut(&T) -> Result<Planes, ThumbError>,
) -> Result<(Planes, T), ThumbError> {
    let mut best: Option<(Luma, Planes, T)> = None;
    let (mut first_error, mut decoded, mut pixels, mut last) = (None, 0, 0, 0);
    for candidate in candidates {
        // The next is as large as the last one.
        if decoded == PosterSpec::MAX_CANDIDATES || pixels + last > MAX_PIXELS_TRIED {
            break;
        }
        match decode(&candidate) {
            Ok(planes) => {
                let luma = planes.luma();
                if luma.is_telling() {
                    return Ok((planes, candidate));
                }
                let (width, height) = planes.size();
                decoded += 1;
                last = u64::from(width) * u64::from(height);
                pixels += last;
                let shows_more = |best: &(Luma, Planes, T)| luma.variance > best.0.variance;
                if best.as_ref().is_none_or(shows_more) {
                    best = Some((luma, planes, candidate));
                }
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    let none = || ThumbError::Unsupported { what: "a video without a key frame".to_owned() };
    best.map(|(_, planes, frame)| (planes, frame)).ok_or_else(|| first_error.unwrap_or_else(none))
}

impl Track {
    fn millis(&self, ticks: u64) -> u64 {
        let millis = u128::from(ticks) * 1_000 / u128::from(self.timescale);
        u64::try_from(millis).unwrap_or(u64::MAX)
    }
}

impl Found {
    /// Makes the same pictures of the frame as of a photo.
    fn render(self, spec: &ThumbSpec) -> Result<PosterSet, ThumbError> {
        let (planes, orientation) = (self.planes, self.orientation);
        let (width, height) = planes.size();
        let (long, short) = (width.max(height), width.min(height));
        let at = |rung: u32, of: u32| {
            let scaled = |side: u32| {
                let nearest =
                    (u64::from(side) * u64::from(rung) + u64::from(of / 2)) / u64::from(of);
                u32::try_from(nearest).unwrap_or(side).clamp(1, side)
            };
            planes.to_raster(scaled(width), scaled(height))
        };
        let small = at(spec.preview_side().min(long), long)?;
        let side = spec.thumbnail_side().min(short);
        let square = if small.width.min(small.height) >= side {
            resize::cover(&small, side, orientation)?
        } else {
            resize::cover(&at(side, short)?, side, orientation)?
        };
        let preview = if long > spec.thumbnail_side() {
            Some(encode::jpeg(&orientation.apply(&small), spec.quality)?)
        } else {
            None
        };
        let thumbnail = encode::jpeg(&orientation.apply(&square), spec.quality)?;
        let (width_px, height_px) =
            if orientation.swaps_sides() { (height, width) } else { (width, height) };
        let source = VideoInfo {
            width_px,
            height_px,
            format: self.format,
            codec: self.codec,
            orientation,
            duration_ms: self.duration_ms,
            frame_ms: self.frame_ms,
        };
        Ok(PosterSet { thumbnail, preview, source })
    }
}

/// The error that names what would handle a video.
fn unsupported(what: &str) -> ThumbError {
    let what = format!("{what}; the platform's decoder or feature `ffmpeg` handles it");
    ThumbError::Unsupported { what }
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
    use super::planes::{Matrix, Plane};
    use super::*;

    /// A frame of one brightness with a line of another.
    fn frame(luma: u8, line: u8) -> Planes {
        let mut samples = vec![luma; 64 * 64];
        samples[..64 * 16].fill(line);
        let half = || Plane { samples: vec![128; 32 * 32], width: 32, height: 32 };
        Planes {
            luma: Plane { samples, width: 64, height: 64 },
            chroma: [half(), half()],
            is_full_range: true,
            matrix: Matrix::Bt709,
        }
    }

    fn chosen(frames: &[(u8, u8)]) -> Result<(usize, usize), ThumbError> {
        let mut tried = 0;
        let candidates = (0..frames.len()).collect();
        let found = choose(candidates, |&index| {
            tried += 1;
            match frames[index] {
                (0, 255) => Err(ThumbError::NotAnImage),
                (luma, line) => Ok(frame(luma, line)),
            }
        });
        found.map(|(_, index)| (index, tried))
    }

    #[test]
    fn vp4_the_first_frame_that_shows_something_is_taken() {
        assert_eq!(chosen(&[(100, 200), (0, 0)]).unwrap(), (0, 1));
        assert_eq!(chosen(&[(0, 0), (128, 128), (90, 200)]).unwrap(), (2, 3));
        assert_eq!(chosen(&[(0, 255), (90, 200)]).unwrap(), (1, 2));
    }

    #[test]
    fn vp4_of_frames_that_show_nothing_the_one_with_the_most_is_taken() {
        assert_eq!(chosen(&[(0, 0), (2, 14), (3, 3)]).unwrap(), (1, 3));
        assert!(matches!(chosen(&[(0, 255), (0, 255)]), Err(ThumbError::NotAnImage)));
        assert_eq!(chosen(&[(0, 255), (0, 0)]).unwrap(), (1, 2));
    }

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
        let error = unsupported(&codec_name("av01")).to_string();
        let wanted =
            "unsupported picture: AV1; the platform's decoder or feature `ffmpeg` handles it";
        assert_eq!(error, wanted);
    }
}
