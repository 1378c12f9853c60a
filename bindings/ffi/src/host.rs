//! What the host lends: the phone's own decoder, and an ear for progress.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use finalmile::fetch::Header;
use finalmile::thumb::{PlatformDecoder, PlatformPicture, PlatformRequest};

use crate::call;
use crate::door::Loan;
use crate::failure::HostFailure;
use crate::pool;

/// A file that the phone's own decoder shall make smaller.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct DecodeRequest {
    /// Where it lies.
    pub path: String,
    /// What it is, such as `image/heic`.
    pub media_type: String,
    /// The moment of a video that is wanted. `None`: it is a picture.
    pub at_ms: Option<u32>,
    /// The longer side that is needed, in pixels.
    pub wanted_side_px: u32,
}

/// The phone's own decoder, for what is not decoded here: HEIC, AVIF, HEVC videos.
#[uniffi::export(callback_interface)]
#[async_trait::async_trait]
pub trait PictureDecoder: Send + Sync {
    /// Decodes the file, and answers with the path of a JPEG, PNG or WebP. `None`: not this kind. The
    /// file stays the host's, which may remove it when the call that lent this decoder is answered.
    async fn decode(&self, request: DecodeRequest) -> Result<Option<String>, HostFailure>;
}

/// Hears how far a call is.
#[uniffi::export(callback_interface)]
pub trait ProgressListener: Send + Sync {
    /// A share from 0 to 1 is done. At most ten times a second.
    ///
    /// # Errors
    ///
    /// Whatever the host says: it disturbs nothing.
    fn told(&self, share: f64) -> Result<(), HostFailure>;
}

/// A decoder of the host, as the library asks it.
pub(crate) struct Lent<'l> {
    pub(crate) decoder: &'l Loan<Box<dyn PictureDecoder>>,
    pub(crate) given_up: &'l AtomicBool,
    pub(crate) patience: Duration,
}

impl PlatformDecoder for Lent<'_> {
    fn decode(&self, request: &PlatformRequest<'_>) -> Result<Option<PlatformPicture>, String> {
        let path = request.path.and_then(|path| path.to_str()).ok_or("it is in no file")?;
        let request = DecodeRequest {
            path: path.to_owned(),
            media_type: request.format.media_type().to_owned(),
            at_ms: request.at_ms.map(|at| u32::try_from(at).unwrap_or(u32::MAX)),
            wanted_side_px: request.wanted_side_px,
        };
        let is_given_up = || self.given_up.load(Ordering::Relaxed);
        let asked = self.decoder.then(|decoder| decoder.decode(request));
        match asked.and_then(|asked| call::wait_for(asked, is_given_up, self.patience)) {
            Some(Ok(path)) => Ok(path.map(|path| PlatformPicture::File(path.into()))),
            Some(Err(HostFailure::Failed { reason })) => Err(reason),
            None => Err("it did not answer in time".to_owned()),
        }
    }
}

/// A header of a request or an answer.
#[derive(Clone, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "it crosses")]
pub struct NetworkHeader {
    /// Its name.
    pub name: String,
    /// Its value, which may be a token: do not log it.
    pub value: String,
}

impl NetworkHeader {
    pub(crate) fn of(header: &Header) -> Self {
        Self { name: header.name.to_owned(), value: header.value().to_owned() }
    }
}

impl std::fmt::Debug for NetworkHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A GET request whose answer becomes a file.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host reads it")]
pub struct NetworkRequest {
    /// Where to.
    pub url: String,
    /// With these headers, and `Accept-Encoding: identity`.
    pub headers: Vec<NetworkHeader>,
    /// Where the body goes, as it came.
    pub destination: String,
    /// When to give it up, in milliseconds.
    pub timeout_ms: u32,
}

/// What came back.
#[derive(Clone, Debug, uniffi::Record)]
#[expect(clippy::exhaustive_structs, reason = "the host fills it in")]
pub struct NetworkAnswer {
    /// The status, whatever it is.
    pub status: u16,
    /// All headers.
    pub headers: Vec<NetworkHeader>,
}

/// The phone's own networking.
#[uniffi::export(with_foreign)]
#[async_trait::async_trait]
pub trait Network: Send + Sync {
    /// Sends a request, follows no redirect, and writes the answer's body to the destination.
    async fn download(&self, request: NetworkRequest) -> Result<NetworkAnswer, HostFailure>;
}

/// Tells of progress ten times a second at most: each time the host's own thread is called.
pub(crate) struct Seldom {
    listener: Loan<Box<dyn ProgressListener>>,
    last: Mutex<Option<Instant>>,
}

impl Seldom {
    pub(crate) fn new(listener: Box<dyn ProgressListener>) -> Self {
        Self { listener: Loan::new(listener), last: Mutex::default() }
    }

    #[expect(clippy::disallowed_methods, reason = "ten times a second of whoever watches")]
    pub(crate) fn told(&self, share: f64) {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if share < 1.0 && last.is_some_and(|last| now - last < Duration::from_millis(100)) {
            return;
        }
        *last = Some(now);
        // The host may take its time, and call us again meanwhile.
        drop(last);
        // A listener that fails hears of the next share all the same.
        drop(pool::at_the_hosts(|| self.listener.call(|listener| listener.told(share))));
    }
}
