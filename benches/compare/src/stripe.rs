//! Events as Stripe sends them: paid checkouts of some 2.5 KB, printed and signed as it does.

use finalmile::{
    Timestamp,
    webhook::{Secret, Stripe, VerifiedEvent},
};

use crate::{
    accounts,
    transfer::{ACCOUNTS, mix},
};

/// As Stripe prints one, with names to fill in. [`NOW`], [`CREDITS`] and [`CENTS`] stand in it.
const CHECKOUT: &str = include_str!("checkout.json");

/// When all of them were sent: some day in 2027, in seconds.
pub const NOW: i64 = 1_800_000_000;
/// What each of them buys.
pub const CREDITS: i64 = 1_000;
/// What was paid for it, in cents.
pub const CENTS: i64 = 499;
/// What the endpoint and Stripe share.
pub const SECRET: &str = "whsec_5f8d2c0e9b7a4d3c8e1f";

/// An event on its way: what an endpoint is called with.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The bytes that were signed.
    pub body: String,
    /// The header `Stripe-Signature`.
    pub header: String,
}

impl Signed {
    /// What the endpoint makes of it.
    #[must_use]
    pub fn verified(&self, endpoint: &Stripe) -> VerifiedEvent {
        let now = Timestamp::from_millis(NOW * 1_000);
        endpoint.verify_at(self.body.as_bytes(), &self.header, now).expect("it is signed")
    }
}

/// The endpoint that all of them are sent to.
#[must_use]
pub fn endpoint() -> Stripe {
    Stripe::new(Secret::text(SECRET).expect("it is long enough"))
}

/// The n-th event's name.
#[must_use]
pub fn event(n: u64) -> String {
    format!("evt_1{}", name(n))
}

/// The n-th payment's name.
#[must_use]
pub fn payment(n: u64) -> String {
    format!("pi_3{}", name(n))
}

/// What Stripe's names end with: the second, whose account it is, and chance. Ten come in a second.
///
/// Source: the examples of Stripe's API reference, whose names sort by their objects' `created`.
fn name(n: u64) -> String {
    let second = NOW.unsigned_abs() + n / 10;
    format!("{}LkdIwHu7ix{}", base62::<6>(second), base62::<8>(mix(n)))
}

/// The last digits of a number, in the order in which they sort.
fn base62<const N: usize>(mut number: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = ['0'; N];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(number % 62).unwrap_or_default()].into();
        number /= 62;
    }
    text.iter().collect()
}

/// Which account the n-th payment is for.
#[must_use]
pub fn payer(n: u64) -> u64 {
    mix(n) % ACCOUNTS.unsigned_abs()
}

/// The n-th payment's checkout.
#[must_use]
pub fn checkout(n: u64) -> Signed {
    let (id, payment, user) = (event(n), payment(n), accounts::name(payer(n)));
    let session = format!("cs_live_a1{:032x}", u128::from(mix(n)) << 64 | u128::from(n));
    let names = [("{EVENT}", id), ("{SESSION}", session), ("{PAYMENT}", payment), ("{USER}", user)];
    let filled = |text: String, (name, value): &(&str, String)| text.replace(name, value);
    let body = names.iter().fold(CHECKOUT.trim_end().to_owned(), filled);
    let header = endpoint().sign_for_tests(body.as_bytes(), NOW);
    Signed { body, header }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_has_some_two_and_a_half_kilobytes() {
        let body = checkout(7).body;
        assert!((2_300..=2_900).contains(&body.len()), "{}:\n{body}", body.len());
    }

    #[test]
    fn names_sort_by_the_second_and_no_two_are_the_same() {
        let mut names: Vec<_> = (0..1_000).map(event).collect();
        assert!(names[9] < names[10] && names[989] < names[990]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 1_000);
    }
}
