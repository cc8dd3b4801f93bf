//! Where a run goes on: what the batch log and the newest checkpoint say of the runs before.
//!
//! A checkpoint holds what batches up to one have left behind. What those after it left is computed again, from the same
//! cuts; it was committed, so no sink sees it. Then come the batches that were cut and did not commit, with sinks. While a
//! swap is watched no checkpoint is made, so one that goes wrong after a restart is taken back as it would have been before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Result, bail, ensure};

use super::batch::Purpose;
use super::dead_letters::DeadLetters;
use super::delivery::{Delivers, Redirected, is_named};
use super::handle::WatchLimits;
use super::log::{BatchLog, Cut, Record, Running, Shortened};
use super::misfits::Misfits;
use super::placement::Placement;
use super::retry;
use super::typed::Typed;
use crate::checkpoint::Restored;
use crate::data_dir::PipelineDir;
use crate::operator::{Digest, Registry};
use crate::pipeline::Pipeline;
use crate::plan::OperatorMeter;
use crate::source::Position;
use crate::storage::Storage;
use crate::time::BatchTime;

/// What the runs before have left.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Committed batches that no checkpoint holds, in order.
    pub(super) recompute: Vec<Cut>,
    /// Those of them that a rollback was to make anew, and did not come to.
    redo: BTreeSet<BatchTime>,
    /// Batches that were cut and did not commit, in order.
    pub(super) unfinished: Vec<Cut>,
    /// How far each source had come with the checkpoint.
    pub(super) checkpointed: BTreeMap<String, Position>,
    /// How far each source has come with the last cut.
    pub(super) positions: BTreeMap<String, Position>,
    /// No batch up to this one is cut again.
    pub(super) last: Option<BatchTime>,
    /// What operators ran at last.
    pub(super) running: Vec<Running>,
    /// What operators ran before their last swap.
    pub(super) before: BTreeMap<String, Running>,
    /// A swap that may be taken back.
    pub(super) watch: Option<Watched>,
    /// What was swapped in: by operator, what its pipeline names and what ran in its place.
    swapped: BTreeMap<String, (Running, Running)>,
    /// What was put in place of the component of a sink.
    pub(super) delivering: BTreeMap<String, Delivers>,
    /// The pipeline that was run at last.
    pub(super) definition: Option<Digest>,
    /// Whether any batch was cut.
    pub(super) begun: bool,
}

/// A swap that was watched when the host stopped.
#[derive(Debug, PartialEq)]
pub(super) struct Watched {
    pub(super) from: Running,
    pub(super) to: Running,
    pub(super) limits: WatchLimits,
    /// The first batch that it runs, if one was cut.
    pub(super) first: Option<BatchTime>,
    /// What it did in the batches that have committed.
    pub(super) meters: BTreeMap<BatchTime, OperatorMeter>,
}

impl Recovery {
    /// Puts together what the log says, from the checkpoint on.
    pub(super) fn of(records: &[Record], restored: Option<&Restored>) -> Self {
        Self::from(records, restored.map(|restored| (restored.batch, &restored.positions)))
    }

