//! A cut to a plan for each sink.
//!
//! Every stream is planned once; what several readers share is computed once (`Persist`). The plan depends on the cut
//! and the typed pipeline alone, so the same cut always gives the same plan.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use super::log::Cut;
use super::typed::{Typed, TypedOperator};
use crate::plan::segment::SEGMENT;
use crate::plan::{
    Adopt, FinalAggregate, Gather, KEY_GROUPS, Merge, Order, PartialAggregate, Persist, Rechunk, Scan, Scatter, Shift,
    Stage, Transform, Write,
};

/// A stream's plan, and how many segments its rows may lie in.
#[derive(Debug, Clone)]
struct Stream {
    plan: Arc<dyn ExecutionPlan>,
    segments: u32,
}

/// Plans a cut: a plan for each sink, by name, whose one row says how many rows were staged.
pub async fn plan(typed: &Typed, cut: &Cut, partitions: NonZeroUsize) -> Result<Vec<(String, Arc<dyn ExecutionPlan>)>> {
    let mut planner = Planner { typed, cut, partitions, streams: HashMap::new() };
    for name in typed.sources.keys() {
        let stream = planner.source(name)?;
        planner.keep(name, stream)?;
    }
    for (name, operator) in &typed.operators {
        let stream = planner.operator(name, operator).await.with_context(|| format!("operator `{name}`"))?;
        planner.keep(name, stream)?;
    }
    let sinks = typed.loaded.pipeline.sinks.iter();
    sinks.map(|(name, spec)| Ok((name.clone(), planner.sink(name, spec.inputs())?))).collect()
}

struct Planner<'a> {
    typed: &'a Typed,
    cut: &'a Cut,
    partitions: NonZeroUsize,
    streams: HashMap<String, Stream>,
}

impl Planner<'_> {
    fn keep(&mut self, name: &str, mut stream: Stream) -> Result<()> {
        if self.typed.loaded.graph.shared().any(|shared| shared == name) {
            stream.plan = Stage::Persist(Persist { stream: name.to_owned() }).over(vec![stream.plan])?;
        }
        self.streams.insert(name.to_owned(), stream);
        Ok(())
    }

    fn source(&self, name: &str) -> Result<Stream> {
        let source = &self.typed.sources[name];
        let blocks = self.cut.sources.iter().find(|(n, _)| n == name).map(|(_, cut)| cut.blocks.as_slice());
        let blocks = blocks.unwrap_or_default();
        let scan = Stage::Scan(Scan {
            source: name.to_owned(),
            partitions: Scan::deal(blocks, self.partitions),
            decoding: source.decoding.clone(),
            on_reject: source.on_reject,
            chunk_rows: self.typed.loaded.pipeline.batch.chunk_rows,
        });
        Ok(Stream { plan: scan.over(vec![])?, segments: u32::try_from(blocks.len())? })
    }

    /// Several streams, one after the other.
    fn union(&self, inputs: &[String]) -> Result<Stream> {
        let mut parts = Vec::with_capacity(inputs.len());
        let mut before = 0;
        for name in inputs {
            let Stream { plan, segments } = self.streams[name].clone();
            parts.push(if before == 0 { plan } else { Stage::Shift(Shift { by: before }).over(vec![plan])? });
            before += segments;
        }
        let plan = if parts.len() == 1 { parts.remove(0) } else { UnionExec::try_new(parts)? };
        Ok(Stream { plan, segments: before })
    }

    async fn operator(&self, name: &str, operator: &TypedOperator) -> Result<Stream> {
        let spec = &self.typed.loaded.pipeline.operators[name];
        let partitions = spec.partitions.unwrap_or(self.partitions);
        match operator {
            TypedOperator::Transform { call, key, output } => {
                let mut input = self.union(&spec.inputs)?;
                if !key.is_empty() {
                    input = shuffle(input, key.clone(), partitions)?;
                }
                let mut call = call.clone();
                self.as_cut(&mut call);
                let transform = Stage::Transform(Transform { call, output: output.clone() });
                Ok(Stream { plan: transform.over(vec![input.plan])?, segments: input.segments })
            }
            TypedOperator::Aggregate { call, key, key_columns, accumulator, output } => {
                let input = self.union(&spec.inputs)?;
                let mut call = call.clone();
                self.as_cut(&mut call);
                let partial =
                    PartialAggregate { call: call.clone(), key: key.clone(), accumulator: accumulator.clone() };
                let partial = Stage::PartialAggregate(partial).over(vec![input.plan])?;
                let partial = Stream { plan: partial, segments: input.segments };
                let partitions = if key.is_empty() { NonZeroUsize::MIN } else { partitions };
                let gathered = shuffle(partial, (0..key.len()).collect(), partitions)?;
                let last = FinalAggregate {
                    call,
                    key: key_columns.clone(),
                    accumulator: accumulator.clone(),
                    output: output.clone(),
                };
                let plan = Stage::FinalAggregate(last).over(vec![gathered.plan])?;
                Ok(Stream { plan, segments: gathered.segments })
            }
            TypedOperator::Sql { query, output } => {
                let mut inputs = HashMap::new();
                for input in spec.inputs.iter().filter(|i| self.streams.contains_key(*i)) {
                    let rows = without_segment(in_order(self.streams[input].plan.clone())?)?;
                    inputs.insert(input.clone(), Stage::Rechunk(Rechunk).over(vec![rows])?);
                }
                let query = query.plan(self.cut.batch, &inputs).await?;
                let merged = Stage::Merge(Merge { order: Order::Partitions }).over(vec![query])?;
                let adopt = Stage::Adopt(Adopt { operator: name.to_owned(), output: output.clone() });
                Ok(Stream { plan: adopt.over(vec![merged])?, segments: 1 })
            }
        }
    }

    /// A cut names the component that its batch runs, which may not be the one of now.
    fn as_cut(&self, call: &mut crate::plan::ComponentCall) {
        if let Some(running) = self.cut.operators.iter().find(|r| r.operator == call.operator) {
            call.component.clone_from(&running.component);
            call.digest = running.digest;
        }
    }

    fn sink(&self, name: &str, inputs: &[String]) -> Result<Arc<dyn ExecutionPlan>> {
        let input = in_order(self.union(inputs)?.plan)?;
        Ok(Stage::Write(Write { sink: name.to_owned() }).over(vec![input])?)
    }
}

/// All rows of a key to one partition, in canonical order.
fn shuffle(input: Stream, key: Vec<usize>, partitions: NonZeroUsize) -> Result<Stream> {
    let scattered = Stage::Scatter(Scatter { key }).over(vec![input.plan])?;
    let partitions = partitions.get().min(KEY_GROUPS as usize);
    let group = scattered.schema().fields().len() - 2;
    let group = Arc::new(Column::new(scattered.schema().field(group).name(), group)) as Arc<dyn PhysicalExpr>;
    let exchanged = RepartitionExec::try_new(scattered, Partitioning::Hash(vec![group], partitions))?;
    Ok(Stream { plan: Stage::Gather(Gather).over(vec![Arc::new(exchanged)])?, segments: KEY_GROUPS })
}

fn in_order(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(Stage::Merge(Merge { order: Order::Segments }).over(vec![plan])?)
}

fn without_segment(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    let columns = schema.fields().iter().enumerate().filter(|(_, f)| f.name() != SEGMENT);
    let columns = columns.map(|(i, f)| (Arc::new(Column::new(f.name(), i)) as Arc<dyn PhysicalExpr>, f.name().clone()));
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), plan)?))
}
