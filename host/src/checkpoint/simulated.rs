//! An object store in memory whose writes can be made to fail, for tests: as the simulated disk is for logs.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// A write to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// An object whole, as manifests are written.
    Put,
    /// An object that comes in parts is begun.
    Begin,
    /// One of its parts.
    Part,
    /// It is whole, and there from now on.
    Complete,
    /// An object goes.
    Remove,
    /// An object again under another name.
    Copy,
}

/// Decides which writes fail.
pub trait Judge: Debug + Send + Sync {
    /// Whether this write, which is about to be made, succeeds.
    fn allows(&self, write: Write) -> bool;

    /// A write that was allowed is made.
    fn done(&self, _write: Write) {}
}

/// Objects in memory that outlive the store, whose writes a judge allows.
#[derive(Debug, Clone)]
pub struct SimulatedStore {
    objects: Arc<InMemory>,
    judge: Arc<dyn Judge>,
}

impl SimulatedStore {
    /// A store of these objects.
    pub fn of(objects: Arc<InMemory>, judge: Arc<dyn Judge>) -> Self {
        Self { objects, judge }
    }

    fn check(&self, write: Write) -> Result<()> {
        if self.judge.allows(write) {
            return Ok(());
        }
        Err(Error::Generic { store: "simulated", source: "the store is down".into() })
    }
}

impl fmt::Display for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a simulated store")
    }
}

#[async_trait]
impl ObjectStore for SimulatedStore {
    async fn put_opts(&self, at: &Name, bytes: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check(Write::Put)?;
        let put = self.objects.put_opts(at, bytes, options).await;
        self.judge.done(Write::Put);
        put
    }

    async fn put_multipart_opts(&self, at: &Name, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.check(Write::Begin)?;
        Ok(Box::new(Upload { upload: self.objects.put_multipart_opts(at, options).await?, store: self.clone() }))
    }

    async fn get_opts(&self, at: &Name, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(at, options).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Name>>) -> BoxStream<'static, Result<Name>> {
        match self.check(Write::Remove) {
            Ok(()) => self.objects.delete_stream(at),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> Result<()> {
        self.check(Write::Copy)?;
        self.objects.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    store: SimulatedStore,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        match self.store.check(Write::Part) {
            Ok(()) => self.upload.put_part(part),
            Err(error) => async { Err(error) }.boxed(),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.check(Write::Complete)?;
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