    /// The same, from a batch on after which sources were there.
    pub(super) fn from(records: &[Record], checkpoint: Option<(BatchTime, &BTreeMap<String, Position>)>) -> Self {
        let mut recovery = Self::default();
        let mut cuts: BTreeMap<BatchTime, Cut> = BTreeMap::new();
        let mut committed = BTreeSet::new();
        let mut announced = None;
        for record in records {
            match record {
                Record::Started { definition, after, .. } => {
                    // A swap that did not come after it any more was not done.
                    announced = None;
                    if recovery.definition != Some(*definition) {
                        // Another pipeline's operators say nothing of this one's.
                        recovery.running.clear();
                        recovery.swapped.clear();
                        recovery.delivering.clear();
                        recovery.before.clear();
                        recovery.watch = None;
                    }
                    recovery.definition = Some(*definition);
                    recovery.last = recovery.last.max(Some(*after));
                }
                Record::Cut(cut) => {
                    cuts.insert(cut.batch, cut.clone());
                    recovery.running.clone_from(&cut.operators);
                    if let Some(watch) = &mut recovery.watch {
                        watch.first.get_or_insert(cut.batch);
                    }
                }
                Record::Committed { batch, meters, .. } => {
                    committed.insert(*batch);
                    recovery.redo.remove(batch);
                    if let Some(watch) = &mut recovery.watch {
                        watch.committed(*batch, meters);
                    }
                }
                Record::Watched { to, limits } => announced = Some((to, *limits)),
                Record::Swapped { from, to } => {
                    let swapped = recovery.swapped.entry(to.operator.clone());
                    swapped.or_insert_with(|| (from.clone(), to.clone())).1.clone_from(to);
                    recovery.runs(to);
                    if recovery.before.get(&to.operator) == Some(to) {
                        // It went back.
                        recovery.before.remove(&to.operator);
                    } else {
                        recovery.before.insert(from.operator.clone(), from.clone());
                    }
                    recovery.watch = announced.take().filter(|(watched, _)| *watched == to).map(|(_, limits)| {
                        Watched { from: from.clone(), to: to.clone(), limits, first: None, meters: BTreeMap::new() }
                    });
                }
                Record::Redirected(Redirected { sink, to, .. }) => {
                    recovery.delivering.insert(sink.clone(), to.clone());
                }
                Record::RolledBack { to, first, .. } => {
                    recovery.swapped.entry(to.operator.clone()).and_modify(|(_, ran)| ran.clone_from(to));
                    recovery.runs(to);
                    recovery.before.remove(&to.operator);
                    recovery.watch = None;
                    for (_, cut) in cuts.range_mut(first..) {
                        cut.replace(to);
                    }
                    recovery.redo.extend(committed.range(first..));
                }
                // Whether there is more by now, sources know.
                Record::Ended => {}
                // What it had is in every checkpoint.
                Record::Shortened(_) => {}
            }
        }
        recovery.last = recovery.last.max(cuts.keys().next_back().copied());
        recovery.begun = !cuts.is_empty() || checkpoint.is_some();
        let checkpointed = checkpoint.map(|(batch, _)| batch);
        if let Some((batch, positions)) = checkpoint {
            recovery.checkpointed.clone_from(positions);
            recovery.positions.clone_from(positions);
            recovery.last = recovery.last.max(Some(batch));
            // It holds what the watched batches have left, so they were found to be good.
            recovery.watch.take_if(|watch| watch.first.is_some_and(|first| batch >= first));
        }
        for (batch, cut) in cuts.into_iter().filter(|(batch, _)| checkpointed.is_none_or(|c| *batch > c)) {
            for (source, cut) in &cut.sources {
                recovery.positions.entry(source.clone()).or_default().follow(&cut.moved);
            }
            if committed.contains(&batch) { &mut recovery.recompute } else { &mut recovery.unfinished }.push(cut);
        }
        recovery
    }

    /// An operator runs this from now on.
    fn runs(&mut self, to: &Running) {
        self.running.retain(|running| running.operator != to.operator);
        self.running.push(to.clone());
    }

    /// What ran in an operator when the host stopped, where that had been swapped in.
    pub(super) fn swapped_in(&self, operator: &str) -> Option<&Running> {
        self.swapped.get(operator).filter(|(named, ran)| named.digest != ran.digest).map(|(_, ran)| ran)
    }

    /// The swaps that are not gone on with from batch `first` on, where the pipeline says itself what runs.
    pub(super) fn dropped(&self, typed: &Typed, registry: &Registry, first: BatchTime) -> Result<Vec<Record>> {
        let mut dropped = Vec::new();
        for (operator, to) in self.swapped.keys().filter_map(|operator| Some((operator, typed.runs(operator)?))) {
            if let Some(from) = self.swapped_in(operator).filter(|ran| ran.digest != to.digest).cloned() {
                let why = "the pipeline file names it".to_owned();
                dropped.push(Record::RolledBack { from, to, first, why });
            }
        }
        for (sink, to) in typed.deliveries(registry)? {
            if let Some(from) = self.delivering.get(&sink).filter(|before| **before != to).cloned() {
                dropped.push(Record::Redirected(Redirected { sink, from, to }));
            }
        }
        Ok(dropped)
    }

