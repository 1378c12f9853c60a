//! The cache and the gateways behind it: content by its id, from near or far.
//!
//! What the cache lacks is fetched by one queue: what somebody waits for first, what a feed will show next
//! when there is time, and each content once, however many ask for it.
//!
//! # Promises
//!
//! - **C60** What the cache holds needs no network; what is fetched is in the cache afterwards, whole.
//! - **C61** However many ask for a content at once, it is fetched once; each of them can stop waiting for
//!   himself, and hears of the progress.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::cache::{Cache, Kind};
use super::cid::Cid;
use super::error::IpfsError;
use super::gateway::{FetchControl, Fetched, Gateways, Progress, Source};
use super::path::ContentPath;
use super::prefetch::{PrefetchOptions, Prefetcher};
use crate::fetch::Cancel;

/// A [`Cache`], and [`Gateways`] that bring what it lacks. Cheap to clone; the last clone's drop stops what is
/// fetched ahead.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use finalmile::fetch::{FetchError, Fetcher, Request, Response};
/// use finalmile::ipfs::{
///     Cache, Client, FetchControl, FetchOptions, Gateway, Gateways, Kind, Source, cid_of_bytes,
/// };
///
/// struct Honest;
/// impl Fetcher for Honest {
///     fn get(&self, _: &Request) -> Result<Response, FetchError> {
///         Ok(Response::new(200, Vec::new(), &b"hello world"[..]))
///     }
/// }
///
/// # let folder = std::env::temp_dir().join(format!("finalmile-client-{}", std::process::id()));
/// let gateways = vec![Gateway::new("https://gateway.example")?];
/// let gateways = Gateways::new(Arc::new(Honest), gateways, FetchOptions::default());
/// let client = Client::new(Cache::open(&folder)?, gateways);
/// let wanted = cid_of_bytes(b"hello world").into();
/// for source in [Source::Raw, Source::Cache] {
///     let file = client.get_cached_or_fetch(&wanted, Kind::Media, &FetchControl::default())?;
///     assert_eq!((file.source, file.bytes), (source, 11));
/// }
/// # drop(client);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone)]
pub struct Client {
    desk: Arc<Desk>,
    queue: Prefetcher<Wanted, Result<Fetched, IpfsError>>,
}

/// What the queue's threads work with.
struct Desk {
    cache: Cache,
    gateways: Gateways,
    /// Who watches, by what he watches. They live as long as their calls.
    watching: Mutex<HashMap<ContentPath, Vec<Weak<Told>>>>,
}

type Told = dyn Fn(Progress) + Send + Sync;

/// What is fetched, and what for; the first who asks says so.
#[derive(Clone, Debug)]
struct Wanted {
    path: ContentPath,
    kind: Kind,
}

impl Client {
    /// Both together, with the queue's defaults.
    #[must_use]
    pub fn new(cache: Cache, gateways: Gateways) -> Self {
        Self::with(cache, gateways, PrefetchOptions::default())
    }

    /// The same, with a queue as `options` say.
    #[must_use]
    pub fn with(cache: Cache, gateways: Gateways, options: PrefetchOptions) -> Self {
        let desk = Arc::new(Desk { cache, gateways, watching: Mutex::default() });
        let at_work = desk.clone();
        let queue = Prefetcher::new(options, move |wanted: &Wanted, cancel: &Cancel| {
            at_work.bring(wanted, cancel)
        });
        Self { desk, queue }
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.desk.cache
    }

    /// The gateways.
    #[must_use]
    pub fn gateways(&self) -> &Gateways {
        &self.desk.gateways
    }

    /// The file that `wanted` names, from the cache, or fetched into it as that `kind`.
    ///
    /// Costs one `stat` when it is there. A path of names is followed first, which needs the gateways
    /// unless this process has followed it before. A file of more than an eighth of the cache's limit is
    /// not kept unless it is pinned: it is there as long as [`Fetched::entry`] is.
    ///
    /// # Errors
    ///
    /// Those of [`Gateways::fetch`], [`IpfsError::NoRoom`] and [`IpfsError::Closed`]. What was proved by then
    /// lies in the cache's folder, to be resumed.
    pub fn get_cached_or_fetch(
        &self,
        wanted: &ContentPath,
        kind: Kind,
        control: &FetchControl,
    ) -> Result<Fetched, IpfsError> {
        let path = match self.gateways().resolve(wanted, control) {
            Ok(cid) => {
                if let Some(found) = self.desk.cached(&cid)? {
                    return Ok(found);
                }
                cid.into()
            }
            // Nobody gives the directories as blocks, but perhaps an archive of all.
            Err(IpfsError::NoGateway { .. }) => wanted.clone(),
            Err(error) => return Err(error),
        };
        let _watch = control.told.as_ref().map(|told| self.desk.watch(&path, told));
        self.queue.wait(&Wanted { path, kind }, &control.cancel)?
    }

