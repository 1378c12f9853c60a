//! The limiter as a layer: requests over the limit are answered before the service sees them.
//!
//! A check waits for nothing, so it happens in `call`, on the service that was polled ready: what
//! is allowed goes on to the inner service at once, and what is refused never gets there.

use std::{
    fmt,
    future::Future,
    net::IpAddr,
    num::NonZeroU32,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE,
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    AccountId, Error,
    limit::{Decision, Endpoint, Limiter, Subject},
};

/// Limits a tower service: axum's `Router::layer`, or any whose requests are [`http::Request`] and
/// whose bodies are made of a [`String`].
///
/// `key` says whose tokens a request spends. `None` is no free pass: whoever cannot be told apart
/// shares one bucket with all others of his kind ([`Subject::Shared`]).
///
/// | the check says | the answer |
/// |---|---|
/// | yes | the inner service's, with `RateLimit-Policy` and `RateLimit` unless it has either |
/// | no | 429, or 403 for a frozen account, with those headers, `Retry-After` and a JSON body |
///
/// The body of a refusal is [`Decision::public_error`]'s, and nothing else of the caller gets out.
/// The layer writes no line to the log, because a flood would write as many; refusals are rows of
/// the stored log, as [`LogMode`](crate::limit::LogMode) says.
///
/// Costs one check, and a few small allocations for the headers. It waits for nothing, unless every
/// request is logged ([`LogMode::All`](crate::limit::LogMode::All)) and the disk is behind. The layer
/// and its services are handles that keep the [`FinalMile`](crate::FinalMile) open.
///
/// # Example
///
/// By the peer's address, which axum leaves in the request's extensions for an app that is served
/// with `into_make_service_with_connect_info::<SocketAddr>()`:
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::{Router, body::Body, extract::ConnectInfo, http::Request, routing::get};
/// use finalmile::{FinalMile, engines::Memory, limit::{Caller, LimitLayer}};
/// # use tower::ServiceExt as _;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let fm = FinalMile::builder(Memory::new()).open()?;
/// let by_address = |request: &Request<Body>| {
///     let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
///     Some(Caller::from(peer.ip()))
/// };
/// let limited = LimitLayer::new(&fm.limiter(), "search", by_address)?;
/// let app = Router::new().route("/search", get(async || "found")).layer(limited);
///
/// let answer = app.oneshot(Request::get("/search").body(Body::empty())?).await?;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(answer.headers()["ratelimit"], r#""search";r=119;t=1"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Behind a proxy, the peer is the proxy. `X-Forwarded-For` says who the client is only as far as
/// your own proxy wrote it: the rest is whatever the client likes, a new bucket with every request.
///
/// By account, [`Caller::from_extensions`] reads what the host's authentication found out.
#[derive(Clone)]
#[must_use = "a layer limits what it is wrapped around"]
pub struct LimitLayer<K> {
    gate: Gate<K>,
}

/// What a layer and its services share.
#[derive(Clone)]
struct Gate<K> {
    limiter: Limiter,
    endpoint: Endpoint,
    times: NonZeroU32,
    key: K,
}

impl<K> LimitLayer<K> {
    /// Limits by an endpoint whose buckets are in memory. Finds it in the store, and so may wait for
    /// the disk: make the layer once, when the host starts.
    ///
    /// # Errors
    ///
    /// As [`Limiter::endpoint`]: [`Refusal::EndpointUnknown`](crate::Refusal::EndpointUnknown), and
    /// [`Refusal::Invalid`](crate::Refusal::Invalid) for an endpoint whose buckets are in the store,
    /// such as `begin-upload` and `finalize-upload`. Their commands take the token themselves, with
    /// the rows that they write; a layer in front of them would charge every upload twice.
    pub fn new<B>(limiter: &Limiter, endpoint: &str, key: K) -> Result<Self, Error>
    where
        K: Fn(&Request<B>) -> Option<Caller>,
    {
        let endpoint = limiter.endpoint(endpoint)?;
        let limiter = limiter.clone();
        Ok(Self { gate: Gate { limiter, endpoint, times: NonZeroU32::MIN, key } })
    }

    /// Spends what so many checks cost, for requests that are worth several. More than the bucket
    /// holds is refused always.
    pub fn times(self, times: NonZeroU32) -> Self {
        Self { gate: Gate { times, ..self.gate } }
    }
}

impl<S, K: Clone> Layer<S> for LimitLayer<K> {
    type Service = Limited<S, K>;

    fn layer(&self, inner: S) -> Limited<S, K> {
        Limited { inner, gate: self.gate.clone() }
    }
}

/// A service behind a [`LimitLayer`].
#[derive(Clone)]
pub struct Limited<S, K> {
    inner: S,
    gate: Gate<K>,
}

impl<S, K, B, R> Service<Request<B>> for Limited<S, K>
where
    S: Service<Request<B>, Response = Response<R>>,
    K: Fn(&Request<B>) -> Option<Caller>,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = LimitedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let decision = self.gate.check(&request);
        // The service itself, and not a clone: only this one was polled ready.
        let inner = decision.is_allowed().then(|| self.inner.call(request));
        LimitedFuture { inner, decision }
    }
}

