//! Fetching: what comes from elsewhere, over whatever network the host has.
//!
//! A [`Fetcher`] sends one request and streams one answer: a phone's own networking, a test's fixed
//! answers, or `HttpFetcher` (feature `http`). What must hold whoever sends stands here: which addresses
//! are allowed, how far redirects lead, who gets a token, how large an answer may be.
//!
//! # Promises
//!
//! - **NT1** Only `https` is asked, and `http` on this machine's own loopback.
//! - **NT2** A secret header goes to the host it is for, and to nobody that a redirect names.
//! - **NT3** At most three redirects are followed, and an answer never grows beyond its limit.

mod cancel;
#[cfg(feature = "http")]
mod http;
mod url;

use std::{fmt, io::Read, time::Duration};

pub use cancel::Cancel;
#[cfg(feature = "http")]
pub use http::HttpFetcher;
use url::Url;
use zeroize::Zeroizing;

/// How many redirects are followed.
pub const REDIRECTS_MAX: usize = 3;

/// Sends requests. Blocking: call it on a thread that may wait.
pub trait Fetcher: Send + Sync {
    /// Sends a GET request and answers with whatever status came. It must not follow redirects by itself,
    /// must not decode the body, and must give up when the request's [`Timeouts`] are over.
    ///
    /// # Errors
    ///
    /// [`FetchError::Timeout`], [`FetchError::Transport`].
    fn get(&self, request: &Request) -> Result<Response, FetchError>;

    /// The same, given up soon after `cancel` is raised, when nobody wants the answer any more. One that
    /// cannot be interrupted may go on to its end, and does by default.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::get`], and [`FetchError::GivenUp`].
    fn get_until(&self, request: &Request, cancel: &Cancel) -> Result<Response, FetchError> {
        let _ = cancel;
        self.get(request)
    }
}

/// One GET request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// Where to.
    pub url: String,
    /// Its headers.
    pub headers: Vec<Header>,
    /// When to give it up.
    pub timeouts: Timeouts,
}

/// How long one request may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "to be written down where it is used")]
pub struct Timeouts {
    /// Until the connection stands. Default: 10 s.
    pub connect: Duration,
    /// Without a byte. Default: 30 s, as trustless gateways agree.
    pub idle: Duration,
    /// In all. Default: 15 min.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), idle: seconds(30), total: seconds(15 * 60) }
    }
}

/// A header of a request. Its `Debug` shows no secret.
#[derive(Clone, Eq, PartialEq)]
pub struct Header {
    /// Its name, in small letters.
    pub name: &'static str,
    value: Zeroizing<String>,
    is_secret: bool,
}

/// What came back.
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body, as it comes in.
    pub body: Box<dyn Read + Send>,
}

/// Why nothing was fetched. It never carries a header's value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The address is none that may be asked (**NT1**). Nothing was sent.
    #[error("{url} may not be asked: {why}")]
    Address {
        /// Which, without what follows a question mark.
        url: String,
        /// Why not.
        why: &'static str,
    },
    /// It led from one address to the next, too often (**NT3**).
    #[error("more than {REDIRECTS_MAX} redirects")]
    Redirects,
    /// Nothing came in time. Asking again may work.
    #[error("nothing came in time")]
    Timeout,
    /// Whoever asked wants it no more.
    #[error("it was given up")]
    GivenUp,
    /// The network failed. Asking again may work.
    #[error("the network failed: {0}")]
    Transport(String),
    /// The other side said no.
    #[error("the answer was {0}")]
    Status(u16),
    /// The answer is larger than what was asked for may be (**NT3**).
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// The answer is not what was asked for.
    #[error("the answer makes no sense: {0}")]
    Answer(&'static str),
}

impl FetchError {
    /// Whether the same request may work later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout | Self::GivenUp | Self::Transport(_) => true,
            Self::Status(status) => matches!(status, 408 | 429 | 500..),
            Self::Address { .. } | Self::Redirects | Self::TooLarge(_) | Self::Answer(_) => false,
        }
    }
}

impl Request {
    /// A request without headers.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), headers: Vec::new(), timeouts: Timeouts::default() }
    }

    /// To be given up after these times.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// With a header that anybody may see.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push(Header { name, value: Zeroizing::new(value.into()), is_secret: false });
        self
    }

    /// With a header that only the host of this address may see (**NT2**): a token.
    #[must_use]
    pub fn secret(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push(Header { name, value: Zeroizing::new(value.into()), is_secret: true });
        self
    }
}

impl Header {
    /// Its value. Do not log it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl Response {
    /// An answer of this status.
    #[must_use]
    pub fn new(
        status: u16,
        headers: Vec<(String, String)>,
        body: impl Read + Send + 'static,
    ) -> Self {
        Self { status, headers, body: Box::new(body) }
    }

    /// The first header of this name, which is in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Whether an address may be asked at all (**NT1**).
#[cfg(feature = "ipfs")]
pub(crate) fn check_address(url: &str) -> Result<(), FetchError> {
    Url::allowed(url).map(drop)
}

/// Sends a request wherever it may lead, and answers with the last one's status and body.
///
/// # Errors
///
/// [`FetchError::Address`] for an address that may not be asked, at first or after a redirect, and whatever
/// the fetcher meets.
pub fn fetch(fetcher: &dyn Fetcher, request: &Request) -> Result<Response, FetchError> {
    fetch_until(fetcher, request, &Cancel::default())
}

/// The same, until `cancel` is raised.
///
/// # Errors
///
/// As [`fetch`], and [`FetchError::GivenUp`].
pub fn fetch_until(
    fetcher: &dyn Fetcher,
    request: &Request,
    cancel: &Cancel,
) -> Result<Response, FetchError> {
    let (mut request, mut url) = (request.clone(), Url::allowed(&request.url)?);
    for _ in 0..=REDIRECTS_MAX {
        if cancel.is_cancelled() {
            return Err(FetchError::GivenUp);
        }
        let response = fetcher.get_until(&request, cancel)?;
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        let to = response.header("location").ok_or(FetchError::Answer("it leads nowhere"))?;
        let next = url.join(to)?;
        if !next.is_same_origin(&url) {
            request.headers.retain(|header| !header.is_secret);
        }
        request.url = next.to_string();
        url = next;
    }
    Err(FetchError::Redirects)
}

/// Fetches a small answer as a whole.
///
/// # Errors
///
/// As [`fetch`]; [`FetchError::Status`] for any status but 200, [`FetchError::TooLarge`].
pub fn fetch_small(
    fetcher: &dyn Fetcher,
    request: &Request,
    bytes_max: u64,
) -> Result<Vec<u8>, FetchError> {
    let response = fetch(fetcher, request)?;
    if response.status != 200 {
        return Err(FetchError::Status(response.status));
    }
    let mut body = Vec::new();
    let read = response.body.take(bytes_max.saturating_add(1)).read_to_end(&mut body);
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => FetchError::Timeout,
        _ => FetchError::Transport(error.to_string()),
    })?;
    if body.len() as u64 > bytes_max {
        return Err(FetchError::TooLarge(bytes_max));
    }
    Ok(body)
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.is_secret { "(secret)" } else { self.value.as_str() };
        write!(f, "{}: {value}", self.name)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}
