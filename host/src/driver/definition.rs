//! The pipelines that runs were of, by digest: what was begun under one definition is finished under it.
//!
//! A definition may hold passwords, which the pipeline file takes from the environment: its file is for this user alone.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::operator::Digest;
use crate::pipeline::{Loaded, Pipeline};

/// The definitions of one pipeline.
#[derive(Debug)]
pub(super) struct Definitions {
    folder: PathBuf,
}

impl Definitions {
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Keeps this definition, and no other; gives its digest.
    pub(super) fn keep(&self, pipeline: &Pipeline) -> Result<Digest> {
        let failed = || format!("cannot write to {}; is the disk full?", self.folder.display());
        let (digest, text) = written(pipeline)?;
        fs::create_dir_all(&self.folder).with_context(failed)?;
        let path = self.path(digest);
        if !path.exists() {
            // Only this user can read such a file.
            let mut file = tempfile::NamedTempFile::new_in(&self.folder).with_context(failed)?;
            file.write_all(&text).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
            file.persist(&path).with_context(failed)?;
            fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).with_context(failed)?;
        }
        for entry in fs::read_dir(&self.folder).with_context(failed)? {
            let other = entry.with_context(failed)?.path();
            if other != path {
                fs::remove_file(&other).with_context(failed)?;
            }
        }
        Ok(digest)
    }

    /// A definition that was kept.
    pub(super) fn load(&self, digest: Digest) -> Result<Loaded> {
        let path = self.path(digest);
        let text = fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => anyhow::anyhow!("there is no {}", path.display()),
            _ => anyhow::anyhow!(e).context(format!("cannot read {}", path.display())),
        })?;
        let damaged = || format!("{} is damaged", path.display());
        let pipeline: Pipeline = serde_json::from_slice(&text).with_context(damaged)?;
        Loaded::of(pipeline).map_err(anyhow::Error::msg).with_context(damaged)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{}.json", digest.hex()))
    }
}

/// The digest of a definition.
pub(super) fn digest(pipeline: &Pipeline) -> Result<Digest> {
    Ok(written(pipeline)?.0)
}

fn written(pipeline: &Pipeline) -> Result<(Digest, Vec<u8>)> {
    let text = serde_json::to_vec_pretty(pipeline)?;
    Ok((Digest::of(&text), text))
}
