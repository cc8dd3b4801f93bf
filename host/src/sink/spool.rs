//! Encoded rows of batches that are not committed, until a sink over a network sends them.
//!
//! A part that is small waits in memory, and a larger one in a file without a name in the pipeline's folder: nobody sees
//! it, and when the host dies the system removes it. A restarted host computes the batch again, so nothing is synced.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as BlockingMutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use tempfile::SpooledTempFile;
use tokio::sync::Mutex;

use super::Staged;
use crate::time::BatchTime;

/// What a part may take in memory.
const MEMORY_BYTES: usize = 1 << 20;

/// The parts of the batches that were begun.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    begun: BlockingMutex<BTreeMap<BatchTime, Arc<Mutex<Begun>>>>,
}

/// A batch that was begun and is not committed.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// What has been staged, by the part's number.
    pub(super) parts: BTreeMap<usize, Part>,
    /// How many parts there are, with those that have no rows.
    pub(super) count: usize,
    /// Requests or calls that the destination has taken; the next try to commit goes on after them.
    pub(super) sent: usize,
}

impl Begun {
    /// Rows of all parts.
    pub(super) fn rows(&self) -> u64 {
        self.parts.values().map(|part| part.rows).sum()
    }

    /// What tells the batch's rows from any others, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        let mut all = Sha256::new();
        for part in self.parts.values() {
            all.update(part.digest.clone().finalize());
        }
        hex::encode(all.finalize())
    }
}

/// Some of a batch's rows, encoded.
#[derive(Debug)]
pub(super) struct Part {
    file: SpooledTempFile,
    digest: Sha256,
    rows: u64,
    bytes: u64,
}

impl Part {
    /// Appends rows in their encoding.
    pub(super) fn append(&mut self, rows: usize, encoded: &[u8]) -> Result<()> {
        self.file.write_all(encoded).context("staging rows in the data folder")?;
        self.digest.update(encoded);
        self.rows += rows as u64;
        self.bytes += encoded.len() as u64;
        Ok(())
    }

    /// All that was appended, from the beginning.
    pub(super) fn read(&mut self) -> io::Result<impl Read + Send + '_> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(&mut self.file)
    }
}

impl Spool {
    /// Parts that are large lie in `folder`, which is made.
    pub(super) fn at(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), begun: BlockingMutex::default() })
    }

    /// Forgets what was staged of the batch, and begins it.
    pub(super) fn begin(&self, batch: BatchTime) {
        self.lock().insert(batch, Arc::default());
    }

    /// An empty part.
    pub(super) fn part(&self) -> Part {
        let file = tempfile::spooled_tempfile_in(MEMORY_BYTES, &self.folder);
        Part { file, digest: Sha256::new(), rows: 0, bytes: 0 }
    }

    /// Keeps a part that is complete. One without rows is none.
    pub(super) async fn keep(&self, batch: BatchTime, number: usize, part: Part) -> Result<Staged> {
        let staged = Staged { rows: part.rows, bytes: part.bytes };
        let begun = self.begun(batch);
        let begun = begun.with_context(|| format!("part {number} of batch {batch} was staged before it was begun"))?;
        let mut begun = begun.lock().await;
        begun.count = begun.count.max(number + 1);
        if staged.rows > 0 {
            begun.parts.insert(number, part);
        }
        Ok(staged)
    }

    /// The batch, if it was begun and is not committed.
    pub(super) fn begun(&self, batch: BatchTime) -> Option<Arc<Mutex<Begun>>> {
        self.lock().get(&batch).cloned()
    }

    /// Goes on with a batch of another spool, together with that.
    pub(super) fn share(&self, batch: BatchTime, begun: Arc<Mutex<Begun>>) {
        self.lock().insert(batch, begun);
    }

    /// Forgets the batch, which is committed.
    pub(super) fn committed(&self, batch: BatchTime) {
        self.lock().remove(&batch);
    }

    /// Each change under the lock is one call, so a panic elsewhere leaves the map whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<BatchTime, Arc<Mutex<Begun>>>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use futures::executor::block_on;

    use super::*;

    const BATCH: BatchTime = BatchTime::from_millis(1000);

    fn text(part: &mut Part) -> Vec<u8> {
        let mut bytes = Vec::new();
        part.read().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn given_parts_small_and_large_when_read_twice_then_both_are_whole_and_no_file_is_seen() {
        let scratch = tempfile::tempdir().unwrap();
        let spool = Spool::at(&scratch.path().join("spool")).unwrap();
        let (small, large) = (b"some rows".to_vec(), vec![7; 3 * MEMORY_BYTES / 2]);
        spool.begin(BATCH);
        for (number, bytes) in [&small, &large].into_iter().enumerate() {
            let mut part = spool.part();
            for piece in bytes.chunks(MEMORY_BYTES) {
                part.append(1, piece).unwrap();
            }
            block_on(spool.keep(BATCH, number, part)).unwrap();
        }
        assert_eq!(fs::read_dir(scratch.path().join("spool")).unwrap().count(), 0);
        let begun = spool.begun(BATCH).unwrap();
        for _ in 0..2 {
            let mut begun = block_on(begun.lock());
            assert_eq!(begun.rows(), 3);
            assert_eq!(text(begun.parts.get_mut(&0).unwrap()), small);
            assert_eq!(text(begun.parts.get_mut(&1).unwrap()), large);
        }
    }

    #[test]
    fn given_the_same_rows_in_other_pieces_when_staged_then_the_digest_is_the_same() {
        let scratch = tempfile::tempdir().unwrap();
        let spool = Spool::at(scratch.path()).unwrap();
        let digest = |pieces: &[&str]| {
            spool.begin(BATCH);
            let mut part = spool.part();
            for piece in pieces {
                part.append(1, piece.as_bytes()).unwrap();
            }
            block_on(spool.keep(BATCH, 0, part)).unwrap();
            let begun = spool.begun(BATCH).unwrap();
            block_on(begun.lock()).digest()
        };
        assert_eq!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["ab"]), digest(&["ac"]));
    }

    #[test]
    fn given_a_batch_begun_again_or_committed_when_asked_for_then_its_parts_are_gone() {
        let scratch = tempfile::tempdir().unwrap();
        let spool = Spool::at(scratch.path()).unwrap();
        let mut part = spool.part();
        part.append(1, b"x").unwrap();
        spool.begin(BATCH);
        block_on(spool.keep(BATCH, 0, part)).unwrap();
        spool.begin(BATCH);
        assert_eq!(block_on(spool.begun(BATCH).unwrap().lock()).rows(), 0);
        spool.committed(BATCH);
        assert!(spool.begun(BATCH).is_none());
        let early = block_on(spool.keep(BATCH, 3, spool.part())).unwrap_err().to_string();
        assert!(early.contains("part 3 of batch 1970-01-01T00:00:01.000Z"), "{early}");
    }
}
