//! A small client of this crate's own: HTTP/1.1 and TLS, without a runtime.

use std::io;

use ureq::{Agent, config::RedirectAuthHeaders, http::HeaderValue};

use super::{FetchError, Fetcher, Request, Response, Timeouts};

/// Sends requests by itself, for services. `Clone`; clones share connections.
#[derive(Clone, Debug)]
pub struct HttpFetcher {
    agent: Agent,
}

impl HttpFetcher {
    /// One that trusts what the platform trusts, and takes no proxy from the environment. Each request says
    /// how long it may take.
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
        let Timeouts { connect, idle, total } = request.timeouts;
        let call = self.agent.get(&request.url).config();
        let call = call.timeout_connect(Some(connect)).timeout_recv_response(Some(idle));
        let mut call = call.timeout_per_read(Some(idle)).timeout_global(Some(total)).build();
        for header in &request.headers {
            call = call.header(header.name, header.value());
        }
        let answer = call.call().map_err(failed)?;
        let (parts, body) = answer.into_parts();
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = parts.headers.iter();
        let headers = headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
        Ok(Response::new(parts.status.as_u16(), headers.collect(), Body(body.into_reader())))
    }
}

/// A body whose silence is told as what it is.
struct Body<R>(R);

impl<R: io::Read> io::Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            match cause {
                Some(ureq::Error::Timeout(_)) => io::ErrorKind::TimedOut.into(),
                _ => error,
            }
        })
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
