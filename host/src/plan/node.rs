//! One execution plan node for all our stages: what DataFusion asks of a node is answered here, once.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PhysicalExpr, PlanProperties,
};
use serde::{Deserialize, Serialize};

use super::rooms::{BatchRoom, Rooms};
use super::{
    Adopt, Assign, Deal, EventFold, EventTime, FinalAggregate, Fingerprint, Gather, Hold, Merge, PartialAggregate,
    Persist, Recall, Rechunk, Retry, Sample, Scan, Scatter, SessionFold, Shift, Slide, Snapshot, StateUpdate,
    TableScan, Transform, WithPast, Write,
};

/// What one of our nodes does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// Blocks to rows.
    Scan(Scan),
    /// Rows through a component.
    Transform(Transform),
    /// Rows to accumulators, segment by segment.
    PartialAggregate(PartialAggregate),
    /// Rows made ready for a shuffle by key.
    Scatter(Scatter),
    /// Rows put back in order after a shuffle.
    Gather(Gather),
    /// Accumulators to results.
    FinalAggregate(FinalAggregate),
    /// Segments renumbered, for a union.
    Shift(Shift),
    /// Partitions to one, in order.
    Merge(Merge),
    /// Rows in batches of one size, for a query.
    Rechunk(Rechunk),
    /// Rows from SQL made a stream.
    Adopt(Adopt),
    /// Rows computed once for several readers.
    Persist(Persist),
    /// Rows of past batches.
    Recall(Recall),
    /// Accumulators of past batches before those of this one.
    WithPast(WithPast),
    /// Totals of a window, moved on by what comes in and what falls out.
    Slide(Slide),
    /// Rows and states of keys through a component.
    StateUpdate(StateUpdate),
    /// All keys with their states.
    Snapshot(Snapshot),
    /// The rows of a table.
    TableScan(TableScan),
    /// Rows that were rejected before.
    Retry(Retry),
    /// Some of the rows.
    Sample(Sample),
    /// Rows in exactly so many partitions.
    Deal(Deal),
    /// When the rows of a source happened.
    EventTime(EventTime),
    /// Rows with the event-time windows that they are in.
    Assign(Assign),
    /// Accumulators of event-time windows, kept until these close.
    EventFold(EventFold),
    /// Accumulators of sessions, kept until these close.
    SessionFold(SessionFold),
    /// Rows of event-time windows, kept until these close.
    Hold(Hold),
    /// Rows, fingerprinted as they pass.
    Fingerprint(Fingerprint),
    /// Rows into a sink's staging.
    Write(Write),
}

/// What a stage has to say about itself.
pub(super) trait Node: fmt::Debug {
    /// The columns of its output.
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef>;

    /// How many partitions it has.
    fn partitions(&self, inputs: &[usize]) -> usize;

    /// Starts one partition. Its rows are asked for on the compute pool.
    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream>;
}

/// One partition of a stage, about to run.
pub(super) struct Task<'a> {
    pub(super) partition: usize,
    pub(super) schema: SchemaRef,
    inputs: &'a [Arc<dyn ExecutionPlan>],
    context: Arc<TaskContext>,
}

impl Task<'_> {
    /// The stores of this process.
    pub(super) fn rooms(&self) -> Result<Arc<Rooms>> {
        self.context.session_config().get_extension().ok_or_else(|| missing("Rooms"))
    }

    /// What the batch's tasks share.
    pub(super) fn batch(&self) -> Result<Arc<BatchRoom>> {
        self.context.session_config().get_extension().ok_or_else(|| missing("BatchRoom"))
    }

    /// How many partitions the only input has.
    pub(super) fn partition_count(&self) -> Result<usize> {
        Ok(self.input()?.output_partitioning().partition_count())
    }

    /// What DataFusion hands to a task.
    pub(super) fn context(&self) -> Arc<TaskContext> {
        self.context.clone()
    }

    /// The only input.
    pub(super) fn input(&self) -> Result<&Arc<dyn ExecutionPlan>> {
        self.inputs.first().ok_or_else(|| missing("an input"))
    }

    /// The same partition of the only input.
    pub(super) fn input_stream(&self) -> Result<SendableRecordBatchStream> {
        self.input()?.execute(self.partition, self.context.clone())
    }

    /// Every partition of the only input.
    pub(super) fn input_streams(&self) -> Result<Vec<SendableRecordBatchStream>> {
        let input = self.input()?;
        (0..input.output_partitioning().partition_count()).map(|p| input.execute(p, self.context.clone())).collect()
    }
}

