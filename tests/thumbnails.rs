//! The example that makes thumbnails, run as its user runs it.

#![cfg(feature = "thumb")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;

use std::{fs, path::PathBuf, process::Command, sync::OnceLock};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

struct Run {
    folder: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn photo(&self, name: &str, width: u32, height: u32) -> String {
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let shade = |n: u32| u8::try_from(n % 256).unwrap();
            Rgb([shade(x), shade(y), shade(x * y / 64)])
        });
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save_with_format(&path, ImageFormat::Jpeg).unwrap();
        path.display().to_string()
    }

    /// What it prints line by line, and its exit code.
    fn run(&self, arguments: &[&str]) -> (Vec<String>, i32) {
        static PATH: OnceLock<PathBuf> = OnceLock::new();
        let features = ["--no-default-features", "--features", "thumb"];
        let program = PATH.get_or_init(|| example::find("thumbnails", &features));
        let output = Command::new(program).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text.lines().map(str::to_owned).collect(), output.status.code().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> (Vec<Value>, i32) {
        let out = self.path("out").display().to_string();
        let (lines, code) = self.run(&[&["--json", "--out", &out], arguments].concat());
        (lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect(), code)
    }
}

#[test]
fn a_photo_becomes_two_pictures_beside_each_other_and_one_line() {
    let run = Run::new();
    let photo = run.photo("sea side.jpg", 1_000, 700);
    let (lines, code) = run.json(&[&photo]);
    assert_eq!((lines.len(), code), (1, 0));
    let line = &lines[0];
    assert_eq!(line["file"], photo.as_str());
    assert_eq!(line["kind"], "image");
    for (name, file, width, height) in [
        ("thumbnail", "out/sea side.thumb.jpg", 300, 300),
        ("preview", "out/sea side.preview.jpg", 600, 420),
    ] {
        let small = &line[name];
        let path = run.path(file);
        assert_eq!(small["path"], path.display().to_string());
        assert_eq!((&small["width"], &small["height"]), (&width.into(), &height.into()));
        let bytes = fs::read(&path).unwrap();
        assert_eq!(small["bytes"], bytes.len());
        let seen = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).unwrap();
        assert_eq!((seen.width(), seen.height()), (width, height));
    }
    assert_eq!((&line["poster"], &line["partial"]), (&Value::Null, &false.into()));
    assert_eq!(line["blurhash"].as_str().unwrap().len(), 28);
    let thumbhash = line["thumbhash"].as_str().unwrap();
    assert!(data_encoding::BASE64.decode(thumbhash.as_bytes()).unwrap().len() <= 25);
    assert!(line["ms"].as_f64().unwrap() > 0.0);
    let mut keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    keys.sort();
    let wanted = [
        "blurhash",
        "file",
        "kind",
        "ms",
        "partial",
        "poster",
        "preview",
        "thumbhash",
        "thumbnail",
    ];
    assert_eq!(keys, wanted);
}

#[test]
fn the_fit_is_the_thumbnails() {
    let run = Run::new();
    let photo = run.photo("a.jpg", 1_000, 700);
    let (lines, _) = run.json(&["--fit", "contain", &photo]);
    assert_eq!(
        (&lines[0]["thumbnail"]["width"], &lines[0]["thumbnail"]["height"]),
        (&300.into(), &210.into())
    );
    assert_eq!(lines[0]["preview"]["height"], 420);
}

#[test]
fn a_small_picture_needs_no_preview() {
    let run = Run::new();
    let (lines, code) = run.json(&[&run.photo("small.jpg", 120, 90)]);
    assert_eq!((&lines[0]["preview"], code), (&Value::Null, 0));
    assert!(!run.path("out/small.preview.jpg").exists());
}

fn clip(name: &str) -> String {
    format!("{}/tests/data/video/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_video_becomes_pictures_of_a_frame_and_the_larger_one_is_its_poster() {
    let run = Run::new();
    let (lines, code) = run.json(&[&clip("first.mp4"), &clip("quicktime.mov")]);
    assert_eq!((lines.len(), code), (2, 0));
    for (line, stem) in lines.iter().zip(["first", "quicktime"]) {
        assert_eq!((&line["kind"], &line["partial"]), (&"video".into(), &false.into()));
        let thumbnail = run.path(&format!("out/{stem}.thumb.jpg")).display().to_string();
        let preview = run.path(&format!("out/{stem}.preview.jpg")).display().to_string();
        assert_eq!(line["thumbnail"]["path"], thumbnail);
        assert_eq!(line["preview"]["path"], preview);
        assert_eq!(line["poster"], line["preview"]);
        let side = |picture: &str, side: &str| line[picture][side].as_u64().unwrap();
        assert_eq!((side("thumbnail", "width"), side("thumbnail", "height")), (200, 200));
        assert_eq!((side("poster", "width"), side("poster", "height")), (360, 200));
        assert_eq!(side("poster", "bytes"), fs::metadata(&preview).unwrap().len());
        assert_eq!(line["blurhash"].as_str().unwrap().len(), 28);
    }
    let out = run.path("out").display().to_string();
    let (lines, _) = run.run(&["--out", &out, &clip("first.mp4")]);
    assert!(lines[3].starts_with("  poster ") && lines[3].contains("(360x200, "), "{lines:?}");
}

#[test]
fn a_video_without_pictures_says_so() {
    let run = Run::new();
    let (lines, code) = run.json(&[&clip("no-video.mp4"), &clip("first.mp4")]);
    assert_eq!((lines[0]["error"]["code"].as_str(), code), (Some("UNSUPPORTED_IMAGE"), 1));
    assert_eq!(lines[1]["kind"], "video");
}

#[test]
fn a_file_that_fails_says_why_and_the_others_go_on() {
    let run = Run::new();
    let text = run.path("notes.jpg");
    fs::write(&text, "no picture").unwrap();
    let missing = run.path("missing.jpg").display().to_string();
    let photo = run.photo("b.jpg", 400, 400);
    let (lines, code) = run.json(&[text.to_str().unwrap(), &missing, &photo]);
    assert_eq!((lines.len(), code), (3, 1));
    let error = serde_json::json!({
        "file": text.display().to_string(),
        "error": { "error": "This file is not a picture", "code": "NOT_AN_IMAGE" },
    });
    assert_eq!(lines[0], error);
    assert_eq!(lines[1]["error"]["code"], "FILE_UNREADABLE");
    assert_eq!(lines[2]["thumbnail"]["width"], 300);
}

#[test]
fn files_of_one_name_do_not_overwrite_each_other() {
    let run = Run::new();
    let (one, other) = (run.photo("x/a.jpg", 400, 400), run.photo("y/a.jpg", 500, 400));
    let (lines, _) = run.json(&[&one, &other]);
    assert_ne!(lines[0]["thumbnail"]["path"], lines[1]["thumbnail"]["path"]);
    assert!(run.path("out/a.thumb.jpg").exists() && run.path("out/a-2.thumb.jpg").exists());
}

#[test]
fn people_get_sentences_and_wrong_usage_ends_with_2() {
    let run = Run::new();
    let photo = run.photo("c.jpg", 800, 800);
    let out = run.path("out").display().to_string();
    let (lines, code) = run.run(&["--out", &out, &photo]);
    assert_eq!(code, 0);
    assert!(lines[0].starts_with(&format!("{photo}: ")) && lines[1].contains("(300x300, "));
    for wrong in [&[][..], &["--out", &out], &[&photo], &["--out", &out, "--fit", "fill", &photo]] {
        assert_eq!(run.run(wrong).1, 2, "{wrong:?}");
    }
    assert_eq!(run.run(&["--help"]).1, 0);
}