    /// Fetches `wanted` into the cache some time, when nobody waits for another.
    pub fn prefetch(&self, wanted: &ContentPath, kind: Kind) {
        if !self.is_there(wanted) {
            self.queue.prefetch(&Wanted { path: wanted.clone(), kind });
        }
    }

    /// Fetches ahead what follows `feed[at]`, [`PrefetchOptions::ahead`] of them: the thumbnails that will be
    /// scrolled to next. Prefetches that were queued for another place of the feed are forgotten.
    pub fn prefetch_feed(&self, feed: &[ContentPath], at: usize) {
        self.prefetch_instead(feed.get(at.saturating_add(1)..).unwrap_or_default());
    }

    /// Fetches ahead the first [`PrefetchOptions::ahead`] of these, as thumbnails, and forgets prefetches that
    /// were queued before: what a feed shows next, where the host knows.
    pub fn prefetch_instead(&self, next: &[ContentPath]) {
        let next = next.iter().take(self.queue.ahead());
        let missing = next.filter(|wanted| !self.is_there(wanted));
        let wanted = |path: &ContentPath| Wanted { path: path.clone(), kind: Kind::Thumbnail };
        self.queue.replace(missing.map(wanted));
    }

    /// Stops fetching `wanted`, whoever waits for it; `false` when nobody fetches it.
    #[expect(clippy::must_use_candidate, reason = "whoever stops it need not know")]
    pub fn cancel(&self, wanted: &ContentPath) -> bool {
        self.queue.cancel(&Wanted { path: wanted.clone(), kind: Kind::Media })
    }

    fn is_there(&self, wanted: &ContentPath) -> bool {
        wanted.names().is_empty() && self.cache().contains(wanted.cid())
    }
}

impl Desk {
    fn cached(&self, cid: &Cid) -> Result<Option<Fetched>, IpfsError> {
        let Some(path) = self.cache.get(cid)? else { return Ok(None) };
        // It may vanish at any time, which is a miss.
        let Ok(meta) = fs::metadata(&path) else { return Ok(None) };
        let (cid, bytes, source) = (cid.clone(), meta.len(), Source::Cache);
        Ok(Some(Fetched { cid, path, bytes, source, gateway: None, entry: None }))
    }

    /// Fetches a file into the cache, unless somebody did meanwhile.
    fn bring(self: &Arc<Self>, wanted: &Wanted, cancel: &Cancel) -> Result<Fetched, IpfsError> {
        let known = wanted.path.names().is_empty().then(|| wanted.path.cid());
        // Asked without a word to the cache's statistics: whoever waits has been counted as a miss.
        if let Some(cid) = known.filter(|cid| self.cache.contains(cid))
            && let Some(found) = self.cached(cid)?
        {
            return Ok(found);
        }
        let reservation = self.cache.reserve(known, wanted.kind)?;
        let folder = reservation.folder().to_path_buf();
        let room = Arc::new(Mutex::new(Some(reservation)));
        let (desk, path) = (self.clone(), wanted.path.clone());
        let control = FetchControl::default()
            .cancelled_by(cancel.clone())
            .told_to(move |progress| desk.tell(&path, progress));
        let fetched = self.gateways.fetch_within(&wanted.path, &folder, &control, room.clone());
        let reservation = lock(&room).take();
        let mut fetched = fetched?;
        let entry = reservation.ok_or(IpfsError::Closed)?.publish(&fetched.cid, &fetched.path)?;
        fetched.path.clone_from(&entry.path);
        fetched.entry = Some(entry);
        Ok(fetched)
    }

    /// Has `told` told of `path` until what is answered is dropped.
    fn watch<'d>(&'d self, path: &ContentPath, told: &Arc<Told>) -> Watch<'d> {
        let own: Arc<Told> = {
            let told = told.clone();
            Arc::new(move |progress| told(progress))
        };
        lock(&self.watching).entry(path.clone()).or_default().push(Arc::downgrade(&own));
        Watch { desk: self, path: path.clone(), own: Some(own) }
    }

    fn tell(&self, path: &ContentPath, progress: Progress) {
        let told: Vec<Arc<Told>> = {
            let watching = lock(&self.watching);
            watching.get(path).into_iter().flatten().filter_map(Weak::upgrade).collect()
        };
        // Outside of the lock: they may ask for something else.
        told.iter().for_each(|told| told(progress));
    }
}

/// Somebody who is told of a fetch.
struct Watch<'d> {
    desk: &'d Desk,
    path: ContentPath,
    own: Option<Arc<Told>>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.own = None;
        let mut watching = lock(&self.desk.watching);
        if let Some(all) = watching.get_mut(&self.path) {
            all.retain(|told| told.strong_count() > 0);
            if all.is_empty() {
                watching.remove(&self.path);
            }
        }
    }
}

impl Eq for Wanted {}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Hash for Wanted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Desk { cache, gateways, .. } = &*self.desk;
        let mut shown = f.debug_struct("Client");
        shown.field("cache", cache).field("gateways", gateways).field("queue", &self.queue).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
