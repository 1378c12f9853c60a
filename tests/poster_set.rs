//! A poster goes the way of a photo: fit, budget, encoding, hooks and the host's decoder.
//!
//! The clips show a card of four corners in four colours; `tests/poster.rs` says more of them.
#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/pictures.rs"]
mod pictures;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use finalmile::thumb::{
    Encoding, Fit, Format, Gravity, Hooks, PlatformDecoder, PlatformPicture, PlatformRequest,
    PosterSet, PosterSpec, ThumbError, ThumbSpec, render_poster_set, render_poster_set_file_with,
    render_poster_set_with,
};

use pictures::{BLUE, CORNERS, GREEN, RED, YELLOW, close, pixels};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/video").join(name)
}

fn clip(name: &str) -> Cursor<Vec<u8>> {
    Cursor::new(fs::read(path(name)).unwrap())
}

fn render(name: &str, change: impl FnOnce(&mut ThumbSpec)) -> PosterSet {
    let mut spec = ThumbSpec::default();
    change(&mut spec);
    render_poster_set(clip(name), &spec, &PosterSpec::default()).unwrap()
}

fn with_hooks(name: &str, hooks: &Hooks<'_>) -> Result<PosterSet, ThumbError> {
    render_poster_set_with(clip(name), &ThumbSpec::default(), &PosterSpec::default(), hooks)
}

fn assert_corners(picture: &finalmile::thumb::Picture, wanted: [[u8; 3]; 4]) {
    let seen = pixels(picture);
    let (right, bottom) = (seen.width() - 5, seen.height() - 5);
    let places = [(4, 4), (right, 4), (4, bottom), (right, bottom)];
    for ((x, y), wanted) in places.into_iter().zip(wanted) {
        assert!(close(seen.get_pixel(x, y), wanted), "{:?} at {x}, {y}", seen.get_pixel(x, y));
    }
}

#[test]
fn a_frame_fills_its_square_or_lies_within_it() {
    let contained = render("first.mp4", |spec| {
        (spec.thumbnail_side_px, spec.fit) = (100, Fit::Contain);
    });
    assert_eq!((contained.thumbnail.width_px, contained.thumbnail.height_px), (100, 56));
    assert_corners(&contained.thumbnail, CORNERS);
    for (gravity, wanted) in [
        (Gravity::Center, CORNERS),
        // 180 of the 200 columns that stay are red, or blue.
        (Gravity::Left, [RED, GREEN, BLUE, YELLOW]),
        (Gravity::TopRight, [RED, GREEN, BLUE, YELLOW]),
    ] {
        let set = render("first.mp4", |spec| spec.fit = Fit::Cover(gravity));
        assert_corners(&set.thumbnail, wanted);
        let seen = pixels(&set.thumbnail);
        let middle = seen.get_pixel(100, 5);
        let expected = match gravity {
            Gravity::Left => Some(RED),
            Gravity::TopRight => Some(GREEN),
            _ => None,
        };
        assert!(expected.is_none_or(|wanted| close(middle, wanted)), "{gravity:?}: {middle:?}");
    }
}

#[test]
fn a_frame_is_never_enlarged() {
    let set = render("first.mp4", |spec| {
        (spec.thumbnail_side_px, spec.preview_side_px) = (900, 1_800);
    });
    assert_eq!((set.thumbnail.width_px, set.thumbnail.height_px), (200, 200));
    assert_eq!(set.preview, None);
}

#[test]
fn a_frame_keeps_its_budget_and_gets_placeholders() {
    let set = render("scene.mp4", |spec| spec.max_picture_bytes = Some(2_000));
    let preview = set.preview.unwrap();
    assert!(set.thumbnail.bytes.len() <= 2_000 && preview.bytes.len() <= 2_000);
    let free = render("scene.mp4", |spec| spec.quality = 80);
    assert!(free.thumbnail.bytes.len() > 2_000);
    assert_eq!((free.blurhash.len(), free.thumbhash.len() <= 25), (28, true));
    assert_eq!(free, render("scene.mp4", |_| ()));
}

#[test]
fn a_frame_is_encoded_and_mixed_as_asked() {
    let set = render("first.mp4", |spec| {
        (spec.encoding, spec.linear_light) = (Encoding::Png, true);
    });
    assert_eq!(set.thumbnail.format, Format::Png);
    assert_corners(&set.thumbnail, CORNERS);
    assert_corners(&set.preview.unwrap(), CORNERS);
}

