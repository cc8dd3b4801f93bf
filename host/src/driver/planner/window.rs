//! Windows on batch time: rows of past batches before those of this one, and accumulators folded from batch to batch.

use anyhow::Result;

use super::{Planner, Stream, one_after_the_other};
use crate::driver::typed::{BatchWindow, TypedOperator, partials};
use crate::plan::{FinalAggregate, KEY_GROUPS, Recall, Slide, Stage, Step, WithPast};
use crate::rows::Columns;
use crate::time::BatchTime;

/// Under this name the totals of a windowed aggregate are kept.
pub(in crate::driver) fn totals(operator: &str) -> String {
    format!("{operator}.totals")
}

impl Planner<'_> {
    /// Streams one after the other; where the operator has a window, the rows of the window of each.
    pub(super) fn through_window(&mut self, operator: &str, inputs: &[String]) -> Result<Stream> {
        let typed = self.typed;
        if let Some(window) = typed.event_windows.get(operator) {
            return self.held(operator, window, inputs);
        }
        let Some(window) = self.typed.windows.window(operator) else { return self.union(inputs) };
        let mut parts = Vec::new();
        for input in inputs {
            parts.extend(self.past(input, window)?);
            if window.holds(self.cut.batch, self.cut.batch) {
                parts.push(self.streams[input].clone());
            }
        }
        if parts.is_empty() {
            let empty = self.nothing(&inputs[0]);
            return Ok(empty);
        }
        one_after_the_other(parts.into_iter())
    }

    /// The past batches of a stream that are in the window.
    fn past(&self, stream: &str, window: BatchWindow) -> Result<Option<Stream>> {
        let mut batches = Vec::new();
        let mut segments = 0;
        for (batch, past) in self.store.history.batches(stream) {
            if batch < self.cut.batch && window.holds(batch, self.cut.batch) && !past.rows.is_empty() {
                batches.push((batch, segments));
                segments += past.segments;
            }
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let columns = Columns::of(&self.typed.streams[stream])?;
        let each = batches.len().div_ceil(self.partitions.get());
        let partitions = batches.chunks(each).map(<[_]>::to_vec).collect();
        let recall = Recall { stream: stream.to_owned(), columns, partitions };
        Ok(Some(Stream { plan: Stage::Recall(recall).over(vec![])?, segments }))
    }

    /// An aggregate over a window: each batch's rows are folded once, and what windows share is not folded again.
    pub(super) fn folded(
        &mut self,
        name: &str,
        operator: &TypedOperator,
        window: BatchWindow,
        partial: Stream,
        last: FinalAggregate,
    ) -> Result<Stream> {
        let stream = partials(name);
        let merge = FinalAggregate { step: Step::Merge, ..last.clone() };
        let merged = Stage::FinalAggregate(merge).over(vec![partial.plan])?;
        let merged = self.keep(&stream, Stream { plan: merged, segments: KEY_GROUPS })?;
        if !self.typed.windows.due(name, self.cut.batch) {
            return Ok(self.nothing(name));
        }
        let TypedOperator::Aggregate { retracts: true, .. } = operator else {
            let past = self.with_past(&stream, |batch| window.holds(batch, self.cut.batch));
            let all = Stage::WithPast(past).over(vec![merged.plan])?;
            return Ok(Stream { plan: Stage::FinalAggregate(last).over(vec![all])?, segments: KEY_GROUPS });
        };
        let now = self.cut.batch;
        let slide = Slide {
            call: last.call.clone(),
            key: last.key.clone(),
            accumulator: last.accumulator.clone(),
            totals: totals(name),
            comes: self.with_past(&stream, |b| window.holds(b, now) && !window.before().holds(b, now)),
            goes: self.with_past(&stream, |b| window.before().holds(b, now) && !window.holds(b, now)),
        };
        let moved = Stage::Slide(slide).over(vec![merged.plan])?;
        let finish = FinalAggregate { step: Step::Finish, ..last };
        // The totals change, whoever reads the results.
        self.must_run.insert(name.to_owned());
        Ok(Stream { plan: Stage::FinalAggregate(finish).over(vec![moved])?, segments: KEY_GROUPS })
    }

    fn with_past(&self, stream: &str, holds: impl Fn(BatchTime) -> bool) -> WithPast {
        let past = self.store.history.batches(stream).into_iter().map(|(batch, _)| batch);
        let batches = past.filter(|batch| *batch < self.cut.batch && holds(*batch)).collect();
        WithPast { stream: stream.to_owned(), batches, present: holds(self.cut.batch) }
    }
}
