//! What a host that ends is promised. Alone in its process, which cannot be used afterwards.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::future::{self, Future};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use finalmile_ffi::{
    CacheSettings, ContentRequest, DecodeRequest, Failure, GatewaySettings, HostFailure, IpfsCache,
    MediaKind, Network, NetworkAnswer, NetworkRequest, PictureDecoder, ProgressListener,
    ThumbnailRequest, cid_of_bytes, generate_thumbnail_set, hang_up, open_cache,
};

/// How often the host was called, woken or given something back.
static TOUCHED: AtomicUsize = AtomicUsize::new(0);
/// Whether a thread is in a listener.
static IS_TELLING: AtomicBool = AtomicBool::new(false);

fn touched() {
    TOUCHED.fetch_add(1, Ordering::SeqCst);
}

/// What the host lends: every touch of it counts.
struct Host;

impl Drop for Host {
    fn drop(&mut self) {
        touched();
    }
}

impl Wake for Host {
    fn wake(self: Arc<Self>) {
        touched();
    }
}

#[async_trait::async_trait]
impl PictureDecoder for Host {
    async fn decode(&self, _: DecodeRequest) -> Result<Option<String>, HostFailure> {
        touched();
        future::pending().await
    }
}

#[async_trait::async_trait]
impl Network for Host {
    async fn download(&self, _: NetworkRequest) -> Result<NetworkAnswer, HostFailure> {
        touched();
        Ok(NetworkAnswer { status: 500, headers: Vec::new() })
    }
}

impl ProgressListener for Host {
    fn told(&self, _: f64) -> Result<(), HostFailure> {
        touched();
        IS_TELLING.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(200));
        IS_TELLING.store(false, Ordering::SeqCst);
        Ok(())
    }
}

fn picture(name: &str, out: &str) -> ThumbnailRequest {
    ThumbnailRequest {
        path: format!("{}/../../tests/data/{name}", env!("CARGO_MANIFEST_DIR")),
        kind: MediaKind::Image,
        out_dir: out.to_owned(),
        thumbnail_side_px: 300,
        preview_side_px: 600,
        fit: None,
        quality: 80,
        at_ms: None,
        timeout_ms: 600,
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::new(Host))))
}

fn cache(folder: &str) -> Arc<IpfsCache> {
    let settings = CacheSettings {
        folder: folder.to_owned(),
        gateways: vec![GatewaySettings { url: "https://gateway.example".to_owned(), token: None }],
        limit_mib: 1,
        ttl_s: None,
        timeout_s: 1,
    };
    let mut opened = pin!(open_cache(settings, Arc::new(Host)));
    loop {
        if let Poll::Ready(cache) = poll(opened.as_mut()) {
            return cache.unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn b5_a_host_that_has_hung_up_is_not_touched_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let cache = cache(out);
    // Hello's, which the network says it cannot give now: it is asked again and again.
    let content = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e".to_owned();
    let request = ContentRequest { content, kind: None };
    let mut fetched = pin!(Arc::clone(&cache).get_cached_or_fetch(request, Some(Box::new(Host))));
    let mut decoded =
        pin!(generate_thumbnail_set(picture("heic/card.heic", out), Some(Box::new(Host)), None));
    let mut told =
        pin!(generate_thumbnail_set(picture("jpeg/fine.jpg", out), None, Some(Box::new(Host))));
    assert!(poll(fetched.as_mut()).is_pending());
    assert!(poll(decoded.as_mut()).is_pending());
    assert!(poll(told.as_mut()).is_pending());
    while !IS_TELLING.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }

    hang_up();
    assert!(!IS_TELLING.load(Ordering::SeqCst), "it waits for a call that is under way");
    let before = TOUCHED.load(Ordering::SeqCst);
    assert!(before > 3, "the host was called meanwhile");
    // Longer than the decoder's time, after which it would be given back.
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(TOUCHED.load(Ordering::SeqCst), before);

    let mut later = pin!(cid_of_bytes(b"hello".to_vec()));
    let waker = Waker::noop();
    let Poll::Ready(Err(Failure::Failed { code, .. })) =
        later.as_mut().poll(&mut Context::from_waker(waker))
    else {
        panic!("a later call is answered at once");
    };
    assert_eq!(code, "CANCELLED");
}
