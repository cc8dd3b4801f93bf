//! A store of checkpoints that fails when it is told to, and when its host is dead.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, UploadPart,
};
use weir::storage::SimulatedDisk;

/// Objects in memory, for one life of a host.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    objects: Arc<InMemory>,
    /// The host's: when it has stopped, nothing is written here either.
    disk: SimulatedDisk,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    writes: AtomicUsize,
    /// Which write fails.
    fails_at: usize,
    /// Checkpoints that were begun, and those that came to their end or failed.
    begun: AtomicU64,
    failed: AtomicU64,
    done: AtomicU64,
}

impl Objects {
    pub(crate) fn new(objects: Arc<InMemory>, disk: SimulatedDisk, fails_at: usize) -> Self {
        let (writes, begun, failed, done) = Default::default();
        Self { objects, disk, seen: Arc::new(Seen { writes, fails_at, begun, failed, done }) }
    }

    /// Checkpoints that were begun, those that failed, and those that are named by a manifest.
    pub(crate) fn progress(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        (read(&self.seen.begun), read(&self.seen.failed), read(&self.seen.done))
    }

    fn write(&self) -> object_store::Result<()> {
        let number = self.seen.writes.fetch_add(1, Ordering::SeqCst);
        if number == self.seen.fails_at || self.disk.has_stopped() {
            return Err(object_store::Error::Generic { store: "simulated", source: "the store is down".into() });
        }
        Ok(())
    }

    /// A write without which there is no checkpoint.
    fn needed_write(&self) -> object_store::Result<()> {
        self.write().inspect_err(|_| {
            self.seen.failed.fetch_add(1, Ordering::SeqCst);
        })
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a simulated store")
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(&self, at: &Name, bytes: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        self.needed_write()?;
        let put = self.objects.put_opts(at, bytes, options).await;
        self.seen.done.fetch_add(1, Ordering::SeqCst);
        put
    }

    async fn put_multipart_opts(
        &self,
        at: &Name,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.seen.begun.fetch_add(1, Ordering::SeqCst);
        self.needed_write()?;
        Ok(Box::new(Upload { upload: self.objects.put_multipart_opts(at, options).await?, store: self.clone() }))
    }

    async fn get_opts(&self, at: &Name, options: GetOptions) -> object_store::Result<GetResult> {
        self.objects.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, object_store::Result<Name>>,
    ) -> BoxStream<'static, object_store::Result<Name>> {
        match self.write() {
            Ok(()) => self.objects.delete_stream(at),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> object_store::Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> object_store::Result<()> {
        self.write()?;
        self.objects.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    store: Objects,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        match self.store.needed_write() {
            Ok(()) => self.upload.put_part(part),
            Err(error) => async { Err(error) }.boxed(),
        }
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        self.store.needed_write()?;
        self.upload.complete().await
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.upload.abort().await
    }
}
