//! Every stage goes through the codec and comes back; a plan that came back gives the same rows.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use indexmap::IndexMap;

use super::*;
use crate::block::{Block, BlockData, BlockId, BlockStore};
use crate::data_dir::DataDir;
use crate::event_time::{EventWindows, Watermark};
use crate::operator::{Components, Digest, Engine};
use crate::pipeline::{Format, GeneratedColumn, Late, OnReject, Touch};
use crate::rows::{ColumnType, Columns};
use crate::source::{Decoding, Recipe};
use crate::table::TableStore;
use crate::time::BatchTime;

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn columns(fields: &[(&str, ColumnType)]) -> Columns {
    let fields: Vec<_> = fields.iter().map(|(name, kind)| Field::new(*name, kind.arrow(), true)).collect();
    Columns::of(&Schema::new(fields)).expect("the six types")
}

fn call() -> ComponentCall {
    ComponentCall {
        operator: "tags".into(),
        component: "hashtags@0.1.0".into(),
        digest: Digest::of(b"component"),
        config: r#"{"a":1}"#.into(),
        input: columns(&[("text", ColumnType::Utf8), ("at", ColumnType::Timestamp)]),
        memory: 1 << 20,
        fuel: 1000,
        output: 1 << 20,
        on_reject: OnReject::DeadLetter,
        chunk_rows: 8192,
    }
}

fn scan(data: Vec<BlockData>, decoding: Decoding) -> Stage {
    let blocks: Vec<Block> =
        data.into_iter().map(|data| Block { rows: NonZeroU64::new(10), bytes: 100, data }).collect();
    Stage::Scan(Scan {
        source: "lines".into(),
        partitions: Scan::deal(&blocks, TWO),
        decoding,
        on_reject: OnReject::Skip,
        chunk_rows: NonZeroUsize::MIN,
    })
}

/// A sequence of numbers in blocks of ten.
fn numbers(blocks: u64) -> Arc<dyn ExecutionPlan> {
    let columns = IndexMap::from([("n".to_owned(), GeneratedColumn::Sequence)]);
    let recipe = Recipe::new(0, &columns).expect("a recipe");
    let data = (0..blocks).map(|b| BlockData::Generated { from: b * 10, to: b * 10 + 10 }).collect();
    scan(data, Decoding::Generated(recipe)).over(vec![]).expect("a plan")
}

fn there_and_back(plan: &Arc<dyn ExecutionPlan>, context: &TaskContext) -> Arc<dyn ExecutionPlan> {
    let bytes = physical_plan_to_bytes_with_extension_codec(plan.clone(), &Codec).expect("encodes");
    physical_plan_from_bytes_with_extension_codec(&bytes, context, &Codec).expect("decodes")
}

fn shown(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(true).to_string()
}

