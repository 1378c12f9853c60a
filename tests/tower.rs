//! The limiter as a layer: of axum, of any tower service, and over the wire.

#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::{
    future::{Ready, ready},
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Request, Response, header::HeaderMap},
    routing::get,
};
use finalmile::{
    AccountId, Refusal,
    limit::{Caller, LimitLayer, Policy},
};
use serde_json::{Value, json};
use tower::{Layer as _, Service, ServiceExt as _};
use world::World;

/// Says who asks: `account` or `address`, as a test's request claims.
fn claimed(request: &Request<Body>) -> Option<Caller> {
    let told = |name| request.headers().get(name)?.to_str().ok();
    if let Some(account) = told("account") {
        return Some(AccountId::new(account).unwrap().into());
    }
    told("address").map(|address| Caller::Address(address.parse().unwrap()))
}

/// An app with a limited search that counts its calls.
struct App {
    world: World,
    router: Router,
    found: Arc<AtomicUsize>,
}

/// What a test compares of an answer.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    policy: Option<String>,
    level: Option<String>,
    retry_after: Option<String>,
    body: Value,
}

impl App {
    fn new() -> Self {
        Self::limited(|world| LimitLayer::new(&world.fm.limiter(), "search", claimed).unwrap())
    }

    fn limited<K>(layer: impl FnOnce(&World) -> LimitLayer<K>) -> Self
    where
        K: Fn(&Request<Body>) -> Option<Caller> + Clone + Send + Sync + 'static,
    {
        let (world, found) = (World::new(), Arc::<AtomicUsize>::default());
        let count = found.clone();
        let search = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            r#""found""#
        };
        let router = Router::new().route("/search", get(search)).layer(layer(&world));
        Self { world, router, found }
    }

    fn found(&self) -> usize {
        self.found.load(Ordering::SeqCst)
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Searches as who has this header.
    async fn search(&self, name: &str, value: &str) -> Answer {
        answer(self.send(search(name, value)).await).await
    }

    async fn search_often(&self, times: usize, name: &str, value: &str) {
        for _ in 0..times {
            assert_eq!(self.search(name, value).await.status, 200);
        }
    }
}

fn search(name: &str, value: &str) -> Request<Body> {
    Request::get("/search").header(name, value).body(Body::empty()).unwrap()
}

async fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let told = |name| told(&parts.headers, name);
    let body = to_bytes(body, 1 << 20).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        policy: told("ratelimit-policy"),
        level: told("ratelimit"),
        retry_after: told("retry-after"),
        body: serde_json::from_slice(&body).unwrap(),
    }
}

/// The only header of that name.
fn told(headers: &HeaderMap, name: &str) -> Option<String> {
    let all: Vec<_> = headers.get_all(name).iter().collect();
    assert!(all.len() < 2, "{name}: {all:?}");
    all.first().map(|value| value.to_str().unwrap().to_owned())
}

