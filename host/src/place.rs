//! Places for objects, as a pipeline file writes them: a folder.
//!
//! A place is a name and no more: nothing is opened here.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::units::written_as_text;

/// A place: `checkpoints`, `/srv/checkpoints`, `file:///srv/checkpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
}

/// A text that is no [`Place`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` is no place ({reason}): write a folder, as in \"checkpoints\" or \"file:///srv/checkpoints\"")]
pub struct NotAPlace {
    written: String,
    reason: &'static str,
}

impl Place {
    /// A place within this one.
    pub fn within(&self, name: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(path.join(name)),
        }
    }

    /// The same; a folder that is relative, as seen from `folder`.
    pub fn relative_to(self, folder: &Path) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(folder.join(path)),
        }
    }

    fn of_url(text: &str) -> Result<Self, &'static str> {
        let url: Url = text.parse().map_err(|_| "it is no address")?;
        if url.scheme() != "file" {
            return Err("there is no such kind of store");
        }
        url.to_file_path().map(Self::Folder).map_err(|()| "a file:// address has three slashes and a path")
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let not = |reason| NotAPlace { written: text.to_owned(), reason };
        match text.split_once("://") {
            Some(_) => Self::of_url(text).map_err(not),
            None if text.trim().is_empty() => Err(not("it is empty")),
            None if text.contains('\0') => Err(not("it has a NUL in it")),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

written_as_text!(
    Place,
    "place",
    "A folder.",
    r"^(file://.+|(?!.*://).*\S.*)$",
    ["checkpoints", "file:///srv/checkpoints"]
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;

    #[test]
    fn given_a_text_when_read_as_a_place_then_it_is_written_in_one_way_or_refused() {
        for (text, expected) in [
            ("checkpoints", Ok("checkpoints")),
            ("../a b/c:d", Ok("../a b/c:d")),
            ("/srv/weir", Ok("/srv/weir")),
            ("file:///srv/a%20b", Ok("/srv/a b")),
            ("file://srv/weir", Err("three slashes")),
            ("s3://bucket/a", Err("there is no such kind of store")),
            ("http://localhost/a", Err("there is no such kind of store")),
            ("memory:///", Err("there is no such kind of store")),
            ("://", Err("it is no address")),
            (" ", Err("it is empty")),
        ] {
            match (text.parse::<Place>().map(|place| place.to_string()), expected) {
                (Ok(place), Ok(expected)) => {
                    assert_eq!(place, expected, "{text}");
                    assert_eq!(place.parse::<Place>().unwrap().to_string(), place);
                }
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{text}: {error}");
                    assert!(error.to_string().contains(&format!("`{text}` is no place")), "{error}");
                }
                (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn given_a_place_then_what_is_within_it_goes_on_from_it_and_only_a_folder_is_relative() {
        for (place, within, from) in [("a", "a/p/1", "/srv/a"), ("/a", "/a/p/1", "/a")] {
            let place: Place = place.parse().unwrap();
            assert_eq!(place.within("p/1").to_string(), within);
            assert_eq!(place.relative_to(Path::new("/srv")).to_string(), from);
        }
    }
}
