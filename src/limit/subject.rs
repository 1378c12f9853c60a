//! Whose bucket: an account, an address, or everybody.
//!
//! A subject has a text, under which its buckets are stored, and a number, under which they lie in
//! memory. A UUID's number is the UUID; other texts get 128 bits of a hash whose seeds nobody
//! outside knows, so that no two of a billion keys are likely to meet in all of history.

use std::{
    hash::{BuildHasher, RandomState},
    io::{Cursor, Write as _},
    net::IpAddr,
};

use crate::AccountId;

/// Stands before the text of what is no account: no account's id holds a control character.
pub(crate) const NO_ACCOUNT: char = '\u{1}';

/// Whose tokens a check spends.
///
/// ```
/// # use finalmile::{AccountId, limit::Subject};
/// # use std::net::IpAddr;
/// let ada = AccountId::new("ada")?;
/// let (account, address) = (Subject::from(&ada), Subject::from(IpAddr::from([192, 0, 2, 1])));
/// assert_ne!(account, address);
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Subject<'s> {
    /// An account.
    Account(&'s AccountId),
    /// An account whose id is a UUID, as its number: the same bucket as the account of that text, in
    /// lower case and with hyphens, for less.
    Uuid(u128),
    /// Somebody who is not signed in, by his address. Of IPv6, the first 64 bits: one subscriber has
    /// them all.
    Address(IpAddr),
    /// Everybody who cannot be told apart: one bucket.
    Shared,
}

impl<'s> From<&'s AccountId> for Subject<'s> {
    fn from(account: &'s AccountId) -> Self {
        Self::Account(account)
    }
}

impl From<IpAddr> for Subject<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

/// A subject's number, and its text where the number does not say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'s> {
    pub(crate) id: u128,
    pub(crate) name: Name<'s>,
}

/// A text that may have been made on the spot.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name<'s> {
    Borrowed(&'s str),
    Made([u8; 64], usize),
    /// The number is a UUID.
    Uuid,
}

impl Name<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Borrowed(text) => Some(text),
            Self::Made(bytes, len) => std::str::from_utf8(&bytes[..*len]).ok(),
            Self::Uuid => None,
        }
    }
}

/// The seeds of one limiter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names([RandomState; 2]);

impl Names {
    /// A subject's number and text.
    #[inline]
    pub(crate) fn of<'s>(&self, subject: Subject<'s>) -> Named<'s> {
        match subject {
            Subject::Uuid(id) => Named { id, name: Name::Uuid },
            Subject::Account(account) => self.of_text(account.as_str()),
            Subject::Address(address) => self.of_address(address),
            Subject::Shared => self.of_text("\u{1}anonymous"),
        }
    }

    /// The same, of a text as it is stored.
    #[inline]
    pub(crate) fn of_text<'s>(&self, text: &'s str) -> Named<'s> {
        match uuid(text.as_bytes()) {
            Some(id) => Named { id, name: Name::Uuid },
            None => Named { id: self.hash(text), name: Name::Borrowed(text) },
        }
    }

    fn of_address<'s>(&self, address: IpAddr) -> Named<'s> {
        let mut text = Cursor::new([0; 64]);
        let written = match address.to_canonical() {
            IpAddr::V4(address) => write!(text, "{NO_ACCOUNT}ip:{address}"),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                let network = std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0);
                write!(text, "{NO_ACCOUNT}ip:{network}/64")
            }
        };
        // The longest, of an IPv6 network, has 47 bytes.
        let len = usize::try_from(text.position()).ok().filter(|_| written.is_ok()).unwrap_or(0);
        let name = Name::Made(text.into_inner(), len);
        Named { id: self.hash(name.as_str().unwrap_or_default()), name }
    }

    fn hash(&self, text: &str) -> u128 {
        let [high, low] = self.0.each_ref().map(|seed| u128::from(seed.hash_one(text)));
        high << 64 | low
    }
}

/// The number of a UUID in lower case with hyphens; `None` for any other text, which could not be
/// told from its number.
fn uuid(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let (mut halves, mut seen) = ([0_u64; 2], 0);
    // No branch a letter: whether all of them were digits is asked once.
    for (n, at) in DIGITS_AT.into_iter().enumerate() {
        let digit = DIGITS[usize::from(text[at])];
        seen |= digit;
        halves[n / 16] = halves[n / 16] << 4 | u64::from(digit);
    }
    let has_hyphens = [8, 13, 18, 23].into_iter().all(|at| text[at] == b'-');
    let [high, low] = halves.map(u128::from);
    (seen < 16 && has_hyphens).then_some(high << 64 | low)
}

/// What each letter is as a digit; 16 if it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[b"0123456789abcdef"[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};

/// Where a UUID's text has its digits.
const DIGITS_AT: [usize; 32] = [
    0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 21, 22, 24, 25, 26, 27, 28, 29,
    30, 31, 32, 33, 34, 35,
];

/// The text of a UUID's number.
pub(crate) fn uuid_text(id: u128) -> String {
    crate::UploadId::from_bytes(id.to_be_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_its_own_number_and_reads_back() {
        let text = "018bcfe5-6800-7000-8000-0123456789ab";
        let named = Names::default().of_text(text);
        assert_eq!(uuid_text(named.id), text);
        assert!(named.name.as_str().is_none());
        let others = [text.to_uppercase(), text.replace('-', "0"), text.replace('f', "g")];
        for other in others.into_iter().chain([format!("{text}0")]) {
            assert!(Names::default().of_text(&other).name.as_str().is_some(), "{other}");
        }
    }

    #[test]
    fn addresses_are_told_apart_by_subscriber() {
        let names = Names::default();
        let of = |text: &str| {
            let named = names.of(Subject::Address(text.parse().unwrap()));
            (named.id, named.name.as_str().unwrap().to_owned())
        };
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1").0, of("2001:db8:1:3::1").0);
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("192.0.2.1").1, "\u{1}ip:192.0.2.1");
        assert_eq!(of("ffff:ffff:ffff:ffff::1").1, "\u{1}ip:ffff:ffff:ffff:ffff::/64");
    }
}
