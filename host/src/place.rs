//! Places for objects, as a pipeline file writes them: a folder, or a bucket of an object store and a prefix in it.
//!
//! A place is a name and no more: nothing is opened here, and no credentials are in it, as it is written down beside what lies
//! there.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::units::written_as_text;

/// A place: `checkpoints`, `file:///srv/weir`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket or container, and what names in it begin with.
    Bucket {
        /// What kind of store has it.
        service: Service,
        /// Its name.
        bucket: String,
        /// Without a `/` at either end; empty: the bucket as a whole.
        prefix: String,
    },
}

/// A kind of object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon S3, or whatever speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Service {
    const ALL: [Self; 3] = [Self::S3, Self::Google, Self::Azure];

    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

/// A text that is no [`Place`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{written}` is no place ({reason}): write a folder, as in \"checkpoints\" or \"file:///srv/checkpoints\", or a bucket, as in \"s3://bucket/prefix\", \"gs://bucket/prefix\" or \"az://container/prefix\""
)]
pub struct NotAPlace {
    written: String,
    reason: &'static str,
}

impl Place {
    /// A place within this one.
    pub fn within(&self, name: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(path.join(name)),
            Self::Bucket { service, bucket, prefix } => {
                let prefix = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
                Self::Bucket { service: *service, bucket: bucket.clone(), prefix }
            }
        }
    }

    /// The same; a folder that is relative, as seen from `folder`.
    pub fn relative_to(self, folder: &Path) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(folder.join(path)),
            bucket @ Self::Bucket { .. } => bucket,
        }
    }

    fn of_url(text: &str) -> Result<Self, &'static str> {
        let url: Url = text.parse().map_err(|_| "it is no address")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it has a user in it; credentials are taken from the environment");
        }
        if url.query().is_some() || url.fragment().is_some() || url.port().is_some() {
            return Err("it has more than a bucket and a path");
        }
        if url.scheme() == "file" {
            return url.to_file_path().map(Self::Folder).map_err(|()| "a file:// address has three slashes and a path");
        }
        let service = Service::ALL.into_iter().find(|service| service.scheme() == url.scheme());
        let service = service.ok_or("there is no such kind of store")?;
        let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no bucket")?.to_owned();
        let prefix = object_store::path::Path::from_url_path(url.path()).map_err(|_| "its path cannot be one")?;
        Ok(Self::Bucket { service, bucket, prefix: prefix.to_string() })
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let not = |reason| NotAPlace { written: without_user(text), reason };
        match text.split_once("://") {
            Some(_) => Self::of_url(text).map_err(not),
            None if is_almost_an_address(text) => Err(not("an address has `://` behind its kind")),
            None if text.trim().is_empty() => Err(not("it is empty")),
            None if text.contains('\0') => Err(not("it has a NUL in it")),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

/// Whether a text begins like an address, with a slash too few: no folder is meant.
fn is_almost_an_address(text: &str) -> bool {
    let kinds = Service::ALL.map(Service::scheme).into_iter().chain(["file"]);
    kinds.into_iter().any(|kind| text.strip_prefix(kind).is_some_and(|rest| rest.starts_with(":/")))
}

/// An address as it may be told: who it is of may come with a password.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    rest.split_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("{scheme}://…@{rest}"))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket { service, bucket, prefix } => {
                write!(f, "{}://{bucket}", service.scheme())?;
                if prefix.is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
            }
        }
    }
}

written_as_text!(
    Place,
    "place",
    "A folder, or a bucket of an object store and a prefix in it.",
    r"^((file|s3|gs|az)://.+|(?!.*://).*\S.*)$",
    ["checkpoints", "file:///srv/checkpoints", "s3://bucket/prefix", "gs://bucket/prefix", "az://container/prefix"]
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
            ("s3://bucket", Ok("s3://bucket")),
            ("s3://bucket/", Ok("s3://bucket")),
            ("s3://my-bucket/a/b/", Ok("s3://my-bucket/a/b")),
            ("gs://bucket/a", Ok("gs://bucket/a")),
            ("az://container/a", Ok("az://container/a")),
            ("file://srv/weir", Err("three slashes")),
            ("s3:///a", Err("it names no bucket")),
            ("s3://key:secret@bucket/a", Err("it has a user in it")),
            ("s3://bucket/a?b=c", Err("more than a bucket and a path")),
            ("s3://bucket/a//b", Err("its path cannot be one")),
            ("http://localhost/a", Err("there is no such kind of store")),
            ("memory:///", Err("there is no such kind of store")),
            ("://", Err("it is no address")),
            ("s3:/bucket/a", Err("an address has `://`")),
            ("file:/srv", Err("an address has `://`")),
            (" ", Err("it is empty")),
        ] {
            match (text.parse::<Place>().map(|place| place.to_string()), expected) {
                (Ok(place), Ok(expected)) => {
                    assert_eq!(place, expected, "{text}");
                    assert_eq!(place.parse::<Place>().unwrap().to_string(), place);
                }
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{text}: {error}");
                    assert!(
                        error.to_string().contains(" is no place") && !error.to_string().contains("secret"),
                        "{error}"
                    );
                }
                (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn given_a_place_then_what_is_within_it_goes_on_from_it_and_only_a_folder_is_relative() {
        for (place, within, from) in [
            ("a", "a/p/1", "/srv/a"),
            ("/a", "/a/p/1", "/a"),
            ("s3://b", "s3://b/p/1", "s3://b"),
            ("s3://b/a", "s3://b/a/p/1", "s3://b/a"),
        ] {
            let place: Place = place.parse().unwrap();
            assert_eq!(place.within("p/1").to_string(), within);
            assert_eq!(place.relative_to(Path::new("/srv")).to_string(), from);
        }
    }
}
