//! Shares photos as an app would: thumbnails, content ids, a paid upload and the feed, on one SQLite
//! file.
//!
//! ```text
//! cargo run --release --example share_media -- [--db FILE] [--out DIR] [--account ID] [--json] [--log] PHOTO...
//! ```
//!
//! Without a photo it renders some of its own. Run twice on the same database, it charges nothing the
//! second time: same file, same account, same upload. Exit code 0 if every file worked, 1 if some did
//! not, 2 for wrong usage.

#![allow(clippy::print_stderr, reason = "a program talks to its user")]

#[path = "../cli/mod.rs"]
mod cli;
mod options;
mod samples;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use cli::tell;
use finalmile::{
    AccountId, Actor, Credits, Error, FinalMile, IdempotencyKey, PublicError,
    engines::Sqlite,
    ipfs::{Cache, Cid, Kind, cid_of_bytes, cid_of_file},
    ledger::{Money, Purchase},
    limit::Policy,
    thumb::{Picture, ThumbSpec, render_set_file},
    upload::{ContentId, MediaType, NewShare},
};
use indicatif::{ProgressBar, ProgressStyle};
use options::{Options, usage};
use serde_json::{Value, json};

/// What a new account is given: 10 GiB, or what the photos need if that is more.
const WELCOME: Credits = Credits::new(1_024_000);
/// How often an upload that failed long ago is begun anew.
const ATTEMPTS: usize = 5;

fn main() -> ExitCode {
    cli::start(usage(), Options::from_args(), |options| {
        if options.log {
            let json = tracing_subscriber::fmt().json().flatten_event(true).with_target(false);
            json.with_writer(std::io::stderr).init();
        }
        Ok::<_, Infallible>(share_all(&options))
    })
}

