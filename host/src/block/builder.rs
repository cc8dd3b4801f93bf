//! The block builder of one source: takes whole records, seals a block at `block_size` or when its time is up, and keeps
//! sealed blocks in order until the batch is cut.
//!
//! Records never wait for a block to fill: a cut takes the open block too. Where a block ends depends on the records
//! alone unless [`BlockBuilder::seal`] is called on a clock, so a source that is read to its end gives the same blocks
//! however its bytes arrived.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use memchr::{memchr, memchr_iter};
use tokio::sync::watch;

use super::{Block, BlockStore, Reservation};

/// Turns records into blocks of the [`BlockStore`]. Shared by the tasks that receive and the driver that cuts.
#[derive(Debug)]
pub struct BlockBuilder {
    store: BlockStore,
    source: Arc<str>,
    block_size: usize,
    state: Mutex<State>,
    /// Whether a push waits for memory that only a cut, or another source's, can free.
    stalled: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    open: Vec<u8>,
    open_rows: u64,
    open_memory: Option<Reservation>,
    sealed: Vec<Block>,
}

impl BlockBuilder {
    /// A builder of the blocks of `source` that seals one at `block_size` bytes: after the record that reaches it. Its
    /// first blocks are those that an earlier run has received and no batch has taken.
    pub fn new(store: BlockStore, source: &str, block_size: u64) -> Self {
        let state = State { sealed: store.take_waiting(source), ..State::default() };
        Self {
            store,
            source: source.into(),
            block_size: usize::try_from(block_size).unwrap_or(usize::MAX).max(1),
            state: Mutex::new(state),
            stalled: watch::Sender::new(false),
        }
    }

    /// Takes records in, each ended by a newline, once there is memory for them; until then it waits.
    pub async fn push(&self, records: &[u8]) {
        if records.is_empty() {
            return;
        }
        let memory = match self.store.try_reserve(records.len()) {
            Some(memory) => memory,
            None => {
                self.stalled.send_replace(true);
                let memory = self.store.reserve(records.len()).await;
                self.stalled.send_replace(false);
                memory
            }
        };
        // From here on nothing waits, so a task that is stopped leaves either all of the records or none.
        self.append(records, memory);
    }

    /// Closes the open block, if it holds anything.
    pub fn seal(&self) {
        self.state().seal(self);
    }

    /// All blocks since the last call, the open one included, in the order in which their records arrived.
    pub fn take(&self) -> Vec<Block> {
        // What waits for memory now will get some of what is taken here, when it is released.
        self.stalled.send_replace(false);
        let mut state = self.state();
        state.seal(self);
        std::mem::take(&mut state.sealed)
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        let state = self.state();
        state.sealed.is_empty() && state.open_rows == 0
    }

    /// Resolves when a push waits for memory.
    pub async fn until_stalled(&self) {
        // The sender is a field of this builder, so it cannot be gone.
        let _ = self.stalled.subscribe().wait_for(|stalled| *stalled).await;
    }

