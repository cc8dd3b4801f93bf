//! Where checkpoints lie: objects by name, each written whole or not at all.
//!
//! What a bucket is reached with is taken from the environment, under the names that its own tools go by (`AWS_ACCESS_KEY_ID`,
//! `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME` and the like).

use std::fmt::{self, Display};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart};
use tokio::task::spawn_blocking;

use crate::fault;
use crate::place::{Place, Service};
use crate::storage::{Disk, Storage};

/// How much of an object is sent at once, and how many such parts may be on their way.
const PART: usize = 8 << 20;
const PARTS: usize = 4;

/// How often, and for how long, a request to a bucket is made again, with longer pauses each time. A checkpoint that
/// cannot be written even so waits for the next.
const MOST_RETRIES: usize = 5;
const LONGEST_RETRY: Duration = Duration::from_secs(20);

/// A place for objects.
#[derive(Debug, Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    /// Where the place is a local folder, whose files are to be synced.
    folder: Option<PathBuf>,
    /// What people call it.
    name: Arc<str>,
}

impl Location {
    /// A local folder, which is made if it is not there.
    pub fn folder(path: &Path) -> Result<Self> {
        let failed = || format!("cannot open the checkpoints in {}", path.display());
        Disk.create_folder(path).with_context(failed)?;
        for entry in fs::read_dir(path).with_context(failed)? {
            // What a crash left half-written: the store gives such files a number behind their name.
            let left = entry.with_context(failed)?.path();
            if left.file_name().is_some_and(|name| name.to_string_lossy().contains('#')) {
                fs::remove_file(&left).with_context(failed)?;
            }
        }
        let store = Arc::new(LocalFileSystem::new_with_prefix(path).with_context(failed)?);
        Ok(Self { store, folder: Some(path.to_owned()), name: path.display().to_string().into() })
    }

    /// A place, which need not have anything yet. Nothing is asked of a bucket so far.
    pub fn at(place: &Place) -> Result<Self> {
        let (service, bucket, prefix) = match place {
            Place::Folder(path) => return Self::folder(path),
            Place::Bucket { service, bucket, prefix } => (service, bucket, prefix),
        };
        let retry = RetryConfig { max_retries: MOST_RETRIES, retry_timeout: LONGEST_RETRY, ..RetryConfig::default() };
        let store: object_store::Result<Arc<dyn ObjectStore>> = match service {
            Service::S3 => {
                let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
                builder.build().map(|store| Arc::new(store) as _)
            }
            Service::Google => {
                let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retry);
                builder.build().map(|store| Arc::new(store) as _)
            }
            Service::Azure => {
                let builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket).with_retry(retry);
                builder.build().map(|store| Arc::new(store) as _)
            }
        };
        let store = store.with_context(|| format!("the environment does not say how to reach {place}"))?;
        let store = Arc::new(PrefixStore::new(store, prefix.as_str()));
        Ok(Self { store, folder: None, name: place.to_string().into() })
    }

    /// Any object store.
    pub fn of(store: Arc<dyn ObjectStore>) -> Self {
        let name = store.to_string().into();
        Self { store, folder: None, name }
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
    pub(super) async fn put_pieces(&self, name: &str, pieces: impl Stream<Item = Result<Bytes>>) -> Result<u64> {
        let writing = || format!("writing {name} in {self}");
        let upload = self.store.put_multipart(&Name::from(name)).await.with_context(writing)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut length = 0;
        let mut pieces = pin!(pieces);
        while let Some(piece) = pieces.next().await {
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
            writer.put(piece);
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

    /// Copies an object that lies elsewhere; once this returns, it outlives a crash.
    pub(super) async fn copy(&self, name: &str, from: &Self) -> Result<u64> {
        let reading = || format!("reading {name} in {from}");
        let object = from.store.get(&Name::from(name)).await.with_context(reading)?;
        self.put_pieces(name, object.into_stream().map(|piece| piece.with_context(reading))).await
    }

    /// Removes all objects.
    pub async fn clear(&self) -> Result<()> {
        let names = self.names().await?;
        // Manifests, which name the others, stand behind them.
        for name in names.iter().rev() {
            self.remove(name).await?;
        }
        Ok(())
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

/// What to tell, and do, when checkpoints cannot be had.
pub(crate) fn out_of_reach(place: &dyn Display) -> String {
    format!(
        "the checkpoints in {place} cannot be looked at; nothing was changed. Start again when they can be; to begin anew, \
         without the states that they hold, start with --fresh"
    )
}

impl Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
