//! The block store: received blocks in memory, within one bound for the whole host; of a live run, on disk too.
//!
//! Memory is reserved before bytes are taken in, so the bound holds at every moment. Whoever finds no room waits, in
//! the order of asking; a receiver that waits does not read its socket, and TCP slows the sender. A block's memory
//! comes back when the block is released, which the driver does once its batch is committed.
//!
//! A store that was opened on a folder also writes each block to the block log there. What a source acknowledges, and
//! what a cut names, must be [`durable`](BlockStore::durable) first. After a restart the blocks that no batch has taken
//! wait for their source, and those of a batch that was cut but not committed can still be read. The disk's room comes
//! back when a block is forgotten, which is the word of whoever knows that no batch can need it any more.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::log::{self, BlockLog, NewBlock, Recovered};
use super::{Block, BlockData, BlockId, CutBlocks, TakenRequest, TakenRequests};
use crate::storage::Storage;

/// Why a block cannot be had, or not be kept.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum BlockStoreError {
    /// The block was released, or was received by another run of the host.
    #[error(
        "block {} is not in the block store: it was released after its batch, or its segment of the block log was moved \
         away; a batch over received data can be re-run only while the host remembers it",
        .0.0
    )]
    Missing(BlockId),
    /// The block log has it, but it cannot be read.
    #[error("block {} cannot be read from {}: {reason}", .id.0, .path.display())]
    Unreadable {
        /// The block.
        id: BlockId,
        /// Its segment of the block log.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The block log cannot be written any more.
    #[error("{0}")]
    Failed(Arc<str>),
}

/// Received blocks, by name. A handle: clones share one store.
#[derive(Debug, Clone)]
pub struct BlockStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    blocks: Mutex<HashMap<BlockId, Stored>>,
    /// The next block's id. Held while a block is handed on, so that the log gets blocks in the order of their ids.
    next: Mutex<u64>,
    log: Option<BlockLog>,
    /// Blocks of an earlier run that wait for their source.
    waiting: Mutex<HashMap<String, Vec<Block>>>,
    /// The requests that sources took in earlier runs.
    taken: BTreeMap<Arc<str>, TakenRequests>,
    /// One permit a byte.
    room: Arc<Semaphore>,
    capacity: usize,
}

#[derive(Debug)]
struct Stored {
    bytes: Bytes,
    /// Gives the memory back when the block is dropped.
    _memory: Reservation,
}

/// Room for a number of bytes, given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    permit: OwnedSemaphorePermit,
}

impl Reservation {
    /// Adds the room of `other` to this one.
    pub fn merge(&mut self, other: Reservation) {
        self.permit.merge(other.permit);
    }

    /// Takes the room of `bytes` bytes out of this one, or all of it where it has less.
    pub fn split_off(&mut self, bytes: usize) -> Option<Reservation> {
        let bytes = bytes.min(self.permit.num_permits());
        self.permit.split(bytes).map(|permit| Reservation { permit })
    }
}

impl BlockStore {
    /// A store in memory, for at most `capacity` bytes.
    pub fn new(capacity: u64) -> Self {
        Self::with(capacity, None, BlockId(0), HashMap::new(), BTreeMap::new())
    }

    /// A store for at most `capacity` bytes of memory that keeps its blocks in the block log in `folder`, too. `cuts` are
    /// the blocks that batches have taken.
    ///
    /// Fails when the log is damaged, or cannot be read or written.
    pub fn open(storage: Arc<dyn Storage>, folder: &Path, capacity: u64, cuts: &CutBlocks) -> Result<Self> {
        let Recovered { log, next, waiting, taken } = log::open(storage, folder, cuts)?;
        Ok(Self::with(capacity, Some(log), next, waiting, taken))
    }

