//! Prints the content id of files and directories, as IPFS tools of the same profile do.
//!
//! ```text
//! cargo run --release --example cid -- photo.jpg videos/
//! cargo run --release --example cid -- --profile unixfs-v0-2015 photo.jpg
//! cargo run --release --example cid -- --chunk 262144 --width 174 --leaves raw --cid-version 1 photo.jpg
//! ```
//!
//! One line each: the id, two spaces, the path. Exit code 0; 1 if something could not be read (the
//! others are printed all the same), 2 for wrong usage.

#![allow(clippy::print_stderr, reason = "a program talks to its user")]

mod cli;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use finalmile::ipfs::{ImportOptions, IpfsError, Profile, import_path};
use lexopt::{Arg, Parser, ValueExt as _};

const USAGE: &str =
    "cid [--profile NAME] [--chunk N] [--width N] [--leaves raw|dag-pb] [--cid-version 0|1] PATH...

  --profile NAME     unixfs-v1-2025 (default) or unixfs-v0-2015; what follows changes parts of it
  --chunk N          bytes of a file in one leaf
  --width N          links in one block of a file
  --leaves KIND      raw: the bytes themselves; dag-pb: wrapped
  --cid-version N    0 prints Qm… where there is such a form, 1 prints baf…
  --hidden           take in what begins with a dot, too
  --threads N        how many threads hash a file, 1 unless told otherwise";

struct Options {
    import: ImportOptions,
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    cli::start(USAGE, Options::from_args(), |options| Ok::<_, IpfsError>(run(&options)))
}

/// Whether every path was read.
fn run(options: &Options) -> bool {
    let mut all = true;
    for path in &options.paths {
        match import_path(path, options.import) {
            Ok(root) => {
                let cid = options.import.profile.spell(&root.cid());
                cli::say(&format!("{cid}  {}", path.display()));
            }
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                all = false;
            }
        }
    }
    all
}

impl Options {
    /// `None`: help was asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let (mut profile, mut hidden, mut paths) = (Profile::default(), false, Vec::new());
        let mut threads = NonZeroUsize::MIN;
        let (mut chunk, mut width, mut leaves, mut version) = (None, None, None, None);
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("profile") => {
                    let name = parser.value()?.string()?;
                    profile = Profile::named(&name)
                        .ok_or("--profile is unixfs-v1-2025 or unixfs-v0-2015")?;
                }
                Arg::Long("chunk") => chunk = Some(parser.value()?.parse()?),
                Arg::Long("width") => width = Some(parser.value()?.parse()?),
                Arg::Long("leaves") => {
                    leaves = Some(match parser.value()?.string()?.as_str() {
                        "raw" => true,
                        "dag-pb" => false,
                        _ => return Err("--leaves is raw or dag-pb".into()),
                    });
                }
                Arg::Long("cid-version") => version = Some(parser.value()?.parse()?),
                Arg::Long("hidden") => hidden = true,
                Arg::Long("threads") => threads = parser.value()?.parse()?,
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Value(path) => paths.push(path.into()),
                other => return Err(other.unexpected()),
            }
        }
        if paths.is_empty() {
            return Err("no PATH is given".into());
        }
        let changed = Profile::custom(
            chunk.unwrap_or(profile.chunk_bytes()),
            width.unwrap_or(profile.max_links()),
            leaves.unwrap_or(profile.raw_leaves()),
            version.unwrap_or(profile.version()),
        );
        // Directories stay as the named profile has them.
        let profile = changed.map_err(|why| why.to_string())?.sharded_by(profile.shard_by());
        Ok(Some(Self { import: ImportOptions { profile, hidden, threads }, paths }))
    }
}
