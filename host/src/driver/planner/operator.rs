//! The plan of each kind of operator.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use anyhow::{Context, Result};

use super::work::{Work, partials};
use super::{Given, Planner, Stream, in_order, persist, without_segment};
use crate::driver::sql::Query;
use crate::driver::typed::TypedOperator;
use crate::pipeline::{OperatorKind, OperatorSpec};
use crate::plan::{
    Adopt, Deal, FinalAggregate, Merge, Order, PartialAggregate, Rechunk, Sample, Snapshot, Stage, StateUpdate, Step,
    TableScan, Transform,
};
use crate::rows::Columns;

impl Planner<'_> {
    pub(super) async fn operator(&mut self, name: &str, operator: &TypedOperator) -> Result<Stream> {
        let typed = self.typed;
        let spec = &typed.loaded.pipeline.operators[name];
        if let TypedOperator::Aggregate { .. } = operator {
            // Accumulators of a window are made in every batch, due or not.
            return self.aggregate(name, operator);
        }
        if !typed.windows.due(name, self.cut.batch) {
            return Ok(self.nothing(name));
        }
        match operator {
            TypedOperator::Transform { call, key, output } => {
                let (key, output, whole) = (key.clone(), output.clone(), spec.whole_partition);
                let work = Work::Transform { key, transform: Transform { call: self.cut.call(call), output, whole } };
                self.work(name, spec, work)
            }
            TypedOperator::State { call, key, output, .. } => {
                let (key, output) = (key.clone(), output.clone());
                let update = StateUpdate { call: self.cut.call(call), key, output, touch: spec.touch };
                self.work(name, spec, Work::Update(update))
            }
            TypedOperator::Sql { query, output } => self.query(name, spec, query, output).await,
            TypedOperator::Snapshot { of, output } => self.snapshot(name, spec, of, output),
            TypedOperator::Rows { .. } => self.rows(name, spec),
            TypedOperator::Aggregate { .. } => Ok(self.nothing(name)),
        }
    }

    pub(super) fn partitions_of(&self, spec: &OperatorSpec) -> NonZeroUsize {
        spec.partitions.unwrap_or(self.partitions)
    }

    /// A component over the operator's input.
    fn work(&mut self, name: &str, spec: &OperatorSpec, work: Work) -> Result<Stream> {
        let input = self.input(name, spec)?;
        let input = self.with_letters(name, input)?;
        self.given(name, spec, &input, &work);
        work.over(input, self.partitions_of(spec))
    }

    /// Notes what an operator is given, if somebody wants to know.
    pub(super) fn given(&mut self, name: &str, spec: &OperatorSpec, input: &Stream, work: &Work) {
        if self.typed.given.as_deref() == Some(name) {
            let partitions = self.partitions_of(spec);
            self.plans.given = Some(Given { input: input.clone(), work: work.clone(), partitions });
        }
    }

    /// An aggregate: of one batch, or of a window.
    fn aggregate(&mut self, name: &str, operator: &TypedOperator) -> Result<Stream> {
        let typed = self.typed;
        let TypedOperator::Aggregate { call, key, key_columns, accumulator, output, .. } = operator else {
            return Ok(self.nothing(name));
        };
        let spec = &typed.loaded.pipeline.operators[name];
        if let Some(window) = typed.event_windows.get(name) {
            return self.event_aggregate(name, spec, operator, window);
        }
        let call = self.cut.call(call);
        let last = FinalAggregate {
            call: call.clone(),
            key: key_columns.clone(),
            accumulator: accumulator.clone(),
            output: output.clone(),
            step: Step::Both,
        };
        let partial = PartialAggregate { call, key: key.clone(), accumulator: accumulator.clone() };
        let work = Work::Fold { partial: partial.clone(), last: Box::new(last.clone()) };
        if let Some((through, window)) = typed.windows.folded(name, &typed.loaded.pipeline) {
            let input = self.union(&typed.loaded.pipeline.operators[through].inputs)?;
            let input = self.with_letters(name, input)?;
            self.given(name, spec, &input, &work);
            let partials = partials(partial, input, self.partitions_of(spec))?;
            return self.folded(name, operator, window, partials, last);
        }
        if !typed.windows.due(name, self.cut.batch) {
            return Ok(self.nothing(name));
        }
        let input = self.with_letters(name, self.union(&spec.inputs)?)?;
        self.given(name, spec, &input, &work);
        work.over(input, self.partitions_of(spec))
    }

    async fn query(&mut self, name: &str, spec: &OperatorSpec, query: &Query, output: &Columns) -> Result<Stream> {
        let (mut inputs, typed) = (HashMap::new(), self.typed);
        for input in spec.inputs.iter().filter(|i| typed.streams.contains_key(*i)) {
            let through = self.through_window(name, std::slice::from_ref(input))?;
            let rows = without_segment(in_order(through.plan)?)?;
            inputs.insert(input.clone(), Stage::Rechunk(Rechunk).over(vec![rows])?);
        }
        for (table, known) in self.typed.tables.iter().filter(|(table, _)| query.reads(table)) {
            let cut = self.cut.tables.iter().find(|(name, _)| name == table);
            let (_, digest) =
                cut.with_context(|| format!("the cut does not say which rows of table `{table}` it reads"))?;
            let columns = Columns::of(known.schema())?;
            let scan = TableScan { table: table.clone(), digest: *digest, columns };
            inputs.insert(table.clone(), Stage::TableScan(scan).over(vec![])?);
        }
        let query = query.plan(self.cut.batch, &inputs).await?;
        let merged = Stage::Merge(Merge { order: Order::Partitions }).over(vec![query])?;
        let adopt = Stage::Adopt(Adopt { operator: name.to_owned(), output: output.clone() });
        Ok(Stream { plan: adopt.over(vec![merged])?, segments: 1 })
    }

    fn snapshot(&self, name: &str, spec: &OperatorSpec, of: &str, output: &Columns) -> Result<Stream> {
        let every = match spec.kind() {
            Some(OperatorKind::Snapshot(snapshot)) => u64::from(snapshot.every.get()),
            _ => 1,
        };
        let interval = u64::try_from(self.typed.loaded.pipeline.batch.interval.0.as_millis()).unwrap_or(u64::MAX);
        if !self.cut.batch.as_millis().is_multiple_of(every.saturating_mul(interval)) {
            return Ok(self.nothing(name));
        }
        let updated = self.streams.get(of).cloned().context("the state that a snapshot is of is not planned")?;
        let snapshot = Snapshot { operator: name.to_owned(), of: of.to_owned(), columns: output.clone() };
        Ok(Stream { plan: Stage::Snapshot(snapshot).over(vec![updated.plan])?, segments: updated.segments })
    }

    /// The rows of the inputs as they are: a window, a sample, in other partitions.
    fn rows(&mut self, name: &str, spec: &OperatorSpec) -> Result<Stream> {
        let input = self.input(name, spec)?;
        match spec.kind() {
            Some(OperatorKind::Sample(sample)) => {
                let sample = Sample { operator: name.to_owned(), fraction: sample.fraction, seed: sample.seed };
                Ok(Stream { plan: Stage::Sample(sample).over(vec![input.plan])?, segments: input.segments })
            }
            Some(OperatorKind::Repartition(partitions)) => {
                let all = Stream { plan: in_order(input.plan)?, segments: input.segments };
                // Each partition reads all rows to find its share.
                let all = persist(&format!("{name}.input"), all)?;
                let deal = Deal { operator: name.to_owned(), partitions: partitions.get() };
                let plan = Stage::Deal(deal).over(vec![all.plan])?;
                Ok(Stream { plan, segments: u32::try_from(partitions.get())? })
            }
            _ => Ok(input),
        }
    }

    /// The rows that come in, all of them one after the other, through the operator's window if it has one.
    fn input(&mut self, name: &str, spec: &OperatorSpec) -> Result<Stream> {
        self.through_window(name, &spec.inputs)
    }
}
