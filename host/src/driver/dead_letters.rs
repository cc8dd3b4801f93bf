//! Rows that nobody could take, kept with the batch that they were in: `BATCH.jsonl`, an object a line.
//!
//! Written before the batch commits, by rename, so that a re-run batch overwrites its own letters.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::plan::Rejected;
use crate::time::BatchTime;

/// The folder of one pipeline's dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
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
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
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
            return match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).with_context(failed),
                _ => Ok(()),
            };
        }
        fs::create_dir_all(&self.folder).with_context(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).with_context(failed)?;
        let mut text = Vec::new();
        for rejected in letters {
            serde_json::to_writer(&mut text, &Letter { batch_time: batch.as_millis(), rejected })?;
            text.push(b'\n');
        }
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
        file.persist(&path).with_context(failed)?;
        Ok(())
    }
}
