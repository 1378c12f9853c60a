//! One question to a gateway, and what the head of the answer says.
//!
//! Formats are asked for both ways, in the query and by `Accept`, because some gateways know only one;
//! what came is told by the answer's type alone. A good status means nothing yet.
//!
//! Source: IPFS, "Trustless Gateway Specification" and "Path Gateway Specification"; RFC 9110,
//! "Range Requests" and "Retry-After".

use std::fmt;
use std::time::Duration;

use crate::fetch::{FetchError, Request};
use crate::time::Timestamp;

use super::super::cid::Cid;
use super::super::error::IpfsError;
use super::super::path::ContentPath;
use super::site::Gateway;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A block as it is.
    Raw,
    /// The same, where any answer will do that hashes right: the block is the file.
    RawOrPlain,
    /// An archive of a file's blocks.
    Car,
    /// The file's bytes.
    Plain,
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) form: Form,
    path: String,
    /// The first byte, and the last where not all of the rest is wanted.
    pub(super) range: Option<(u64, Option<u64>)>,
}

/// Why a gateway gave nothing, or not all.
#[derive(Debug)]
pub(super) enum Fault {
    /// The network failed on the way to it, or in the middle.
    Unreachable(FetchError),
    /// Too slow, or silent.
    Slow,
    /// It says that it does not have this.
    Absent,
    /// It gives no such form; another may do.
    Form,
    /// The same, with a page in its place: perhaps it is not the gateway that answers.
    Page,
    /// It does not give that range.
    Range,
    /// It asks for later.
    Busy(u16, Option<Duration>),
    /// It said no in another way.
    Refused(String),
    /// What it sent is something else.
    Lie(IpfsError),
    /// Nobody is left who could be asked now.
    Nobody,
    /// No gateway's doing: the caller cancelled, the disk is full, or the content itself is such.
    Final(IpfsError),
}

/// For the log.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "{error}"),
            Self::Slow => write!(f, "too slow"),
            Self::Absent => write!(f, "it does not have it"),
            Self::Form => write!(f, "it gives no such form"),
            Self::Page => write!(f, "it gives a page"),
            Self::Range => write!(f, "it gives no such range"),
            Self::Busy(status, _) => write!(f, "status {status}"),
            Self::Refused(why) => write!(f, "{why}"),
            Self::Lie(error) | Self::Final(error) => write!(f, "{error}"),
            Self::Nobody => write!(f, "nobody is left"),
        }
    }
}

impl From<IpfsError> for Fault {
    fn from(error: IpfsError) -> Self {
        Self::Final(error)
    }
}

/// What the head of a good answer says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// Where in the file the body begins.
    pub(super) starts_at: u64,
    /// Whether it is the range that was asked for.
    pub(super) is_range: bool,
    /// Whether it is marked as the form that was asked for.
    pub(super) is_marked: bool,
    /// Whether it is marked as a page.
    pub(super) is_page: bool,
}

const RAW: &str = "application/vnd.ipld.raw";
const CAR: &str = "application/vnd.ipld.car";

impl Ask {
    /// For one block.
    pub(super) fn block(cid: &Cid) -> Self {
        Self { form: Form::Raw, path: cid.to_string(), range: None }
    }

    pub(super) fn new(form: Form, wanted: &ContentPath) -> Self {
        let mut path = wanted.cid().to_string();
        for name in wanted.names() {
            path.push('/');
            escape(name, &mut path);
        }
        Self { form, path, range: None }
    }

    pub(super) fn from(mut self, first: u64, last: Option<u64>) -> Self {
        self.range = (first > 0 || last.is_some()).then_some((first, last));
        self
    }

    pub(super) fn request(&self, gateway: &Gateway) -> Request {
        let Self { form, path, range } = self;
        let (query, accept) = match form {
            Form::Raw | Form::RawOrPlain => ("?format=raw", RAW),
            Form::Car => (
                "?format=car&dag-scope=entity",
                "application/vnd.ipld.car;version=1;order=dfs;dups=n",
            ),
            Form::Plain => ("", "*/*"),
        };
        let request = gateway.request(&format!("{path}{query}")).header("accept", accept);
        match range {
            Some((first, Some(last))) => request.header("range", format!("bytes={first}-{last}")),
            Some((first, None)) => request.header("range", format!("bytes={first}-")),
            None => request,
        }
    }

