//! The spellings of an id: which bases are read, and the one that is printed.
//!
//! Source: multibase. `b`, `k` and `z` announce base32, base36 and base58btc, `B` and `K` the first
//! two in upper case; a CIDv0 bears no letter and begins with `Qm`.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use super::super::error::IpfsError;
use super::{Cid, base58};

/// The longest accepted id has 133 bytes, which base32 spells with 214 characters.
const MAX_TEXT_BYTES: usize = 256;

impl FromStr for Cid {
    type Err = IpfsError;

    fn from_str(text: &str) -> Result<Self, IpfsError> {
        if text.is_empty() {
            return Err(IpfsError::invalid("it is empty"));
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(IpfsError::invalid("it is too long"));
        }
        if text.len() == 46 && text.starts_with("Qm") {
            let bytes = base58::decode(text).ok_or(IpfsError::invalid("not base58"))?;
            return Self::from_bytes(&bytes);
        }
        let (base, rest) = text.as_bytes().split_first().unwrap_or((&0, &[]));
        let bytes = match base {
            b'b' | b'B' | b'k' | b'K' if mixes_cases(text) => {
                return Err(IpfsError::invalid("it mixes upper and lower case"));
            }
            b'b' | b'B' => BASE32_NOPAD.decode(&rest.to_ascii_uppercase()).ok(),
            b'k' | b'K' => base58::decode36(&rest.to_ascii_lowercase()),
            b'z' => base58::decode(&text[1..]),
            b'f' | b'F' | b'm' | b'M' | b'u' | b'U' | b'v' | b'V' | b'h' | b'Z'
                if rest.iter().all(u8::is_ascii_alphanumeric) =>
            {
                return Err(IpfsError::UnsupportedCid { what: "spelling (multibase)" });
            }
            _ => return Err(IpfsError::invalid("it begins like no content id")),
        };
        // A multibase letter announces a CIDv1; a CIDv0 is never spelled with one.
        Self::from_v1_bytes(&bytes.ok_or(IpfsError::invalid("a character is out of place"))?)
    }
}

/// The letter of the base says which case all of them have.
fn mixes_cases(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

impl Cid {
    /// The canonical text, without the detour over a formatter: it is made for every look at the cache.
    pub(in super::super) fn text(&self) -> String {
        let mut text = String::with_capacity(1 + BASE32_NOPAD.encode_len(self.as_bytes().len()));
        text.push('b');
        BASE32_NOPAD.encode_append(self.as_bytes(), &mut text);
        text.make_ascii_lowercase();
        text
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}
