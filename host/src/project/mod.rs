//! Operator projects: written from a template, built to a component by the toolchain of their language, tested on rows.
//!
//! A project is a folder. One in Rust is a crate; one in another language says in `plugin.toml` what it is. The SDK lies
//! within the project, with the interface beside it, so that it builds anywhere.

mod build;
mod language;
mod manifest;
mod new;
mod tool;

pub use build::Built;
pub use language::Language;
pub use manifest::{Manifest, Trial};
pub use new::{NewProject, write};

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::operator::World;

/// What an operator is built from.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    manifest: Manifest,
}

impl Project {
    /// The project in a folder.
    pub fn at(folder: &Path) -> Result<Self> {
        Ok(Self { folder: folder.to_owned(), manifest: Manifest::of(folder)? })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Builds the component with the toolchain of the project's language, whose messages go to standard error.
    pub fn build(&self) -> Result<Built> {
        build::build(self)
    }

    /// What it is meant to be.
    fn world(&self) -> Result<World> {
        self.manifest.world.with_context(|| format!("{} does not say `world`", manifest::FILE))
    }

    /// The language's SDK.
    fn sdk(&self) -> PathBuf {
        self.folder.join(&self.manifest.sdk)
    }

    /// The interface, beside the SDKs.
    fn wit(&self) -> PathBuf {
        self.sdk().join("../../wit")
    }

    /// Where what is built goes.
    fn out(&self) -> PathBuf {
        self.folder.join("build")
    }
}