    fn with(
        capacity: u64,
        log: Option<BlockLog>,
        next: BlockId,
        waiting: HashMap<String, Vec<Block>>,
        taken: BTreeMap<Arc<str>, TakenRequests>,
    ) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                blocks: Mutex::new(HashMap::new()),
                next: Mutex::new(next.0),
                log,
                waiting: Mutex::new(waiting),
                taken,
                room: Arc::new(Semaphore::new(capacity)),
                capacity,
            }),
        }
    }

    /// Waits until there is room for `bytes` more bytes, behind those who asked before.
    ///
    /// What is larger than the whole store is let in once the store is empty: its size is bounded elsewhere, and waiting
    /// for room that can never be would stop its source for good.
    pub async fn reserve(&self, bytes: usize) -> Reservation {
        let room = Arc::clone(&self.shared.room);
        match room.acquire_many_owned(self.permits(bytes)).await {
            Ok(permit) => Reservation { permit },
            // The semaphore is never closed; if it were, there would be no room ever again.
            Err(_closed) => std::future::pending().await,
        }
    }

    /// Room for `bytes` more bytes, if it is there now and nobody waits for it.
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        let room = Arc::clone(&self.shared.room);
        room.try_acquire_many_owned(self.permits(bytes)).ok().map(|permit| Reservation { permit })
    }

    /// Keeps `bytes`, which hold `rows` whole records of `source`, in memory that was reserved for them. `requests` are
    /// those of which these are all rows.
    pub fn insert(
        &self,
        source: &Arc<str>,
        bytes: Bytes,
        rows: u64,
        requests: Vec<TakenRequest>,
        memory: Reservation,
    ) -> Block {
        let mut next = locked(&self.shared.next);
        let id = BlockId(*next);
        *next += 1;
        let block = Block { rows: NonZeroU64::new(rows), bytes: bytes.len() as u64, data: BlockData::Stored(id) };
        self.blocks().insert(id, Stored { bytes: bytes.clone(), _memory: memory });
        if let Some(log) = &self.shared.log {
            log.append(NewBlock { id, source: source.clone(), rows, requests, bytes });
        }
        block
    }

    /// Waits until these blocks are on disk, if that is where they are to be. Fails, whichever they are, once the block
    /// log cannot be written any more.
    pub async fn durable(&self, ids: &[BlockId]) -> Result<(), BlockStoreError> {
        match &self.shared.log {
            Some(log) => log.durable(ids).await,
            None => Ok(()),
        }
    }

    /// Resolves when the block log cannot be written any more: nothing can be received then.
    pub async fn failed(&self) -> BlockStoreError {
        match &self.shared.log {
            Some(log) => log.failed().await,
            None => std::future::pending().await,
        }
    }

    /// The bytes of a block; no copy where they are in memory, else they are read from the disk.
    pub fn get(&self, id: BlockId) -> Result<Bytes, BlockStoreError> {
        if let Some(stored) = self.blocks().get(&id) {
            return Ok(stored.bytes.clone());
        }
        self.shared.log.as_ref().map_or(Err(BlockStoreError::Missing(id)), |log| log.get(id))
    }

    /// Gives the memory of blocks back; those that are not there are passed over. They can still be read from the disk.
    pub fn release(&self, ids: impl IntoIterator<Item = BlockId>) {
        let mut blocks = self.blocks();
        for id in ids {
            blocks.remove(&id);
        }
    }

    /// Lets blocks go for good, in memory and on disk: no batch will ask for them any more.
    pub fn forget(&self, ids: &[BlockId]) {
        self.release(ids.iter().copied());
        if let Some(log) = &self.shared.log {
            log.forget(ids.iter().copied());
        }
    }

    /// The blocks that an earlier run has received for a source and no batch has taken, in the order of their ids. They
    /// are given out once, and come before all others.
    pub fn take_waiting(&self, source: &str) -> Vec<Block> {
        locked(&self.shared.waiting).remove(source).unwrap_or_default()
    }

    /// Sources whose blocks wait, and how many rows these have: when all sources are open, those that are no more.
    pub fn unclaimed(&self) -> Vec<(String, u64)> {
        let waiting = locked(&self.shared.waiting);
        let rows = |(source, blocks): (&String, &Vec<Block>)| {
            (source.clone(), blocks.iter().filter_map(|b| b.rows).map(NonZeroU64::get).sum())
        };
        let mut unclaimed: Vec<_> = waiting.iter().map(rows).collect();
        unclaimed.sort();
        unclaimed
    }

    /// The requests that a source has taken in earlier runs, as far as they are known.
    pub fn taken_requests(&self, source: &str) -> TakenRequests {
        self.shared.taken.get(source).cloned().unwrap_or_default()
    }

    /// How many bytes are in use, those reserved but not yet filled included.
    pub fn used(&self) -> u64 {
        (self.shared.capacity - self.shared.room.available_permits()) as u64
    }

    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.shared.capacity)).unwrap_or(u32::MAX)
    }

    fn blocks(&self) -> MutexGuard<'_, HashMap<BlockId, Stored>> {
        locked(&self.shared.blocks)
    }
}

