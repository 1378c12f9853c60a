//! The verified cache: content by its id, as a file.

#![allow(clippy::needless_pass_by_value, reason = "what crosses is owned")]

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finalmile::ipfs::{
    Cache, CacheOptions, Cancel, Cid, Client, ContentPath, Entry, FetchControl, FetchOptions,
    Fetched, Gateway, Gateways, IpfsError, Kind,
};

use crate::call;
use crate::door::Loan;
use crate::failure::Failure;
use crate::host::{Network, ProgressListener, Seldom};
use crate::network::Borrowed;
use crate::pool::Lane;

/// How many files that are too large to be kept are held at once, for whoever shows them.
const PASSING: usize = 4;

/// What a file is for. Media never push thumbnails below their share of the cache.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, uniffi::Enum)]
#[expect(clippy::exhaustive_enums, reason = "the library knows these two")]
pub enum ContentKind {
    /// A thumbnail.
    Thumbnail,
    /// Everything else.
    #[default]
    Media,
}

impl ContentKind {
    fn inner(self) -> Kind {
        match self {
            Self::Thumbnail => Kind::Thumbnail,
            Self::Media => Kind::Media,
        }
    }
}

/// Where content is asked for.
#[derive(Clone, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host fills it in")]
pub struct GatewaySettings {
    /// `https`, or `http` on this device.
    pub url: String,
    /// The token of a dedicated Pinata gateway. It is sent to that host alone.
    #[uniffi(default = None)]
    pub token: Option<String>,
}

impl std::fmt::Debug for GatewaySettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewaySettings").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How a cache is opened.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host fills it in")]
pub struct CacheSettings {
    /// Its folder, in what the system calls the app's caches.
    pub folder: String,
    /// Asked in this order until more is known of them.
    pub gateways: Vec<GatewaySettings>,
    /// What it may hold, in mebibytes.
    #[uniffi(default = 256)]
    pub limit_mib: u32,
    /// How long a file is kept, in seconds. `None`: until its room is needed.
    #[uniffi(default = None)]
    pub ttl_s: Option<u32>,
    /// How long one request may take, in seconds.
    #[uniffi(default = 60)]
    pub timeout_s: u32,
}

/// What is wanted of a cache.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host fills it in")]
pub struct ContentRequest {
    /// A content id in any spelling, or `<id>/path`.
    pub content: String,
    /// What for.
    #[uniffi(default = None)]
    pub kind: Option<ContentKind>,
}

/// A file whose every byte was checked.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct CachedFile {
    /// The file's own id, where a path led to it.
    pub cid: String,
    /// Where it lies.
    pub path: String,
    /// Its length in bytes.
    pub size_bytes: f64,
    /// `cache`, `raw`, `car`, `skeleton`, `reimport` or `put`.
    pub source: String,
    /// Whether the cache keeps it. One that is too large to be kept is there until a few others like it came.
    pub kept: bool,
}

/// What a cache holds, and what became of it since it was opened.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct CacheStats {
    /// Files.
    pub entries: f64,
    /// Their bytes.
    pub bytes: f64,
    /// What of that is pinned.
    pub pinned_bytes: f64,
    /// How often a file was found.
    pub hits: f64,
    /// How often it was not.
    pub misses: f64,
    /// How many had to go for others.
    pub evictions: f64,
}

/// A folder of checked files, and the gateways that bring what it lacks.
#[derive(Debug, uniffi::Object)]
pub struct IpfsCache {
    client: Client,
    passing: Mutex<VecDeque<Entry>>,
}

/// Opens a cache. `network` sends its requests, as the phone's own networking does best.
///
/// # Errors
///
/// `CACHE_UNAVAILABLE`, `INVALID_GATEWAY`.
#[uniffi::export]
pub async fn open_cache(
    settings: CacheSettings,
    network: Arc<dyn Network>,
) -> Result<Arc<IpfsCache>, Failure> {
    let network = Loan::new(network);
    call::run(Lane::Look, move |_| {
        let gateway = |settings: &GatewaySettings| {
            let gateway = Gateway::new(settings.url.clone())?;
            Ok::<_, Failure>(match &settings.token {
                Some(token) => gateway.pinata_token(token.clone()),
                None => gateway,
            })
        };
        let gateways = settings.gateways.iter().map(gateway).collect::<Result<Vec<_>, _>>()?;
        let folder = PathBuf::from(&settings.folder);
        let timeout = Duration::from_secs(settings.timeout_s.into());
        let fetcher = Arc::new(Borrowed::new(network, &folder, timeout));
        let gateways = Gateways::new(fetcher, gateways, FetchOptions::default());
        let options = CacheOptions {
            limit_bytes: u64::from(settings.limit_mib) << 20,
            ttl: settings.ttl_s.map(|ttl| Duration::from_secs(ttl.into())),
            ..CacheOptions::default()
        };
        let client = Client::new(Cache::with(folder, options)?, gateways);
        Ok(Arc::new(IpfsCache { client, passing: Mutex::default() }))
    })
    .await
}

