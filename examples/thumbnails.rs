//! Makes small pictures of files, as a service does that receives them.
//!
//! ```text
//! cargo run --release --example thumbnails -- --out DIR [--fit cover|contain] [--json] FILE...
//! ```
//!
//! Writes `<stem>.thumb.jpg` and `<stem>.preview.jpg` into the folder, one pair for each file, and
//! says one line about each; with `--json` one object. The fit is the thumbnail's, the preview always
//! keeps the whole picture. Of a video it shows a frame, and the poster is the larger of the two
//! pictures. With the feature `ffmpeg`, the program of that name decodes what is not H.264. Exit code 0 if every file worked, 1 if some did not, 2 for wrong usage.

#![allow(clippy::print_stderr, reason = "a program talks to its user")]
#![allow(clippy::float_arithmetic, reason = "milliseconds have a fraction")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use finalmile::thumb::{
    Fit, Format, Gravity, Picture, PosterSet, PosterSpec, ThumbError, ThumbSpec, ThumbnailSet,
    render_poster_set_file, render_set_file,
};
use lexopt::{Arg, Parser, ValueExt as _};
use serde_json::{Value, json};

const USAGE: &str = "thumbnails --out DIR [--fit cover|contain] [--json] FILE...

  --out DIR      where the small pictures go; made if it is not there
  --fit FIT      how a thumbnail meets its square: cover (the default) or contain
  --json         one JSON object a line
  FILE...        pictures and videos";

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = fs::create_dir_all(&options.out) {
        eprintln!("{}: {error}", options.out.display());
        return ExitCode::FAILURE;
    }
    let mut names = Names::default();
    let mut all = true;
    for file in &options.files {
        let stem = names.stem(file);
        let begun = now();
        let made = Made::of(file, &options, &stem);
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        all &= made.is_ok();
        report(&options, file, &made, ms);
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "a program may look at its watch")]
fn now() -> Instant {
    Instant::now()
}

/// Prints a line; a reader that has gone away is no fault.
fn say(line: impl std::fmt::Display) {
    writeln!(io::stdout(), "{line}").ok();
}

struct Options {
    out: PathBuf,
    fit: Fit,
    json: bool,
    files: Vec<PathBuf>,
}

impl Options {
    /// Reads the command line; `None` when it asks for help.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let mut parser = Parser::from_env();
        let (mut out, mut fit, mut json) = (None, Fit::default(), false);
        let mut files = Vec::new();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("out") => out = Some(PathBuf::from(parser.value()?)),
                Arg::Long("fit") => {
                    fit = match parser.value()?.string()?.as_str() {
                        "cover" => Fit::Cover(Gravity::Center),
                        "contain" => Fit::Contain,
                        other => return Err(format!("--fit {other}: cover or contain").into()),
                    };
                }
                Arg::Long("json") => json = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(file) => files.push(file.into()),
                other @ (Arg::Long(_) | Arg::Short(_)) => return Err(other.unexpected()),
            }
        }
        let out = out.ok_or("--out DIR is missing")?;
        if files.is_empty() {
            return Err("no file is named".into());
        }
        Ok(Some(Self { out, fit, json, files }))
    }
}

/// Files of one name from two folders stay apart by a number.
#[derive(Default)]
struct Names(BTreeMap<OsString, u32>);

impl Names {
    fn stem(&mut self, file: &Path) -> OsString {
        let mut stem = file.file_stem().unwrap_or_default().to_owned();
        let known = self.0.entry(stem.clone()).or_default();
        *known += 1;
        if *known > 1 {
            stem.push(format!("-{known}"));
        }
        stem
    }
}

/// What became of one file.
struct Made {
    kind: &'static str,
    thumbnail: Small,
    preview: Option<Small>,
    poster: Option<Small>,
    blurhash: String,
    thumbhash: String,
    partial: bool,
}

/// One small picture and where it lies.
#[derive(Clone)]
struct Small {
    path: PathBuf,
    width: u32,
    height: u32,
    bytes: usize,
}

/// Why nothing became of it.
enum Failure {
    Thumb(ThumbError),
    /// The pictures are made but could not be written.
    Write(PathBuf, io::Error),
}

