//! A small client of this crate's own: HTTP/1.1 and TLS, without a runtime.

use std::{io, time::Duration};

use ureq::{Agent, config::RedirectAuthHeaders, http::HeaderValue};

use super::{FetchError, Fetcher, Request, Response};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come.
const IDLE: Duration = Duration::from_secs(30);
/// How long one answer may take in all.
const TOTAL: Duration = Duration::from_secs(15 * 60);

/// Sends requests by itself, for services. `Clone`; clones share connections.
#[derive(Clone, Debug)]
pub struct HttpFetcher {
    agent: Agent,
}

impl HttpFetcher {
    /// One that trusts what the platform trusts. It gives up when a connection does not stand within ten
    /// seconds, when nothing comes for 30, and after a quarter of an hour. It takes no proxy from the
    /// environment.
    #[must_use]
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The caller follows them, and says who gets which header.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            // Lengths and ranges are those of the content.
            .accept_encoding("identity")
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(IDLE))
            .timeout_per_read(Some(IDLE))
            .timeout_global(Some(TOTAL))
            .tls_config(
                ureq::tls::TlsConfig::builder()
                    .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                    .build(),
            )
            .build();
        Self { agent: config.into() }
    }
}

impl Default for HttpFetcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Fetcher for HttpFetcher {
    fn get(&self, request: &Request) -> Result<Response, FetchError> {
        let mut call = self.agent.get(&request.url);
        for header in &request.headers {
            call = call.header(header.name, header.value());
        }
        let answer = call.call().map_err(failed)?;
        let (parts, body) = answer.into_parts();
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = parts.headers.iter();
        let headers = headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
        Ok(Response::new(parts.status.as_u16(), headers.collect(), body.into_reader()))
    }
}

/// Never with the address: its query may hold a token.
fn failed(error: ureq::Error) -> FetchError {
    match error {
        ureq::Error::Timeout(_) => FetchError::Timeout,
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => FetchError::Timeout,
        ureq::Error::Io(error) => FetchError::Transport(error.kind().to_string()),
        ureq::Error::HostNotFound => FetchError::Transport("the host is not known".to_owned()),
        ureq::Error::Rustls(error) => FetchError::Transport(error.to_string()),
        ureq::Error::BadUri(_) => FetchError::Transport("it is no address".to_owned()),
        _ => FetchError::Transport("the request could not be sent".to_owned()),
    }
}