/// Shares every photo and prints the feed; whether all worked.
fn share_all(options: &Options) -> bool {
    let photos = match photos(options) {
        Ok(photos) => photos,
        Err(error) => {
            eprintln!("{}: {error}", options.out.display());
            return false;
        }
    };
    let desk = Desk::open(options, &photos);
    let bar = progress(photos.len());
    let (mut failed, mut charged) = (0, Credits::ZERO);
    for photo in &photos {
        bar.set_message(photo.display().to_string());
        let shared = match &desk {
            Ok(desk) => desk.share(photo),
            Err(error) => Err(error.public()),
        };
        match &shared {
            Ok(shared) if !shared.replayed => {
                charged = charged.plus(shared.credits).unwrap_or(charged);
            }
            Ok(_) => {}
            Err(_) => failed += 1,
        }
        bar.suspend(|| report(options, photo, &shared));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let (Ok(desk), false) = (&desk, options.json) {
        tell("");
        match charged {
            Credits::ZERO => tell("Nothing was charged."),
            credits => tell(format_args!("{credits} credits were charged.")),
        }
        if let Err(error) = desk.print_feed() {
            eprintln!("feed: {error}");
            failed += 1;
        }
    }
    if let Err(error) = &desk {
        eprintln!("{}: {error}", options.db.display());
        failed += 1;
    }
    failed == 0
}

/// The photos that were named, or some of our own.
fn photos(options: &Options) -> std::io::Result<Vec<PathBuf>> {
    fs::create_dir_all(&options.out)?;
    if options.photos.is_empty() {
        samples::render(&options.out)
    } else {
        Ok(options.photos.clone())
    }
}

/// A bar on a terminal, nothing elsewhere: the lines of the report are then enough.
fn progress(photos: usize) -> ProgressBar {
    let bar = ProgressBar::new(photos as u64);
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Everything that a share needs.
struct Desk {
    fm: FinalMile,
    cache: Cache,
    account: AccountId,
    out: PathBuf,
}

/// One photo, shared.
struct Shared {
    cid: Cid,
    thumbnail: Small,
    preview: Option<Small>,
    upload_id: String,
    credits: Credits,
    replayed: bool,
}

/// One small picture: where it lies and what it is.
struct Small {
    path: PathBuf,
    cid: Cid,
    width: u32,
    height: u32,
}

impl Desk {
    fn open(options: &Options, photos: &[PathBuf]) -> Result<Self, Error> {
        let account = AccountId::new(&options.account)?;
        let fm = FinalMile::builder(Sqlite::file(&options.db)).open()?;
        let cache = Cache::open(options.out.join("ipfs"))?;
        // The documents allow 50 uploads an hour; an album has more.
        let admin = fm.admin(Actor::new("share_media")?);
        for endpoint in ["begin-upload", "finalize-upload"] {
            let hour = Duration::from_secs(3_600);
            admin.configure(Policy::window(endpoint.parse()?, 10_000, hour)?).wait()?;
        }
        if fm.ledger().account(&account).wait()?.is_none() {
            let sizes = photos.iter().map(|photo| fs::metadata(photo).map_or(0, |file| file.len()));
            let needed: i64 = sizes.map(|size| Credits::for_bytes(size).get()).sum();
            let welcome = Purchase {
                account: account.clone(),
                credits: WELCOME.max(Credits::new(needed)),
                provider: "demo".parse()?,
                // Of a fixed length, however long the name is.
                reference: format!("welcome-{}", cid_of_bytes(account.as_str().as_bytes()))
                    .parse()?,
                paid: Money::minor(0, "usd")?,
                paid_at: None,
                metadata: BTreeMap::new(),
            };
            fm.ledger().add_credits(welcome).wait()?;
        }
        Ok(Self { fm, cache, account, out: options.out.clone() })
    }

    /// Makes the small pictures, then pays for the upload and shares it. Nothing is charged for a
    /// file that is no picture, because that is found out first.
    fn share(&self, photo: &Path) -> Result<Shared, PublicError> {
        let shared = self.prepare(photo).and_then(|prepared| self.upload(photo, prepared));
        shared.map_err(|error| {
            if !matches!(error, Error::Refused(_) | Error::Store(_)) {
                let file = photo.display().to_string();
                tracing::warn!(service = "share-media", file, code = error.code(), "{error}");
            }
            error.public()
        })
    }

    fn prepare(&self, photo: &Path) -> Result<(Cid, Small, Option<Small>), Error> {
        let set = render_set_file(photo, &ThumbSpec::default())?;
        let cid = cid_of_file(photo)?;
        let thumbnail = self.keep(photo, &cid, Kind::Thumbnail, &set.thumbnail)?;
        let preview = set.preview.map(|picture| self.keep(photo, &cid, Kind::Media, &picture));
        Ok((cid, thumbnail, preview.transpose()?))
    }

    /// Puts a small picture into the cache, and beside it under a name that a person can open.
    fn keep(
        &self,
        photo: &Path,
        full: &Cid,
        kind: Kind,
        picture: &Picture,
    ) -> Result<Small, Error> {
        let cached = self.cache.put_bytes(&picture.bytes, kind)?;
        let name = if kind == Kind::Thumbnail { "thumb" } else { "preview" };
        let stem = photo.file_stem().unwrap_or_default().to_string_lossy();
        let full = full.to_string();
        // Photos of one name from two folders stay apart by the end of their content ids.
        let tail = &full[full.len().saturating_sub(6)..];
        let path = self.out.join(format!("{stem}-{tail}.{name}.jpg"));
        let copied = fs::write(&path, &picture.bytes);
        // The cache has it in any case; the name is a convenience.
        let path = if copied.is_ok() { path } else { cached.path };
        let cid = cid_of_bytes(&picture.bytes);
        Ok(Small { path, cid, width: picture.width_px, height: picture.height_px })
    }

    fn upload(
        &self,
        photo: &Path,
        (cid, thumbnail, preview): (Cid, Small, Option<Small>),
    ) -> Result<Shared, Error> {
        let size = fs::metadata(photo).map_or(0, |file| file.len());
        let uploads = self.fm.uploads();
        let mut attempt = 1;
        loop {
            let key = match attempt {
                1 => IdempotencyKey::new(format!("share:{cid}"))?,
                n => IdempotencyKey::new(format!("share:{cid}#{n}"))?,
            };
            let begun = uploads.begin(&self.account, size, &key).wait()?;
            // Here an app stores the three files with its IPFS service.
            let share = NewShare {
                thumbnail_cid: Some(ContentId::new(thumbnail.cid.to_string())?),
                preview_cid: preview
                    .as_ref()
                    .map(|small| ContentId::new(small.cid.to_string()))
                    .transpose()?,
                ..NewShare::new(MediaType::Image, ContentId::new(cid.to_string())?)
            };
            match uploads.finalize(&self.account, begun.upload_id, share).wait() {
                Ok(done) => {
                    let (upload_id, credits) = (begun.upload_id.to_string(), done.upload.credits);
                    let replayed = done.replayed;
                    return Ok(Shared { cid, thumbnail, preview, upload_id, credits, replayed });
                }
                // An earlier run was interrupted and its upload has failed meanwhile.
                Err(error) if error.code() == "UPLOAD_NOT_PENDING" && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn print_feed(&self) -> Result<(), Error> {
        let page = self.fm.uploads().feed(None).wait()?;
        tell("The newest of the feed:");
        for share in page.rows {
            let shown = share.display_cid().map_or("nothing", ContentId::as_str);
            tell(format_args!("  {} by {}: {shown}", share.media_type, share.account));
        }
        if let Some(account) = self.fm.ledger().account(&self.account).wait()? {
            tell(format_args!("{} has {} credits free.", account.id, account.available()));
        }
        Ok(())
    }
}

fn report(options: &Options, photo: &Path, shared: &Result<Shared, PublicError>) {
    let file = photo.display().to_string();
    if options.json {
        let line = match shared {
            Ok(shared) => shared.to_json(&file),
            Err(PublicError { error, code }) => {
                json!({ "file": file, "error": { "error": error, "code": code } })
            }
        };
        tell(line);
        return;
    }
    match shared {
        Ok(shared) => {
            let preview = shared.preview.as_ref().map_or("none needed".to_owned(), Small::to_line);
            let (status, credits) = (shared.status(), shared.credits);
            tell(format_args!("{file}: {status}, {credits} credits"));
            tell(format_args!("  content    {}", shared.cid));
            tell(format_args!("  thumbnail  {}", shared.thumbnail.to_line()));
            tell(format_args!("  preview    {preview}"));
        }
        Err(PublicError { error, code }) => tell(format_args!("{file}: {error} ({code})")),
    }
}

impl Shared {
    fn status(&self) -> &'static str {
        if self.replayed { "replayed" } else { "complete" }
    }

    fn to_json(&self, file: &str) -> Value {
        json!({
            "file": file,
            "cid": self.cid.to_string(),
            "thumbnail": self.thumbnail.to_json(),
            "preview": self.preview.as_ref().map(Small::to_json),
            "upload_id": self.upload_id,
            "credits": self.credits.get(),
            "status": self.status(),
        })
    }
}

impl Small {
    fn to_line(&self) -> String {
        format!("{} ({}x{})", self.path.display(), self.width, self.height)
    }

    fn to_json(&self) -> Value {
        json!({
            "path": self.path.display().to_string(),
            "cid": self.cid.to_string(),
            "width": self.width,
            "height": self.height,
        })
    }
}
