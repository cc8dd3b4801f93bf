//! A cut to plans.
//!
//! Every stream is planned once; what several readers share is computed once (`Persist`). The plans depend on the cut, the
//! typed pipeline and what earlier batches left behind ([`Store`]) alone, so the same cut always gives the same plans.

mod event;
mod operator;
mod retry;
mod window;
mod work;

pub(super) use window::totals;
pub(super) use work::Work;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};

use super::log::Cut;
use super::typed::{Typed, TypedOperator};
use crate::block::Block;
use crate::pipeline::BatchSpec;
use crate::plan::segment::{SEGMENT, with_segment};
use crate::plan::{
    Fingerprint, Gather, KEY_GROUPS, Merge, Order, Persist, Scan, Scatter, Shift, Stage, StageExec, Write,
};
use crate::state::Store;
use crate::time::BatchTime;

/// What a batch runs.
#[derive(Debug)]
pub struct Plans {
    /// A plan for each sink, by name, whose one row says how many rows were staged.
    pub sinks: Vec<(String, Arc<dyn ExecutionPlan>)>,
    /// Plans that must be run to their end, whoever else reads them: what they leave behind is wanted.
    pub drains: Vec<Arc<dyn ExecutionPlan>>,
    /// The streams whose rows outlive the batch.
    pub kept: Vec<KeptStream>,
    /// What the operator is given whose input somebody wants, unless it has none in this batch.
    pub(super) given: Option<Given>,
}

/// What an operator is given in a batch, and what it does with it.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) input: Stream,
    pub(super) work: Work,
    pub(super) partitions: NonZeroUsize,
}

/// A stream whose rows outlive the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptStream {
    /// Its name.
    pub stream: String,
    /// How many segments its rows may lie in.
    pub segments: u32,
    /// Batches up to this one are needed no more.
    pub forget: Option<BatchTime>,
}

/// A stream's plan, and how many segments its rows may lie in.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) segments: u32,
}

/// Plans a cut, for so many cores.
pub async fn plan(typed: &Typed, cut: &Cut, cores: NonZeroUsize, store: &Store) -> Result<Plans> {
    let partitions = partitions(&typed.loaded.pipeline.batch, cut, cores);
    let plans = Plans { sinks: Vec::new(), drains: Vec::new(), kept: Vec::new(), given: None };
    let mut planner =
        Planner { typed, cut, partitions, store, streams: HashMap::new(), must_run: HashSet::new(), plans };
    for name in typed.sources.keys() {
        let stream = planner.source(name)?;
        planner.finish(name, stream)?;
    }
    for (name, operator) in &typed.operators {
        let stream = planner.operator(name, operator).await.with_context(|| format!("operator `{name}`"))?;
        planner.finish(name, stream)?;
    }
    for (name, spec) in &typed.loaded.pipeline.sinks {
        let plan = planner.sink(name, spec.inputs())?;
        planner.plans.sinks.push((name.clone(), plan));
    }
    Ok(planner.plans)
}

/// How many partitions streams have in a batch, unless the pipeline file says it: one a core, and two where there are full
/// blocks for so many. A core that is slower, or wanted elsewhere, then does fewer of them, and nobody waits for it for long.
fn partitions(batch: &BatchSpec, cut: &Cut, cores: NonZeroUsize) -> NonZeroUsize {
    let bytes: u64 = cut.sources.iter().flat_map(|(_, source)| &source.blocks).map(|block| block.bytes).sum();
    let two_each = cores.saturating_add(cores.get());
    let fills = bytes / batch.block_size.0.max(1) >= two_each.get() as u64;
    batch.partitions.unwrap_or(if fills { two_each } else { cores })
}

struct Planner<'a> {
    typed: &'a Typed,
    cut: &'a Cut,
    partitions: NonZeroUsize,
    store: &'a Store,
    streams: HashMap<String, Stream>,
    /// Streams that are computed whether anybody reads them or not.
    must_run: HashSet<String>,
    plans: Plans,
}

