//! The crate's promises, tried as a host's executor would: futures that are polled, dropped and forgotten.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};
use std::time::Duration;

use finalmile_ffi::{
    CacheSettings, ContentKind, ContentRequest, DecodeRequest, Failure, GatewaySettings,
    HostFailure, MediaKind, Network, NetworkAnswer, NetworkRequest, PictureDecoder,
    ProgressListener, ThrottleRequest, ThumbnailRequest, UploadThrottle, canonical_cid,
    cid_of_bytes, cid_of_file, generate_thumbnail_set, open_cache, paint_placeholder,
};

/// Waits for a future as an app's event loop does.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        thread::park();
    }
}

fn code(failure: &Failure) -> &str {
    let Failure::Failed { code, .. } = failure;
    code
}

fn data(name: &str) -> String {
    format!("{}/../../tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn request(path: &str, out: &Path) -> ThumbnailRequest {
    ThumbnailRequest {
        path: path.to_owned(),
        kind: MediaKind::Image,
        out_dir: out.to_str().unwrap().to_owned(),
        thumbnail_side_px: 300,
        preview_side_px: 600,
        fit: None,
        quality: 80,
        at_ms: None,
        timeout_ms: 30_000,
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(all) = fs::read_dir(folder) else { return Vec::new() };
    all.map(|file| file.unwrap().path()).collect()
}

/// A decoder that is stopped, or throws, or takes its time.
struct Odd(fn());

#[async_trait::async_trait]
impl PictureDecoder for Odd {
    async fn decode(&self, _: DecodeRequest) -> Result<Option<String>, HostFailure> {
        (self.0)();
        Err(HostFailure::Failed { reason: "no".to_owned() })
    }
}

#[test]
fn b1_a_call_is_worked_on_by_another_thread() {
    struct Where(Arc<Mutex<Vec<ThreadId>>>);
    impl ProgressListener for Where {
        fn told(&self, _: f64) -> Result<(), HostFailure> {
            self.0.lock().unwrap().push(thread::current().id());
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let seen = Arc::default();
    let told = Box::new(Where(Arc::clone(&seen)));
    let request = request(&data("jpeg/2x2-base.jpg"), &out);
    let set = generate_thumbnail_set(request, None, Some(told));
    assert!(!out.exists(), "nothing is done before it is waited for");
    wait(set).unwrap();
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && !seen.contains(&thread::current().id()));
}

#[test]
fn b2_a_call_that_is_dropped_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for polls in [0, 1, 2] {
        let request = request(&data("jpeg/2x2-base.jpg"), &out);
        let mut set = Box::pin(generate_thumbnail_set(request, None, None));
        for _ in 0..polls {
            if set.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
            // It may be anywhere by now, done included.
            thread::sleep(Duration::from_millis(polls * 3));
        }
        drop(set);
    }
    // What was dropped in time wrote nothing; what was not is whole: never a part of a file.
    thread::sleep(Duration::from_millis(500));
    assert!(files(&out).iter().all(|path| path.extension().is_some_and(|end| end == "jpg")));
}

#[test]
fn b3_every_failure_has_a_code_and_names_no_path() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let text = folder.path().join("secret-name.txt");
    fs::write(&text, "not a picture at all").unwrap();
    // What nothing here decodes, whichever features the library has.
    let avif = folder.path().join("secret-name.avif");
    fs::write(&avif, b"\0\0\0\x18ftypavif\0\0\0\0mif1avif").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let set = |path: &str| wait(generate_thumbnail_set(request(path, &out), None, None));
    let mut failures = vec![
        (set(&path(&text)).unwrap_err(), "NOT_AN_IMAGE"),
        (set(&path(folder.path())).unwrap_err(), "FILE_UNREADABLE"),
        (set(&path(&folder.path().join("secret-name"))).unwrap_err(), "FILE_UNREADABLE"),
        (set(&path(&avif)).unwrap_err(), "UNSUPPORTED_IMAGE"),
        (wait(cid_of_file(path(folder.path()), None)).unwrap_err(), "FILE_UNREADABLE"),
        (wait(cid_of_bytes(vec![0; (64 << 10) + 1])).unwrap_err(), "INVALID_ARGUMENT"),
        (canonical_cid("secret-name").unwrap_err(), "INVALID_CID"),
        (paint_placeholder(vec![1, 2, 3]).unwrap_err(), "INVALID_ARGUMENT"),
        (UploadThrottle::new(0).unwrap_err(), "INVALID_ARGUMENT"),
    ];
    let mut zero = request(&path(&text), &out);
    zero.quality = 0;
    failures
        .push((wait(generate_thumbnail_set(zero, None, None)).unwrap_err(), "INVALID_ARGUMENT"));
    for (decoder, expected) in
        [(Odd(|| {}), "IMAGE_DAMAGED"), (Odd(|| panic!("a host's own bug")), "INTERNAL_ERROR")]
    {
        let request = request(&path(&avif), &out);
        let failed = wait(generate_thumbnail_set(request, Some(Box::new(decoder)), None));
        failures.push((failed.unwrap_err(), expected));
    }
    for (failure, expected) in failures {
        assert_eq!(code(&failure), expected, "{failure}");
        let Failure::Failed { reason, .. } = failure;
        assert!(!reason.is_empty() && !reason.contains("secret-name") && !reason.contains('/'));
    }
    assert!(files(&out).is_empty());
}

/// A gateway with one content, which counts how often it is asked.
struct Host {
    asked: AtomicUsize,
    stopped: Arc<AtomicBool>,
    answers: bool,
}

#[async_trait::async_trait]
impl Network for Host {
    async fn download(&self, request: NetworkRequest) -> Result<NetworkAnswer, HostFailure> {
        struct Stopped(Arc<AtomicBool>);
        impl Drop for Stopped {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _stopped = Stopped(Arc::clone(&self.stopped));
        if !self.answers {
            std::future::pending::<()>().await;
        }
        fs::write(&request.destination, "hello world").unwrap();
        Ok(NetworkAnswer { status: 200, headers: Vec::new() })
    }
}

const HELLO: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";

fn host(answers: bool) -> Arc<Host> {
    Arc::new(Host { asked: AtomicUsize::new(0), stopped: Arc::default(), answers })
}

fn settings(folder: &Path) -> CacheSettings {
    CacheSettings {
        folder: folder.to_str().unwrap().to_owned(),
        gateways: vec![GatewaySettings { url: "https://a.example".to_owned(), token: None }],
        limit_mib: 64,
        ttl_s: None,
        timeout_s: 60,
    }
}

fn wanted() -> ContentRequest {
    ContentRequest { content: HELLO.to_owned(), kind: Some(ContentKind::Media) }
}

#[test]
fn b4_content_crosses_as_a_path_and_the_answers_file_goes() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(true);
    let cache = wait(open_cache(settings(folder.path()), host.clone())).unwrap();
    assert_eq!(cache.peek(wanted()), None);
    let found = wait(cache.clone().get_cached_or_fetch(wanted(), None)).unwrap();
    assert_eq!(fs::read(&found.path).unwrap(), b"hello world");
    assert_eq!(cache.peek(wanted()), Some(found.path));
    assert!(files(&folder.path().join(".answers")).is_empty());
    assert_eq!(host.asked.load(Ordering::SeqCst), 1);
    wait(cache.clone().close()).unwrap();
    let closed = wait(cache.clone().get_cached_or_fetch(wanted(), None)).unwrap_err();
    assert_eq!(code(&closed), "CLOSED");
    assert_eq!(code(&wait(cache.prefetch(vec![wanted()])).unwrap_err()), "CLOSED");
}

#[test]
fn b2_a_fetch_that_is_dropped_stops_the_hosts_download() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(false);
    let cache = wait(open_cache(settings(folder.path()), host.clone())).unwrap();
    let mut fetch = Box::pin(cache.get_cached_or_fetch(wanted(), None));
    assert!(fetch.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let until = |reached: &dyn Fn() -> bool| {
        let tries = (0..2_000).find(|_| {
            thread::sleep(Duration::from_millis(5));
            reached()
        });
        assert!(tries.is_some(), "it never came to that");
    };
    until(&|| host.asked.load(Ordering::SeqCst) > 0);
    drop(fetch);
    until(&|| host.stopped.load(Ordering::SeqCst));
    assert!(files(&folder.path().join(".answers")).is_empty());
}

#[test]
fn b6_fetches_that_hang_keep_nothing_else_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(false);
    let cache = wait(open_cache(settings(folder.path()), host.clone())).unwrap();
    let contents = (0..8_u8).map(|number| wait(cid_of_bytes(vec![number])).unwrap());
    let mut fetches: Vec<_> = contents
        .map(|content| {
            let request = ContentRequest { content, kind: None };
            Box::pin(Arc::clone(&cache).get_cached_or_fetch(request, None))
        })
        .collect();
    for fetch in &mut fetches {
        assert!(fetch.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    while host.asked.load(Ordering::SeqCst) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(wait(cache.stats()).is_ok()));
    assert_eq!(told.recv_timeout(Duration::from_secs(2)), Ok(true));
}

#[test]
fn b2_who_leaves_the_throttles_line_makes_room() {
    let throttle = UploadThrottle::new(1).unwrap();
    let enter = || throttle.clone().enter(ThrottleRequest { caller: String::new() });
    let inside = wait(enter()).unwrap();
    let mut waits = Box::pin(enter());
    assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!((throttle.inside(), throttle.waiting()), (1, 1));
    drop(waits);
    assert_eq!((throttle.inside(), throttle.waiting()), (1, 0));
    inside.release();
    inside.release();
    assert_eq!(throttle.inside(), 0);
    drop(wait(enter()).unwrap());
    assert_eq!(throttle.inside(), 0, "what is forgotten is given back");
}

#[test]
fn a_cut_video_is_said_to_be_partial() {
    let folder = tempfile::tempdir().unwrap();
    let film = fs::read(data("video/first.mp4")).unwrap();
    for (cut, partial) in [(0, false), (200, true)] {
        let path = folder.path().join("film.mp4");
        fs::write(&path, &film[..film.len() - cut]).unwrap();
        let mut request = request(path.to_str().unwrap(), &folder.path().join("out"));
        (request.kind, request.at_ms) = (MediaKind::Video, Some(1_900));
        let set = wait(generate_thumbnail_set(request, None, None)).unwrap();
        assert_eq!(set.partial, partial, "{cut} bytes are missing");
    }
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_put_nowhere_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let settings = settings(&folder.path().join("cache"));
    let cache = wait(open_cache(settings, host(true))).unwrap();
    let (done, answer) = mpsc::channel();
    let path = pipe.to_str().unwrap().to_owned();
    thread::spawn(move || done.send(wait(cache.put(path, None)).unwrap_err()));
    let failure = answer.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(code(&failure), "FILE_UNREADABLE");
}