#[test]
fn every_stage_survives_being_written_down() {
    let context = SessionContext::new().task_ctx();
    let text = Schema::new(vec![Field::new("line", DataType::Utf8, false)]);
    let accumulator = columns(&[("count", ColumnType::Int64)]);
    let second = BatchTime::from_millis(1000);
    let past = WithPast { stream: "counts.partials".into(), batches: vec![second], present: true };
    let stages = [
        scan(
            vec![BlockData::Stored(BlockId(7)), BlockData::File { path: "/data/lines.txt".into(), start: 3, end: 900 }],
            Decoding::records(Format::Text, &text).expect("text"),
        ),
        Stage::Transform(Transform { call: call(), output: columns(&[("tag", ColumnType::Utf8)]), whole: true }),
        Stage::PartialAggregate(PartialAggregate { call: call(), key: vec![0], accumulator: accumulator.clone() }),
        Stage::Scatter(Scatter { key: vec![0] }),
        Stage::Gather(Gather),
        Stage::FinalAggregate(FinalAggregate {
            call: call(),
            key: columns(&[("tag", ColumnType::Utf8)]),
            accumulator: accumulator.clone(),
            output: accumulator.clone(),
            step: Step::Both,
        }),
        Stage::Shift(Shift { by: 3 }),
        Stage::Merge(Merge { order: Order::Segments }),
        Stage::Merge(Merge { order: Order::Partitions }),
        Stage::Rechunk(Rechunk),
        Stage::Adopt(Adopt { operator: "top".into(), output: accumulator }),
        Stage::Persist(Persist { stream: "tags".into() }),
        Stage::Recall(Recall {
            stream: "tags".into(),
            columns: columns(&[("tag", ColumnType::Utf8)]),
            partitions: vec![vec![(second, 0), (second, 7)]],
        }),
        Stage::WithPast(past.clone()),
        Stage::Slide(Slide {
            call: call(),
            key: columns(&[("tag", ColumnType::Utf8)]),
            accumulator: columns(&[("count", ColumnType::Int64)]),
            totals: "counts.totals".into(),
            comes: past.clone(),
            goes: WithPast { present: false, ..past },
        }),
        Stage::StateUpdate(StateUpdate {
            call: call(),
            key: vec![0],
            output: columns(&[("mood", ColumnType::Float64)]),
            touch: Touch::All,
        }),
        Stage::Snapshot(Snapshot {
            operator: "moods_now".into(),
            of: "moods".into(),
            columns: columns(&[("text", ColumnType::Utf8), ("mood", ColumnType::Float64)]),
        }),
        Stage::TableScan(TableScan {
            table: "users".into(),
            digest: Digest::of(b"rows"),
            columns: columns(&[("user", ColumnType::Utf8)]),
        }),
        Stage::Retry(Retry {
            operator: "tags".into(),
            rows: Digest::of(b"rows"),
            columns: columns(&[("text", ColumnType::Utf8), ("window_end", ColumnType::Timestamp)]),
            windows: Some(Windowed { end: 1, watermark: Watermark::behind(7000, 5000) }),
        }),
        Stage::Sample(Sample { operator: "some".into(), fraction: 0.5, seed: 7 }),
        Stage::Deal(Deal { operator: "dealt".into(), partitions: 3 }),
        Stage::EventTime(EventTime {
            source: "lines".into(),
            column: 1,
            delay: 5000,
            before: Watermark::behind(7000, 5000),
            ended: true,
            on_reject: OnReject::Skip,
        }),
        Stage::Assign(Assign {
            operator: "counts".into(),
            column: 0,
            windows: EventWindows::Sliding { length: 10, slide: 5 },
            watermark: Watermark::END,
            late: Late::DeadLetter,
            on_reject: None,
        }),
        Stage::EventFold(EventFold { call: call(), windows: "counts.windows".into(), sources: vec!["lines".into()] }),
        Stage::SessionFold(SessionFold {
            call: call(),
            accumulator: columns(&[("count", ColumnType::Int64)]),
            windows: "counts.windows".into(),
            sources: vec!["lines".into()],
        }),
        Stage::Hold(Hold { rows: "w.rows".into(), sources: vec!["lines".into()], counts: Some("w".into()) }),
        Stage::Write(Write { sink: "out".into() }),
    ];
    for stage in stages {
        let inputs = if matches!(stage, Stage::Scan(_) | Stage::Recall(_) | Stage::TableScan(_) | Stage::Retry(_)) {
            vec![]
        } else {
            vec![numbers(3)]
        };
        let plan = stage.clone().over(inputs).expect("a plan");
        let back = there_and_back(&plan, &context);
        let back_stage = back.downcast_ref::<StageExec>().map(StageExec::stage);
        assert_eq!(back_stage, Some(&stage));
        assert_eq!(shown(&back), shown(&plan));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_written_down_gives_the_same_rows_in_the_same_order() {
    let scratch = tempfile::tempdir().expect("a folder");
    let data = DataDir::at(scratch.path());
    let components = Components::new(Engine::fast().expect("an engine"), data.registry(), data.cache());
    let rooms = Rooms {
        state: Arc::default(),
        tables: Arc::new(TableStore::at(scratch.path())),
        operators: Arc::new(Operators::new(components)),
        blocks: BlockStore::new(0),
        sinks: Default::default(),
        pool: Pool::new(2).expect("threads"),
    };
    let config = SessionConfig::new()
        .with_extension(Arc::new(rooms))
        .with_extension(Arc::new(BatchRoom::new(BatchTime::from_millis(1000))));
    let context = SessionContext::new_with_config(config).task_ctx();
    let shift = Stage::Shift(Shift { by: 5 }).over(vec![numbers(7)]).expect("a plan");
    let plan = Stage::Merge(Merge { order: Order::Segments }).over(vec![shift]).expect("a plan");

    let rows = collect(plan.clone(), context.clone()).await.expect("runs");
    let numbers: Vec<i64> = rows
        .iter()
        .flat_map(|b| arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(b.column(0)).values().to_vec())
        .collect();
    assert_eq!(numbers, (0..70).collect::<Vec<i64>>());
    assert_eq!(collect(there_and_back(&plan, &context), context).await.expect("runs"), rows);
}

#[test]
fn blocks_are_dealt_out_by_turns_and_evenly() {
    let block = |bytes| Block { rows: NonZeroU64::new(1), bytes, data: BlockData::Stored(BlockId(bytes)) };
    for (sizes, partitions, expected) in [
        (vec![], 2, vec![vec![]]),
        (vec![5], 4, vec![vec![0]]),
        (vec![1, 1, 1, 1], 2, vec![vec![0, 2], vec![1, 3]]),
        (vec![9, 1, 1, 1], 2, vec![vec![0], vec![1, 2, 3]]),
        (vec![1, 2, 9, 1, 1], 3, vec![vec![0, 3, 4], vec![1], vec![2]]),
        (vec![0, 0, 0], 2, vec![vec![0, 2], vec![1]]),
        (vec![1, 1, 1], 8, vec![vec![0], vec![1], vec![2]]),
    ] {
        let blocks: Vec<Block> = sizes.iter().map(|&bytes| block(bytes)).collect();
        let dealt = Scan::deal(&blocks, NonZeroUsize::new(partitions).expect("not zero"));
        let segments: Vec<Vec<u32>> = dealt.iter().map(|p| p.iter().map(|(segment, _)| *segment).collect()).collect();
        assert_eq!(segments, expected, "{sizes:?} over {partitions}");
    }
}