fn missing(what: &str) -> DataFusionError {
    DataFusionError::Internal(format!("a task of Weir's was started without {what}"))
}

impl Stage {
    pub(super) fn node(&self) -> &dyn Node {
        match self {
            Self::Scan(node) => node,
            Self::Transform(node) => node,
            Self::PartialAggregate(node) => node,
            Self::Scatter(node) => node,
            Self::Gather(node) => node,
            Self::FinalAggregate(node) => node,
            Self::Shift(node) => node,
            Self::Merge(node) => node,
            Self::Rechunk(node) => node,
            Self::Adopt(node) => node,
            Self::Persist(node) => node,
            Self::Recall(node) => node,
            Self::WithPast(node) => node,
            Self::Slide(node) => node,
            Self::StateUpdate(node) => node,
            Self::Snapshot(node) => node,
            Self::TableScan(node) => node,
            Self::Retry(node) => node,
            Self::Sample(node) => node,
            Self::Deal(node) => node,
            Self::EventTime(node) => node,
            Self::Assign(node) => node,
            Self::EventFold(node) => node,
            Self::SessionFold(node) => node,
            Self::Hold(node) => node,
            Self::Fingerprint(node) => node,
            Self::Write(node) => node,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Scan(_) => "BlockScan",
            Self::Transform(_) => "WasmTransform",
            Self::PartialAggregate(_) => "WasmPartialAggregate",
            Self::Scatter(_) => "Scatter",
            Self::Gather(_) => "Gather",
            Self::FinalAggregate(_) => "WasmFinalAggregate",
            Self::Shift(_) => "Shift",
            Self::Merge(_) => "Merge",
            Self::Rechunk(_) => "Rechunk",
            Self::Adopt(_) => "Adopt",
            Self::Persist(_) => "Persist",
            Self::Recall(_) => "Recall",
            Self::WithPast(_) => "WithPast",
            Self::Slide(_) => "WasmSlide",
            Self::StateUpdate(_) => "WasmStateUpdate",
            Self::Snapshot(_) => "Snapshot",
            Self::TableScan(_) => "TableScan",
            Self::Retry(_) => "Retry",
            Self::Sample(_) => "Sample",
            Self::Deal(_) => "Deal",
            Self::EventTime(_) => "EventTime",
            Self::Assign(_) => "AssignWindows",
            Self::EventFold(_) => "WasmEventFold",
            Self::SessionFold(_) => "WasmSessionFold",
            Self::Hold(_) => "Hold",
            Self::Fingerprint(_) => "Fingerprint",
            Self::Write(_) => "SinkWrite",
        }
    }

    /// Makes a plan node of it.
    pub fn over(self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(StageExec::new(self, inputs)?))
    }
}

/// A [`Stage`] as a DataFusion plan node.
#[derive(Debug)]
pub struct StageExec {
    stage: Stage,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

impl StageExec {
    /// Puts a stage over its inputs.
    pub fn new(stage: Stage, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        let schemas: Vec<SchemaRef> = inputs.iter().map(|i| i.schema()).collect();
        let partitions: Vec<usize> = inputs.iter().map(|i| i.output_partitioning().partition_count()).collect();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(stage.node().schema(&schemas)?),
            Partitioning::UnknownPartitioning(stage.node().partitions(&partitions)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { stage, inputs, properties: Arc::new(properties) })
    }

    /// What it does.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }
}

impl DisplayAs for StageExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Exec: {:?}", self.stage.name(), self.stage.node())
    }
}

impl ExecutionPlan for StageExec {
    fn name(&self) -> &str {
        self.stage.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(self.stage.clone(), children)?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.equivalence_properties().schema().clone();
        let task = Task { partition, schema, inputs: &self.inputs, context };
        let pool = task.rooms()?.pool.clone();
        Ok(pool.compute(self.stage.node().run(task)?))
    }
}
