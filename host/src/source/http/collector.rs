//! Requests to blocks. One task takes all requests that wait, makes blocks of them, waits until these are on disk, and
//! then answers all: while it waits, the next ones gather, so the more there are the more share a sync.
//!
//! The rows of a request are never spread over two blocks, so after a crash they are all there or none is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::body::Records;
use super::requests::Claim;
use crate::block::{Block, BlockData, BlockStore, Reservation, TakenRequest};

/// How many requests are taken at once.
const MOST: usize = 4096;

/// A request's rows on their way into a block.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) records: Records,
    /// Room for them.
    pub(super) memory: Reservation,
    pub(super) claim: Option<Claim>,
    /// Gets an answer once the rows are on disk, or cannot be.
    pub(super) reply: oneshot::Sender<Result<(), String>>,
}

/// Makes blocks.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) store: BlockStore,
    pub(super) source: Arc<str>,
    pub(super) block_size: usize,
    /// Blocks that are on disk and in no batch yet.
    pub(super) sealed: Arc<Mutex<Vec<Block>>>,
}

/// A block in the making.
#[derive(Debug, Default)]
struct Open {
    bytes: Vec<u8>,
    rows: u64,
    memory: Option<Reservation>,
    requests: Vec<TakenRequest>,
}

impl Collector {
    /// Works until nobody can submit any more and all is answered.
    pub(super) async fn run(self, mut submissions: mpsc::Receiver<Submission>) {
        let mut group = Vec::new();
        while submissions.recv_many(&mut group, MOST).await > 0 {
            self.keep(std::mem::take(&mut group)).await;
        }
    }

    async fn keep(&self, group: Vec<Submission>) {
        // Before 1970 there are no requests.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut blocks = Vec::new();
        let mut open = Open::default();
        let mut answers = Vec::with_capacity(group.len());
        for Submission { records, memory, claim, reply } in group {
            let taken = claim.map(|claim| {
                let request = TakenRequest { key: claim.key, rows: records.rows, at: now };
                open.requests.push(request);
                (claim, request)
            });
            open.add(records, memory);
            answers.push((reply, taken));
            if open.bytes.len() >= self.block_size {
                blocks.extend(self.seal(&mut open));
            }
        }
        blocks.extend(self.seal(&mut open));
        let ids: Vec<_> = blocks
            .iter()
            .filter_map(|block| if let BlockData::Stored(id) = block.data { Some(id) } else { None })
            .collect();
        let kept = self.store.durable(&ids).await.map_err(|error| error.to_string());
        match &kept {
            Ok(()) => self.sealed.lock().unwrap_or_else(PoisonError::into_inner).extend(blocks),
            // No batch will have them.
            Err(_) => self.store.forget(&ids),
        }
        for (reply, taken) in answers {
            if let (Ok(()), Some((claim, request))) = (&kept, taken) {
                claim.taken(request);
            }
            // Who has gone away asks again, or does not care.
            let _ = reply.send(kept.clone());
        }
    }

    fn seal(&self, open: &mut Open) -> Option<Block> {
        let Open { bytes, rows, memory, requests } = std::mem::take(open);
        // Boxing drops the spare capacity, which nobody has reserved.
        let bytes = Bytes::from(bytes.into_boxed_slice());
        Some(self.store.insert(&self.source, bytes, rows, requests, memory?))
    }
}

impl Open {
    fn add(&mut self, records: Records, memory: Reservation) {
        if self.bytes.is_empty() {
            self.bytes = records.bytes;
        } else {
            self.bytes.extend_from_slice(&records.bytes);
        }
        self.rows += records.rows;
        match &mut self.memory {
            Some(open) => open.merge(memory),
            None => self.memory = Some(memory),
        }
    }
}