#[uniffi::export]
impl IpfsCache {
    /// The file of a content id, from the cache, or fetched into it. However many ask for it at once, it is
    /// fetched once.
    ///
    /// # Errors
    ///
    /// The codes of `finalmile::ipfs::IpfsError`, such as `INVALID_CID`, `OFFLINE`, `CONTENT_UNAVAILABLE`;
    /// `CANCELLED`; `CLOSED`.
    #[uniffi::method(default(progress = None))]
    pub async fn get_cached_or_fetch(
        self: Arc<Self>,
        request: ContentRequest,
        progress: Option<Box<dyn ProgressListener>>,
    ) -> Result<CachedFile, Failure> {
        let cancel = Cancel::default();
        let stop = StopOnDrop(cancel.clone());
        let seldom = progress.map(Seldom::new);
        let found = call::run(Lane::Wait, move |_| {
            let wanted: ContentPath = request.content.parse()?;
            let mut control = FetchControl::default().cancelled_by(cancel);
            if let Some(seldom) = seldom {
                control = control.told_to(move |progress| {
                    if let Some(total) = progress.total_bytes.filter(|total| *total > 0) {
                        seldom.told(share(progress.bytes, total));
                    }
                });
            }
            let kind = request.kind.unwrap_or_default().inner();
            let fetched = self.client.get_cached_or_fetch(&wanted, kind, &control)?;
            self.answer(fetched)
        })
        .await;
        drop(stop);
        found
    }

    /// Where the content lies, if it is there: one look at the disk and none at its bytes, so that a first
    /// render can ask. `None` also for what is no content id.
    pub fn peek(&self, request: ContentRequest) -> Option<String> {
        let cid: Cid = request.content.parse().ok()?;
        let cache = self.client.cache();
        let path = cache.folder().join(cid.to_string());
        if cache.contains(&cid) { path.to_str().map(str::to_owned) } else { None }
    }

