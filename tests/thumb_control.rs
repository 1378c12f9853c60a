//! What a host may do while a picture is rendered: stop it, watch it, lend it a decoder.

#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "support/pictures.rs"]
mod pictures;

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use finalmile::thumb::{
    Format, Hooks, PlatformDecoder, PlatformPicture, PlatformRequest, ThumbError, ThumbSpec,
    render_set, render_set_file_with, render_set_with,
};
use image::ImageFormat;

use pictures::*;

const AVIF: &[u8] = b"\0\0\0\x18ftypavif\0\0\0\0";

#[test]
fn progress_runs_from_little_to_all_and_never_back() {
    for file in [
        jpeg(&scene(1_600, 1_200), false),
        jpeg(&scene(1_600, 1_200), true),
        encode(&scene(1_600, 1_200).into(), ImageFormat::Png),
    ] {
        let told = Mutex::new(Vec::new());
        let progress = |share| told.lock().unwrap().push(share);
        render_set_with(&file, &ThumbSpec::default(), &Hooks::new().progress(&progress)).unwrap();
        let told = told.into_inner().unwrap();
        assert!(told.len() >= 5 && told.is_sorted(), "{told:?}");
        assert!(told[0] < 0.2 && told.last() == Some(&1.0), "{told:?}");
    }
}

#[test]
fn a_rendering_ends_soon_after_it_is_cancelled() {
    for file in [
        jpeg(&scene(1_600, 1_200), false),
        jpeg(&scene(1_600, 1_200), true),
        encode(&scene(1_600, 1_200).into(), ImageFormat::Png),
    ] {
        let stop = AtomicBool::new(false);
        let calls = Mutex::new(0);
        let progress = |_| {
            *calls.lock().unwrap() += 1;
            stop.store(true, Ordering::Relaxed);
        };
        let hooks = Hooks::new().cancel(&stop).progress(&progress);
        let error = render_set_with(&file, &ThumbSpec::default(), &hooks).unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("CANCELLED", true));
        assert!(*calls.lock().unwrap() <= 2, "it went on");
    }
}

#[test]
fn t2_time_is_a_limit_too() {
    let mut spec = ThumbSpec::default();
    spec.limits.max_time = Duration::ZERO;
    for (name, file) in samples() {
        let error = render_set(&file, &spec).unwrap_err();
        assert!(matches!(error, ThumbError::TimedOut { limit_ms: 0 }), "{name}: {error:?}");
        assert_eq!(error.code(), "IMAGE_TIMED_OUT");
    }
}

/// Answers always the same.
struct Phone(fn() -> Result<Option<PlatformPicture>, String>);

impl PlatformDecoder for Phone {
    fn decode(&self, request: &PlatformRequest<'_>) -> Result<Option<PlatformPicture>, String> {
        assert_eq!((request.format, request.wanted_side_px), (Format::Avif, 600));
        assert_eq!(request.at_ms, None);
        assert_eq!(request.bytes, AVIF);
        (self.0)()
    }
}

fn through(phone: &Phone) -> Result<finalmile::thumb::ThumbnailSet, ThumbError> {
    render_set_with(AVIF, &ThumbSpec::default(), &Hooks::new().platform(phone))
}

#[test]
fn the_phones_decoder_is_asked_for_what_is_not_decoded_here() {
    let pixels = through(&Phone(|| {
        let card = image::DynamicImage::from(stored_card(1, 720, 480)).to_rgba8();
        let pixels = card.into_raw();
        Ok(Some(PlatformPicture::Rgba { pixels, width_px: 720, height_px: 480 }))
    }));
    // An encoded answer brings its own orientation.
    let encoded = through(&Phone(|| {
        let file = jpeg_with_exif(&jpeg(&stored_card(6, 720, 480), false), &tiff(6, true));
        Ok(Some(PlatformPicture::Encoded(file)))
    }));
    for set in [pixels.unwrap(), encoded.unwrap()] {
        assert_eq!((set.source.format, set.source.width_px), (Format::Avif, 720));
        assert_upright(&set.thumbnail);
        assert_upright(&set.preview.unwrap());
    }
}

#[test]
fn the_phones_decoder_may_be_missing_decline_fail_or_talk_nonsense() {
    let missing = render_set(AVIF, &ThumbSpec::default()).unwrap_err();
    let declined = through(&Phone(|| Ok(None))).unwrap_err();
    for error in [missing, declined] {
        assert_eq!(error.code(), "UNSUPPORTED_IMAGE");
        assert!(error.to_string().contains("PlatformDecoder"), "{error}");
    }
    for phone in [
        Phone(|| Err("no licence".to_owned())),
        Phone(|| Ok(Some(PlatformPicture::Encoded(AVIF.to_vec())))),
        Phone(|| {
            let pixels = vec![0; 7];
            Ok(Some(PlatformPicture::Rgba { pixels, width_px: 2, height_px: 1 }))
        }),
    ] {
        let error = through(&phone).unwrap_err();
        assert!(matches!(error, ThumbError::Platform { what: Format::Avif, .. }), "{error:?}");
    }
}

#[test]
fn the_phones_decoder_may_answer_with_a_file() {
    struct Filing(std::path::PathBuf);
    impl PlatformDecoder for Filing {
        fn decode(&self, asked: &PlatformRequest<'_>) -> Result<Option<PlatformPicture>, String> {
            assert!(asked.path.is_some_and(|path| path.ends_with("photo.avif")));
            Ok(Some(PlatformPicture::File(self.0.clone())))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, answer) = (folder.path().join("photo.avif"), folder.path().join("answer.jpg"));
    fs::write(&source, AVIF).unwrap();
    fs::write(&answer, jpeg(&stored_card(1, 720, 480), false)).unwrap();
    let phone = Filing(answer.clone());
    let hooks = Hooks::new().platform(&phone);
    let set = render_set_file_with(&source, &ThumbSpec::default(), &hooks).unwrap();
    assert_upright(&set.thumbnail);
    assert!(answer.exists(), "it is left where it is");
}
