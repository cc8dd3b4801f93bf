//! Past batches, computed again: the same rows must come out, or with another component, others that people look at.
//!
//! A batch is computed from its cut, over what the batches before it had left: from the newest checkpoint before it, those
//! in between are computed first. No sink sees anything. It works on a copy of the pipeline's folder.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::ops::Bound;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use arrow::record_batch::RecordBatch;
use indexmap::IndexMap;
use tokio_util::sync::CancellationToken;

use super::batch::Ran;
use super::bundle::Bundle;
use super::definition::Definitions;
use super::log::{BatchLog, Cut, Record, Running, Shortened};
use super::placement::Placement;
use super::rooms::{open_rooms, rooms, start_states};
use super::{DeadLetters, Purpose, Runner, SystemClock, Typed, cores, received};
use crate::block::BlockStore;
use crate::checkpoint::Checkpoints;
use crate::data_dir::PipelineDir;
use crate::fingerprint::{Fingerprint, Fingerprints};
use crate::operator::{Digest, Metering, Reference};
use crate::plan::{OperatorMeter, Operators, Pool, Rooms};
use crate::state::Store;
use crate::storage::Disk;
use crate::table::TableStore;
use crate::time::BatchTime;

/// What the log says of a pipeline's batches.
#[derive(Debug)]
pub struct Past {
    /// By batch: its cut, and the definition that it is of.
    pub(super) cuts: BTreeMap<BatchTime, (Cut, Digest)>,
    /// What committed batches came to.
    pub(super) committed: BTreeMap<BatchTime, (BTreeMap<String, OperatorMeter>, Fingerprints)>,
    /// Batches up to this one are not in the log any more.
    forgotten: Option<BatchTime>,
    /// What batches up to this one have left is in every checkpoint.
    oldest: Option<BatchTime>,
}

impl Past {
    /// Reads the log, and which checkpoint is the oldest.
    pub async fn read(folder: &PipelineDir) -> Result<Self> {
        let (_, records) = BatchLog::open(&Disk, &folder.log())?;
        let oldest = Checkpoints::oldest_in(&Placement::of(Arc::new(Disk), folder)?.location()?).await?;
        Ok(Self { oldest, ..Self::of(records) })
    }

    pub(super) fn of(records: Vec<Record>) -> Self {
        let mut cuts: BTreeMap<BatchTime, (Cut, Digest)> = BTreeMap::new();
        let mut committed: BTreeMap<BatchTime, (BTreeMap<String, OperatorMeter>, Fingerprints)> = BTreeMap::new();
        let (mut definition, mut forgotten) = (Digest::of(b""), None);
        for record in records {
            match record {
                Record::Started { definition: started, .. } => definition = started,
                Record::Cut(cut) => drop(cuts.insert(cut.batch, (cut, definition))),
                Record::Committed { batch, meters, fingerprints, .. } => {
                    committed.insert(batch, (meters, fingerprints));
                }
                Record::RolledBack { to, first, .. } => {
                    for (_, (cut, _)) in cuts.range_mut(first..) {
                        cut.replace(&to);
                    }
                    // What they gave then, another component made.
                    committed.range_mut(first..).for_each(|(_, gave)| *gave = Default::default());
                }
                Record::Shortened(Shortened { through, .. }) => forgotten = Some(through),
                Record::Swapped { .. } | Record::Watched { .. } | Record::Redirected(_) | Record::Ended => {}
            }
        }
        Self { cuts, committed, forgotten, oldest: None }
    }

    /// The committed batches of which all that they were made of is still there, in order.
    pub fn replayable(&self) -> impl DoubleEndedIterator<Item = BatchTime> + '_ {
        self.committed.keys().copied().filter(|batch| Some(*batch) > self.oldest)
    }
}

/// Why there is no batch to compute again.
const NO_MORE: &str =
    "no batch that was committed follows; of one that failed, `weir bundle` gives what an operator was given";