impl Made {
    fn of(file: &Path, options: &Options, stem: &OsString) -> Result<Self, Failure> {
        let mut spec = ThumbSpec::default();
        spec.fit = options.fit;
        if is_video(file) {
            let set = render_poster_set_file(file, &spec, &PosterSpec::default());
            let PosterSet { thumbnail, preview, blurhash, thumbhash, partial, .. } =
                set.map_err(Failure::Thumb)?;
            let hashes = (blurhash, thumbhash);
            let made = Self::keep("video", &thumbnail, preview.as_ref(), hashes, options, stem)?;
            let poster = made.preview.as_ref().unwrap_or(&made.thumbnail).clone();
            return Ok(Self { poster: Some(poster), partial, ..made });
        }
        let set = render_set_file(file, &spec).map_err(Failure::Thumb)?;
        let ThumbnailSet { thumbnail, preview, blurhash, thumbhash, partial, .. } = set;
        let hashes = (blurhash, thumbhash);
        let made = Self::keep("image", &thumbnail, preview.as_ref(), hashes, options, stem)?;
        Ok(Self { partial, ..made })
    }

    fn keep(
        kind: &'static str,
        thumbnail: &Picture,
        preview: Option<&Picture>,
        (blurhash, thumbhash): (String, Vec<u8>),
        options: &Options,
        stem: &OsString,
    ) -> Result<Self, Failure> {
        let keep = |picture: &Picture, kind| Small::keep(picture, options, stem, kind);
        Ok(Self {
            kind,
            thumbnail: keep(thumbnail, "thumb")?,
            preview: preview.map(|picture| keep(picture, "preview")).transpose()?,
            poster: None,
            blurhash,
            thumbhash: data_encoding::BASE64.encode(&thumbhash),
            partial: false,
        })
    }
}

/// Whether the file begins like a video. What cannot be read is left to the library to complain of.
fn is_video(file: &Path) -> bool {
    // Opening a named pipe would wait for its writer.
    if !fs::metadata(file).is_ok_and(|meta| meta.is_file()) {
        return false;
    }
    let mut first = Vec::new();
    let read = fs::File::open(file).and_then(|file| file.take(64).read_to_end(&mut first));
    read.is_ok() && Format::from_first_bytes(&first).is_some_and(Format::is_video)
}

impl Small {
    fn keep(
        picture: &Picture,
        options: &Options,
        stem: &OsString,
        kind: &str,
    ) -> Result<Self, Failure> {
        let mut name = stem.clone();
        name.push(format!(".{kind}.jpg"));
        let path = options.out.join(name);
        fs::write(&path, &picture.bytes).map_err(|error| Failure::Write(path.clone(), error))?;
        let (width, height) = (picture.width_px, picture.height_px);
        Ok(Self { path, width, height, bytes: picture.bytes.len() })
    }

    fn to_json(&self) -> Value {
        json!({
            "path": self.path.display().to_string(),
            "width": self.width,
            "height": self.height,
            "bytes": self.bytes,
        })
    }

    fn to_line(&self) -> String {
        let Self { path, width, height, bytes } = self;
        format!("{} ({width}x{height}, {bytes} bytes)", path.display())
    }
}

impl Failure {
    /// The user's sentence, the stable code, and for the log what happened.
    fn told(&self) -> (&'static str, &'static str, String) {
        match self {
            Self::Thumb(error) => (error.public_text(), error.code(), error.to_string()),
            Self::Write(path, error) => {
                let why = format!("cannot write {}: {error}", path.display());
                ("The small picture could not be written", "FILE_UNWRITABLE", why)
            }
        }
    }
}

fn report(options: &Options, file: &Path, made: &Result<Made, Failure>, ms: f64) {
    let file = file.display().to_string();
    match made {
        Ok(made) if options.json => say(json!({
            "file": file,
            "kind": made.kind,
            "thumbnail": made.thumbnail.to_json(),
            "preview": made.preview.as_ref().map(Small::to_json),
            "poster": made.poster.as_ref().map(Small::to_json),
            "blurhash": made.blurhash,
            "thumbhash": made.thumbhash,
            "partial": made.partial,
            "ms": (ms * 10.0).round() / 10.0,
        })),
        Ok(made) => {
            let partial = if made.partial { ", the file is cut" } else { "" };
            say(format_args!("{file}: {ms:.1} ms{partial}"));
            say(format_args!("  thumbnail  {}", made.thumbnail.to_line()));
            let preview = made.preview.as_ref().map_or("none needed".to_owned(), Small::to_line);
            say(format_args!("  preview    {preview}"));
            if let Some(poster) = &made.poster {
                say(format_args!("  poster     {}", poster.to_line()));
            }
        }
        Err(failure) => {
            let (error, code, why) = failure.told();
            if options.json {
                say(json!({ "file": file, "error": { "error": error, "code": code } }));
            } else {
                say(format_args!("{file}: {error} ({code})"));
            }
            eprintln!("{file}: {why}");
        }
    }
}
