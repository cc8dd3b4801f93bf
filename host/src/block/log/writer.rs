//! The thread that writes: groups of blocks to the newest segment, and segments away that nobody needs.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::mem;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::format::{Group, Head, SegmentHeader};
use super::{Location, NewBlock, Queue, Shared, segment_path};
use crate::block::{BlockId, TakenRequests};
use crate::storage::{self, Storage, StorageFile};

/// A group takes no more blocks once it has this many bytes.
const GROUP_BYTES: usize = 8 << 20;

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) number: u64,
    salt: u64,
    file: Box<dyn StorageFile>,
    length: u64,
}

impl Active {
    /// Begins a segment whose first block will be `first`, with the requests that are known carried over. When this
    /// returns, it is durable, name and all.
    pub(super) fn begin(
        storage: &dyn Storage,
        folder: &Path,
        number: u64,
        first: BlockId,
        taken: &BTreeMap<Arc<str>, TakenRequests>,
    ) -> io::Result<Self> {
        let salt = RandomState::new().hash_one(number);
        let mut bytes = SegmentHeader { first, salt }.encode().to_vec();
        let mut group = Group::new();
        for (source, taken) in taken.iter().filter(|(_, taken)| !taken.is_empty()) {
            let head = Head::Requests { source: source.to_string(), requests: taken.iter().copied().collect() };
            group.push(&head, &[]).ok_or_else(too_long)?;
        }
        if !group.is_empty() {
            bytes.extend_from_slice(group.finish(salt));
        }
        let file = storage::create(storage, &segment_path(folder, number), &bytes)?;
        Ok(Self { number, salt, file, length: bytes.len() as u64 })
    }
}

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) active: Active,
    /// Requests by source, to be carried over into the next segment.
    pub(super) taken: BTreeMap<Arc<str>, TakenRequests>,
    /// A segment that has reached this many bytes is followed by another.
    pub(super) segment_bytes: u64,
}

impl Writer {
    /// Works until the log is closed and nothing waits.
    pub(super) fn run(mut self) {
        let mut failed = false;
        while let Some(Queue { blocks, forgotten, .. }) = self.next() {
            if !failed && let Err(error) = self.write(&blocks) {
                failed = true;
                let reason = format!(
                    "received rows cannot be written to the block log {}: {error}; make room there or mend the disk, \
                     and start again. Rows that were not acknowledged have to be sent again",
                    self.shared.folder.display()
                );
                tracing::error!("{reason}");
                self.shared.progress.send_modify(|progress| progress.failed = Some(reason.into()));
            }
            self.forget(&forgotten);
        }
    }

    /// All that waits, once there is something; nothing when the log is closed.
    fn next(&self) -> Option<Queue> {
        let nothing = |queue: &mut Queue| queue.blocks.is_empty() && queue.forgotten.is_empty();
        let queue = self.shared.filled.wait_while(self.shared.queue(), |queue| nothing(queue) && !queue.closed);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        if nothing(&mut queue) {
            return None;
        }
        Some(Queue { blocks: mem::take(&mut queue.blocks), forgotten: mem::take(&mut queue.forgotten), closed: false })
    }

    /// Makes blocks durable. After an error this must not be called again.
    pub(super) fn write(&mut self, mut blocks: &[NewBlock]) -> io::Result<()> {
        while !blocks.is_empty() {
            if self.active.length >= self.segment_bytes
                && let Some(first) = blocks.first()
            {
                let storage = &*self.shared.storage;
                self.active =
                    Active::begin(storage, &self.shared.folder, self.active.number + 1, first.id, &self.taken)?;
                self.shared.index().segments.insert(self.active.number, 0);
                // The segment that is full may not be needed by now.
                self.forget(&[]);
            }
            let written = self.write_group(blocks)?;
            blocks = &blocks[written..];
        }
        Ok(())
    }

    /// Writes the first of these blocks, as many as make a group, and syncs them.
    fn write_group(&mut self, blocks: &[NewBlock]) -> io::Result<usize> {
        let mut group = Group::new();
        let mut places = Vec::new();
        for block in blocks {
            if group.len() >= GROUP_BYTES {
                break;
            }
            let NewBlock { id, source, rows, requests, bytes } = block;
            let head = Head::Block { id: *id, source: source.to_string(), rows: *rows, requests: requests.clone() };
            match group.push(&head, bytes) {
                Some((range, crc)) => places.push((*id, range, crc)),
                None if group.is_empty() => return Err(too_long()),
                None => break,
            }
        }
        let Active { number, salt, file, length } = &mut self.active;
        let framed = group.finish(*salt);
        file.append(framed)?;
        file.sync()?;
        let mut index = self.shared.index();
        for (id, range, crc) in &places {
            let start = *length + range.start as u64;
            index.add(*id, Location { segment: *number, start, length: range.len(), crc: *crc });
        }
        drop(index);
        *length += framed.len() as u64;
        let written = &blocks[..places.len()];
        for block in written.iter().filter(|block| !block.requests.is_empty()) {
            let taken = self.taken.entry(block.source.clone()).or_default();
            block.requests.iter().for_each(|request| taken.add(*request));
        }
        if let Some(last) = written.last() {
            self.shared.progress.send_modify(|progress| progress.durable = last.id.0 + 1);
        }
        Ok(written.len())
    }

    /// Lets blocks go, and removes the segments that held them alone.
    pub(super) fn forget(&self, ids: &[BlockId]) {
        let mut index = self.shared.index();
        ids.iter().for_each(|id| index.forget(*id));
        let unneeded = index.take_unneeded(self.active.number);
        drop(index);
        remove(&self.shared, &unneeded);
    }
}

/// Removes segments. One that stays takes room, and is looked at again at the next start.
pub(super) fn remove(shared: &Shared, segments: &[u64]) {
    for segment in segments {
        let path = segment_path(&shared.folder, *segment);
        if let Err(error) = shared.storage.remove(&path) {
            tracing::warn!("{} is not needed any more, but cannot be removed: {error}", path.display());
        }
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a block is too long to be written")
}