/// Computes past batches again, one after the other.
pub struct Replay {
    past: Past,
    typed: Arc<Typed>,
    operators: Arc<Operators>,
    definition: Digest,
    runner: Runner,
    /// The batch that what is kept is of.
    at: Option<BatchTime>,
}

/// A batch that was computed again.
#[derive(Debug)]
pub struct Recomputed {
    /// The batch.
    pub batch: BatchTime,
    /// Each source and operator, in the order of the pipeline file.
    pub streams: IndexMap<String, Compared>,
}

/// What a source or operator did, then and now.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The component, where it is one: its name and digest then.
    pub ran: Option<Running>,
    /// When the batch was committed; none where nobody read the stream then.
    pub then: Option<Side>,
    /// Now.
    pub now: Side,
}

impl Compared {
    /// Whether the rows are others than they were.
    pub fn differs(&self) -> bool {
        self.then.as_ref().is_some_and(|then| then.rows != self.now.rows)
    }
}

/// One side of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// What it used.
    pub meter: OperatorMeter,
    /// Its rows.
    pub rows: Fingerprint,
}

/// A batch with one operator's component replaced, beside the batch as it was.
#[derive(Debug)]
pub struct Tried {
    /// The component that ran, and what it did.
    pub before: (Running, Side),
    /// The component that was tried, and what it did.
    pub after: (Running, Side),
    /// The rows of both, in order.
    pub rows: (Vec<RecordBatch>, Vec<RecordBatch>),
}

impl Replay {
    /// Goes to where `batch` is the next to be computed.
    pub async fn open(
        folder: &PipelineDir,
        operators: Arc<Operators>,
        threads: NonZeroUsize,
        batch: BatchTime,
    ) -> Result<Self> {
        let (_, records) = BatchLog::open(&Disk, &folder.log())?;
        let location = Placement::of(Arc::new(Disk), folder)?.location()?;
        let restored = Checkpoints::before(&location, batch).await?;
        let blocks = received::cut_blocks(&records, None);
        let past = Past::of(records);
        let Some((_, definition)) = past.cuts.get(&batch) else {
            let mut known = past.committed.keys();
            let range = match (known.next(), known.next_back()) {
                (Some(first), Some(last)) => format!("it knows those from {first} to {last}"),
                _ => "it knows none".to_owned(),
            };
            match past.forgotten.filter(|forgotten| batch <= *forgotten) {
                Some(_) => bail!("the batch log does not remember batch {batch} any more; {range}"),
                None => bail!("the batch log knows no batch {batch}; {range}"),
            }
        };
        ensure!(
            restored.as_ref().map(|restored| restored.batch) >= past.forgotten,
            "batch {batch} cannot be computed again: the batch log does not remember those before {}, and no checkpoint is kept \
             that has what they left; to compute batches again for longer, raise `keep` of [checkpoint]",
            past.cuts.keys().next().unwrap_or(&batch)
        );
        let definition = *definition;
        let loaded = Definitions::at(Arc::new(Disk), &folder.definitions()).load(definition).with_context(|| {
            format!("batch {batch} was run by another definition of the pipeline, which cannot be read any more")
        })?;
        let mut typed = Typed::new(loaded, &operators).await?;
        typed.wanted = typed.streams.keys().cloned().collect();
        let pool = Pool::new(threads.get())?;
        let state = Arc::new(Store::default());
        open_rooms(&state, rooms(&typed)?, restored.as_ref());
        let known: Vec<String> = restored.iter().flat_map(|restored| restored.specs.keys().cloned()).collect();
        let at = restored.as_ref().map(|restored| restored.batch);
        if let Some(restored) = restored {
            pool.install(|| restored.fill(&state));
        }
        let tables = Arc::new(TableStore::at(&folder.tables()));
        let first = past.cuts.iter().find(|(batch, _)| at.is_none_or(|at| **batch > at));
        if let Some((first, (cut, _))) = first {
            let contents = |table: &str| {
                let digest = cut.tables.iter().find(|(name, _)| name == table).map(|(_, digest)| *digest);
                tables.get(digest.with_context(|| format!("batch {first} did not read table `{table}`"))?)
            };
            start_states(&typed, &state, contents, &known, *first, &pool)?;
        }
        let batch_spec = &typed.loaded.pipeline.batch;
        let blocks = BlockStore::open(Arc::new(Disk), &folder.blocks(), batch_spec.block_memory.0, &blocks)?;
        let runner = Runner {
            cores: cores(),
            rooms: Arc::new(Rooms {
                operators: operators.clone(),
                blocks,
                sinks: IndexMap::new(),
                state,
                tables,
                pool,
            }),
            dead_letters: DeadLetters::at(Arc::new(Disk), &folder.dead_letters()),
            clock: Arc::new(SystemClock),
            outages: Arc::default(),
            ending: CancellationToken::new(),
            bound: None,
            metering: Metering::Always,
        };
        let mut replay = Self { past, typed: Arc::new(typed), operators, definition, runner, at };
        while let Some(before) = replay.next().filter(|next| *next < batch) {
            replay.step().await.with_context(|| {
                format!(
                    "batch {batch} is computed from batch {before}, of which something is not there any more: to compute \
                     batches again for longer, raise `keep` of [checkpoint]"
                )
            })?;
        }
        Ok(replay)
    }