impl<K> Gate<K> {
    fn check<B>(&self, request: &Request<B>) -> Decision
    where
        K: Fn(&Request<B>) -> Option<Caller>,
    {
        let caller = (self.key)(request).unwrap_or(Caller::Shared);
        self.limiter.check_n(self.endpoint, &caller, self.times)
    }
}

pin_project! {
    /// The answer of [`Limited`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct LimitedFuture<F> {
        // `None`: refused.
        #[pin]
        inner: Option<F>,
        decision: Decision,
    }
}

impl<F, R, E> Future for LimitedFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<String>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(Ok(refusal(this.decision)));
        };
        let mut answer = ready!(inner.poll(cx))?;
        let told = answer.headers_mut();
        // A pair of headers is about one quota: the inner service's own, or this.
        if !told.contains_key("ratelimit") && !told.contains_key("ratelimit-policy") {
            tell(told, this.decision);
        }
        Poll::Ready(Ok(answer))
    }
}

/// The answer to a request that was refused.
fn refusal<R: From<String>>(decision: &Decision) -> Response<R> {
    let body = decision.public_error().map(|error| error.to_json()).unwrap_or_default();
    let mut answer = Response::new(R::from(body));
    let status = StatusCode::from_u16(decision.http_status());
    *answer.status_mut() = status.unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let told = answer.headers_mut();
    told.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    tell(told, decision);
    answer
}

fn tell(headers: &mut HeaderMap, decision: &Decision) {
    for (name, value) in decision.headers() {
        // Always: a decision's headers are printable ASCII.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Whose tokens a request spends: a [`Subject`] that outlives the request it was read from.
///
/// ```
/// # use finalmile::{AccountId, limit::{Caller, Subject}};
/// # use std::net::IpAddr;
/// let (ada, address) = (AccountId::new("ada")?, IpAddr::from([192, 0, 2, 1]));
/// assert_eq!(Subject::from(&Caller::from(ada.clone())), Subject::Account(&ada));
/// assert_eq!(Caller::from(address).as_subject(), Subject::Address(address));
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Caller {
    /// An account.
    Account(AccountId),
    /// An account whose id is a UUID, as its number: the same bucket as the account of that text,
    /// without an allocation.
    Uuid(u128),
    /// Somebody who is not signed in, by his address. Of IPv6, the first 64 bits.
    Address(IpAddr),
    /// Everybody who cannot be told apart: one bucket.
    Shared,
}

impl Caller {
    /// The caller whom the host's own code put into the request's extensions: its authentication,
    /// which then has to be the outer layer. A client cannot write there. Without one, the request
    /// spends of the shared bucket.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use finalmile::{AccountId, FinalMile, engines::Memory, limit::{Caller, LimitLayer}};
    /// # use tower::{ServiceBuilder, ServiceExt as _};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// let authenticate = |mut request: Request<Body>| {
    ///     // … once its token has been verified:
    ///     let ada = AccountId::new("ada").expect("a valid id");
    ///     request.extensions_mut().insert(Caller::from(ada));
    ///     request
    /// };
    /// let limited = LimitLayer::new(&fm.limiter(), "search", Caller::from_extensions)?;
    /// let layers = ServiceBuilder::new().map_request(authenticate).layer(limited);
    /// let app = Router::new().route("/search", get(async || "found")).layer(layers);
    ///
    /// app.oneshot(Request::get("/search").body(Body::empty())?).await?;
    /// let search = fm.limiter().endpoint("search")?;
    /// let left = fm.limiter().peek(search, &AccountId::new("ada")?).remaining();
    /// assert_eq!(left, Some(119));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn from_extensions<B>(request: &Request<B>) -> Option<Self> {
        request.extensions().get().cloned()
    }

    /// The same, borrowed.
    #[must_use]
    pub const fn as_subject(&self) -> Subject<'_> {
        match self {
            Self::Account(account) => Subject::Account(account),
            Self::Uuid(id) => Subject::Uuid(*id),
            Self::Address(address) => Subject::Address(*address),
            Self::Shared => Subject::Shared,
        }
    }
}

impl From<AccountId> for Caller {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

impl From<IpAddr> for Caller {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl<'s> From<&'s Caller> for Subject<'s> {
    fn from(caller: &'s Caller) -> Self {
        caller.as_subject()
    }
}

impl<K> fmt::Debug for LimitLayer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitLayer").field("gate", &self.gate).finish()
    }
}

impl<S: fmt::Debug, K> fmt::Debug for Limited<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("inner", &self.inner).field("gate", &self.gate).finish()
    }
}

impl<K> fmt::Debug for Gate<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gate = f.debug_struct("Gate");
        gate.field("endpoint", &self.endpoint.name()).field("times", &self.times);
        gate.finish_non_exhaustive()
    }
}
