//! Content paths: an id, and names from there.

use std::fmt;
use std::str::FromStr;

use super::cid::Cid;
use super::error::IpfsError;

/// A path on Linux has 4,096 bytes at most.
const MAX_PATH_BYTES: usize = 4_096;

/// `<cid>/name/name`, or an id alone.
///
/// Names are taken as they are, without percent signs decoded.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::ContentPath;
///
/// let path: ContentPath = "bafkqaaa/photos/1.jpg".parse()?;
/// assert_eq!(path.names(), ["photos", "1.jpg"]);
/// assert_eq!("bafkqaaa/../x".parse::<ContentPath>().unwrap_err().code(), "INVALID_PATH");
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ContentPath {
    cid: Cid,
    names: Vec<String>,
}

impl ContentPath {
    /// Where it begins.
    #[must_use]
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The names from there.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl From<Cid> for ContentPath {
    fn from(cid: Cid) -> Self {
        Self { cid, names: Vec::new() }
    }
}

impl FromStr for ContentPath {
    type Err = IpfsError;

    fn from_str(text: &str) -> Result<Self, IpfsError> {
        let (cid, rest) = text.split_once('/').unwrap_or((text, ""));
        let cid = cid.parse()?;
        if rest.len() > MAX_PATH_BYTES {
            return Err(IpfsError::InvalidPath { reason: "it is too long" });
        }
        let names = rest.strip_suffix('/').unwrap_or(rest);
        if names.is_empty() && rest.is_empty() {
            return Ok(Self { cid, names: Vec::new() });
        }
        let names = names.split('/').map(|name| match name {
            "" => Err(IpfsError::InvalidPath { reason: "a name is empty" }),
            "." | ".." => Err(IpfsError::InvalidPath { reason: "it goes up or stays" }),
            _ if name.contains('\0') => {
                Err(IpfsError::InvalidPath { reason: "a name has a zero byte" })
            }
            _ => Ok(name.to_owned()),
        });
        Ok(Self { cid, names: names.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for ContentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cid)?;
        self.names.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}
