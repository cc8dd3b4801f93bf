//! `plugin.toml`: what a project says of itself. Of a crate, cargo's own manifest and the code say all but how it is tested.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::language::Language;
use crate::operator::{ComponentName, World};

pub(super) const FILE: &str = "plugin.toml";

/// What a project is.
#[derive(Debug)]
pub struct Manifest {
    /// The operator's name and version; cargo's manifest has those of a crate.
    pub identity: Option<ComponentName>,
    /// What it is written in.
    pub language: Language,
    /// What it is meant to be; a crate says so in its code.
    pub world: Option<World>,
    /// The SDK's folder, from the project's.
    pub sdk: PathBuf,
    /// How it is tested.
    pub trial: Trial,
}

/// `[test]`: what `weir plugin test` runs the operator on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trial {
    /// The columns of the key, of an aggregate or a state.
    pub key: Vec<String>,
    /// The operator's config.
    pub config: toml::Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    name: Option<String>,
    version: Option<String>,
    language: Option<Language>,
    world: Option<World>,
    sdk: Option<PathBuf>,
    test: Trial,
}

impl Manifest {
    /// Reads that of the project in a folder.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let is_crate = folder.join("Cargo.toml").exists();
        let file = match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).with_context(|| path.display().to_string())?,
            Err(error) if error.kind() == ErrorKind::NotFound && is_crate => File::default(),
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "{} is no operator project: it has no {FILE}, and no Cargo.toml; `weir plugin new NAME` writes one",
                folder.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let File { name, version, language, world, sdk, test } = file;
        let language = language.or(is_crate.then_some(Language::Rust));
        let lacks = |what: &str| format!("{} does not say `{what}`", path.display());
        let language = language.with_context(|| lacks("language"))?;
        let identity = match language {
            Language::Rust => None,
            _ => {
                let (name, version) =
                    (name.with_context(|| lacks("name"))?, version.with_context(|| lacks("version"))?);
                Some(identity(&name, &version).with_context(|| path.display().to_string())?)
            }
        };
        let sdk = sdk.unwrap_or_else(|| vendored(language));
        Ok(Self { identity, language, world, sdk, trial: test })
    }
}

/// Name and version, as the registry takes them.
fn identity(name: &str, version: &str) -> Result<ComponentName> {
    ensure!(
        ComponentName::new(name, "0").is_ok(),
        "`name` cannot be \"{name}\": a name is of lower-case letters, digits, - and _, and begins with a letter or digit"
    );
    ComponentName::new(name, version).ok().with_context(|| {
        format!(
            "`version` cannot be \"{version}\": a version is of letters, digits, ., + and -, and begins with a letter or \
             digit, as in \"0.1.0\""
        )
    })
}

/// Where `weir plugin new` puts the SDK.
fn vendored(language: Language) -> PathBuf {
    Path::new("weir/guest-sdk").join(language.of_sdk().folder())
}