    /// Whether anything runs that was swapped in.
    pub(super) fn has_swaps(&self, pipeline: &Pipeline) -> bool {
        self.delivering.iter().any(|(sink, with)| !is_named(pipeline, sink, with))
            || self.swapped.keys().any(|operator| self.swapped_in(operator).is_some())
    }

    /// Leaves out what a rollback was to make anew and did not come to.
    pub(super) fn leave_out_redone(&mut self) {
        self.recompute.retain(|cut| !self.redo.contains(&cut.batch));
    }

    /// The batches that may become batches of the pipeline as it is now, with what is to be done with them: nobody has seen
    /// anything of them, or what they have left is to be made anew.
    pub(super) fn open_cuts(&mut self) -> impl Iterator<Item = (&mut Cut, Purpose)> {
        let redo = &self.redo;
        let anew = self.recompute.iter_mut().filter(|cut| redo.contains(&cut.batch)).map(|cut| (cut, Purpose::Redo));
        anew.chain(self.unfinished.iter_mut().map(|cut| (cut, Purpose::Run)))
    }

    /// Leaves out where sources were that do not fit.
    pub(super) fn leave_out(&mut self, misfits: &Misfits) {
        for positions in [&mut self.positions, &mut self.checkpointed] {
            positions.retain(|source, _| !misfits.has(source));
        }
    }

    /// What is to be done before anything new is cut.
    pub(super) fn backlog(self) -> Vec<(Cut, Purpose)> {
        let why = |cut: &Cut| if self.redo.contains(&cut.batch) { Purpose::Redo } else { Purpose::Recompute };
        let again = self.recompute.into_iter().map(|cut| {
            let why = why(&cut);
            (cut, why)
        });
        again.chain(self.unfinished.into_iter().map(|cut| (cut, Purpose::Run))).collect()
    }
}

impl Watched {
    fn committed(&mut self, batch: BatchTime, meters: &BTreeMap<String, OperatorMeter>) {
        if self.first.is_some_and(|first| batch >= first) {
            self.meters.insert(batch, meters.get(&self.to.operator).cloned().unwrap_or_default());
        }
    }
}

/// Says what is not gone on with.
pub(super) fn tell_dropped(dropped: &Record) {
    let (what, name, runs, swapped_in) = match dropped {
        Record::RolledBack { from, to, .. } => ("operator", &to.operator, &to.component, &from.component),
        Record::Redirected(Redirected { sink, from, to }) => ("sink", sink, &to.component, &from.component),
        _ => return,
    };
    tracing::warn!(
        name,
        runs,
        swapped_in,
        "the {what} runs what the pipeline file names, not what had been swapped in"
    );
}

/// Fails where the log does not reach the checkpoint, from before or from behind: what came between is not known any more.
pub(super) fn check_reach(records: &[Record], checkpoint: Option<BatchTime>) -> Result<()> {
    let shortened = match records.first() {
        Some(Record::Shortened(Shortened { through, .. })) => Some(*through),
        _ => None,
    };
    if let Some(batch) = checkpoint.filter(|checkpoint| Some(*checkpoint) > shortened) {
        let is_it =
            |record: &Record| matches!(record, Record::Committed { batch: committed, .. } if *committed == batch);
        ensure!(
            records.iter().any(is_it),
            "the newest checkpoint is of batch {batch}, which the batch log does not have as committed: the log was cut short, \
             removed or replaced; nothing was changed. Put it back as it was, or begin anew, without the states that the \
             checkpoints hold, with --fresh"
        );
    }
    let Some(through) = shortened else { return Ok(()) };
    if checkpoint >= Some(through) {
        return Ok(());
    }
    let found = match checkpoint {
        Some(batch) => format!("the newest that can be read is of batch {batch}"),
        None => "there is none".to_owned(),
    };
    bail!(
        "the batch log needs a checkpoint of batch {through} or a later one, as it knows no batches before, and {found}; nothing \
         was changed. Put the checkpoints back as they were, or begin anew, without the states that they hold, with --fresh"
    )
}