/// An answer that search's limit allows, with so many left that are back in so many seconds.
fn allowed(left: u32, seconds: u32) -> Answer {
    Answer {
        status: 200,
        policy: Some(r#""search";q=120;w=120"#.to_owned()),
        level: Some(format!(r#""search";r={left};t={seconds}"#)),
        retry_after: None,
        body: json!("found"),
    }
}

fn refused() -> Answer {
    Answer {
        status: 429,
        retry_after: Some("1".to_owned()),
        body: json!({ "code": "RATE_LIMIT_EXCEEDED", "error": "Too many requests" }),
        ..allowed(0, 120)
    }
}

#[tokio::test]
async fn an_allowed_answer_bears_the_limits_headers() {
    let app = App::new();
    assert_eq!(app.search("account", "ada").await, allowed(119, 1));
    assert_eq!(app.search("account", "ada").await, allowed(118, 2));
    app.world.clock.advance(Duration::from_secs(2));
    assert_eq!(app.search("account", "ada").await, allowed(119, 1));
}

#[tokio::test]
async fn the_121st_search_is_refused_until_a_second_has_passed() {
    let app = App::new();
    app.search_often(120, "account", "ada").await;
    let response = app.send(search("account", "ada")).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(answer(response).await, refused());
    assert_eq!(app.found(), 120, "the handler was not called");

    app.world.clock.advance(Duration::from_millis(999));
    assert_eq!(app.search("account", "ada").await.status, 429);
    app.world.clock.advance(Duration::from_millis(1));
    assert_eq!(app.search("account", "ada").await, allowed(0, 120));
    assert_eq!(app.search("account", "ada").await, refused());
    assert_eq!(app.found(), 121);
}

#[tokio::test]
async fn b6_a_frozen_account_is_forbidden_and_not_told_when_to_come_back() {
    let app = App::new();
    app.world.admin().freeze(&app.world.ada, "spam", None).wait().unwrap();
    let forbidden = Answer {
        status: 403,
        body: json!({ "code": "ACCOUNT_FROZEN", "error": "This account is suspended" }),
        ..allowed(120, 0)
    };
    assert_eq!(app.search("account", "ada").await, forbidden);
    assert_eq!(app.found(), 0);
    app.world.admin().unfreeze(&app.world.ada, "it was not").wait().unwrap();
    assert_eq!(app.search("account", "ada").await, allowed(119, 1));
}

#[tokio::test]
async fn those_who_cannot_be_told_apart_share_one_bucket() {
    let app = App::new();
    app.search_often(60, "cookie", "a").await;
    app.search_often(60, "cookie", "b").await;
    assert_eq!(app.search("cookie", "c").await, refused());
    assert_eq!(app.search("account", "ada").await, allowed(119, 1));
}

#[tokio::test]
async fn two_addresses_have_two_buckets_and_one_subscriber_has_one() {
    let app = App::new();
    app.search_often(120, "address", "192.0.2.1").await;
    assert_eq!(app.search("address", "192.0.2.1").await, refused());
    assert_eq!(app.search("address", "192.0.2.2").await, allowed(119, 1));
    assert_eq!(app.search("address", "2001:db8:1:2::1").await, allowed(119, 1));
    assert_eq!(app.search("address", "2001:db8:1:2:ffff::9").await, allowed(118, 2));
}

#[tokio::test]
async fn a_uuid_spends_of_the_account_of_that_text() {
    let app = App::limited(|world| {
        let by_number = |_: &Request<Body>| Some(Caller::Uuid(0x018b_cfe5 << 96));
        LimitLayer::new(&world.fm.limiter(), "search", by_number).unwrap()
    });
    app.search_often(3, "any", "body").await;
    let account = AccountId::new("018bcfe5-0000-0000-0000-000000000000").unwrap();
    let limiter = app.world.fm.limiter();
    let stands = limiter.peek(limiter.endpoint("search").unwrap(), &Caller::from(account));
    assert_eq!(stands.remaining(), Some(117));
}

#[tokio::test]
async fn what_the_host_put_into_the_extensions_says_who_asks() {
    let app = App::limited(|world| {
        LimitLayer::new(&world.fm.limiter(), "search", Caller::from_extensions).unwrap()
    });
    let ada = Caller::from(app.world.ada.clone());
    let mut request = search("account", "eve");
    request.extensions_mut().insert(ada.clone());
    assert_eq!(answer(app.send(request).await).await, allowed(119, 1));
    let limiter = app.world.fm.limiter();
    let endpoint = limiter.endpoint("search").unwrap();
    assert_eq!(limiter.peek(endpoint, &ada).remaining(), Some(119));
    app.search("account", "eve").await;
    assert_eq!(limiter.peek(endpoint, &Caller::Shared).remaining(), Some(119));
}

#[tokio::test]
async fn a_request_may_be_worth_several() {
    let worth = |times| {
        App::limited(move |world| {
            let layer = LimitLayer::new(&world.fm.limiter(), "search", claimed).unwrap();
            layer.times(NonZeroU32::new(times).unwrap())
        })
    };
    let app = worth(50);
    app.search_often(2, "account", "ada").await;
    let (retry_after, level) = (Some("30".to_owned()), allowed(20, 100).level);
    let later = Answer { retry_after, level, ..refused() };
    assert_eq!(app.search("account", "ada").await, later);

    let never = Answer { retry_after: None, level: allowed(120, 0).level, ..refused() };
    assert_eq!(worth(121).search("account", "ada").await, never);
}

#[tokio::test]
async fn a_limit_that_is_switched_off_is_not_spoken_of() {
    let app = App::new();
    let policy = Policy::greedy("search".parse().unwrap(), 1, Duration::from_secs(1)).unwrap();
    app.world.admin().configure(policy.active(false)).wait().unwrap();
    let silent = Answer { policy: None, level: None, ..allowed(0, 0) };
    assert_eq!(app.search("account", "ada").await, silent);
}

#[test]
fn an_endpoint_that_commands_charge_or_nobody_knows_is_no_layers() {
    let world = World::new();
    let refusal = |endpoint| match LimitLayer::new(&world.fm.limiter(), endpoint, claimed) {
        Err(finalmile::Error::Refused(refusal)) => refusal,
        other => panic!("{endpoint}: {other:?}"),
    };
    for endpoint in ["begin-upload", "finalize-upload"] {
        assert!(matches!(refusal(endpoint), Refusal::Invalid { field: "endpoint", .. }));
    }
    assert!(matches!(refusal("nowhere"), Refusal::EndpointUnknown { .. }));
}

#[test]
fn what_a_layer_shows_of_itself_names_the_endpoint_and_no_caller() {
    let world = World::new();
    let layer = LimitLayer::new(&world.fm.limiter(), "search", claimed).unwrap();
    assert_eq!(
        format!("{:?}", layer.layer(())),
        r#"Limited { inner: (), gate: Gate { endpoint: "search", times: 1, .. } }"#
    );
}

/// A service that is no framework's: its body is text, it fails when told to, and it insists on
/// being polled ready before each call, itself and not the one that it was cloned from.
#[derive(Debug, Default)]
struct Strict {
    is_ready: bool,
    called: usize,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { is_ready: false, ..*self }
    }
}

impl Service<Request<&'static str>> for Strict {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Ready<Result<Response<String>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<&'static str>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called before it was ready");
        self.called += 1;
        if *request.body() == "fail" {
            return ready(Err("failed"));
        }
        let own = request.body().starts_with("ratelimit");
        let told = Response::builder().header(if own { request.body() } else { "x" }, "its own");
        ready(Ok(told.body("fine".to_owned()).unwrap()))
    }
}