impl Planner<'_> {
    /// Makes a stream known to those that read it.
    fn finish(&mut self, name: &str, mut stream: Stream) -> Result<()> {
        let typed = self.typed;
        let fingerprint = Stage::Fingerprint(Fingerprint { stream: name.to_owned() });
        stream.plan = fingerprint.over(vec![stream.plan])?;
        let must_run = self.must_run.contains(name)
            || matches!(typed.operators.get(name), Some(TypedOperator::State { .. }))
            || typed.is_watched(name)
            || typed.feeds_query(name)
            || typed.wanted.contains(name);
        if typed.windows.kept(name).is_some() {
            stream = self.keep(name, stream)?;
        } else if must_run {
            stream = self.drain(name, stream)?;
        } else if typed.loaded.graph.shared().any(|shared| shared == name) {
            stream = persist(name, stream)?;
        }
        self.streams.insert(name.to_owned(), stream);
        Ok(())
    }

    /// A stream whose rows outlive the batch.
    fn keep(&mut self, name: &str, stream: Stream) -> Result<Stream> {
        let kept = self.typed.windows.kept(name).unwrap_or_default();
        let forget = self.cut.batch.as_millis().checked_sub(kept).map(BatchTime::from_millis);
        self.plans.kept.push(KeptStream { stream: name.to_owned(), segments: stream.segments, forget });
        self.drain(name, stream)
    }

    /// A stream that is computed whether anybody reads it or not.
    fn drain(&mut self, name: &str, stream: Stream) -> Result<Stream> {
        let stream = persist(name, stream)?;
        self.plans.drains.push(stream.plan.clone());
        Ok(stream)
    }

    fn source(&self, name: &str) -> Result<Stream> {
        let source = &self.typed.sources[name];
        let blocks = self.cut.sources.iter().find(|(n, _)| n == name).map(|(_, cut)| cut.blocks.as_slice());
        let blocks: Vec<Block> = blocks.unwrap_or_default().iter().cloned().chain(self.letter_blocks(name)).collect();
        let scan = Stage::Scan(Scan {
            source: name.to_owned(),
            partitions: Scan::deal(&blocks, self.partitions),
            decoding: source.decoding.clone(),
            on_reject: source.on_reject,
            chunk_rows: self.typed.loaded.pipeline.batch.chunk_rows,
        });
        let rows = Stream { plan: scan.over(vec![])?, segments: u32::try_from(blocks.len())? };
        match source.event_time {
            Some(time) => self.timed(name, time, rows),
            None => Ok(rows),
        }
    }

    /// Several streams, one after the other.
    fn union(&self, inputs: &[String]) -> Result<Stream> {
        one_after_the_other(inputs.iter().map(|name| self.streams[name].clone()))
    }

    fn sink(&self, name: &str, inputs: &[String]) -> Result<Arc<dyn ExecutionPlan>> {
        let input = in_order(self.union(inputs)?.plan)?;
        Ok(Stage::Write(Write { sink: name.to_owned() }).over(vec![input])?)
    }

    /// The stream of an operator in a batch in which it gives nothing.
    fn nothing(&self, name: &str) -> Stream {
        Stream { plan: Arc::new(EmptyExec::new(with_segment(&self.typed.streams[name]))), segments: 0 }
    }
}

fn persist(name: &str, Stream { plan, segments }: Stream) -> Result<Stream> {
    let plan = Stage::Persist(Persist { stream: name.to_owned() }).over(vec![plan])?;
    Ok(Stream { plan, segments })
}

/// Streams put together, the segments of each after those of the one before.
fn one_after_the_other(streams: impl Iterator<Item = Stream>) -> Result<Stream> {
    let mut parts = Vec::new();
    let mut before = 0;
    for Stream { plan, segments } in streams {
        parts.push(if before == 0 { plan } else { Stage::Shift(Shift { by: before }).over(vec![plan])? });
        before += segments;
    }
    let plan = if parts.len() == 1 { parts.remove(0) } else { UnionExec::try_new(parts)? };
    Ok(Stream { plan, segments: before })
}

/// All rows of a key to one partition, in canonical order.
fn shuffle(input: Stream, key: Vec<usize>, partitions: NonZeroUsize) -> Result<Stream> {
    let partitions = partitions.get().min(KEY_GROUPS as usize);
    let lies_so = shuffled_by(&input.plan).is_some_and(|columns| key.iter().copied().eq(0..columns));
    if lies_so && input.plan.output_partitioning().partition_count() == partitions {
        return Ok(input);
    }
    let scattered = Stage::Scatter(Scatter { key }).over(vec![input.plan])?;
    let group = scattered.schema().fields().len() - 2;
    let group = Arc::new(Column::new(scattered.schema().field(group).name(), group)) as Arc<dyn PhysicalExpr>;
    let exchanged = RepartitionExec::try_new(scattered, Partitioning::Hash(vec![group], partitions))?;
    Ok(Stream { plan: Stage::Gather(Gather).over(vec![Arc::new(exchanged)])?, segments: KEY_GROUPS })
}

