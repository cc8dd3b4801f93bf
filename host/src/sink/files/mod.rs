//! Files: a folder a batch, `PATH/batch_time=MILLIS/part-00000.EXT`, which appears whole or not at all.
//!
//! Parts are written under `PATH/.staging`, on the same file system, and synced; the commit is one rename. When the batch
//! is there already, as when it is run again, the two folders are exchanged, so that a reader finds the one or the other
//! at every moment. A batch without rows has no folder. The same rows give the same bytes.
//!
//! A sink holds a lock on its staging folder, as two that write to one path would take each other's files away.

pub(super) mod encode;
mod part;
mod publish;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tracing::warn;

use self::part::FilePart;
use self::publish::{is_empty, move_away, remove_if_there, replace, sync_folder};
use super::{PartWriter, Sink};
use crate::pipeline::FileFormat;
use crate::time::BatchTime;

const STAGING: &str = ".staging";
const LOCK: &str = "lock";
/// What is to be removed lies under such a name in the staging folder.
const REMOVED: &str = "removed-";

/// A folder of batches.
#[derive(Debug)]
pub(super) struct FilesSink {
    path: PathBuf,
    staging: PathBuf,
    format: FileFormat,
    schema: SchemaRef,
    /// Batches that were begun and are not committed.
    begun: Mutex<BTreeMap<BatchTime, Stage>>,
    /// Held as long as the sink lives.
    _lock: File,
}

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begun,
    /// In its place; to exchange it once more would bring back what was there.
    Published,
}

impl FilesSink {
    /// Opens the folder, makes it where it is not there, and clears what an earlier run left in staging.
    pub(super) fn open(path: &Path, format: FileFormat, schema: SchemaRef) -> Result<Self> {
        let staging = path.join(STAGING);
        fs::create_dir_all(&staging).with_context(|| format!("making the folder {}", staging.display()))?;
        let lock = lock(&staging.join(LOCK)).with_context(|| format!("opening {} for writing", path.display()))?;
        clear(&staging)?;
        Ok(Self { path: path.to_owned(), staging, format, schema, begun: Mutex::default(), _lock: lock })
    }

    fn staged(&self, batch: BatchTime) -> PathBuf {
        self.staging.join(folder_name(batch))
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<BatchTime, Stage>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the batch's folder goes before it is removed.
    fn removed(&self, batch: BatchTime) -> PathBuf {
        self.staging.join(format!("{REMOVED}{}", folder_name(batch)))
    }

    fn publish(&self, batch: BatchTime) -> Result<()> {
        let (staged, visible) = (self.staged(batch), self.path.join(folder_name(batch)));
        if !is_empty(&staged)? {
            sync_folder(&staged)?;
            return replace(&staged, &visible, &self.removed(batch));
        }
        if visible.exists() {
            // Not file by file: a reader finds all of it or nothing.
            move_away(&visible, &self.removed(batch))?;
        }
        Ok(())
    }
}

/// `batch_time=MILLIS`, as partitioned folders are named in Hive and by all that read them.
fn folder_name(batch: BatchTime) -> String {
    format!("batch_time={}", batch.as_millis())
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another sink, here or in another process, writes to this folder: give each sink its own")
        }
        Err(TryLockError::Error(error)) => Err(error).context("locking the folder"),
    }
}

fn clear(staging: &Path) -> Result<()> {
    let clearing = || format!("clearing {}", staging.display());
    for entry in fs::read_dir(staging).with_context(clearing)? {
        let path = entry.with_context(clearing)?.path();
        if path.is_dir() {
            remove_if_there(&path)?;
        }
    }
    Ok(())
}

#[async_trait]
impl Sink for FilesSink {
    async fn begin(&self, batch: BatchTime) -> Result<()> {
        let staged = self.staged(batch);
        remove_if_there(&staged)?;
        fs::create_dir(&staged).with_context(|| format!("making the folder {}", staged.display()))?;
        self.begun().insert(batch, Stage::Begun);
        Ok(())
    }

    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>> {
        let path = self.staged(batch).join(format!("part-{part:05}.{}", encode::extension(self.format)));
        Ok(Box::new(FilePart::new(path, self.format, self.schema.clone())))
    }

    async fn commit(&self, batch: BatchTime) -> Result<()> {
        let stage = self.begun().get(&batch).copied();
        let committing = || format!("committing batch {batch}");
        match stage {
            None => return Ok(()),
            Some(Stage::Begun) => {
                self.publish(batch).with_context(committing)?;
                self.begun().insert(batch, Stage::Published);
            }
            Some(Stage::Published) => {}
        }
        sync_folder(&self.path).with_context(committing)?;
        self.begun().remove(&batch);
        for left in [self.staged(batch), self.removed(batch)] {
            // The batch is out; what cannot be removed now is cleared when the sink is opened again.
            if let Err(error) = remove_if_there(&left) {
                warn!("batch {batch} is committed, but {error:#}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
