//! The pipelines that runs were of, by digest: what was begun under one definition is finished under it.
//!
//! A definition may hold passwords, which the pipeline file takes from the environment: no other user may read its file.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::log::Record;
use crate::operator::Digest;
use crate::pipeline::{Loaded, Pipeline};
use crate::storage::{self, Storage};

/// The definitions of one pipeline.
#[derive(Debug)]
pub(super) struct Definitions {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
}

impl Definitions {
    pub(super) fn at(storage: Arc<dyn Storage>, folder: &Path) -> Self {
        Self { storage, folder: folder.to_owned() }
    }

    /// Keeps this definition, and those that the log names; gives its digest.
    pub(super) fn keep(&self, pipeline: &Pipeline, log: &[Record]) -> Result<Digest> {
        let (digest, text) = written(pipeline)?;
        self.write(digest, &text, log)
            .with_context(|| format!("cannot write to {}; is the disk full?", self.folder.display()))?;
        Ok(digest)
    }

    fn write(&self, digest: Digest, text: &[u8], log: &[Record]) -> std::io::Result<()> {
        self.storage.create_folder(&self.folder)?;
        let name = file_name(digest);
        if self.storage.list(&self.folder)?.contains(&name) {
            // Whoever made it may have been killed before its name was durable.
            self.storage.sync_folder(&self.folder)?;
        } else {
            storage::create(&*self.storage, &self.folder.join(&name), text)?;
        }
        // What a crash left half-written is among them, unless it was taken up just now.
        let named = log.iter().filter_map(|record| match record {
            Record::Started { definition, .. } => Some(file_name(*definition)),
            _ => None,
        });
        let kept: HashSet<String> = named.chain([name]).collect();
        for other in self.storage.list(&self.folder)?.iter().filter(|other| !kept.contains(*other)) {
            self.storage.remove(&self.folder.join(other))?;
        }
        Ok(())
    }

    /// A definition that was kept.
    pub(super) fn load(&self, digest: Digest) -> Result<Loaded> {
        let path = self.folder.join(file_name(digest));
        let text = self.storage.read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => anyhow::anyhow!("there is no {}", path.display()),
            _ => anyhow::anyhow!(e).context(format!("cannot read {}", path.display())),
        })?;
        let damaged = || format!("{} is damaged", path.display());
        let pipeline: Pipeline = serde_json::from_slice(&text).with_context(damaged)?;
        Loaded::of(pipeline).map_err(anyhow::Error::msg).with_context(damaged)
    }
}

fn file_name(digest: Digest) -> String {
    format!("{}.json", digest.hex())
}

/// The digest of the definition that was run at last.
pub(super) fn last(log: &[Record]) -> Option<Digest> {
    log.iter().rev().find_map(|record| match record {
        Record::Started { definition, .. } => Some(*definition),
        _ => None,
    })
}

/// The digest of a definition.
pub(super) fn digest(pipeline: &Pipeline) -> Result<Digest> {
    Ok(written(pipeline)?.0)
}

fn written(pipeline: &Pipeline) -> Result<(Digest, Vec<u8>)> {
    let text = serde_json::to_vec_pretty(pipeline)?;
    Ok((Digest::of(&text), text))
}
