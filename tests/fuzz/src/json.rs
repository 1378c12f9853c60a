//! A second opinion on JSON: whether a body is one value that every parser reads alike.
//!
//! Written from RFC 8259 alone, byte by byte, so that it can be wrong only in other ways than the
//! library's reader. It keeps no values, just the keys of the objects it is in.

use std::collections::BTreeSet;

/// Why a body is not one value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It breaks the grammar, or is no UTF-8.
    Malformed,
    /// An object has a key twice, however the two are spelled.
    RepeatedKey,
    /// More levels than [`DEPTH_MAX`].
    TooDeep,
    /// A key whose text `serde_json` reads as JSON once more, under its feature `raw_value`.
    ReservedKey,
    /// Nothing worse than a number beyond all doubles.
    HugeNumber,
}

/// Deeper than this no endpoint of ours reads.
pub const DEPTH_MAX: usize = 127;

const RESERVED: &str = "$serde_json::private::RawValue";

/// Reads one value and the blanks around it.
///
/// # Errors
///
/// The first fault there is.
pub fn read(body: &[u8]) -> Result<(), Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let mut reader = Reader { rest: text.as_bytes(), depth: 0, huge: false };
    reader.value()?;
    reader.blanks();
    match reader.rest {
        [] if reader.huge => Err(Fault::HugeNumber),
        [] => Ok(()),
        _ => Err(Fault::Malformed),
    }
}

struct Reader<'b> {
    rest: &'b [u8],
    depth: usize,
    huge: bool,
}

impl<'b> Reader<'b> {
    fn blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'b [u8] {
        let end = self.rest.iter().position(|&byte| !wanted(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Steps over `wanted` if it comes next.
    fn take(&mut self, wanted: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn need(&mut self, wanted: &[u8]) -> Result<(), Fault> {
        if self.take(wanted) { Ok(()) } else { Err(Fault::Malformed) }
    }

    fn next(&mut self) -> Result<u8, Fault> {
        let (&first, rest) = self.rest.split_first().ok_or(Fault::Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    fn value(&mut self) -> Result<(), Fault> {
        self.blanks();
        match self.rest.first() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(|_| ()),
            Some(b't') => self.need(b"true"),
            Some(b'f') => self.need(b"false"),
            Some(b'n') => self.need(b"null"),
            _ => self.number(),
        }
    }

    fn nested(&mut self, inside: fn(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.next()?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        self.blanks();
        inside(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), Fault> {
        if self.take(b"]") {
            return Ok(());
        }
        loop {
            self.value()?;
            self.blanks();
            match self.next()? {
                b']' => return Ok(()),
                b',' => {}
                _ => return Err(Fault::Malformed),
            }
        }
    }

    fn object(&mut self) -> Result<(), Fault> {
        let mut keys = BTreeSet::new();
        if self.take(b"}") {
            return Ok(());
        }
        loop {
            self.blanks();
            let key = self.string()?;
            let is_reserved = key.iter().copied().eq(RESERVED.encode_utf16());
            let is_new = keys.insert(key);
            self.blanks();
            self.need(b":")?;
            self.value()?;
            if !is_new {
                return Err(Fault::RepeatedKey);
            }
            if is_reserved {
                return Err(Fault::ReservedKey);
            }
            self.blanks();
            match self.next()? {
                b'}' => return Ok(()),
                b',' => {}
                _ => return Err(Fault::Malformed),
            }
        }
    }

    /// A string's text as UTF-16, in which a pair of escapes needs no care but to be one.
    fn string(&mut self) -> Result<Vec<u16>, Fault> {
        self.need(b"\"")?;
        let mut units = Vec::new();
        loop {
            let plain = self.take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F));
            // The whole was UTF-8, and is cut at ASCII only.
            let plain = std::str::from_utf8(plain).map_err(|_| Fault::Malformed)?;
            units.extend(plain.encode_utf16());
            match self.next()? {
                b'"' => break,
                b'\\' => units.push(self.escape()?),
                _ => return Err(Fault::Malformed),
            }
        }
        let is_text = char::decode_utf16(units.iter().copied()).all(|unit| unit.is_ok());
        if is_text { Ok(units) } else { Err(Fault::Malformed) }
    }

    fn escape(&mut self) -> Result<u16, Fault> {
        Ok(match self.next()? {
            plain @ (b'"' | b'\\' | b'/') => plain.into(),
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'f' => 12,
            b'r' => 13,
            b'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    let digit = char::from(self.next()?).to_digit(16).ok_or(Fault::Malformed)?;
                    unit = unit << 4 | u16::try_from(digit).map_err(|_| Fault::Malformed)?;
                }
                unit
            }
            _ => return Err(Fault::Malformed),
        })
    }

    fn number(&mut self) -> Result<(), Fault> {
        let all = self.rest;
        self.take(b"-");
        let whole = self.digits()?;
        if whole.len() > 1 && whole[0] == b'0' {
            return Err(Fault::Malformed);
        }
        if self.take(b".") {
            self.digits()?;
        }
        if self.take(b"e") || self.take(b"E") {
            let _ = self.take(b"+") || self.take(b"-");
            self.digits()?;
        }
        let text = std::str::from_utf8(&all[..all.len() - self.rest.len()]);
        let value: f64 = text.ok().and_then(|text| text.parse().ok()).ok_or(Fault::Malformed)?;
        self.huge |= value.is_infinite();
        Ok(())
    }

    fn digits(&mut self) -> Result<&'b [u8], Fault> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() { Err(Fault::Malformed) } else { Ok(digits) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_well() {
        for good in [
            "0",
            " -0.5e+3 ",
            "[]",
            "{}",
            "[1,[2,{\"a\":null}]]",
            "\"\\u00e9\\ud83c\\udf88\"",
            "{\"a\":1,\"A\":{\"a\":true}}",
        ] {
            assert_eq!(read(good.as_bytes()), Ok(()), "{good}");
        }
        assert_eq!(read("[".repeat(127).as_bytes()), Err(Fault::Malformed));
        assert_eq!(read("[".repeat(128).as_bytes()), Err(Fault::TooDeep));
    }

    #[test]
    fn what_is_none_is_a_fault() {
        for bad in [
            "",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "nul",
            "1 2",
            "\"\\ud83c\"",
            "\"\\x\"",
            "\"\n\"",
            "'a'",
            "{a:1}",
            "\u{FEFF}1",
            "NaN",
        ] {
            assert_eq!(read(bad.as_bytes()), Err(Fault::Malformed), "{bad}");
        }
        assert_eq!(read(b"\"\xFF\""), Err(Fault::Malformed));
        assert_eq!(read(b"[1e999,0]"), Err(Fault::HugeNumber));
        assert_eq!(read(b"[1e999,0}"), Err(Fault::Malformed));
        let reserved = br#"{"\u0024serde_json::private::RawValue":""}"#;
        assert_eq!(read(reserved), Err(Fault::ReservedKey));
    }

    #[test]
    fn a_key_is_repeated_however_it_is_spelled() {
        for twice in ["{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"\\u0061\":3}", "[{\"\":{},\"\":[]}]"]
        {
            assert_eq!(read(twice.as_bytes()), Err(Fault::RepeatedKey), "{twice}");
        }
    }
}
