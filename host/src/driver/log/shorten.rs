//! A log made shorter: what no start and no replay can ask for any more goes, and one record says what that was.
//!
//! What goes is the beginning, up to a batch that every checkpoint holds. Of it stay the definition that the rest begins with, what
//! was swapped since that was first run, and which received blocks have been taken: a block that no batch has taken is one that the
//! next takes. The shorter log is written beside the log and takes its place at once, so a crash leaves one or the other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{BatchLog, Contents, Cut, HEADER, Record, encoded, read};
use crate::driver::sources::stored;
use crate::storage::{self, Storage};
use crate::time::BatchTime;

/// When a log is shortened, and how much of it stays at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// From so many bytes on.
    pub bytes: u64,
    /// So many of the last batches stay, whatever checkpoints hold.
    pub batches: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { bytes: 64 << 20, batches: 1000 }
    }
}

/// What is left of the beginning of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortened {
    /// Batches up to this one are not in the log any more. What they have left is in every checkpoint.
    pub through: BatchTime,
    /// How many there were.
    pub batches: u64,
    /// The received blocks that they had taken: runs of ids, each the first and one more than the last.
    pub blocks: Vec<(u64, u64)>,
}

/// What must stay in a log.
#[derive(Debug, Clone, Copy)]
pub(in crate::driver) struct Needed {
    /// Every checkpoint holds what batches up to this one have left.
    pub(in crate::driver) checkpointed: BatchTime,
    /// So many of the last batches stay.
    pub(in crate::driver) batches: usize,
    /// Batches that are no older than this, in milliseconds, may be looked into.
    pub(in crate::driver) remembered: u64,
}

/// A shorter log.
#[derive(Debug)]
pub(in crate::driver) struct Shorter {
    /// The cuts and commits that go.
    pub(in crate::driver) gone: Vec<Record>,
    shortened: Shortened,
    bytes: Vec<u8>,
}

impl BatchLog {
    /// Whether it is so long that it should be shortened.
    pub(in crate::driver) fn is_long(&self) -> bool {
        self.length >= self.shorten_at
    }

    /// What must stay in it, when every checkpoint holds what batches up to one have left, and batches that are this old, in
    /// milliseconds, may be looked into.
    pub(in crate::driver) fn needed(&self, checkpointed: BatchTime, remembered: u64) -> Needed {
        Needed { checkpointed, batches: self.limits.batches, remembered }
    }

    /// Puts together a shorter log, if it is at most half as long; else the log is left alone until it has grown.
    pub(in crate::driver) fn shorter(&mut self, storage: &dyn Storage, needed: Needed) -> Result<Option<Shorter>> {
        // Whatever becomes of it, it is not looked at again at once.
        self.shorten_at = self.length.saturating_mul(2).max(self.limits.bytes);
        let bytes = storage.read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        let Contents { records, starts, end, damage } = read(&bytes);
        ensure!(damage.is_none() && end == bytes.len(), "{} is damaged", self.path.display());
        let rest = needed.last_gone(&records).and_then(|through| Rest::of(&records, through));
        let Some(Rest { through, first, head }) = rest else { return Ok(None) };
        let mut shorter = HEADER.to_vec();
        for record in &head {
            shorter.extend(encoded(record)?);
        }
        for (number, record) in records.iter().enumerate().skip(first) {
            if record.batch().is_none_or(|batch| batch > through) {
                let next = starts.get(number + 1).copied().unwrap_or(end);
                shorter.extend_from_slice(&bytes[starts[number]..next]);
            }
        }
        let wanted = (shorter.len() as u64).saturating_mul(2).max(self.limits.bytes);
        if self.length < wanted {
            self.shorten_at = wanted;
            return Ok(None);
        }
        let [Record::Shortened(shortened), ..] = &head[..] else { return Ok(None) };
        let gone = |record: &Record| record.batch().is_some_and(|batch| batch <= through);
        let (shortened, gone) = (shortened.clone(), records.into_iter().filter(gone).collect());
        Ok(Some(Shorter { gone, shortened, bytes: shorter }))
    }