    /// Whether an answer of this head is worth reading.
    pub(super) fn judge(
        &self,
        status: u16,
        header: impl Fn(&str) -> Option<String>,
        now: Timestamp,
    ) -> Result<Head, Fault> {
        let kind = header("content-type").unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
        match status {
            200 | 206 => {}
            404 | 410 | 412 => return Err(Fault::Absent),
            400 | 406 | 415 | 501 => return Err(Fault::Form),
            416 => return Err(Fault::Range),
            408 | 429 | 500.. => {
                let later = header("retry-after").and_then(|text| retry_after(&text, now));
                return Err(Fault::Busy(status, later));
            }
            _ => return Err(Fault::Refused(format!("status {status}"))),
        }
        let is_marked = match self.form {
            Form::Raw | Form::RawOrPlain => kind == RAW,
            Form::Car => kind == CAR,
            Form::Plain => kind != RAW && kind != CAR,
        };
        let must_be = matches!(self.form, Form::Car | Form::Plain);
        let is_page = kind == "text/html";
        // A block that is no file is sent as a block or not at all: what else it is may be long.
        if !is_marked && (must_be || self.form == Form::Raw && is_page) {
            return Err(if is_page { Fault::Page } else { Fault::Form });
        }
        let starts_at = match (status, &self.range) {
            (206, Some((first, _))) => {
                let range = header("content-range").unwrap_or_default();
                let start = range.strip_prefix("bytes ").and_then(|range| range.split_once('-'));
                if start.and_then(|(start, _)| start.trim().parse().ok()) != Some(*first) {
                    return Err(Fault::Range);
                }
                *first
            }
            (206, None) => return Err(Fault::Range),
            _ => 0,
        };
        Ok(Head { starts_at, is_range: status == 206, is_marked, is_page })
    }
}

/// Percent signs for all that is not plainly allowed in a path.
fn escape(name: &str, path: &mut String) {
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// How long from now `Retry-After` asks to wait: seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = http_date(text)?;
    Some(Duration::from_micros(u64::try_from(at.micros_since(now)).ok()?))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is written today.
fn http_date(text: &str) -> Option<Timestamp> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let mut number = || words.next()?.parse::<i64>().ok();
    let day = number()?;
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = words.next().filter(|month| month.len() == 3)?;
    let month = i64::try_from(months.find(month)? / 3 + 1).ok()?;
    let year = words.next()?.parse::<i64>().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    if words.next() != Some("GMT") || !(1..32).contains(&day) {
        return None;
    }
    // Days since 1970: the year begins in March, so that a leap day is its last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    let seconds = valid.then_some(((days * 24 + hour) * 60 + minute) * 60 + second)?;
    Some(Timestamp::from_millis(seconds * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(http_date(date), Some(Timestamp::from_millis(784_111_777_000)));
        assert_eq!(
            http_date("Thu, 29 Feb 2024 00:00:00 GMT"),
            Some(Timestamp::from_millis(1_709_164_800_000))
        );
        let now = Timestamp::from_millis(784_111_770_000);
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(" 120", now), Some(Duration::from_secs(120)));
        for bad in ["", "soon", "-1", "Sun, 06 Nov 1994", "Sun, x Nov 1994 08:49:37 GMT", ", "] {
            assert_eq!(retry_after(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn names_are_escaped_and_both_ways_asked() {
        let gateway = Gateway::new("https://a.example/ipfs/").expect("it is one");
        let wanted: ContentPath = "bafkqaaa/a b/ä?.jpg".parse().expect("a path");
        let request = Ask::new(Form::Car, &wanted).request(&gateway);
        assert_eq!(
            request.url,
            "https://a.example/ipfs/bafkqaaa/a%20b/%C3%A4%3F.jpg?format=car&dag-scope=entity"
        );
        assert!(request.headers.iter().any(|header| header.value().starts_with(CAR)));
        let ask = Ask::new(Form::Plain, &wanted).from(5, Some(9));
        let said = |status, kind: &'static str, range: &'static str| {
            let header = move |name: &str| match name {
                "content-type" => Some(kind.to_owned()),
                "content-range" => Some(range.to_owned()),
                _ => None,
            };
            ask.judge(status, header, Timestamp::default())
        };
        assert_eq!(said(206, "image/jpeg", "bytes 5-9/20").expect("that range").starts_at, 5);
        assert_eq!(said(200, "image/jpeg", "").expect("all of it").starts_at, 0);
        assert!(matches!(said(206, "image/jpeg", "bytes 4-9/20"), Err(Fault::Range)));
        assert!(matches!(said(206, "image/jpeg", ""), Err(Fault::Range)));
        assert!(matches!(said(404, "", ""), Err(Fault::Absent)));
        assert!(matches!(said(504, "", ""), Err(Fault::Busy(504, None))));
    }
}
