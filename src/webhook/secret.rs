//! Secrets: what signatures are made with.
//!
//! # Invariants
//!
//! - **H5** A secret is never printed or serialised, and its bytes are wiped when it is dropped.

use std::fmt;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::Refusal;

/// What the texts of secrets begin with.
const PREFIX: &str = "whsec_";
/// A shorter one could be guessed.
const BYTES_MIN: usize = 16;
const BYTES_MAX: usize = 512;

/// The secret of one endpoint.
///
/// ```
/// # use finalmile::webhook::Secret;
/// let secret = Secret::text("whsec_5f8d2c0e9b7a4d3c")?;
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A secret whose bytes are the text itself, as Stripe's: `whsec_…`, not decoded.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for fewer than 16 bytes, more than 512, or blanks and control characters,
    /// which come from careless copying.
    pub fn text(text: &str) -> Result<Self, Refusal> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid("it holds a blank or a control character"));
        }
        Self::bytes(text.as_bytes())
    }

    /// A secret whose bytes are written in base64, after `whsec_` if that is there, as Standard
    /// Webhooks has them.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for what is no base64, or as [`Secret::text`].
    pub fn base64(text: &str) -> Result<Self, Refusal> {
        let digits = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = BASE64.decode(digits.as_bytes()).map(Zeroizing::new);
        Self::bytes(&bytes.map_err(|_| invalid("it is not base64"))?)
    }

    fn bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        if !(BYTES_MIN..=BYTES_MAX).contains(&bytes.len()) {
            return Err(invalid("it has not 16 to 512 bytes"));
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn invalid(why: &'static str) -> Refusal {
    Refusal::Invalid { field: "secret", why }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
