//! The phone's own networking, as the library asks it: each answer becomes a file, because bytes do not cross.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finalmile::fetch::{Cancel, FetchError, Fetcher, Request, Response};

use crate::call;
use crate::door::Loan;
use crate::host::{Network, NetworkHeader, NetworkRequest};

/// A [`Network`] of the host's.
pub(crate) struct Borrowed {
    network: Loan<Arc<dyn Network>>,
    folder: PathBuf,
    timeout: Duration,
}

impl Borrowed {
    pub(crate) fn new(network: Loan<Arc<dyn Network>>, cache: &Path, timeout: Duration) -> Self {
        let folder = cache.join(".answers");
        sweep(&folder);
        Self { network, folder, timeout }
    }
}

impl Fetcher for Borrowed {
    fn get(&self, request: &Request) -> Result<Response, FetchError> {
        self.get_until(request, &Cancel::default())
    }

    fn get_until(&self, request: &Request, cancel: &Cancel) -> Result<Response, FetchError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let failed = |error: io::Error| FetchError::Transport(error.to_string());
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let answer = Answer(self.folder.join(name));
        let destination = answer.0.to_str().ok_or(FetchError::Answer("a path is no UTF-8"))?;
        let patience = request.timeouts.total.min(self.timeout);
        let request = NetworkRequest {
            url: request.url.clone(),
            headers: request.headers.iter().map(NetworkHeader::of).collect(),
            destination: destination.to_owned(),
            timeout_ms: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
        };
        let asked = self.network.then(|network| network.download(request));
        let asked = asked.ok_or(FetchError::Answer("there is no network"))?;
        let Some(said) = call::wait_for(asked, || cancel.is_cancelled(), patience) else {
            let is_given_up = cancel.is_cancelled();
            return Err(if is_given_up { FetchError::GivenUp } else { FetchError::Timeout });
        };
        let said = said.map_err(|error| FetchError::Transport(error.to_string()))?;
        let headers = said.headers.into_iter();
        let headers = headers.map(|header| (header.name.to_ascii_lowercase(), header.value));
        // An answer without a body need not leave a file.
        let body: Box<dyn Read + Send> = match File::open(&answer.0) {
            Ok(file) => Box::new(Body { file, _answer: answer }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Box::new(io::empty()),
            Err(error) => return Err(failed(error)),
        };
        Ok(Response::new(said.status, headers.collect(), body))
    }
}

/// Longer than any request may take.
const OLD: Duration = Duration::from_secs(3_600);

/// Removes answers that were left when a process ended in the middle of them.
fn sweep(folder: &Path) {
    let Ok(left) = fs::read_dir(folder) else { return };
    for file in left.flatten() {
        let age = file.metadata().and_then(|meta| meta.modified()).map(|made| made.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > OLD)) {
            drop(fs::remove_file(file.path()));
        }
    }
}

/// A file that goes when it was read, or when nobody wants it.
struct Answer(PathBuf);

impl Drop for Answer {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

struct Body {
    file: File,
    _answer: Answer,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}
