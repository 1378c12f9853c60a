//! What a host that begins after another in the same process is promised. Alone in its process, because
//! whoever picks up does it for all.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use finalmile_ffi::{DecodeRequest, HostFailure, MediaKind, PictureDecoder, ThumbnailRequest};
use finalmile_ffi::{generate_thumbnail_set, hang_up, pick_up};

/// How often something of the earlier host was asked or given back.
static TOUCHED: AtomicUsize = AtomicUsize::new(0);

/// Never answers.
struct Earlier;

impl Drop for Earlier {
    fn drop(&mut self) {
        TOUCHED.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl PictureDecoder for Earlier {
    async fn decode(&self, _: DecodeRequest) -> Result<Option<String>, HostFailure> {
        TOUCHED.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

/// Declines at once.
struct Later;

#[async_trait::async_trait]
impl PictureDecoder for Later {
    async fn decode(&self, _: DecodeRequest) -> Result<Option<String>, HostFailure> {
        Ok(None)
    }
}

fn request(folder: &std::path::Path) -> ThumbnailRequest {
    ThumbnailRequest {
        path: format!("{}/../../tests/data/heic/card.heic", env!("CARGO_MANIFEST_DIR")),
        kind: MediaKind::Image,
        out_dir: folder.to_str().unwrap().to_owned(),
        thumbnail_side_px: 300,
        preview_side_px: 600,
        fit: None,
        quality: 80,
        at_ms: None,
        timeout_ms: 300,
    }
}

/// The answer, or nothing after two seconds.
fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    (0..400).find_map(|_| {
        thread::sleep(Duration::from_millis(5));
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    })
}

#[test]
fn b5_what_an_earlier_host_lent_stays_untouched_when_another_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let lent: Option<Box<dyn PictureDecoder>> = Some(Box::new(Earlier));
    let mut earlier = Box::pin(generate_thumbnail_set(request(folder.path()), lent, None));
    assert!(earlier.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    while TOUCHED.load(Ordering::SeqCst) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    pick_up();
    // Longer than the call's own time, after which its decoder would be given back.
    thread::sleep(Duration::from_millis(700));
    assert_eq!(TOUCHED.load(Ordering::SeqCst), 1, "it was asked once, before");

    // The new host is served, and one may begin after the last has hung up.
    for _ in 0..2 {
        let lent: Option<Box<dyn PictureDecoder>> = Some(Box::new(Later));
        let answer = generate_thumbnail_set(request(folder.path()), lent, None);
        assert!(soon(answer).is_some());
        hang_up();
        pick_up();
    }
    drop(earlier);
}
