//! Where checkpoints lie: objects by name, each written whole or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::task::spawn_blocking;

use crate::fault;

/// How much of an object is sent at once, and how many such parts may be on their way.
const PART: usize = 8 << 20;
const PARTS: usize = 4;

/// A place for objects.
#[derive(Debug, Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    /// Where the place is a local folder, whose files are to be synced.
    folder: Option<PathBuf>,
}

impl Location {
    /// A local folder, which is made if it is not there.
    pub fn folder(path: &Path) -> Result<Self> {
        let failed = || format!("cannot open the checkpoints in {}", path.display());
        fs::create_dir_all(path).with_context(failed)?;
        for entry in fs::read_dir(path).with_context(failed)? {
            // What a crash left half-written: the store gives such files a number behind their name.
            let left = entry.with_context(failed)?.path();
            if left.file_name().is_some_and(|name| name.to_string_lossy().contains('#')) {
                fs::remove_file(&left).with_context(failed)?;
            }
        }
        let store = Arc::new(LocalFileSystem::new_with_prefix(path).with_context(failed)?);
        Ok(Self { store, folder: Some(path.to_owned()) })
    }

    /// Any object store.
    pub fn of(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, folder: None }
    }

    /// The names of all objects, in order.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        let listed = self.store.list(None).map_ok(|object| object.location.to_string());
        let mut names: Vec<String> = listed.try_collect().await.with_context(|| format!("listing {self}"))?;
        names.sort();
        Ok(names)
    }

    /// An object's bytes.
    pub(super) async fn get(&self, name: &str) -> Result<Bytes> {
        let reading = || format!("reading {name} in {self}");
        self.store.get(&Name::from(name)).await.with_context(reading)?.bytes().await.with_context(reading)
    }

    /// Writes a small object; once this returns, it outlives a crash.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let writing = || format!("writing {name} in {self}");
        fault::point("a manifest is written");
        self.store.put(&Name::from(name), bytes.into()).await.with_context(writing)?;
        self.sync(name).await.with_context(writing)
    }

    /// Writes an object piece by piece; once this returns, it outlives a crash.
    pub(super) async fn put_pieces(&self, name: &str, pieces: impl Iterator<Item = Result<Vec<u8>>>) -> Result<u64> {
        let writing = || format!("writing {name} in {self}");
        let upload = self.store.put_multipart(&Name::from(name)).await.with_context(writing)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut length = 0;
        for piece in pieces {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    // The error that is told is the first.
                    let _ = writer.abort().await;
                    return Err(error);
                }
            };
            length += piece.len() as u64;
            writer.wait_for_capacity(PARTS).await.with_context(writing)?;
            writer.write(&piece);
            fault::point("a piece of a checkpoint is written");
        }
        fault::point("a checkpoint is finished");
        writer.finish().await.with_context(writing)?;
        self.sync(name).await.with_context(writing)?;
        Ok(length)
    }

    /// Removes an object.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        fault::point("an old checkpoint is removed");
        match self.store.delete(&Name::from(name)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            removed => removed.with_context(|| format!("removing {name} in {self}")),
        }
    }

    /// The local file system does not sync by itself.
    pub(super) async fn sync(&self, name: &str) -> Result<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let file = folder.join(name);
        spawn_blocking(move || {
            fault::point("a checkpoint is synced");
            File::open(&file)?.sync_all()?;
            fault::point("the folder of checkpoints is synced");
            File::open(&folder)?.sync_all()
        })
        .await??;
        Ok(())
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.folder {
            Some(folder) => folder.display().fmt(f),
            None => self.store.fmt(f),
        }
    }
}