#[tokio::test]
async fn the_service_that_was_polled_ready_is_the_one_that_is_called() {
    let world = World::new();
    let everybody = |_: &Request<&'static str>| None;
    let layer = LimitLayer::new(&world.fm.limiter(), "search", everybody).unwrap();
    let mut service = layer.layer(Strict::default());
    for _ in 0..120 {
        // A clone that was made of a ready service must not take its readiness along.
        let ready = service.ready().await.unwrap();
        let clone = ready.clone();
        let answer = ready.call(Request::new("")).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "fine"));
        service = clone;
    }
    let answer = service.ready().await.unwrap().call(Request::new("")).await.unwrap();
    let (parts, body) = answer.into_parts();
    assert_eq!(parts.status, 429);
    assert_eq!(parts.headers.len(), 4, "{:?}", parts.headers);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), refused().body);
    // Refused, it is still ready: nobody has called the inner service.
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(service.call(Request::new("")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_services_own_failures_and_headers_pass_unchanged() {
    let world = World::new();
    let everybody = |_: &Request<&'static str>| None;
    let layer = LimitLayer::new(&world.fm.limiter(), "search", everybody).unwrap();
    let send = |body| layer.layer(Strict::default()).oneshot(Request::new(body));
    assert_eq!(send("fail").await.unwrap_err(), "failed");
    for own in ["ratelimit", "ratelimit-policy"] {
        let headers = send(own).await.unwrap().into_parts().0.headers;
        assert_eq!((headers.len(), told(&headers, own).as_deref()), (1, Some("its own")));
    }
    assert_eq!(told(send("").await.unwrap().headers(), "ratelimit"), allowed(116, 4).level);
}

#[tokio::test]
async fn an_outer_layer_leaves_the_inner_ones_headers() {
    let app = App::new();
    let limiter = app.world.fm.limiter();
    let outer = LimitLayer::new(&limiter, "api_general", claimed).unwrap();
    let app = App { router: app.router.layer(outer), ..app };
    assert_eq!(app.search("account", "ada").await, allowed(119, 1));
    let both = limiter.peek(limiter.endpoint("api_general").unwrap(), &app.world.ada);
    assert_eq!(both.remaining(), Some(239));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b2_of_500_searches_at_once_exactly_120_are_admitted() {
    let app = App::new();
    let tasks: Vec<_> = (0..500)
        .map(|_| {
            let router = app.router.clone();
            let search = async move { router.oneshot(search("account", "ada")).await };
            tokio::spawn(search)
        })
        .collect();
    let mut statuses = [0, 0];
    for task in tasks {
        match task.await.unwrap().unwrap().status().as_u16() {
            200 => statuses[0] += 1,
            429 => statuses[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((statuses, app.found()), ([120, 380], 120));
}

/// What comes over the wire for one request: the status line, the headers, the body.
fn over_the_wire(peer: SocketAddr) -> (String, Vec<String>, String) {
    let mut stream = TcpStream::connect(peer).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = "GET /search HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n").map(str::to_owned);
    let status = lines.next().unwrap();
    let mut headers: Vec<_> = lines.filter(|line| !line.starts_with("date: ")).collect();
    headers.sort();
    (status, headers, body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_reads_the_limit_over_the_wire() {
    let app = App::limited(|world| {
        let by_address = |request: &Request<Body>| {
            let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
            Some(Caller::from(peer.ip()))
        };
        LimitLayer::new(&world.fm.limiter(), "search", by_address).unwrap()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = listener.local_addr().unwrap();
    let service = app.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let ask = || async move { tokio::task::spawn_blocking(move || over_the_wire(peer)).await };

    let (status, headers, body) = ask().await.unwrap();
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", r#""found""#));
    assert_eq!(
        headers,
        [
            "connection: close",
            "content-length: 7",
            "content-type: text/plain; charset=utf-8",
            r#"ratelimit-policy: "search";q=120;w=120"#,
            r#"ratelimit: "search";r=119;t=1"#,
        ]
    );

    let limiter = app.world.fm.limiter();
    let here = Caller::from(IpAddr::from([127, 0, 0, 1]));
    let rest = NonZeroU32::new(119).unwrap();
    assert!(limiter.check_n(limiter.endpoint("search").unwrap(), &here, rest).is_allowed());
    let (status, headers, body) = ask().await.unwrap();
    assert_eq!(status, "HTTP/1.1 429 Too Many Requests");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), refused().body);
    assert_eq!(
        headers,
        [
            "connection: close".to_owned(),
            format!("content-length: {}", body.len()),
            "content-type: application/json".to_owned(),
            r#"ratelimit-policy: "search";q=120;w=120"#.to_owned(),
            r#"ratelimit: "search";r=0;t=120"#.to_owned(),
            "retry-after: 1".to_owned(),
        ]
    );
    assert_eq!(app.found(), 1);
    server.abort();
}