    /// Puts a shorter log in this one's place. Where it cannot be written, the log stays as it is.
    pub(in crate::driver) fn shorten(&mut self, storage: &dyn Storage, shorter: &Shorter) -> Result<()> {
        let written = match storage::write_aside(storage, &self.path, &shorter.bytes) {
            Ok(written) => written,
            Err(error) => {
                // It may be what fills the disk.
                let _ = storage.remove(&storage::unfinished(&self.path));
                tracing::warn!(path = %self.path.display(), "the batch log cannot be shortened, and goes on growing: {error}");
                return Ok(());
            }
        };
        // From here on, which of the two has the name is not known, should anything go wrong.
        storage::put_in_place(storage, &self.path).or_else(|error| self.fail(error))?;
        let Shortened { through, batches, .. } = &shorter.shortened;
        let (before, bytes) = (self.length, shorter.bytes.len());
        (self.file, self.length) = (written, bytes as u64);
        self.shorten_at = self.length.saturating_mul(2).max(self.limits.bytes);
        tracing::info!(%through, batches, before, bytes, "the batch log is shorter");
        Ok(())
    }
}

impl Needed {
    /// The last batch that may go.
    fn last_gone(&self, records: &[Record]) -> Option<BatchTime> {
        let cuts = records.iter().filter_map(Record::cut).map(|cut| cut.batch);
        let cuts: Vec<BatchTime> = cuts.collect::<BTreeSet<_>>().into_iter().collect();
        let newest = cuts.last()?.as_millis();
        let old = &cuts[..cuts.len().saturating_sub(self.batches.max(1))];
        let may_go = |batch: &&BatchTime| {
            **batch <= self.checkpointed && newest.saturating_sub(batch.as_millis()) > self.remembered
        };
        old.iter().rfind(may_go).copied()
    }
}

/// What stays of a log when its beginning goes.
#[derive(Debug)]
struct Rest {
    through: BatchTime,
    /// The first record that stays as it is.
    first: usize,
    /// What is put before it.
    head: Vec<Record>,
}

impl Rest {
    /// What stays when batches up to one go; nothing goes where that is not the beginning.
    fn of(records: &[Record], through: BatchTime) -> Option<Self> {
        let first = records.iter().position(|record| record.batch().is_some_and(|batch| batch > through))?;
        let mut before = Shortened { through, batches: 0, blocks: Vec::new() };
        let (mut started, mut swaps) = (None, Vec::new());
        for record in &records[..first] {
            match record {
                Record::Shortened(shortened) => before.clone_from(shortened),
                Record::Started { definition, .. } => {
                    let last = started.replace(record);
                    if !matches!(last, Some(Record::Started { definition: last, .. }) if last == definition) {
                        swaps.clear();
                    }
                }
                Record::Watched { .. } | Record::Swapped { .. } | Record::RolledBack { .. } | Record::Redirected(_) => {
                    swaps.push(record)
                }
                // A watch is known by the first batch that it is of: of one that goes, it has come to its end.
                Record::Cut(_) => swaps.retain(|swap| !matches!(swap, Record::Watched { .. })),
                Record::Committed { .. } | Record::Ended => {}
            }
        }
        let gone = records.iter().filter_map(Record::cut).filter(|cut| cut.batch <= through);
        let gone: BTreeMap<BatchTime, &Cut> = gone.map(|cut| (cut.batch, cut)).collect();
        let blocks = gone.values().flat_map(|cut| stored(&cut.sources)).map(|id| (id.0, id.0.saturating_add(1)));
        let shortened = Shortened {
            through,
            batches: before.batches + gone.len() as u64,
            blocks: runs(before.blocks.iter().copied().chain(blocks).collect()),
        };
        let head = [Record::Shortened(shortened)].into_iter();
        let head = head.chain(started.cloned()).chain(swaps.into_iter().cloned()).collect();
        Some(Self { through, first, head })
    }
}

/// The same numbers in as few runs as there can be.
fn runs(mut runs: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    runs.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (start, end) in runs {
        match merged.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => merged.push((start, end)),
        }
    }
    merged
}
