//! Names: who acts, on what, under which key.
//!
//! Text ids are the host's own words, compared byte for byte; fresh ids are made here, ordered by
//! time, so that new rows are written at the right edge of every index.
//!
//! # Invariants
//!
//! - **N1** An id that exists is valid: 1 to 255 bytes without control characters.
//! - **N2** Ids made later by one process sort later, to the millisecond.

use std::{fmt, str::FromStr};

use crate::{
    Refusal,
    storage::{Field, Kind, Value},
    time::{Timestamp, World},
};

/// The most bytes of a text id.
pub const ID_BYTES_MAX: usize = 255;

/// Refuses a text that is no name (**N1**).
pub(crate) fn checked<'t>(field: &'static str, text: &'t str) -> Result<&'t str, Refusal> {
    let why = if text.is_empty() {
        "it is empty"
    } else if text.len() > ID_BYTES_MAX {
        "it is longer than 255 bytes"
    } else if text.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(text);
    };
    Err(Refusal::Invalid { field, why })
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the text.
            ///
            /// # Errors
            ///
            /// [`Refusal::Invalid`] unless it has 1 to 255 bytes and no control character.
            pub fn new(text: impl AsRef<str>) -> Result<Self, Refusal> {
                checked($field, text.as_ref()).map(|text| Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A name of our own, which needs no check.
            #[allow(dead_code, reason = "not every kind of name has one of ours")]
            pub(crate) fn ours(text: &'static str) -> Self {
                debug_assert!(checked($field, text).is_ok());
                Self(text.into())
            }
        }

        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Field for $name {
            const KIND: Kind = Kind::Text;
            fn to_value(&self) -> Value {
                Value::Text(self.0.to_string())
            }
            fn from_value(value: Value) -> Option<Self> {
                String::from_value(value).map(|text| Self(text.into()))
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(source)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// Names the account that owns credits, buckets and uploads.
    ///
    /// The text is the host's own key (a UUID, a wallet address), compared byte for byte.
    ///
    /// ```
    /// # use finalmile::AccountId;
    /// assert_eq!(AccountId::new("ada")?.as_str(), "ada");
    /// assert!(AccountId::new("").is_err());
    /// # Ok::<(), finalmile::Refusal>(())
    /// ```
    AccountId, "account"
}
text_id! {
    /// Names a limited endpoint: `search`, `begin-upload`.
    EndpointName, "endpoint"
}
text_id! {
    /// The host's name for one attempt at an operation; repeating it repeats the answer.
    IdempotencyKey, "idempotency key"
}
text_id! {
    /// Who took a payment, or sends events: `stripe`, `solana`, or the host's own.
    Provider, "provider"
}
text_id! {
    /// The provider's own name for a payment: a payment intent, a transaction signature.
    PaymentReference, "payment reference"
}
text_id! {
    /// Who performs an admin's act, for the audit.
    Actor, "actor"
}

macro_rules! fresh_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new one: the time, then chance (RFC 9562, section 5.7: UUID version 7).
            #[must_use]
            pub fn fresh(world: &dyn World) -> Self {
                Self(uuid7(world.now(), world.random(), world.random()))
            }

            /// The id with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> {
                let why = "it is no UUID";
                parse_uuid(text).map(Self).ok_or(Refusal::Invalid { field: $field, why })
            }
        }

        impl Field for $name {
            const KIND: Kind = Kind::Blob;
            fn to_value(&self) -> Value {
                Value::Blob(self.0.to_vec())
            }
            fn from_value(value: Value) -> Option<Self> {
                <[u8; 16]>::from_value(value).map(Self)
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(source)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fresh_id! {
    /// Names one upload, from begin to its end.
    UploadId, "upload"
}
fresh_id! {
    /// Names one media share of the feed.
    ShareId, "media share"
}
fresh_id! {
    /// Names one purchase of credits.
    PurchaseId, "purchase"
}
fresh_id! {
    /// Names credits that are set aside.
    ReservationId, "reservation"
}
fresh_id! {
    /// Names one movement of credits.
    TransferId, "transfer"
}

impl UploadId {
    /// When a fresh one was made, to the millisecond. Of bytes from elsewhere it is any time.
    pub(crate) fn made_at(self) -> Timestamp {
        let millis = self.0[..6].iter().fold(0, |all, byte| all << 8 | i64::from(*byte));
        Timestamp::from_millis(millis)
    }
}

pub(crate) fn uuid7(now: Timestamp, high: u64, low: u64) -> [u8; 16] {
    let millis = now.micros().max(0).cast_unsigned() / 1_000;
    let time = (millis & 0xFFFF_FFFF_FFFF) << 16;
    let first = time | 0x7000 | (high & 0x0FFF);
    let second = 0x8000_0000_0000_0000 | (low >> 2);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_be_bytes());
    bytes[8..].copy_from_slice(&second.to_be_bytes());
    bytes
}

fn write_uuid(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, byte) in bytes.iter().enumerate() {
        let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
        write!(f, "{dash}{byte:02x}")?;
    }
    Ok(())
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let dashes = [8, 13, 18, 23];
    let text = text.as_bytes();
    let shaped = text.len() == 36 && dashes.iter().all(|i| text[*i] == b'-');
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_hexdigit).collect();
    if !shaped || digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Simulated;

    #[test]
    fn n1_ids_of_no_bytes_or_ten_kilobytes_or_with_nul_are_refused() {
        for bad in ["", "a\0b", "a\nb", &"x".repeat(10_000)] {
            let refusal = AccountId::new(bad).unwrap_err();
            assert_eq!(refusal.code(), "INVALID_REQUEST");
        }
        assert_eq!(AccountId::new("ü".repeat(127)).unwrap().as_str().len(), 254);
    }

    #[test]
    fn n2_later_ids_sort_later_and_read_back() {
        let world = Simulated::new(Timestamp::from_millis(1_700_000_000_000), 1);
        let first = UploadId::fresh(&world);
        world.advance(std::time::Duration::from_millis(1));
        let second = UploadId::fresh(&world);
        assert!(first < second);
        assert_eq!(first.made_at(), Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(first.to_string().as_bytes()[14], b'7');
        assert!("018bcfe5-6800-7000-8000-00000000000".parse::<UploadId>().is_err());
    }
}
