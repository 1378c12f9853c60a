//! Credits: whole numbers, never fractions.
//!
//! One credit is a hundredth of a MiB, so 102,400 credits are one GiB.
//!
//! # Invariants
//!
//! - **CR1** No operation wraps: what does not fit is a refusal.
//! - **CR2** Bytes are charged in integers: `ceil(bytes * 100 / 2^20)`.

use std::fmt;

use crate::{Refusal, storage::int_field};

/// An amount of credits.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Credits(i64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);

    /// That many credits.
    #[must_use]
    pub const fn new(credits: i64) -> Self {
        Self(credits)
    }

    /// What storing `size_bytes` costs (**CR2**).
    ///
    /// ```
    /// # use finalmile::Credits;
    /// assert_eq!(Credits::for_bytes(1), Credits::new(1));
    /// assert_eq!(Credits::for_bytes(1 << 20), Credits::new(100));
    /// assert_eq!(Credits::for_bytes(1 << 30), Credits::new(102_400));
    /// ```
    #[must_use]
    pub fn for_bytes(size_bytes: u64) -> Self {
        let credits = (u128::from(size_bytes) * 100).div_ceil(1 << 20);
        // u64::MAX bytes cost about 1.8e15 credits.
        Self(i64::try_from(credits).unwrap_or(i64::MAX))
    }

    /// Refuses an amount of nothing or less.
    pub(crate) fn positive(self) -> Result<(), Refusal> {
        let why = "it is not positive";
        if self > Self::ZERO { Ok(()) } else { Err(Refusal::Invalid { field: "credits", why }) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, if it fits (**CR1**).
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, if it fits (**CR1**).
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

int_field!(Credits);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cr1_sums_that_do_not_fit_are_none() {
        assert_eq!(Credits::new(i64::MAX).plus(Credits::new(1)), None);
        assert_eq!(Credits::new(i64::MIN).minus(Credits::new(1)), None);
    }

    #[test]
    fn cr2_every_started_hundredth_of_a_mebibyte_costs_one_credit() {
        for (bytes, credits) in [(0, 0), (1, 1), (10_485, 1), (10_486, 2), (20_971, 2), (20_972, 3)]
        {
            assert_eq!(Credits::for_bytes(bytes), Credits::new(credits), "{bytes}");
        }
        assert_eq!(Credits::for_bytes(u64::MAX), Credits::new(1_759_218_604_441_600));
    }
}
