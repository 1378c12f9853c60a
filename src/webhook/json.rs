//! JSON that means one thing: a repeated key is an error, and so is what no parser should follow.
//!
//! Two readers of `{"credits":"1","credits":"1000"}` may see two amounts.
//!
//! A body is read twice: once for its keys, once for its value. The value is for `serde_json` to make,
//! because other crates of a host may switch on features of it: under `arbitrary_precision`, `1.5`
//! reaches any reader but its own as an object.

use std::{collections::BTreeSet, fmt};

use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A key whose text `serde_json` reads as JSON once more, under its feature `raw_value`. What is in
/// there would be read without us.
const UNFOLDED: &str = "$serde_json::private::RawValue";

/// A value without repeated keys.
struct Strict;

/// The value of a text; at most 128 levels deep, as `serde_json` reads.
pub(super) fn strict(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Strict>(text)?;
    serde_json::from_str(text)
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated keys")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Strict, A::Error> {
        while source.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Strict, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = source.next_key::<String>()? {
            source.next_value::<Strict>()?;
            if key == UNFOLDED || !keys.insert(key) {
                return Err(A::Error::custom("a key is repeated, or reserved"));
            }
        }
        Ok(Strict)
    }
}