    /// The batch that is next; none: the pipeline has changed there, or has no more.
    pub fn next(&self) -> Option<BatchTime> {
        let after = (self.at.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let (batch, (_, definition)) = self.past.cuts.range(after).next()?;
        (*definition == self.definition && self.past.committed.contains_key(batch)).then_some(*batch)
    }

    /// Computes the next batch, as it was.
    pub async fn step(&mut self) -> Result<Recomputed> {
        let Some(batch) = self.next() else { bail!(NO_MORE) };
        let cut = &self.past.cuts[&batch].0;
        let ran = compute(&self.runner, &self.typed, cut, Purpose::Recompute).await?;
        let staged = self.runner.staged(cut, &ran)?;
        self.runner.leave(batch, staged).await?;
        self.at = Some(batch);
        let (then_meters, then_rows) = &self.past.committed[&batch];
        let names = self.typed.sources.keys().chain(self.typed.operators.keys());
        let streams = names.map(|name| {
            let then = then_rows
                .get(name)
                .map(|rows| Side { meter: then_meters.get(name).cloned().unwrap_or_default(), rows: *rows });
            let component = cut.operators.iter().find(|running| running.operator == *name).cloned();
            (name.clone(), Compared { ran: component, then, now: side(&ran, name) })
        });
        Ok(Recomputed { batch, streams: streams.collect() })
    }

    /// All that an operator's result in a batch depends on; the batch is the next after those that were computed.
    pub async fn bundle(&self, batch: BatchTime, operator: &str) -> Result<Bundle> {
        let cut = &self.past.cuts[&batch].0;
        let Some(typed) = self.typed.operators.get(operator) else {
            let known: Vec<&str> = self.typed.operators.keys().map(String::as_str).collect();
            bail!("there is no operator `{operator}`; there is {}", known.join(", "));
        };
        if typed.call().is_none() {
            bail!("operator `{operator}` is no component: there is nothing that could be run elsewhere");
        }
        let then = self.past.committed.get(&batch).and_then(|(_, rows)| rows.get(operator)).copied();
        let registry = self.operators.components().registry();
        let bundle = Bundle::of(operator, &self.runner, &self.typed, cut, registry, then).await;
        bundle.with_context(|| format!("what operator `{operator}` was given in batch {batch} cannot be had"))
    }

    /// Computes the next batch twice, as it was and with another component in an operator's place, and stays where it is.
    pub async fn with(&self, operator: &str, reference: &Reference) -> Result<Tried> {
        let Some(batch) = self.next() else { bail!(NO_MORE) };
        let cut = &self.past.cuts[&batch].0;
        let (typed, operators) = (self.typed.clone(), self.operators.clone());
        let (name, reference) = (operator.to_owned(), reference.clone());
        let to = tokio::task::spawn_blocking(move || typed.fitting(&name, &reference, &operators)).await??;
        let (mut other, to) = (cut.clone(), to.running);
        let from = other.replace(&to);
        let from = from.with_context(|| format!("operator `{operator}` ran no component in batch {batch}"))?;
        // States that the other component migrates are not to be had by the one of then.
        let fork = self.runner.fork();
        let (before, after) = (
            compute(&self.runner, &self.typed, cut, Purpose::Recompute).await?,
            compute(&fork, &self.typed, &other, Purpose::Try).await?,
        );
        let rows = (before.rows(operator)?, after.rows(operator)?);
        Ok(Tried { before: (from, side(&before, operator)), after: (to, side(&after, operator)), rows })
    }
}

async fn compute(runner: &Runner, typed: &Arc<Typed>, cut: &Cut, purpose: Purpose) -> Result<Ran> {
    let computed = runner.compute(typed.clone(), cut, purpose).await;
    computed.with_context(|| format!("batch {} cannot be computed again", cut.batch))
}

fn side(ran: &Ran, stream: &str) -> Side {
    let report = &ran.report;
    Side {
        meter: report.meters.get(stream).cloned().unwrap_or_default(),
        rows: report.fingerprints.get(stream).copied().unwrap_or_default(),
    }
}

/// Rows that are in one of two streams only, as JSON, in order, and how many are in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rows of the first that the second does not have.
    pub removed: Vec<String>,
    /// Rows of the second that the first does not have.
    pub added: Vec<String>,
    /// How many both have.
    pub common: u64,
}

