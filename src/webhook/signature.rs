//! Signatures: HMAC-SHA256 (RFC 2104) over the time and the raw bytes.
//!
//! # Invariants
//!
//! - **H1** A signature is compared in constant time, over the bytes as they came.
//! - **H2** One that is older or newer than the tolerance is refused, however right it is. (Stripe's
//!   own libraries accept any time in the future.)

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{BODY_BYTES_MAX, Secret, WebhookError, event::Limits};
use crate::Timestamp;

/// How far a signature's time may be from now, both ways, unless the endpoint says otherwise.
pub const TOLERANCE: Duration = Duration::from_secs(300);
/// The longest header that is looked at: real ones have some hundred bytes.
pub const HEADER_BYTES_MAX: usize = 4_096;

/// What every endpoint has, whatever its headers look like.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) secrets: Vec<Secret>,
    pub(super) tolerance: Duration,
    pub(super) limits: Limits,
}

impl Endpoint {
    pub(super) fn new(secret: Secret) -> Self {
        let limits = Limits { body_bytes: BODY_BYTES_MAX, livemode: None };
        Self { secrets: vec![secret], tolerance: TOLERANCE, limits }
    }

    /// Whether one of the candidates signs `parts`, and did so just now (**H1**, **H2**).
    pub(super) fn vouch(
        &self,
        parts: &[&[u8]],
        candidates: &[[u8; 32]],
        signed: i64,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        if !matches(&self.secrets, parts, candidates) {
            return Err(WebhookError::NoMatch);
        }
        in_time(signed, now, self.tolerance)
    }
}

/// Whether one of the candidates is the signature of `parts`, in a row, under one of the secrets
/// (**H1**).
fn matches(secrets: &[Secret], parts: &[&[u8]], candidates: &[[u8; 32]]) -> bool {
    let mut found = false;
    for secret in secrets {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
        parts.iter().for_each(|part| mac.update(part));
        // All of them, so that the time tells nothing.
        for candidate in candidates {
            found |= mac.clone().verify_slice(candidate).is_ok();
        }
    }
    found
}

/// Whole seconds since 1970, strictly: digits only.
pub(super) fn seconds(text: &str) -> Result<i64, WebhookError> {
    let digits = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits);
    seconds.ok_or(WebhookError::Header { why: "its time is no number of seconds" })
}

/// Refuses a time that is too far from now (**H2**). An age of exactly the tolerance passes.
fn in_time(signed: i64, now: Timestamp, tolerance: Duration) -> Result<(), WebhookError> {
    let age = now.micros().div_euclid(1_000_000).saturating_sub(signed);
    let most = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    if age > most {
        return Err(WebhookError::TooOld { seconds: age });
    }
    if age < -most {
        return Err(WebhookError::TooNew { seconds: -age });
    }
    Ok(())
}

/// Refuses a header that is not there, or that nobody sent in good faith.
pub(super) fn readable(header: &str) -> Result<(), WebhookError> {
    let why = if header.is_empty() {
        "it is missing"
    } else if header.len() > HEADER_BYTES_MAX {
        "it is longer than 4,096 bytes"
    } else {
        return Ok(());
    };
    Err(WebhookError::Header { why })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, sections 4.2, 4.7 and 4.8; the other keys are shorter than a [`Secret`] may be.
    #[test]
    fn h1_hmac_is_that_of_rfc_4231() {
        let hex = |text: &str| -> [u8; 32] {
            data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
        };
        let long: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let longer: &[u8] = b"This is a test using a larger than block-size key and a larger than \
                              block-size data. The key needs to be hashed before being used by the \
                              HMAC algorithm.";
        let hi = Secret::base64(&data_encoding::BASE64.encode(&[0x0b; 20])).unwrap();
        let mac = hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert!(matches(std::slice::from_ref(&hi), &[b"Hi There"], &[mac]));
        assert!(matches(&[hi], &[b"Hi ", b"There"], &[[0; 32], mac]));
        let key = Secret::base64(&data_encoding::BASE64.encode(&[0xaa; 131])).unwrap();
        for (data, mac) in [
            (long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
            (longer, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        ] {
            assert!(matches(std::slice::from_ref(&key), &[data], &[hex(mac)]));
            let mut other = hex(mac);
            other[31] ^= 1;
            assert!(!matches(std::slice::from_ref(&key), &[data], &[other]));
        }
    }

    #[test]
    fn h2_the_tolerance_holds_both_ways_to_the_second() {
        let now = Timestamp::from_millis(1_000_000_999);
        let check = |signed| in_time(signed, now, TOLERANCE);
        assert_eq!(check(1_000_000 - 300), Ok(()));
        assert_eq!(check(1_000_000 - 301), Err(WebhookError::TooOld { seconds: 301 }));
        assert_eq!(check(1_000_000 + 300), Ok(()));
        assert_eq!(check(1_000_000 + 301), Err(WebhookError::TooNew { seconds: 301 }));
        assert!(in_time(999_999_999_999, Timestamp::from_micros(i64::MIN), TOLERANCE).is_err());
        for bad in ["", "+1", "-1", "1.0", " 1", "1_0", "1e3", "9999999999999", "१"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