    fn append(&self, mut records: &[u8], mut memory: Reservation) {
        let mut state = self.state();
        loop {
            // The block is full with the record in which this byte lies.
            let last = self.block_size.saturating_sub(state.open.len() + 1);
            let end = match records.get(last..).and_then(|rest| memchr(b'\n', rest)) {
                Some(newline) => last + newline + 1,
                None => records.len(),
            };
            let (now, later) = records.split_at(end);
            let rest = memory.split_off(later.len());
            state.append(now, memory);
            if state.open.len() >= self.block_size {
                state.seal(self);
            }
            match rest {
                Some(rest) if !later.is_empty() => (records, memory) = (later, rest),
                _ => return,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, records: &[u8], memory: Reservation) {
        self.open.extend_from_slice(records);
        self.open_rows += memchr_iter(b'\n', records).count() as u64;
        match &mut self.open_memory {
            Some(open) => open.merge(memory),
            None => self.open_memory = Some(memory),
        }
    }

    fn seal(&mut self, builder: &BlockBuilder) {
        let Some(memory) = self.open_memory.take() else { return };
        let rows = std::mem::take(&mut self.open_rows);
        // Boxing drops the spare capacity, which nobody has reserved.
        let bytes = Bytes::from(std::mem::take(&mut self.open).into_boxed_slice());
        self.sealed.push(builder.store.insert(&builder.source, bytes, rows, Vec::new(), memory));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use std::num::NonZeroU64;

    use futures::FutureExt;
    use proptest::prelude::*;

    use super::*;
    use crate::block::BlockData;

    fn push(builder: &BlockBuilder, records: &[u8]) {
        builder.push(records).now_or_never().unwrap();
    }

    fn contents(store: &BlockStore, blocks: &[Block]) -> Vec<Vec<u8>> {
        blocks
            .iter()
            .map(|block| match block.data {
                BlockData::Stored(id) => store.get(id).unwrap().to_vec(),
                _ => unreachable!("a builder only makes stored blocks"),
            })
            .collect()
    }

    #[test]
    fn given_records_when_a_block_is_full_or_sealed_then_it_holds_whole_records() {
        let store = BlockStore::new(1000);
        let builder = BlockBuilder::new(store.clone(), "s", 4);
        push(&builder, b"a\nbb\nccccccc\nd\n");
        builder.seal();
        builder.seal();
        push(&builder, b"e\n");

        let blocks = builder.take();

        assert_eq!(contents(&store, &blocks), [&b"a\nbb\n"[..], b"ccccccc\n", b"d\n", b"e\n"]);
        assert_eq!(blocks.iter().map(|b| b.rows).collect::<Vec<_>>(), [2, 1, 1, 1].map(NonZeroU64::new));
        assert!(builder.is_empty());
        assert!(builder.take().is_empty());
    }

    #[test]
    fn given_no_room_when_records_are_pushed_then_the_push_stalls_until_blocks_are_released() {
        let store = BlockStore::new(8);
        let builder = BlockBuilder::new(store.clone(), "s", 4);
        push(&builder, b"aaa\nbbb\n");
        let mut waiting = std::pin::pin!(builder.push(b"ccc\n"));
        assert!(builder.until_stalled().now_or_never().is_none());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(builder.until_stalled().now_or_never().is_some());

        let ids = builder.take().into_iter().filter_map(|b| match b.data {
            BlockData::Stored(id) => Some(id),
            _ => None,
        });
        store.release(ids);

        assert!(waiting.now_or_never().is_some());
        assert!(builder.until_stalled().now_or_never().is_none());
        assert_eq!(contents(&store, &builder.take()), [b"ccc\n"]);
    }

    proptest! {
        #[test]
        fn given_any_records_when_pushed_in_any_pieces_then_blocks_are_the_same_and_account_for_their_memory(
            records in prop::collection::vec("[a-z]{0,9}", 0..60),
            pieces in prop::collection::vec(1usize..7, 1..20),
            block_size in 1u64..40,
        ) {
            let whole: Vec<u8> = records.iter().flat_map(|r| format!("{r}\n").into_bytes()).collect();
            let store = BlockStore::new(100_000);
            let at_once = BlockBuilder::new(store.clone(), "s", block_size);
            push(&at_once, &whole);
            let in_pieces = BlockBuilder::new(store.clone(), "s", block_size);
            let mut rest = &records[..];
            for piece in pieces.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                push(&in_pieces, &now.iter().flat_map(|r| format!("{r}\n").into_bytes()).collect::<Vec<_>>());
                rest = later;
            }

            let (a, b) = (at_once.take(), in_pieces.take());

            prop_assert_eq!(contents(&store, &a), contents(&store, &b));
            prop_assert_eq!(contents(&store, &a).concat(), whole.clone());
            prop_assert_eq!(a.iter().filter_map(|b| b.rows).map(NonZeroU64::get).sum::<u64>(), records.len() as u64);
            prop_assert_eq!(store.used(), 2 * whole.len() as u64);
        }
    }
}