impl Difference {
    /// Compares rows, whatever their order; a row that is there twice counts twice.
    pub fn of(first: &[RecordBatch], second: &[RecordBatch]) -> Self {
        let (first, second) = (texts(first), texts(second));
        let mut counts: HashMap<&str, i64> = HashMap::new();
        first.iter().for_each(|row| *counts.entry(row).or_default() += 1);
        let mut difference = Self::default();
        for row in &second {
            match counts.get_mut(row.as_str()) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    difference.common += 1;
                }
                _ => difference.added.push(row.clone()),
            }
        }
        // Of rows that are the same, the last are those that are missing.
        for row in first.iter().rev() {
            if let Some(left) = counts.get_mut(row.as_str()).filter(|left| **left > 0) {
                *left -= 1;
                difference.removed.push(row.clone());
            }
        }
        difference.removed.reverse();
        difference
    }

    /// How many rows the larger side has, and how many of them the other has not.
    pub(super) fn counted(&self) -> (u64, u64) {
        let differing = self.removed.len().max(self.added.len()) as u64;
        (self.common + differing, differing)
    }
}

fn texts(rows: &[RecordBatch]) -> Vec<String> {
    let each = rows.iter().flat_map(|rows| (0..rows.num_rows()).map(move |row| crate::plan::row_text(rows, row)));
    each.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn rows(numbers: &[i64]) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef)]).unwrap()
    }

    #[test]
    fn rows_are_compared_as_often_as_they_are_there_and_in_any_order() {
        let found = Difference::of(&[rows(&[1, 2]), rows(&[2, 3])], &[rows(&[3, 2, 5])]);
        let text = |n: i64| format!("{{\"n\":{n}}}");
        let expected = Difference { removed: vec![text(1), text(2)], added: vec![text(5)], common: 2 };
        assert_eq!((&found, found.counted()), (&expected, (4, 2)));
        assert_eq!(Difference::of(&[], &[]).counted(), (0, 0));
    }
}
