//! Origins: where a request may go, as a pipeline grants it: a scheme, a host and a port (RFC 6454).
//!
//! One parser reads what is granted, what a guest asks for and what is sent, so that no text can mean one place to the
//! check and another to the client. Hosts are compared as they are written: two names of one machine are two origins.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ureq::http::Uri;

use crate::units::written_as_text;

/// A scheme, a host and a port: `http://localhost:8080`, `https://api.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    /// In lower case; an IPv6 address in brackets.
    host: String,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A text that is no [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{written}` is no origin ({reason}): write a scheme, a host and perhaps a port, as in \"https://api.example.com\" or \"http://localhost:8080\""
)]
pub struct NotAnOrigin {
    written: String,
    reason: &'static str,
}

impl Origin {
    /// The origin of an address with any path, or what is wrong with it.
    pub fn of(address: &Uri) -> Result<Self, &'static str> {
        let scheme = match address.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            Some(_) => return Err("the scheme is neither http nor https"),
            None => return Err("it has no scheme"),
        };
        let authority = address.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it has a user in it");
        }
        let (host, port) = (authority.host(), authority.port_u16());
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_address = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || !(is_address || host.chars().all(name)) {
            return Err("its host is neither a name nor an address");
        }
        let whole = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        if authority.as_str() != whole {
            return Err("its port is no number of one");
        }
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port: port.unwrap_or(scheme.port()) })
    }

    /// Whether what is sent there is encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let not = |reason| NotAnOrigin { written: text.to_owned(), reason };
        let uri: Uri = text.parse().map_err(|_| not("it is no address"))?;
        let origin = Self::of(&uri).map_err(not)?;
        // A path of `/` is there whether it is written or not.
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if text.len() != origin.scheme.name().len() + "://".len() + authority.len() {
            return Err(not("it goes on after the host: whoever may send to a host may send to all its paths"));
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

written_as_text!(
    Origin,
    "origin",
    "A scheme, a host and perhaps a port, without a path.",
    r"^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+$",
    ["https://api.example.com", "http://localhost:8080"]
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;

    #[test]
    fn given_a_text_when_read_as_an_origin_then_it_is_written_in_one_way_or_refused() {
        for (text, expected) in [
            ("http://localhost:8080", Ok("http://localhost:8080")),
            ("https://api.example.com", Ok("https://api.example.com")),
            ("HTTP://API.Example.com:80", Ok("http://api.example.com")),
            ("https://example.com:443", Ok("https://example.com")),
            ("https://example.com:80", Ok("https://example.com:80")),
            ("http://127.0.0.1:9", Ok("http://127.0.0.1:9")),
            ("http://[::1]:9", Ok("http://[::1]:9")),
            ("http://example.com/", Err("it goes on after the host")),
            ("http://example.com/path", Err("it goes on after the host")),
            ("http://example.com?q", Err("it goes on after the host")),
            ("http://*.example.com", Err("neither a name nor an address")),
            ("http://ann:secret@example.com", Err("it has a user in it")),
            ("http://example.com:", Err("its port")),
            ("http://example.com:99999", Err("")),
            ("ftp://example.com", Err("neither http nor https")),
            ("example.com", Err("it has no scheme")),
            ("*", Err("it has no scheme")),
            ("http://", Err("it is no address")),
            ("", Err("it is no address")),
        ] {
            match (text.parse::<Origin>().map(|origin| origin.to_string()), expected) {
                (Ok(origin), Ok(expected)) => {
                    assert_eq!(origin, expected, "{text}");
                    assert_eq!(origin.parse::<Origin>().unwrap().to_string(), origin);
                }
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{text}: {error}");
                    assert!(error.to_string().contains(&format!("`{text}` is no origin")), "{error}");
                }
                (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn given_addresses_when_their_origins_are_compared_then_path_and_spelling_do_not_count_and_all_else_does() {
        let granted: Origin = "http://example.com:8080".parse().unwrap();
        for (address, same) in [
            ("http://example.com:8080/a?b", true),
            ("http://EXAMPLE.com:8080", true),
            ("http://example.com", false),
            ("https://example.com:8080", false),
            ("http://example.com.evil.example:8080", false),
            ("http://example.com.:8080", false),
        ] {
            assert_eq!(Origin::of(&address.parse().unwrap()).unwrap() == granted, same, "{address}");
        }
        for no_address in ["/path", "http://example.com:8080@evil.example/", "http://example.com:08080/"] {
            assert!(Origin::of(&no_address.parse().unwrap()).is_err(), "{no_address}");
        }
    }
}
