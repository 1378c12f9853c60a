//! Content ids in uploads: what a client says that a file is called.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use crate::{
    Refusal,
    ipfs::Cid,
    storage::{Field, Kind, Value},
};

/// A content id as the client wrote it. Two spellings of one id are equal.
///
/// ```
/// # use finalmile::upload::ContentId;
/// let old = ContentId::new("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")?;
/// let new = ContentId::new("bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y")?;
/// assert_eq!(old, new);
/// assert!(ContentId::new("bafybeif7ztnhq").is_err());
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone)]
pub struct ContentId {
    text: Box<str>,
    cid: Cid,
}

impl ContentId {
    /// Parses the text: whatever the verifying cache takes, so that what a feed names can be checked.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a text that is no content id, or one of a kind that is not supported
    /// (another hash function than SHA2-256, another codec than raw and dag-pb).
    pub fn new(text: impl AsRef<str>) -> Result<Self, Refusal> {
        let (text, why) = (text.as_ref(), "it is no content id that can be checked");
        let cid = text.parse().map_err(|_| Refusal::Invalid { field: "content id", why })?;
        Ok(Self { text: text.into(), cid })
    }

    /// Its one binary form.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        self.cid.as_bytes().to_vec()
    }

    /// The text, as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for ContentId {
    fn eq(&self, other: &Self) -> bool {
        self.cid == other.cid
    }
}

impl Eq for ContentId {}

impl Hash for ContentId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(&self.cid, state);
    }
}

impl FromStr for ContentId {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::new(text)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentId({})", self.text)
    }
}

impl Field for ContentId {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.text.to_string())
    }
    fn from_value(value: Value) -> Option<Self> {
        String::from_value(value).and_then(|text| Self::new(text).ok())
    }
}