/// By how many of its first columns a stream is shuffled already: what is folded or kept for each key comes out in the
/// order, and in the partitions, that a shuffle by the same key would put it in.
fn shuffled_by(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let plan = plan.downcast_ref::<StageExec>()?;
    let input = plan.children().into_iter().next()?;
    match plan.stage() {
        Stage::Fingerprint(_) | Stage::Persist(_) => shuffled_by(input),
        Stage::StateUpdate(update) => Some(update.key.len()),
        Stage::FinalAggregate(last) => match input.downcast_ref::<StageExec>()?.stage() {
            Stage::Gather(_) | Stage::Slide(_) | Stage::WithPast(_) => Some(last.key.schema().fields().len()),
            // Sessions are shuffled by less than their key.
            _ => None,
        },
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use std::num::NonZeroU64;

    use arrow::datatypes::{Field, Schema};

    use super::*;
    use crate::block::{BlockData, BlockId};
    use crate::operator::Digest;
    use crate::pipeline::{OnReject, Touch};
    use crate::plan::{ComponentCall, FinalAggregate, Recall, SessionFold, StateUpdate, Step};
    use crate::rows::{ColumnType, Columns};
    use crate::source::{Moved, SourceCut};

    fn columns(names: &[&str]) -> Columns {
        let fields = names.iter().map(|name| Field::new(*name, ColumnType::Int64.arrow(), false));
        Columns::of(&Schema::new(fields.collect::<Vec<_>>())).unwrap()
    }

    fn call() -> ComponentCall {
        ComponentCall {
            operator: "op".into(),
            component: "op@1.0.0".into(),
            digest: Digest::of(b"op"),
            config: String::new(),
            input: columns(&["user", "n"]),
            memory: 1,
            fuel: 1,
            output: 1,
            on_reject: OnReject::Fail,
            chunk_rows: 1,
        }
    }

    fn last() -> Stage {
        let (key, accumulator, output) = (columns(&["user"]), columns(&["n"]), columns(&["n"]));
        Stage::FinalAggregate(FinalAggregate { call: call(), key, accumulator, output, step: Step::Both })
    }

    fn rows() -> Stream {
        let recall = Recall { stream: "rows".into(), columns: columns(&["user", "n"]), partitions: vec![vec![]] };
        Stream { plan: Stage::Recall(recall).over(vec![]).unwrap(), segments: 1 }
    }

    fn over(stage: Stage, input: Stream) -> Stream {
        Stream { plan: stage.over(vec![input.plan]).unwrap(), segments: input.segments }
    }

    fn is_shuffled(stream: &Stream, key: &[usize], partitions: usize) -> bool {
        let shuffled = shuffle(stream.clone(), key.to_vec(), partitions.try_into().unwrap()).unwrap();
        !Arc::ptr_eq(&shuffled.plan, &stream.plan)
    }

    fn finished(stream: Stream) -> Stream {
        persist("s", over(Stage::Fingerprint(Fingerprint { stream: "s".into() }), stream)).unwrap()
    }

    #[test]
    fn a_large_batch_has_two_partitions_a_core() {
        let cut = |blocks: u64| {
            let block = Block { rows: NonZeroU64::new(1), bytes: 4 << 20, data: BlockData::Stored(BlockId(0)) };
            let blocks = (0..blocks).map(|_| block.clone()).collect();
            Cut {
                batch: BatchTime::from_millis(0),
                sources: vec![("s".into(), SourceCut { blocks, moved: Moved::Nowhere })],
                ended: vec![],
                operators: vec![],
                tables: vec![],
                retried: vec![],
            }
        };
        let of = |spec: &BatchSpec, blocks| partitions(spec, &cut(blocks), NonZeroUsize::new(3).unwrap()).get();
        let silent = BatchSpec::default();
        assert_eq!([0, 1, 5, 6, 100].map(|blocks| of(&silent, blocks)), [3, 3, 3, 6, 6]);
        let says = BatchSpec { partitions: NonZeroUsize::new(4), ..BatchSpec::default() };
        assert_eq!([0, 100].map(|blocks| of(&says, blocks)), [4, 4]);
    }

    #[test]
    fn what_lies_by_key_is_not_shuffled_by_it_again() {
        let two = NonZeroUsize::new(2).unwrap();
        let update = StateUpdate { call: call(), key: vec![0], output: columns(&["n"]), touch: Touch::Changed };
        for keyed in [last(), Stage::StateUpdate(update)] {
            let keyed = finished(over(keyed, shuffle(rows(), vec![0], two).unwrap()));
            assert!(!is_shuffled(&keyed, &[0], 2));
            assert!(is_shuffled(&keyed, &[0], 3), "other partitions");
            assert!(is_shuffled(&keyed, &[1], 2) && is_shuffled(&keyed, &[0, 1], 2), "another key");
        }
        assert!(is_shuffled(&finished(rows()), &[0], 1), "rows as they came");
        let fold = SessionFold { call: call(), accumulator: columns(&["n"]), windows: "w".into(), sources: vec![] };
        let sessions = over(last(), over(Stage::SessionFold(fold), shuffle(rows(), vec![0], two).unwrap()));
        assert!(is_shuffled(&sessions, &[0], 2), "sessions");
    }
}
