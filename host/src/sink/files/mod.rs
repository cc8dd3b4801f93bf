//! Files: a folder a batch, `PATH/batch_time=MILLIS/part-00000.EXT`, which appears whole or not at all.
//!
//! Parts are written under `PATH/.staging`, on the same file system, and synced, each attempt at a batch in a folder of its
//! own: a task of an attempt that was given up may still write. The commit is one rename. When the batch
//! is there already, as when it is run again, the two folders are exchanged, so that a reader finds the one or the other
//! at every moment. With the parts comes a manifest, which lists them. A batch without rows has no folder. The same rows
//! give the same bytes.
//!
//! A sink holds a lock on its staging folder, as two that write to one path would take each other's files away. Whose the
//! folder is stays in the lock's file when the sink is closed: another one would replace batches of the same time.

pub(super) mod encode;
mod manifest;
mod part;
mod publish;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tracing::warn;

use self::manifest::Parts;
use self::part::FilePart;
use self::publish::{move_away, remove_if_there, replace, sync_folder};
use super::{PartWriter, Sink, SinkError};
use crate::fault;
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
    begun: Mutex<BTreeMap<BatchTime, Begun>>,
    /// How many attempts were begun.
    attempts: AtomicU64,
    /// Held as long as the sink lives.
    _lock: File,
}

/// A batch that was begun.
#[derive(Debug, Clone)]
struct Begun {
    /// The folder of this attempt.
    staged: PathBuf,
    parts: Parts,
    /// Whether it is in its place; to exchange it once more would bring back what was there.
    is_published: bool,
}

impl FilesSink {
    /// Opens the folder for `owner`, makes it where it is not there, and clears what an earlier run left in staging.
    pub(super) fn open(path: &Path, owner: &str, format: FileFormat, schema: SchemaRef) -> Result<Self> {
        let staging = path.join(STAGING);
        fs::create_dir_all(&staging).with_context(|| format!("making the folder {}", staging.display()))?;
        let lock =
            lock(&staging.join(LOCK), owner).with_context(|| format!("opening {} for writing", path.display()))?;
        clear(&staging)?;
        Ok(Self {
            path: path.to_owned(),
            staging,
            format,
            schema,
            begun: Mutex::default(),
            attempts: AtomicU64::new(0),
            _lock: lock,
        })
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<BatchTime, Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the batch's folder goes before it is removed.
    fn removed(&self, batch: BatchTime) -> PathBuf {
        self.staging.join(format!("{REMOVED}{}", folder_name(batch)))
    }

    fn publish(&self, batch: BatchTime, Begun { staged, parts, .. }: &Begun) -> Result<()> {
        let visible = self.path.join(folder_name(batch));
        if !parts.is_empty() {
            parts.write(batch, staged)?;
            sync_folder(staged)?;
            return replace(staged, &visible, &self.removed(batch));
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

/// Removes what is of no use any more. What cannot be removed now, as somebody writes into it, is cleared when the sink is
/// opened again.
fn discard(batch: BatchTime, folder: &Path) {
    if let Err(error) = remove_if_there(folder) {
        warn!(%batch, "what is left of the batch stays until the next start: {error:#}");
    }
}

/// Takes the folder for its owner: for as long as the file is open, and for good where nobody has had it.
fn lock(path: &Path, owner: &str) -> Result<File> {
    let at = || format!("opening {}", path.display());
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).with_context(at)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another sink, here or in another process, writes to this folder: give each sink its own")
        }
        Err(TryLockError::Error(error)) => return Err(error).context("locking the folder"),
    }
    let mut before = String::new();
    file.read_to_string(&mut before).with_context(|| format!("reading {}", path.display()))?;
    match before.trim_end() {
        "" => writeln!(file, "{owner}")
            .and_then(|()| file.sync_all())
            .with_context(|| format!("writing {}", path.display()))?,
        before if before == owner => {}
        before => bail!(
            "it has the batches of {before}, and those of {owner} would replace them: give each sink a folder of its own, or, \
             where {before} writes no more, remove {}",
            path.display()
        ),
    }
    Ok(file)
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
    async fn begin(&self, batch: BatchTime) -> Result<(), SinkError> {
        let earlier = self.begun().remove(&batch);
        if let Some(Begun { staged, .. }) = earlier {
            discard(batch, &staged);
        }
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let staged = self.staging.join(format!("{}-{attempt}", folder_name(batch)));
        fault::point("a batch is begun");
        fs::create_dir(&staged).with_context(|| format!("making the folder {}", staged.display()))?;
        self.begun().insert(batch, Begun { staged, parts: Parts::default(), is_published: false });
        Ok(())
    }

    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        let begun = self.begun().get(&batch).cloned();
        let begun = begun.with_context(|| format!("part {part} of batch {batch} was staged before it was begun"))?;
        let path = begun.staged.join(format!("part-{part:05}.{}", encode::extension(self.format)));
        Ok(Box::new(FilePart::new(path, begun.parts, self.format, self.schema.clone())))
    }

    async fn commit(&self, batch: BatchTime) -> Result<(), SinkError> {
        let Some(begun) = self.begun().get(&batch).cloned() else { return Ok(()) };
        let committing = || format!("committing batch {batch}");
        if !begun.is_published {
            self.publish(batch, &begun).with_context(committing)?;
            self.begun().insert(batch, Begun { is_published: true, ..begun.clone() });
        }
        sync_folder(&self.path).with_context(committing)?;
        self.begun().remove(&batch);
        for left in [begun.staged, self.removed(batch)] {
            discard(batch, &left);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