    /// Fetches these some time, when nobody waits for another. What is no content id is passed over.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    pub async fn prefetch(self: Arc<Self>, requests: Vec<ContentRequest>) -> Result<(), Failure> {
        call::run(Lane::Look, move |_| {
            self.open()?;
            for request in requests {
                if let Ok(content) = request.content.parse() {
                    self.client.prefetch(&content, request.kind.unwrap_or_default().inner());
                }
            }
            Ok(())
        })
        .await
    }

    /// Fetches ahead what follows `feed[at]`: the next three thumbnails, instead of those that were asked for
    /// at another place. What is no content id is passed over.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    pub async fn prefetch_next(self: Arc<Self>, feed: Vec<String>, at: u32) -> Result<(), Failure> {
        call::run(Lane::Look, move |_| {
            self.open()?;
            let follows = usize::try_from(at).unwrap_or(usize::MAX).saturating_add(1);
            let next = feed.iter().skip(follows).filter_map(|content| content.parse().ok());
            self.client.prefetch_instead(&next.collect::<Vec<_>>());
            Ok(())
        })
        .await
    }

    /// Keeps a copy of a file under its id: what was just uploaded need not be fetched.
    ///
    /// # Errors
    ///
    /// `FILE_UNREADABLE`, `DISK_FULL`, `CACHE_FULL`, `CLOSED`.
    #[uniffi::method(default(kind = None))]
    pub async fn put(
        self: Arc<Self>,
        path: String,
        kind: Option<ContentKind>,
    ) -> Result<CachedFile, Failure> {
        call::run(Lane::Compute, move |_| {
            let kind = kind.unwrap_or_default().inner();
            let entry = self.client.cache().put(Path::new(&path), kind)?;
            let file = CachedFile {
                cid: entry.cid.to_string(),
                path: text(&entry.path)?,
                size_bytes: in_f64(entry.size_bytes),
                source: "put".to_owned(),
                kept: entry.kept,
            };
            self.hold(entry);
            Ok(file)
        })
        .await
    }

    /// Keeps the content for offline use; if it is not there, as soon as it comes.
    ///
    /// # Errors
    ///
    /// `INVALID_CID`, `DISK_FULL`, `CACHE_UNAVAILABLE`, `CLOSED`.
    pub async fn pin(self: Arc<Self>, cid: String) -> Result<(), Failure> {
        self.with(cid, |cache, cid| cache.pin(cid)).await
    }

    /// Lets go of a pin; `false` when there was none.
    ///
    /// # Errors
    ///
    /// `INVALID_CID`, `CACHE_UNAVAILABLE`, `CLOSED`.
    pub async fn unpin(self: Arc<Self>, cid: String) -> Result<bool, Failure> {
        self.with(cid, |cache, cid| cache.unpin(cid)).await
    }

    /// Removes the content; `false` when it was not there.
    ///
    /// # Errors
    ///
    /// `INVALID_CID`, `CACHE_UNAVAILABLE`, `CLOSED`.
    pub async fn remove(self: Arc<Self>, cid: String) -> Result<bool, Failure> {
        self.with(cid, |cache, cid| cache.remove(cid)).await
    }

    /// Evicts until at most so many mebibytes are kept, as an app does when memory or disk is short.
    ///
    /// # Errors
    ///
    /// `CACHE_UNAVAILABLE`, `CLOSED`.
    pub async fn trim(self: Arc<Self>, to_mib: u32) -> Result<(), Failure> {
        call::run(Lane::Look, move |_| {
            self.client.cache().trim(u64::from(to_mib) << 20)?;
            Ok(())
        })
        .await
    }

    /// Removes everything, pinned or not.
    ///
    /// # Errors
    ///
    /// `CACHE_UNAVAILABLE`, `CLOSED`.
    pub async fn clear(self: Arc<Self>) -> Result<(), Failure> {
        call::run(Lane::Look, move |_| Ok(self.client.cache().clear()?)).await
    }

    /// What it holds.
    ///
    /// # Errors
    ///
    /// `CACHE_UNAVAILABLE`, `CLOSED`.
    pub async fn stats(self: Arc<Self>) -> Result<CacheStats, Failure> {
        call::run(Lane::Look, move |_| {
            let stats = self.client.cache().stats()?;
            Ok(CacheStats {
                entries: in_f64(stats.entries),
                bytes: in_f64(stats.bytes),
                pinned_bytes: in_f64(stats.pinned_bytes),
                hits: in_f64(stats.hits),
                misses: in_f64(stats.misses),
                evictions: in_f64(stats.evictions),
            })
        })
        .await
    }

    /// For when the app goes to the background: writes down what is known and lets go of every lock.
    ///
    /// # Errors
    ///
    /// `CACHE_UNAVAILABLE`.
    pub async fn suspend(self: Arc<Self>) -> Result<(), Failure> {
        call::run(Lane::Look, move |_| Ok(self.client.cache().suspend()?)).await
    }

    /// Ends a `suspend`.
    ///
    /// # Errors
    ///
    /// `CACHE_UNAVAILABLE`, `CLOSED`.
    pub async fn resume(self: Arc<Self>) -> Result<(), Failure> {
        call::run(Lane::Look, move |_| Ok(self.client.cache().resume()?)).await
    }

    /// Closes it for good. Every call afterwards answers `CLOSED`.
    ///
    /// # Errors
    ///
    /// `CACHE_UNAVAILABLE`.
    pub async fn close(self: Arc<Self>) -> Result<(), Failure> {
        call::run(Lane::Look, move |_| {
            self.held().clear();
            Ok(self.client.cache().close()?)
        })
        .await
    }
}

impl IpfsCache {
    fn answer(&self, fetched: Fetched) -> Result<CachedFile, Failure> {
        let kept = fetched.entry.as_ref().is_none_or(|entry| entry.kept);
        let file = CachedFile {
            cid: fetched.cid.to_string(),
            path: text(&fetched.path)?,
            size_bytes: in_f64(fetched.bytes),
            source: fetched.source.name().to_owned(),
            kept,
        };
        if let Some(entry) = fetched.entry {
            self.hold(entry);
        }
        Ok(file)
    }

    fn open(&self) -> Result<(), Failure> {
        if self.client.cache().is_closed() { Err(IpfsError::Closed.into()) } else { Ok(()) }
    }

    /// Keeps a file that passes as long as it is one of the last few.
    fn hold(&self, entry: Entry) {
        if !entry.kept {
            let mut held = self.held();
            held.push_back(entry);
            if held.len() > PASSING {
                held.pop_front();
            }
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send + 'static>(
        self: Arc<Self>,
        cid: String,
        act: fn(&Cache, &Cid) -> Result<T, IpfsError>,
    ) -> call::Answer<T> {
        call::run(Lane::Look, move |_| Ok(act(self.client.cache(), &cid.parse::<Cid>()?)?))
    }
}

/// Tells a fetch that nobody waits for it any more.
struct StopOnDrop(Cancel);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Numbers cross as every language's own; above 2^53 they are rounded.
#[expect(clippy::cast_precision_loss, reason = "for showing")]
fn in_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::float_arithmetic, reason = "for showing")]
fn share(part: u64, whole: u64) -> f64 {
    in_f64(part) / in_f64(whole)
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| Failure::argument("A path is no UTF-8"))
}
