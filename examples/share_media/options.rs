//! The command line.

use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};

pub(crate) struct Options {
    pub(crate) db: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) account: String,
    pub(crate) json: bool,
    pub(crate) log: bool,
    pub(crate) photos: Vec<PathBuf>,
}

pub(crate) const fn usage() -> &'static str {
    "share_media [--db FILE] [--out DIR] [--account ID] [--json] [--log] PHOTO...

  --db FILE      the database, made if it is not there (default: app.db in the output folder)
  --out DIR      where small pictures and the cache go (default: share_media-out)
  --account ID   who shares (default: demo)
  --json         one JSON object a line
  --log          what the server would log, as JSON lines on standard error
  PHOTO...       JPEG, PNG, WebP or GIF files; without one, some are rendered"
}

impl Options {
    /// Reads the command line; `None` when it asks for help.
    pub(crate) fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let mut parser = Parser::from_env();
        let (mut db, mut out) = (None, PathBuf::from("share_media-out"));
        let (mut account, mut json, mut log) = ("demo".to_owned(), false, false);
        let mut photos = Vec::new();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("db") => db = Some(PathBuf::from(parser.value()?)),
                Arg::Long("out") => out = parser.value()?.into(),
                Arg::Long("account") => account = parser.value()?.string()?,
                Arg::Long("json") => json = true,
                Arg::Long("log") => log = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(photo) => photos.push(photo.into()),
                other @ (Arg::Long(_) | Arg::Short(_)) => return Err(other.unexpected()),
            }
        }
        let db = db.unwrap_or_else(|| out.join("app.db"));
        Ok(Some(Self { db, out, account, json, log, photos }))
    }
}
