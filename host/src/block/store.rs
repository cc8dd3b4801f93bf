//! The block store: received blocks in memory, within one bound for the whole host.
//!
//! Memory is reserved before bytes are taken in, so the bound holds at every moment. Whoever finds no room waits, in
//! the order of asking; a receiver that waits does not read its socket, and TCP slows the sender. A block's memory
//! comes back when the block is released, which the driver does once no batch can need it any more.
//!
//! Only this module knows where a block's bytes lie, so keeping them elsewhere too is a matter of [`BlockStore::insert`]
//! and [`BlockStore::get`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Block, BlockData, BlockId};

/// Why a block cannot be had.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BlockStoreError {
    /// The block was released, or was received by another run of the host.
    #[error(
        "block {} is not in the block store: it was released after its batch, or an earlier run of this host received it; \
         a batch over received data can be re-run only while the host remembers it",
        .0.0
    )]
    Missing(BlockId),
}

/// Received blocks, by name. A handle: clones share one store.
#[derive(Debug, Clone)]
pub struct BlockStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    blocks: Mutex<HashMap<BlockId, Stored>>,
    next: AtomicU64,
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
    /// A store for at most `capacity` bytes.
    pub fn new(capacity: u64) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                blocks: Mutex::new(HashMap::new()),
                next: AtomicU64::new(0),
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

    /// Keeps `bytes`, which hold `rows` whole records, in memory that was reserved for them.
    pub fn insert(&self, bytes: Bytes, rows: u64, memory: Reservation) -> Block {
        let id = BlockId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let block = Block { rows, bytes: bytes.len() as u64, data: BlockData::Stored(id) };
        self.blocks().insert(id, Stored { bytes, _memory: memory });
        block
    }

    /// The bytes of a block; no copy.
    pub fn get(&self, id: BlockId) -> Result<Bytes, BlockStoreError> {
        self.blocks().get(&id).map(|stored| stored.bytes.clone()).ok_or(BlockStoreError::Missing(id))
    }

    /// Forgets blocks; those that are not there are passed over.
    pub fn release(&self, ids: impl IntoIterator<Item = BlockId>) {
        let mut blocks = self.blocks();
        for id in ids {
            blocks.remove(&id);
        }
    }

    /// How many bytes are in use, those reserved but not yet filled included.
    pub fn used(&self) -> u64 {
        (self.shared.capacity - self.shared.room.available_permits()) as u64
    }

    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.shared.capacity)).unwrap_or(u32::MAX)
    }

    /// A panic while the lock is held leaves the map whole, since each change to it is one call.
    fn blocks(&self) -> MutexGuard<'_, HashMap<BlockId, Stored>> {
        self.shared.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use futures::FutureExt;

    use super::*;

    #[test]
    fn given_a_block_when_it_is_released_then_its_bytes_are_gone_and_its_memory_is_back() {
        let store = BlockStore::new(100);
        let memory = store.try_reserve(6).unwrap();
        let block = store.insert(Bytes::from_static(b"a\nbcd\n"), 2, memory);
        assert_eq!(block, Block { rows: 2, bytes: 6, data: BlockData::Stored(BlockId(0)) });
        assert_eq!(store.get(BlockId(0)).unwrap(), Bytes::from_static(b"a\nbcd\n"));
        assert_eq!(store.used(), 6);

        store.release([BlockId(0), BlockId(7)]);

        assert_eq!(store.get(BlockId(0)), Err(BlockStoreError::Missing(BlockId(0))));
        assert_eq!(store.used(), 0);
    }

    #[test]
    fn given_a_full_store_when_room_is_asked_for_then_the_asker_waits_for_a_release() {
        let store = BlockStore::new(10);
        let block = store.insert(Bytes::from_static(b"12345678"), 1, store.try_reserve(8).unwrap());
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
}
