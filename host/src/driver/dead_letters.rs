//! Rows that nobody could take, kept with the batch that they were in: `BATCH.jsonl`, an object a line.
//!
//! Written before the batch commits, by rename, so that a re-run batch overwrites its own letters.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::plan::Rejected;
use crate::storage::{self, Storage};
use crate::time::BatchTime;

/// The folder of one pipeline's dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
}

#[derive(Serialize)]
struct Letter<'a> {
    batch_time: u64,
    #[serde(flatten)]
    rejected: &'a Rejected,
}

impl DeadLetters {
    /// Keeps letters in this folder, which is made when the first comes.
    pub fn at(storage: Arc<dyn Storage>, folder: &Path) -> Self {
        Self { storage, folder: folder.to_owned() }
    }

    /// Where the letters of a batch are.
    pub fn path(&self, batch: BatchTime) -> PathBuf {
        self.folder.join(format!("{}.jsonl", batch.as_millis()))
    }

    /// Keeps exactly these letters for the batch.
    pub fn keep(&self, batch: BatchTime, letters: &[Rejected]) -> Result<()> {
        let path = self.path(batch);
        let failed = || format!("cannot write the dead letters {}", path.display());
        if letters.is_empty() {
            return match self.storage.remove(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => Err(e).with_context(failed),
                _ => Ok(()),
            };
        }
        let mut text = Vec::new();
        for rejected in letters {
            serde_json::to_writer(&mut text, &Letter { batch_time: batch.as_millis(), rejected })?;
            text.push(b'\n');
        }
        self.storage.create_folder(&self.folder).with_context(failed)?;
        storage::create(&*self.storage, &path, &text).with_context(failed)?;
        Ok(())
    }
}
