//! The main job, run as its user runs it.

#![cfg(all(feature = "sqlite", feature = "thumb", feature = "ipfs"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

fn example() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| example::find("share_media", &[]))
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
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
        picture.save_with_format(&path, ImageFormat::Jpeg).unwrap();
        path.display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(example());
        command.arg("--db").arg(self.path("app.db")).arg("--out").arg(self.path("out"));
        command.args(arguments).output().unwrap()
    }

    /// The objects that `--json` printed, and the exit code.
    fn json(&self, arguments: &[&str]) -> (Vec<Value>, i32) {
        let output = self.run(&[&["--json"], arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines, output.status.code().unwrap())
    }
}

fn free(desk: &Desk) -> String {
    let text = String::from_utf8(desk.run(&[&desk.photo("probe.jpg", 8, 8)]).stdout).unwrap();
    text.lines().last().unwrap().to_owned()
}

#[test]
fn a_photo_becomes_pictures_ids_and_a_paid_upload_once() {
    let desk = Desk::new();
    let photo = desk.photo("sea side.jpg", 1_000, 700);
    let (first, code) = desk.json(&[&photo]);
    assert_eq!((first.len(), code), (1, 0));
    let line = &first[0];
    assert_eq!(line["file"], photo.as_str());
    assert_eq!(line["status"], "complete");
    let size = fs::metadata(&photo).unwrap().len();
    assert_eq!(line["credits"], (size * 100).div_ceil(1 << 20));
    for (kind, width, height) in [("thumbnail", 300, 300), ("preview", 600, 420)] {
        let small = &line[kind];
        assert_eq!((&small["width"], &small["height"]), (&width.into(), &height.into()));
        let bytes = fs::read(small["path"].as_str().unwrap()).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (width, height));
        assert_eq!(small["cid"], finalmile::ipfs::cid_of_bytes(&bytes).to_string());
        let cached = desk.path("out").join("ipfs").join(small["cid"].as_str().unwrap());
        assert_eq!(fs::read(cached).unwrap(), bytes);
    }
    let before = free(&desk);
    let (again, code) = desk.json(&[&photo]);
    assert_eq!((code, &again[0]["status"]), (0, &"replayed".into()));
    assert_eq!(again[0]["upload_id"], line["upload_id"]);
    assert_eq!(free(&desk), before, "the second time cost something");
}

#[test]
fn without_a_photo_it_renders_some_and_shows_the_feed() {
    let desk = Desk::new();
    let first = desk.run(&[]);
    let text = String::from_utf8(first.stdout).unwrap();
    assert!(first.status.success() && text.contains("The newest of the feed:"), "{text}");
    assert!(!text.contains("Nothing was charged."));
    let second = String::from_utf8(desk.run(&[]).stdout).unwrap();
    assert!(second.contains("Nothing was charged."), "{second}");
}

#[test]
fn a_small_picture_needs_no_preview() {
    let desk = Desk::new();
    let (lines, _) = desk.json(&[&desk.photo("a.jpg", 300, 200), &desk.photo("b.jpg", 301, 200)]);
    assert_eq!(lines[0]["preview"], Value::Null);
    assert_eq!(lines[0]["thumbnail"]["width"], 200);
    assert_eq!(lines[1]["preview"]["width"], 301);
}

#[test]
fn broken_files_are_errors_that_stop_nobody_and_cost_nothing() {
    let desk = Desk::new();
    let good = desk.photo("good.jpg", 400, 400);
    let write = |name: &str, bytes: &[u8]| {
        fs::write(desk.path(name), bytes).unwrap();
        desk.path(name).display().to_string()
    };
    let text = write("text.jpg", b"not a picture at all");
    let empty = write("empty.jpg", b"");
    let whole = fs::read(&good).unwrap();
    let cut = write("cut.jpg", &whole[..whole.len() / 3]);
    // A header that claims 65,500 x 65,500 pixels.
    let mut huge = whole;
    let frame = huge.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    huge[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    let huge = write("huge.jpg", &huge);
    let missing = desk.path("missing.jpg").display().to_string();
    let folder = desk.folder.path().display().to_string();
    let files = [&*text, &*empty, &*cut, &*huge, &*missing, &*folder, &*good];
    let before = free(&desk);
    let (lines, code) = desk.json(&files);
    assert_eq!((lines.len(), code), (files.len(), 1));
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_str()).collect();
    assert_eq!(
        codes,
        [
            Some("NOT_AN_IMAGE"),
            Some("NOT_AN_IMAGE"),
            Some("IMAGE_TRUNCATED"),
            Some("IMAGE_TOO_LARGE"),
            Some("FILE_UNREADABLE"),
            Some("FILE_UNREADABLE"),
            None,
        ]
    );
    let (again, code) = desk.json(&files[..6]);
    assert_eq!((again.len(), code), (6, 1));
    // Only the good one was charged: 1 credit.
    let number = |line: &str| -> i64 { line.split(' ').nth(2).unwrap().parse().unwrap() };
    assert_eq!(number(&before) - number(&free(&desk)), lines[6]["credits"].as_i64().unwrap());
}

#[test]
fn an_unusable_database_fails_every_file_and_stays_as_it_was() {
    let desk = Desk::new();
    let photo = desk.photo("a.jpg", 10, 10);
    let content = "no database, only text. ".repeat(400);
    fs::write(desk.path("app.db"), &content).unwrap();
    let (lines, code) = desk.json(&[&photo]);
    assert_eq!((&lines[0]["error"]["code"], code), (&"INTERNAL_ERROR".into(), 1));
    assert_eq!(fs::read_to_string(desk.path("app.db")).unwrap(), content);
    assert!(!desk.path("out").join("a-").exists());
}

#[test]
fn wrong_usage_is_said_with_2_and_a_bad_account_with_1() {
    let desk = Desk::new();
    let wrong = desk.run(&["--frobnicate"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("--frobnicate"));
    assert_eq!(desk.run(&["--account"]).status.code(), Some(2));
    let photo = desk.photo("a.jpg", 10, 10);
    for account in ["", &"x".repeat(10_000)] {
        let (lines, code) = desk.json(&["--account", account, &photo]);
        assert_eq!((&lines[0]["error"]["code"], code), (&"INVALID_REQUEST".into(), 1));
    }
}

#[test]
fn refusals_are_logged_as_json_lines_with_every_field() {
    let desk = Desk::new();
    fs::write(desk.path("bad.jpg"), b"bad").unwrap();
    let output = desk.run(&["--log", &desk.path("bad.jpg").display().to_string()]);
    let log = String::from_utf8(output.stderr).unwrap();
    let line: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["code"]), (&"WARN".into(), &"NOT_AN_IMAGE".into()));
    assert!(line["timestamp"].is_string());
}