/// A panic while a lock is held leaves whole what it guards, since each change to it is one call.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use futures::FutureExt;

    use super::*;
    use crate::storage::SimulatedDisk;

    #[test]
    fn given_a_block_when_it_is_released_then_its_bytes_are_gone_and_its_memory_is_back() {
        let store = BlockStore::new(100);
        let memory = store.try_reserve(6).unwrap();
        let block = store.insert(&"s".into(), Bytes::from_static(b"a\nbcd\n"), 2, vec![], memory);
        assert_eq!(block, Block { rows: NonZeroU64::new(2), bytes: 6, data: BlockData::Stored(BlockId(0)) });
        assert_eq!(store.get(BlockId(0)).unwrap(), Bytes::from_static(b"a\nbcd\n"));
        assert_eq!(store.used(), 6);

        store.release([BlockId(0), BlockId(7)]);

        assert_eq!(store.get(BlockId(0)), Err(BlockStoreError::Missing(BlockId(0))));
        assert_eq!(store.used(), 0);
    }

    #[test]
    fn given_a_full_store_when_room_is_asked_for_then_the_asker_waits_for_a_release() {
        let store = BlockStore::new(10);
        let memory = store.try_reserve(8).unwrap();
        let block = store.insert(&"s".into(), Bytes::from_static(b"12345678"), 1, vec![], memory);
        assert!(store.try_reserve(3).is_none());
        let mut waiting = std::pin::pin!(store.reserve(3));
        assert!(waiting.as_mut().now_or_never().is_none());

        let BlockData::Stored(id) = block.data else { unreachable!("stored above") };
        store.release([id]);

        assert!(waiting.now_or_never().is_some());
    }

    #[test]
    fn given_a_record_larger_than_the_store_when_the_store_is_empty_then_it_is_let_in_alone() {
        let store = BlockStore::new(10);
        let memory = store.reserve(25).now_or_never().unwrap();
        assert_eq!(store.used(), 10);
        assert!(store.try_reserve(1).is_none());
        drop(memory);
        assert_eq!(store.used(), 0);
    }

    #[tokio::test]
    async fn given_a_store_on_disk_when_opened_again_then_blocks_wait_for_their_source_and_take_no_memory() {
        let disk = Arc::new(SimulatedDisk::default());
        let open = || BlockStore::open(disk.clone(), Path::new("/b"), 100, &CutBlocks::new()).unwrap();
        let store = open();
        let memory = store.try_reserve(4).unwrap();
        let block = store.insert(&"s".into(), Bytes::from_static(b"a\nb\n"), 2, vec![], memory);
        store.durable(&[BlockId(0)]).await.unwrap();
        drop(store);

        let store = open();

        assert_eq!(store.unclaimed(), [("s".to_owned(), 2)]);
        assert_eq!(store.take_waiting("other"), []);
        assert_eq!(store.take_waiting("s"), [block]);
        assert_eq!((store.take_waiting("s"), store.unclaimed()), (vec![], vec![]));
        assert_eq!((store.get(BlockId(0)).unwrap(), store.used()), (Bytes::from_static(b"a\nb\n"), 0));
        let memory = store.try_reserve(2).unwrap();
        let next = store.insert(&"s".into(), Bytes::from_static(b"c\n"), 1, vec![], memory);
        assert_eq!(next.data, BlockData::Stored(BlockId(1)));
        store.durable(&[BlockId(1)]).await.unwrap();
        store.release([BlockId(1)]);
        assert_eq!((store.get(BlockId(1)).unwrap(), store.used()), (Bytes::from_static(b"c\n"), 0), "from the disk");
        store.forget(&[BlockId(0), BlockId(1)]);
        while store.get(BlockId(1)).is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.get(BlockId(0)), Err(BlockStoreError::Missing(BlockId(0))));
    }
}
