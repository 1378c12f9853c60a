//! Addresses that may be asked, and where a redirect leads from them.
//!
//! No more of RFC 3986 than that: scheme, host, port and the rest. Whatever is unusual (user names, spaces,
//! other schemes) is refused.

use std::fmt;

use super::FetchError;

/// An address that may be asked (**NT1**).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Url {
    scheme: &'static str,
    /// Host and port, in small letters.
    authority: String,
    /// Path and query; begins with a slash.
    path: String,
}

impl Url {
    pub(super) fn allowed(text: &str) -> Result<Self, FetchError> {
        let refused = |why| FetchError::Address { url: shown(text), why };
        // Over https the rest is somebody else's; here only its letters matter.
        if text.len() > 8_192 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refused("it is no address"));
        }
        let (scheme, rest) = text.split_once("://").ok_or(refused("it is no address"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.to_ascii_lowercase();
        if authority.is_empty() || authority.contains(['@', '\\', '%']) {
            return Err(refused("it names no plain host"));
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => "https",
            "http" if is_loopback(&authority) => "http",
            "http" => return Err(refused("only this machine is asked without encryption")),
            _ => return Err(refused("it is not https")),
        };
        let path = path.split('#').next().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { scheme, authority, path: format!("{slash}{path}") })
    }

    /// Where a redirect leads.
    pub(super) fn join(&self, to: &str) -> Result<Self, FetchError> {
        let Self { scheme, authority, path } = self;
        let whole = if to.contains("://") {
            to.to_owned()
        } else if let Some(rest) = to.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if to.starts_with('/') {
            format!("{scheme}://{authority}{to}")
        } else {
            let path = path.split('?').next().unwrap_or_default();
            let folder = path.rfind('/').map_or("", |end| &path[..end]);
            format!("{scheme}://{authority}{folder}/{to}")
        };
        let next = Self::allowed(&whole)?;
        if *scheme == "https" && next.scheme == "http" {
            let why = "a redirect leads out of the encryption";
            return Err(FetchError::Address { url: shown(&whole), why });
        }
        Ok(next)
    }

    /// Whether both are the same host's.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.scheme, &self.authority) == (other.scheme, &other.authority)
    }
}

/// Whether the host is this machine itself, by its address: a name could be anybody's.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What a log may show: a query may hold a token.
fn shown(text: &str) -> String {
    text.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect()
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nt1_only_encrypted_addresses_and_this_machines_own_are_asked() {
        for good in [
            "https://a.example/b?c",
            "HTTPS://A.example",
            "http://127.0.0.1:8080/x",
            "http://localhost/",
            "http://[::1]:80/",
            "https://a.example:8443/#part",
        ] {
            assert!(Url::allowed(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a.example",
            "http://a.example/",
            "ftp://a.example/",
            "https://",
            "https:///x",
            "https://me@a.example/",
            "https://a.example\\@b/",
            "https://a .example/",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "http://0x7f000001/",
            "https://a.example/\u{e4}",
            "http://127.0.0.1@a.example/",
            "file:///etc/passwd",
            "https://a%2eexample/",
        ] {
            assert!(Url::allowed(bad).is_err(), "{bad}");
        }
        assert_eq!(Url::allowed("HTTPS://A.Example").unwrap().to_string(), "https://a.example/");
    }

    #[test]
    fn redirects_lead_where_a_browser_would_go() {
        let from = Url::allowed("https://a.example/b/c?d=e").unwrap();
        for (to, whole) in [
            ("https://b.example/x", "https://b.example/x"),
            ("//b.example/x", "https://b.example/x"),
            ("/x?y=https", "https://a.example/x?y=https"),
            ("x", "https://a.example/b/x"),
        ] {
            assert_eq!(from.join(to).unwrap().to_string(), whole, "{to}");
        }
        assert!(from.join("http://127.0.0.1/").is_err());
        assert!(from.join("http://b.example/").is_err());
        assert!(from.is_same_origin(&from.join("/x").unwrap()));
        assert!(!from.is_same_origin(&from.join("https://a.example:444/").unwrap()));
    }
}
