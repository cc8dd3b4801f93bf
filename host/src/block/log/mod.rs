//! The block log: received blocks on disk, so that what a source has acknowledged outlives the host.
//!
//! Blocks are appended to segments by one thread, which takes all that waits, writes it at once, syncs it once and then
//! tells those who wait: the cost of a sync is shared, and nobody has to choose between safe and fast. A segment is
//! removed when none of its blocks is needed any more. Ids count on from segment to segment, whatever was removed.
//!
//! Which blocks are still needed is not written here: the batch log knows it, as it names the blocks of each batch and
//! which batches were committed. So that log must remember a cut for as long as a block of it may be in a segment.
//!
//! After an error nothing more is written: what a failed write or sync has left on the disk cannot be known. Whoever
//! waits gets the error, and the next start finds what was durable.
//!
//! - [`format`]: a segment's bytes.
//! - [`recover`]: what is found at the start.
//! - [`writer`]: the thread.

mod format;
mod recover;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::watch;

pub(super) use recover::{Recovered, open};

use super::{BlockId, BlockStoreError, TakenRequest};
use crate::storage::Storage;

/// How large a segment becomes.
const SEGMENT_BYTES: u64 = 64 << 20;

/// A block on its way to the disk.
#[derive(Debug, Clone)]
pub(super) struct NewBlock {
    pub(super) id: BlockId,
    pub(super) source: Arc<str>,
    pub(super) rows: u64,
    pub(super) requests: Vec<TakenRequest>,
    pub(super) bytes: Bytes,
}

/// The log, open. Dropping it writes what waits.
#[derive(Debug)]
pub(super) struct BlockLog {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer's thread and the others share.
#[derive(Debug)]
struct Shared {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    queue: Mutex<Queue>,
    /// Told when there is something in the queue, or it is closed.
    filled: Condvar,
    index: Mutex<Index>,
    progress: watch::Sender<Progress>,
}

/// What is to be done.
#[derive(Debug, Default)]
struct Queue {
    blocks: Vec<NewBlock>,
    forgotten: Vec<BlockId>,
    closed: bool,
}

/// How far the log is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Progress {
    /// All blocks below are durable.
    durable: u64,
    /// Why nothing more will be.
    failed: Option<Arc<str>>,
}

/// Where blocks lie.
#[derive(Debug, Default)]
struct Index {
    blocks: HashMap<BlockId, Location>,
    /// How many blocks of each segment are needed.
    segments: BTreeMap<u64, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Location {
    segment: u64,
    start: u64,
    length: usize,
    crc: u32,
}

impl BlockLog {
    /// Hands a block to the writer. Blocks must come in the order of their ids.
    pub(super) fn append(&self, block: NewBlock) {
        self.shared.queue().blocks.push(block);
        self.shared.filled.notify_one();
    }

    /// Waits until all these blocks are on disk; fails, whichever they are, when the log cannot be written any more.
    pub(super) async fn durable(&self, ids: &[BlockId]) -> Result<(), BlockStoreError> {
        let Some(last) = ids.iter().max() else { return self.shared.progress.borrow().check() };
        let mut progress = self.shared.progress.subscribe();
        let wanted = |progress: &Progress| progress.failed.is_some() || progress.durable > last.0;
        let reached = progress.wait_for(wanted).await.map(|progress| progress.check());
        // The sender is a field of what `self` holds, so it cannot be gone.
        reached.unwrap_or_else(|_closed| self.shared.progress.borrow().check())
    }

    /// Resolves when the log cannot be written any more.
    pub(super) async fn failed(&self) -> BlockStoreError {
        let mut progress = self.shared.progress.subscribe();
        let reason = progress.wait_for(|progress| progress.failed.is_some()).await.map(|p| p.failed.clone());
        match reason {
            Ok(Some(reason)) => BlockStoreError::Failed(reason),
            _ => std::future::pending().await,
        }
    }

    /// Reads a block. Blocks on the disk.
    pub(super) fn get(&self, id: BlockId) -> Result<Bytes, BlockStoreError> {
        let Some(Location { segment, start, length, crc }) = self.shared.index().blocks.get(&id).copied() else {
            return Err(BlockStoreError::Missing(id));
        };
        let path = segment_path(&self.shared.folder, segment);
        let unreadable = |reason: String| BlockStoreError::Unreadable { id, path: path.clone(), reason };
        match self.shared.storage.read_at(&path, start, length) {
            Ok(bytes) if crc32fast::hash(&bytes) == crc => Ok(bytes.into()),
            Ok(_) => Err(unreadable("its bytes do not match their checksum".to_owned())),
            // It was forgotten meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => Err(BlockStoreError::Missing(id)),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    /// Lets blocks go; the disk's room comes back with the last of a segment.
    pub(super) fn forget(&self, ids: impl IntoIterator<Item = BlockId>) {
        self.shared.queue().forgotten.extend(ids);
        self.shared.filled.notify_one();
    }
}

impl Drop for BlockLog {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.filled.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to do.
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn check(&self) -> Result<(), BlockStoreError> {
        self.failed.clone().map_or(Ok(()), |reason| Err(BlockStoreError::Failed(reason)))
    }
}

impl Index {
    fn add(&mut self, id: BlockId, location: Location) {
        if self.blocks.insert(id, location).is_none() {
            *self.segments.entry(location.segment).or_default() += 1;
        }
    }

    fn forget(&mut self, id: BlockId) {
        if let Some(location) = self.blocks.remove(&id)
            && let Some(needed) = self.segments.get_mut(&location.segment)
        {
            *needed = needed.saturating_sub(1);
        }
    }

    /// Takes out the segments before `active` that nobody needs.
    fn take_unneeded(&mut self, active: u64) -> Vec<u64> {
        let unneeded: Vec<u64> =
            self.segments.range(..active).filter(|(_, needed)| **needed == 0).map(|(segment, _)| *segment).collect();
        for segment in &unneeded {
            self.segments.remove(segment);
        }
        unneeded
    }
}

const SUFFIX: &str = ".blocks";

fn segment_path(folder: &Path, segment: u64) -> PathBuf {
    // As many digits as the largest number has, so that names sort as numbers do.
    folder.join(format!("{segment:020}{SUFFIX}"))
}

fn segment_of(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}
