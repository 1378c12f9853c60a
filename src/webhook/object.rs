//! Objects: the fields of Stripe's JSON, read strictly.
//!
//! Every API version of Stripe places some fields elsewhere; whoever reads one names the places.
//!
//! # Invariants
//!
//! - **H9** A field that is not exactly what it should be is a failure with a name, never a guess: an
//!   amount is a whole number, a metadata value a text, and a number in a text is digits only.

use serde_json::Value;

use crate::{
    AccountId, Credits,
    ledger::Money,
    webhook::{VerifiedEvent, event::name, plan::Failed},
};

/// What is wrong with a payload, or with what the host wrote into its metadata.
const PAYLOAD: &str = "PAYLOAD_INVALID";
const METADATA: &str = "METADATA_INVALID";

/// A JSON object.
#[derive(Clone, Copy)]
pub(super) struct Object<'e>(&'e Value);

impl<'e> Object<'e> {
    pub(super) fn of(event: &'e VerifiedEvent) -> Self {
        Self(event.object())
    }

    /// The object at the end of a path of fields, if there is one.
    pub(super) fn at(self, path: &[&str]) -> Option<Self> {
        let found = path.iter().try_fold(self.0, |value, field| value.get(field));
        found.filter(|value| value.is_object()).map(Self)
    }

    /// What stands in a field; null is nothing.
    fn field(self, field: &str) -> Option<&'e Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// A text that can be a name in the store.
    pub(super) fn name(self, field: &'static str) -> Result<Option<&'e str>, Failed> {
        let read = |value: &'e Value| value.as_str().and_then(name);
        self.field(field).map(|value| read(value).ok_or_else(|| no(field, "name"))).transpose()
    }

    /// The name of another object: a text, or that object itself, where the sender was asked to
    /// expand it.
    pub(super) fn id(self, field: &'static str) -> Result<Option<&'e str>, Failed> {
        match self.field(field) {
            Some(Value::Object(_)) => Self(&self.0[field]).name("id"),
            _ => self.name(field),
        }
    }

    /// A whole number.
    pub(super) fn number(self, field: &'static str) -> Result<Option<i64>, Failed> {
        let read = |value: &Value| value.as_i64().ok_or_else(|| no(field, "whole number"));
        self.field(field).map(read).transpose()
    }

    /// A whole number that is not negative.
    pub(super) fn count(self, field: &'static str) -> Result<Option<i64>, Failed> {
        match self.number(field)? {
            Some(..0) => Err(no(field, "count")),
            found => Ok(found),
        }
    }

    /// Yes or no; nothing is no.
    pub(super) fn flag(self, field: &'static str) -> Result<bool, Failed> {
        let read = |value: &Value| value.as_bool().ok_or_else(|| no(field, "yes or no"));
        self.field(field).map_or(Ok(false), read)
    }

    /// The objects of a list, in Stripe's own wrapping.
    pub(super) fn list(self, field: &str) -> impl Iterator<Item = Self> {
        let data = self.0.get(field).and_then(|list| list.get("data"));
        data.and_then(Value::as_array).into_iter().flatten().map(Self)
    }

    /// What was paid.
    pub(super) fn money(self, amount: &'static str) -> Result<Money, Failed> {
        let minor = needed(amount, self.count(amount)?)?;
        Ok(Money::minor(minor, needed("currency", self.name("currency")?)?)?)
    }

    /// What the host wrote into the metadata.
    fn noted(self, key: &'static str) -> Result<Option<&'e str>, Failed> {
        let Some(value) = self.0.get("metadata").and_then(|all| all.get(key)) else {
            return Ok(None);
        };
        value.as_str().map(Some).ok_or_else(|| unreadable(key, "is no text"))
    }

    /// Whom it is for: metadata `user_id`.
    pub(super) fn account(self) -> Result<Option<AccountId>, Failed> {
        let read = |text| AccountId::new(text).map_err(|_| unreadable("user_id", "is no name"));
        self.noted("user_id")?.map(read).transpose()
    }

    /// How many credits were bought: metadata `credits`.
    pub(super) fn credits(self) -> Result<Option<Credits>, Failed> {
        self.noted("credits")?.map(digits).transpose()
    }

    /// What a subscription is for: metadata `item`.
    pub(super) fn item(self) -> Result<Option<&'e str>, Failed> {
        let read = |text| name(text).ok_or_else(|| unreadable("item", "is no name"));
        self.noted("item")?.map(read).transpose()
    }
}

/// A positive number without sign, blank or leading zero.
fn digits(text: &str) -> Result<Credits, Failed> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let credits = text.parse().ok().filter(|_| plain).map(Credits::new);
    credits.ok_or_else(|| unreadable("credits", "is no positive whole number"))
}

/// A field without which nothing can be done.
pub(super) fn needed<T>(field: &str, found: Option<T>) -> Result<T, Failed> {
    found.ok_or_else(|| Failed::hopeless(PAYLOAD, format!("{field} is missing")))
}

/// A key of the metadata without which nothing can be done.
pub(super) fn noted<T>(key: &str, found: Option<T>) -> Result<T, Failed> {
    found.ok_or_else(|| unreadable(key, "is missing"))
}

pub(super) fn no(field: &str, what: &str) -> Failed {
    Failed::hopeless(PAYLOAD, format!("{field} is no {what}"))
}

fn unreadable(key: &str, why: &str) -> Failed {
    Failed::hopeless(METADATA, format!("metadata {key} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h9_a_number_in_a_text_is_digits_and_nothing_else() {
        assert_eq!(digits("1000"), Ok(Credits::new(1_000)));
        for bad in [
            "",
            "0",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "1_000",
            "1,000",
            "0x10",
            "१",
            "9223372036854775808",
            "NaN",
        ] {
            assert_eq!(digits(bad).unwrap_err().code, METADATA, "{bad}");
        }
    }

    #[test]
    fn h9_a_field_of_another_kind_is_named() {
        let value = serde_json::json!({
            "amount": 4.5, "huge": 1e30, "less": -1, "text": "5", "null": null, "flag": "true",
            "list": {"data": [{"id": "a"}, {"id": "b"}]}, "pi": {"id": "pi_1"}, "name": "a\u{0}b",
            "metadata": {"user_id": 7, "item": "x".repeat(300)}
        });
        let object = Object(&value);
        for field in ["amount", "huge", "text"] {
            assert_eq!(
                object.count(field).unwrap_err().text,
                format!("{field} is no whole number")
            );
        }
        assert_eq!(object.count("less").unwrap_err().text, "less is no count");
        assert_eq!((object.count("null"), object.count("gone")), (Ok(None), Ok(None)));
        assert!(object.flag("flag").is_err() && object.name("name").is_err());
        assert_eq!(object.id("pi"), Ok(Some("pi_1")));
        assert_eq!(object.list("list").filter_map(|one| one.id("id").ok()).count(), 2);
        assert!(object.account().is_err() && object.item().is_err());
        assert_eq!(object.credits(), Ok(None));
    }
}
