//! Content ids: of files, of a few bytes, and one spelling for all of them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use finalmile::ipfs::{Cid, IpfsError, Profile};

use crate::call;
use crate::failure::Failure;
use crate::pool::Lane;

/// How a file is cut into blocks, on which its id depends (IPIP-499).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, uniffi::Enum)]
#[expect(clippy::exhaustive_enums, reason = "the standard names two")]
pub enum ImportProfile {
    /// `unixfs-v1-2025`: what Pinata is asked for. A file of up to 1 MiB has the hash of its bytes.
    #[default]
    UnixfsV1,
    /// `unixfs-v0-2015`: ids that begin with `Qm`.
    UnixfsV0,
}

impl ImportProfile {
    fn inner(self) -> Profile {
        match self {
            Self::UnixfsV1 => Profile::UNIXFS_V1_2025,
            Self::UnixfsV0 => Profile::UNIXFS_V0_2015,
        }
    }
}

/// The most bytes that one call takes: more belongs in a file, because bytes cross one by one.
const BYTES_MAX: usize = 64 << 10;

/// The content id of a file, spelled as its profile does.
///
/// # Errors
///
/// `FILE_UNREADABLE`, `CANCELLED`.
#[uniffi::export(default(profile = None))]
pub async fn cid_of_file(path: String, profile: Option<ImportProfile>) -> Result<String, Failure> {
    let profile = profile.unwrap_or_default().inner();
    call::run(Lane::Compute, move |given_up| {
        let path = PathBuf::from(path);
        let file = open(&path)?;
        let cid = finalmile::ipfs::cid_of(Watched { file, given_up }, profile);
        if given_up.load(Ordering::Relaxed) {
            return Err(Failure::cancelled());
        }
        let cid = cid.map_err(|error| match error {
            IpfsError::Read(source) => IpfsError::Unreadable { path, source },
            other => other,
        })?;
        Ok(profile.spell(&cid))
    })
    .await
}

/// The content id of at most 64 KiB, under the default profile.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for more.
#[uniffi::export]
pub async fn cid_of_bytes(bytes: Vec<u8>) -> Result<String, Failure> {
    if bytes.len() > BYTES_MAX {
        return Err(Failure::argument("More than 64 KiB belong in a file"));
    }
    call::run(Lane::Compute, move |_| Ok(finalmile::ipfs::cid_of_bytes(&bytes).to_string())).await
}

/// The one spelling of a content id, whatever spelling it came in. Computes, and answers at once.
///
/// # Errors
///
/// `INVALID_CID`, `UNSUPPORTED_CID`.
#[uniffi::export]
pub fn canonical_cid(cid: &str) -> Result<String, Failure> {
    Ok(parse(cid)?.to_string())
}

/// The spelling that begins with `Qm`, where the id has one.
///
/// # Errors
///
/// `INVALID_CID`, `UNSUPPORTED_CID`.
#[uniffi::export]
pub fn cid_to_v0(cid: &str) -> Result<Option<String>, Failure> {
    Ok(parse(cid)?.to_v0())
}

fn parse(cid: &str) -> Result<Cid, Failure> {
    Ok(cid.parse::<Cid>()?)
}

/// Opens a file, and nothing else: opening a named pipe would wait for its writer.
fn open(path: &Path) -> Result<File, Failure> {
    let opened = fs::metadata(path).and_then(|meta| {
        if meta.is_file() { File::open(path) } else { Err(io::ErrorKind::InvalidInput.into()) }
    });
    let failed = |source: io::Error| IpfsError::Unreadable {
        path: path.to_path_buf(),
        source: source.into(),
    };
    Ok(opened.map_err(failed)?)
}

/// A file that ends when nobody waits for what is read of it.
struct Watched<'w> {
    file: File,
    given_up: &'w AtomicBool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(io::Error::other("given up"));
        }
        self.file.read(buffer)
    }
}