/// Begins anew: forgets all that runs before have left, but for which batch times were used.
pub fn forget(storage: Arc<dyn Storage>, folder: &PipelineDir) -> Result<()> {
    // A log that is damaged is a reason to begin anew; what can be read of it still counts.
    let records = BatchLog::salvage(&*storage, &folder.log());
    let last = Recovery::of(&records, None).last;
    retry::catch_up(&DeadLetters::at(storage.clone(), &folder.dead_letters()), &records)?;
    let placement = Placement::of(storage.clone(), folder).ok();
    folder.forget()?;
    placement.map_or(Ok(()), Placement::begin_anew)?;
    if let Some(after) = last {
        let (mut log, _) = BatchLog::open(&*storage, &folder.log())?;
        log.append(&Record::Started { engine: 0, definition: Digest::of(b""), after })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Moved, RowsPosition, SourceCut};

    fn cut(batch: u64, next: u64) -> Cut {
        let moved = Moved::Rows(RowsPosition { first: Some(BatchTime::from_millis(1)), next });
        let sources = vec![("s".to_owned(), SourceCut { blocks: vec![], moved })];
        Cut {
            batch: BatchTime::from_millis(batch),
            sources,
            ended: vec![],
            operators: vec![],
            tables: vec![],
            retried: vec![],
        }
    }

    fn committed(batch: u64) -> Record {
        Record::Committed {
            batch: BatchTime::from_millis(batch),
            rows_in: 0,
            rows_out: vec![],
            meters: BTreeMap::new(),
            fingerprints: BTreeMap::new(),
        }
    }

    fn batches(cuts: &[Cut]) -> Vec<u64> {
        cuts.iter().map(|cut| cut.batch.as_millis()).collect()
    }

    #[test]
    fn committed_batches_are_computed_again_and_others_run() {
        let records = [
            Record::Cut(cut(1, 10)),
            Record::Cut(cut(2, 20)),
            committed(1),
            Record::Cut(cut(3, 30)),
            Record::Cut(cut(3, 33)),
        ];
        let recovery = Recovery::of(&records, None);
        assert_eq!((batches(&recovery.recompute), batches(&recovery.unfinished)), (vec![1], vec![2, 3]));
        let at = Position::Rows(RowsPosition { first: Some(BatchTime::from_millis(1)), next: 33 });
        assert_eq!(recovery.positions, BTreeMap::from([("s".to_owned(), at)]));
        assert_eq!(recovery.last, Some(BatchTime::from_millis(3)));
    }

    #[test]
    fn given_swaps_when_a_run_goes_on_then_the_last_of_its_own_pipeline_counts_though_no_batch_was_cut() {
        let started = |definition: &[u8]| Record::Started {
            engine: 7,
            definition: Digest::of(definition),
            after: BatchTime::from_millis(0),
        };
        let running = |component: &str| Running {
            operator: "o".into(),
            component: component.into(),
            digest: Digest::of(component.as_bytes()),
        };
        let swapped = |from, to| Record::Swapped { from: running(from), to: running(to) };
        let of = |records: &[Record]| {
            let recovery = Recovery::of(records, None);
            (recovery.running.clone(), recovery.swapped_in("o").cloned())
        };
        let both = |component| (vec![running(component)], Some(running(component)));
        let mut records = vec![started(b"p"), swapped("a", "b")];
        assert_eq!(of(&records), both("b"));
        records.extend([started(b"p"), swapped("b", "c")]);
        assert_eq!(of(&records), both("c"));
        let back = |from, to| Record::RolledBack {
            from: running(from),
            to: running(to),
            first: BatchTime::from_millis(1),
            why: String::new(),
        };
        records.push(back("c", "b"));
        assert_eq!(of(&records), both("b"));
        records.push(swapped("b", "a"));
        assert_eq!(of(&records), (vec![running("a")], None), "the pipeline names it");
        records.push(started(b"q"));
        assert_eq!(of(&records), (vec![], None));
    }
}
