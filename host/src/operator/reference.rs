//! How people name a component: by name and version, or by digest.

use std::fmt;
use std::str::FromStr;

use super::digest::Digest;

/// `name@version`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentName {
    name: String,
    version: String,
}

impl ComponentName {
    /// A name is of lower-case letters, digits, `-` and `_`; a version of letters, digits, `.`, `+` and `-`. Neither
    /// begins with a sign.
    pub fn new(name: &str, version: &str) -> Result<Self, NotAReference> {
        if is_name(name) && is_version(version) {
            Ok(Self { name: name.to_owned(), version: version.to_owned() })
        } else {
            Err(NotAReference::NotAName { written: format!("{name}@{version}") })
        }
    }

    /// The part before the `@`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The part behind it.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-".contains(&b))
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// A component as a pipeline file or a command names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `name@version`, which a registry resolves to a digest.
    Name(ComponentName),
    /// `sha256:` and 64 hexadecimal digits.
    Digest(Digest),
}

/// Text that names no component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAReference {
    /// A bare name.
    #[error("`{written}` has no version: write it as `{written}@1.0.0`, or as `sha256:` and 64 hex digits")]
    NoVersion {
        /// The text.
        written: String,
    },
    /// `sha256:` and something else than a digest.
    #[error("`{written}` is not a digest: after `sha256:` come 64 hex digits")]
    NotADigest {
        /// The text.
        written: String,
    },
    /// Anything else.
    #[error(
        "`{written}` does not name a component: write `name@version` with a name of lower-case letters, digits, `-` \
         and `_`, as in `hashtags@1.0.0`, or `sha256:` and 64 hex digits"
    )]
    NotAName {
        /// The text.
        written: String,
    },
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let written = || text.to_owned();
        if text.starts_with("sha256:") {
            return text.parse().map(Self::Digest).map_err(|_| NotAReference::NotADigest { written: written() });
        }
        match text.split_once('@') {
            Some((name, version)) => ComponentName::new(name, version).map(Self::Name),
            None if is_name(text) => Err(NotAReference::NoVersion { written: written() }),
            None => Err(NotAReference::NotAName { written: written() }),
        }
    }
}

/// As it is written in a pipeline file.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_versions_and_digests_are_references() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        for text in ["hashtags@1.0.0", "word-count_2@v3-rc.1+x", &digest] {
            let reference = text.parse::<Reference>().expect("a reference");
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_way_out() {
        for (text, expected) in [
            ("hashtags", "`hashtags` has no version: write it as `hashtags@1.0.0`"),
            ("sha256:abc", "`sha256:abc` is not a digest: after `sha256:` come 64 hex digits"),
            ("Hashtags@1", "`Hashtags@1` does not name a component"),
            ("../x@1", "`../x@1` does not name a component"),
            ("x@", "`x@` does not name a component"),
            ("x@../1", "`x@../1` does not name a component"),
            ("", "`` does not name a component"),
        ] {
            let error = text.parse::<Reference>().expect_err("not a reference").to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