#[test]
fn progress_is_told_and_a_host_that_stops_is_heard() {
    // Four black frames are tried.
    for name in ["first.mp4", "all-black.mp4"] {
        let told = Mutex::new(Vec::new());
        let progress = |share| told.lock().unwrap().push(share);
        with_hooks(name, &Hooks::new().progress(&progress)).unwrap();
        let told = told.into_inner().unwrap();
        assert!(told.len() >= 3 && told.is_sorted(), "{told:?}");
        assert_eq!(told.last(), Some(&1.0));
    }
    let stop = AtomicBool::new(false);
    let progress = |_| stop.store(true, Ordering::Relaxed);
    let hooks = Hooks::new().cancel(&stop).progress(&progress);
    assert_eq!(with_hooks("all-black.mp4", &hooks).unwrap_err().code(), "CANCELLED");
    assert_eq!(with_hooks("first.mp4", &hooks).unwrap_err().code(), "CANCELLED");
}

#[test]
fn time_is_a_limit_of_posters_too() {
    let mut spec = ThumbSpec::default();
    spec.limits.max_time = Duration::ZERO;
    let error = render_poster_set(clip("first.mp4"), &spec, &PosterSpec::default()).unwrap_err();
    assert!(matches!(error, ThumbError::TimedOut { limit_ms: 0 }), "{error:?}");
}

/// Notes what it is asked, and answers as it is told.
struct Phone {
    asked: Mutex<Vec<u64>>,
    answer: fn(u64) -> Result<Option<PlatformPicture>, String>,
}

impl Phone {
    fn new(answer: fn(u64) -> Result<Option<PlatformPicture>, String>) -> Self {
        Self { asked: Mutex::default(), answer }
    }

    fn render(&self, name: &str) -> (Result<PosterSet, ThumbError>, Vec<u64>) {
        let hooks = Hooks::new().platform(self);
        let (spec, poster) = (ThumbSpec::default(), PosterSpec::default());
        let set = render_poster_set_file_with(&path(name), &spec, &poster, &hooks);
        (set, self.asked.lock().unwrap().clone())
    }
}

impl PlatformDecoder for Phone {
    fn decode(&self, request: &PlatformRequest<'_>) -> Result<Option<PlatformPicture>, String> {
        assert!(request.format.is_video() && request.bytes.is_empty());
        assert!(request.path.is_some_and(Path::exists));
        let at_ms = request.at_ms.unwrap();
        self.asked.lock().unwrap().push(at_ms);
        (self.answer)(at_ms)
    }
}

fn even(colour: [u8; 3]) -> PlatformPicture {
    let [r, g, b] = colour;
    let pixels = [r, g, b, 255].repeat(72 * 40);
    PlatformPicture::Rgba { pixels, width_px: 72, height_px: 40 }
}

#[test]
fn vp4_the_phones_decoder_is_asked_until_a_frame_shows_something() {
    let phone = Phone::new(|at_ms| {
        Ok(Some(if at_ms < 250 {
            even([0; 3])
        } else {
            let card = image::DynamicImage::from(pictures::stored_card(1, 720, 400));
            let pixels = card.to_rgba8().into_raw();
            PlatformPicture::Rgba { pixels, width_px: 720, height_px: 400 }
        }))
    });
    let (set, asked) = phone.render("hevc.mp4");
    let set = set.unwrap();
    assert!(asked.len() > 1 && asked.is_sorted(), "{asked:?}");
    assert_eq!((set.source.codec.as_str(), set.source.format), ("HEVC", Format::Mp4));
    assert_eq!(Some(&set.source.frame_ms), asked.last());
    assert_eq!((set.source.width_px, set.thumbnail.width_px), (720, 300));
    assert_corners(&set.preview.unwrap(), CORNERS);
}

#[test]
fn the_phones_decoder_may_fail_and_is_not_asked_for_what_is_decoded_here() {
    let (set, asked) = Phone::new(|_| Err("no licence".to_owned())).render("hevc.mp4");
    assert!(matches!(set, Err(ThumbError::Platform { what: Format::Mp4, .. })), "{set:?}");
    assert!(!asked.is_empty());
    let (set, asked) = Phone::new(|_| Err("no licence".to_owned())).render("first.mp4");
    assert!(set.is_ok() && asked.is_empty());
}

#[cfg(not(feature = "ffmpeg"))]
#[test]
fn where_nobody_decodes_a_video_the_error_names_who_would() {
    let (set, asked) = Phone::new(|_| Ok(None)).render("vp9.webm");
    assert_eq!(asked.len(), 1);
    let wanted = "unsupported: VP9 in Matroska or WebM; a `PlatformDecoder` or the feature \
                  `ffmpeg` would handle it";
    assert_eq!(set.unwrap_err().to_string(), wanted);
}
