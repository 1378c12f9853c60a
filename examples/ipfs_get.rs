//! Fetches content from gateways that nobody trusts, or takes it out of an archive (CAR), checking every
//! byte against its id.
//!
//! ```text
//! cargo run --release --features http --example ipfs_get -- --cache DIR --gateway URL CID[/path]...
//! cargo run --release --example ipfs_get -- --cache DIR --car FILE CID[/path]...
//! ```
//!
//! Prints a line of JSON each: `{"cid":…,"path":…,"bytes":…,"source":…,"gateway":…}`, where the source is
//! `cache`, `raw`, `car`, `skeleton` or `reimport`, or `{"cid":…,"error":{"error":…,"code":…}}`. Files lie in
//! DIR under their canonical id, and what is there already needs no network. Several gateways are asked
//! together; a download that was cut or killed goes on where it was. Exit code 0; 1 if one was refused, 2
//! for wrong usage.

mod cli;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use finalmile::{
    Error,
    ipfs::{
        Cache, CacheOptions, Client, ContentPath, FetchControl, Gateway, IpfsError, Kind, Limits,
    },
};
use lexopt::{Arg, Parser, ValueExt as _};
use serde_json::{Value, json};

const USAGE: &str = "ipfs_get --cache DIR --gateway URL [--gateway URL] [--json] CID[/path]...
ipfs_get --cache DIR --car FILE [--json] CID[/path]...

  --cache DIR     where files are put, named by their content ids
  --gateway URL   where they are asked for: https, or http on this machine (feature `http`)
  --car FILE      the archive (CARv1) that holds their blocks, in any order
  --json          print JSON, which is what is printed anyway";

struct Options {
    cache: PathBuf,
    from: From,
    wanted: Vec<String>,
}

enum From {
    Car(PathBuf),
    Gateways(Vec<Gateway>),
}

type Get<'g> = Box<dyn Fn(&ContentPath) -> Result<Value, IpfsError> + 'g>;

fn main() -> ExitCode {
    cli::start(USAGE, Options::from_args(), |options| run(&options))
}

/// Whether every file was proved.
fn run(options: &Options) -> Result<bool, IpfsError> {
    let get: Get<'_> = match &options.from {
        From::Car(car) => Box::new(|wanted| from_car(&options.cache, car, wanted)),
        From::Gateways(gateways) => {
            let client = client(&options.cache, gateways.clone())?;
            Box::new(move |wanted| from_gateways(&client, wanted))
        }
    };
    let mut all = true;
    for wanted in &options.wanted {
        let line = wanted.parse().and_then(|wanted| get(&wanted)).unwrap_or_else(|error| {
            all = false;
            let cid = wanted.split('/').next().unwrap_or_default();
            let public = Error::from(error).public();
            json!({ "cid": cid, "error": { "error": public.error, "code": public.code } })
        });
        cli::say(&line.to_string());
    }
    Ok(all)
}

/// A folder of whatever was asked for: no file is too large for it, and none is evicted.
fn open(folder: &Path) -> Result<Cache, IpfsError> {
    Cache::with(folder, CacheOptions { limit_bytes: 1 << 60, ..CacheOptions::default() })
}

#[cfg(feature = "http")]
fn client(cache: &Path, gateways: Vec<Gateway>) -> Result<Client, IpfsError> {
    use finalmile::{fetch::HttpFetcher, ipfs::FetchOptions, ipfs::Gateways};
    let gateways = Gateways::new(Arc::new(HttpFetcher::new()), gateways, FetchOptions::default());
    Ok(Client::new(open(cache)?, gateways))
}

#[cfg(not(feature = "http"))]
fn client(_: &Path, _: Vec<Gateway>) -> Result<Client, IpfsError> {
    unreachable!("without the feature http no gateway is taken")
}

fn from_gateways(client: &Client, wanted: &ContentPath) -> Result<Value, IpfsError> {
    let fetched = client.get_cached_or_fetch(wanted, Kind::Media, &FetchControl::default())?;
    Ok(json!({
        "cid": fetched.cid.to_string(), "path": fetched.path, "bytes": fetched.bytes,
        "source": fetched.source.name(), "gateway": fetched.gateway,
    }))
}

fn from_car(cache: &Path, car: &Path, wanted: &ContentPath) -> Result<Value, IpfsError> {
    let unreadable =
        |source| IpfsError::Unreadable { path: car.to_path_buf(), source: Arc::new(source) };
    let car = File::open(car).map_err(unreadable)?;
    let entry = open(cache)?.put_car(car, wanted, Kind::Media, Limits::default())?;
    Ok(json!({
        "cid": entry.cid.to_string(), "path": entry.path, "bytes": entry.size_bytes,
        "source": "car", "gateway": null,
    }))
}

impl Options {
    /// `None`: help was asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let (mut cache, mut car, mut wanted) = (None, None, Vec::new());
        let mut gateways = Vec::new();
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("cache") => cache = Some(parser.value()?.into()),
                Arg::Long("car") => car = Some(parser.value()?.into()),
                Arg::Long("gateway") => {
                    let gateway = Gateway::new(parser.value()?.string()?);
                    gateways.push(gateway.map_err(|why| why.to_string())?);
                }
                Arg::Long("json") => {}
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Value(id) => wanted.push(id.string()?),
                other => return Err(other.unexpected()),
            }
        }
        let cache = cache.ok_or("--cache is missing")?;
        let from = match (car, gateways.is_empty()) {
            (Some(car), true) => From::Car(car),
            (None, false) if cfg!(feature = "http") => From::Gateways(gateways),
            (None, false) => return Err("gateways are asked with the feature http".into()),
            (None, true) => return Err("--gateway or --car is missing".into()),
            (Some(_), false) => return Err("it is either --gateway or --car".into()),
        };
        if wanted.is_empty() {
            return Err("no CID is given".into());
        }
        Ok(Some(Self { cache, from, wanted }))
    }
}
