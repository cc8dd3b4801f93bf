//! What a task finds in the process that runs it: stores and compute pool in [`Rooms`], the batch's own in [`BatchRoom`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, anyhow, bail};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::bound::Bound;
use super::offload::Pool;
use super::report::{Refusal, Rejected, Report, Stays, row_json, shown_row, trace_log};
use super::watermark::Watermarks;
use crate::block::BlockStore;
use crate::event_time::Watermark;
use crate::operator::{
    Aggregate, Allowance, CallError, Compiled, Components, Digest, Isolation, Limits, Meter, Metering, Moment, Reject,
    State, Transform, World,
};
use crate::pipeline::OnReject;
use crate::rows::Columns;
use crate::sink::Sink;
use crate::state::{Delta, Store};
use crate::table::TableStore;
use crate::time::BatchTime;
use crate::units::Size;

/// A component as a plan node names it: by digest, with all that its result depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ComponentCall {
    /// The operator's name in the pipeline.
    pub operator: String,
    /// What people call the component.
    pub component: String,
    /// What it is.
    pub digest: Digest,
    /// Its config, as JSON.
    pub config: String,
    /// The columns of its input.
    pub input: Columns,
    /// Linear memory of an instance, in bytes.
    pub memory: u64,
    /// Fuel of one call.
    pub fuel: u64,
    /// What one call may answer with, in bytes.
    pub output: u64,
    /// What becomes of rows that it does not take.
    pub on_reject: OnReject,
    /// Rows of one call.
    pub chunk_rows: usize,
}

impl ComponentCall {
    /// The limits as the operator room takes them.
    pub fn limits(&self) -> Limits {
        Limits { memory: Size(self.memory), fuel: self.fuel, output: Size(self.output) }
    }

    pub(super) fn isolation(&self) -> Isolation {
        match self.on_reject {
            OnReject::Fail => Isolation::First,
            OnReject::Skip | OnReject::DeadLetter => Isolation::Every,
        }
    }

    /// An error of the component, with its name.
    pub(super) fn error(&self, error: &CallError) -> DataFusionError {
        DataFusionError::Execution(format!("{self} {error}"))
    }
}

impl std::fmt::Display for ComponentCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "operator `{}` ({}, {})", self.operator, self.component, self.digest.short())
    }
}

#[derive(Debug, Clone)]
enum Configured {
    Transform(Arc<Transform>),
    Aggregate(Arc<Aggregate>),
    State(Arc<State>),
}

/// Components that have been configured, by call: a component is compiled and asked for its shape once.
#[derive(Debug)]
pub struct Operators {
    components: Components,
    configured: Mutex<HashMap<ComponentCall, Configured>>,
}

impl Operators {
    /// Serves the components of a registry.
    pub fn new(components: Components) -> Self {
        Self { components, configured: Mutex::default() }
    }

    /// Where components come from.
    pub fn components(&self) -> &Components {
        &self.components
    }

    /// The transform that a call names, configured. Blocks while it compiles, the first time.
    pub fn transform(&self, call: &ComponentCall) -> anyhow::Result<Arc<Transform>> {
        if let Some(Configured::Transform(transform)) = lock(&self.configured).get(call) {
            return Ok(transform.clone());
        }
        let compiled = self.compiled(call, World::Transform)?;
        let transform = Transform::configure(compiled, &call.config, &call.input.schema(), call.limits())
            .map_err(|e| anyhow!("{call} {e}"))?;
        let transform = Arc::new(transform);
        lock(&self.configured).insert(call.clone(), Configured::Transform(transform.clone()));
        Ok(transform)
    }

    /// The aggregate that a call names, configured. Blocks while it compiles, the first time.
    pub fn aggregate(&self, call: &ComponentCall) -> anyhow::Result<Arc<Aggregate>> {
        if let Some(Configured::Aggregate(aggregate)) = lock(&self.configured).get(call) {
            return Ok(aggregate.clone());
        }
        let compiled = self.compiled(call, World::Aggregate)?;
        let aggregate = Aggregate::configure(compiled, &call.config, &call.input.schema(), call.limits())
            .map_err(|e| anyhow!("{call} {e}"))?;
        let aggregate = Arc::new(aggregate);
        lock(&self.configured).insert(call.clone(), Configured::Aggregate(aggregate.clone()));
        Ok(aggregate)
    }

    /// The state operator that a call names, configured for a key. Blocks while it compiles, the first time.
    pub fn state(&self, call: &ComponentCall, key: &Schema) -> anyhow::Result<Arc<State>> {
        if let Some(Configured::State(state)) = lock(&self.configured).get(call) {
            return Ok(state.clone());
        }
        let compiled = self.compiled(call, World::State)?;
        let state = State::configure(compiled, &call.config, key, &call.input.schema(), call.limits())
            .map_err(|e| anyhow!("{call} {e}"))?;
        let state = Arc::new(state);
        lock(&self.configured).insert(call.clone(), Configured::State(state.clone()));
        Ok(state)
    }

    fn compiled(&self, call: &ComponentCall, world: World) -> anyhow::Result<Arc<Compiled>> {
        let compiled = self.components.get(call.digest).with_context(|| call.to_string())?;
        let found = compiled.world();
        if found == World::Sink {
            bail!(
                "{call} is a component of the world `sink`, not `{world}`: it fits a sink of the type `component`, with \
                 `component = \"{}\"`",
                call.component
            );
        }
        if found != world {
            bail!(
                "{call} is a component of the world `{found}`, not `{world}`: it fits an operator with `{found} = \"{}\"`",
                call.component
            );
        }
        Ok(compiled)
    }
}

/// The stores and the compute pool of one process.
#[derive(Debug, Clone)]
pub struct Rooms {
    /// Components, configured.
    pub operators: Arc<Operators>,
    /// Received data.
    pub blocks: BlockStore,
    /// Sinks by name, in file order.
    pub sinks: IndexMap<String, Arc<dyn Sink>>,
    /// What outlives a batch.
    pub state: Arc<Store>,
    /// The contents of tables.
    pub tables: Arc<TableStore>,
    /// Where guests run.
    pub pool: Pool,
}

/// A host's error as DataFusion carries it.
pub(super) fn execution(error: anyhow::Error) -> DataFusionError {
    DataFusionError::Execution(format!("{error:#}"))
}

/// The rows of one partition, for whoever waits for them.
type Persisted = Shared<BoxFuture<'static, Result<Vec<RecordBatch>, Arc<DataFusionError>>>>;

/// What the tasks of one batch share.
#[derive(Debug)]
pub struct BatchRoom {
    /// The batch's time.
    pub time: BatchTime,
    persisted: Mutex<BTreeMap<(String, usize), Persisted>>,
    /// What computes them.
    tasks: Mutex<JoinSet<()>>,
    deltas: Mutex<BTreeMap<(String, usize), Arc<Delta>>>,
    watermarks: Watermarks,
    report: Mutex<Report>,
    bound: Option<Bound>,
    metering: Metering,
    /// It has committed once: a row that is rejected is no reason any more to stop.
    committed: bool,
}

impl BatchRoom {
    /// An empty room for the batch.
    pub fn new(time: BatchTime) -> Self {
        Self::bounded(time, None)
    }

    /// The same for a batch in which an operator may not do as it likes.
    pub fn bounded(time: BatchTime, bound: Option<Bound>) -> Self {
        Self {
            time,
            bound,
            metering: Metering::Always,
            persisted: Mutex::default(),
            tasks: Mutex::default(),
            deltas: Mutex::default(),
            watermarks: Watermarks::default(),
            report: Mutex::default(),
            committed: false,
        }
    }

    /// The same for a batch whose fuel is counted so often.
    pub fn metered(self, metering: Metering) -> Self {
        Self { metering, ..self }
    }

    /// The same for a batch that has committed, perhaps with a component that took rows which the one of now does not take:
    /// where that is a reason to stop, they are left out and kept.
    pub fn of_a_committed_batch(self) -> Self {
        Self { committed: true, ..self }
    }

    fn policy(&self, on_reject: OnReject) -> OnReject {
        if self.committed && on_reject == OnReject::Fail { OnReject::DeadLetter } else { on_reject }
    }

    /// The rows of one partition of a kept stream; whoever asks first has them computed.
    pub(super) fn persisted(
        &self,
        stream: &str,
        partition: usize,
        compute: impl Future<Output = Result<Vec<RecordBatch>>> + Send + 'static,
    ) -> Persisted {
        let start = || {
            let (done, rows) = oneshot::channel();
            // Nobody may be left who waits for the rows.
            lock(&self.tasks).spawn(async move { drop(done.send(compute.await.map_err(Arc::new))) });
            let lost = || DataFusionError::Internal("the task that computes a shared stream was lost".into());
            async move { rows.await.unwrap_or_else(|_| Err(Arc::new(lost()))) }.boxed().shared()
        };
        lock(&self.persisted).entry((stream.to_owned(), partition)).or_insert_with(start).clone()
    }

    /// Ends what is still being computed: the batch has failed.
    pub fn abandon(&self) {
        lock(&self.tasks).abort_all();
    }

    /// The rows of a kept stream, partition by partition, once its tasks are done.
    pub fn take_persisted(&self, stream: &str) -> Vec<Vec<RecordBatch>> {
        let persisted = lock(&self.persisted);
        let first = (stream.to_owned(), 0);
        let last = (stream.to_owned(), usize::MAX);
        let cells = persisted.range(first..=last);
        cells.filter_map(|(_, rows)| rows.peek()?.as_ref().ok().cloned()).collect()
    }

    /// Stages what a task changes in an operator's states.
    pub(super) fn stage(&self, partition: usize, delta: Delta) {
        lock(&self.deltas).insert((delta.operator.clone(), partition), Arc::new(delta));
    }

    /// What a task has staged.
    pub(super) fn staged(&self, operator: &str, partition: usize) -> Option<Arc<Delta>> {
        lock(&self.deltas).get(&(operator.to_owned(), partition)).cloned()
    }

    /// All that tasks have staged, once they are done.
    pub fn take_deltas(&self) -> Vec<Delta> {
        std::mem::take(&mut *lock(&self.deltas)).into_values().map(Arc::unwrap_or_clone).collect()
    }

    /// How far sources come in event time with this batch.
    pub(super) fn watermarks(&self) -> &Watermarks {
        &self.watermarks
    }

    /// How far sources have come in event time, once the tasks are done.
    pub fn known_watermarks(&self) -> BTreeMap<String, Watermark> {
        self.watermarks.known()
    }

    /// What the tasks reported, once they are done.
    pub fn take_report(&self) -> Report {
        std::mem::take(&mut *lock(&self.report)).in_order()
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        lock(&self.report)
    }

    /// The moment of one of a call's tasks.
    pub(super) fn moment(&self, call: &ComponentCall, partition: usize) -> Moment {
        Moment::of(self.time, &[call.operator.as_bytes(), &(partition as u64).to_le_bytes()])
    }

    /// How often fuel is counted.
    pub(super) fn metering(&self) -> Metering {
        self.metering
    }

    /// The fuel that the operator of a call has in this batch, if that is bounded.
    pub(super) fn allowance(&self, call: &ComponentCall) -> Option<Arc<Allowance>> {
        self.bound.as_ref().filter(|bound| bound.operator == call.operator)?.fuel.clone()
    }

    /// Adds what a component used, and passes its log on.
    pub(super) fn meter(&self, operator: &str, meter: &Meter) {
        trace_log(operator, meter);
        self.report().used(operator, meter.used);
    }

    /// Deals with rows that a component did not take, by the operator's policy. `place` says where row i of `rows` lies.
    pub(super) fn reject(
        &self,
        call: &ComponentCall,
        rows: &RecordBatch,
        rejects: &[Reject],
        place: impl Fn(usize) -> (u32, u64),
    ) -> Result<()> {
        self.reject_as(None, call, rows, rejects, place)
    }

    /// Deals with keys on which a component went wrong, as with rows that it did not take.
    pub(super) fn reject_keys(
        &self,
        call: &ComponentCall,
        keys: &RecordBatch,
        rejects: &[Reject],
        place: impl Fn(usize) -> (u32, u64),
    ) -> Result<()> {
        self.reject_as(Some(Stays::Key), call, keys, rejects, place)
    }

    fn reject_as(
        &self,
        stays: Option<Stays>,
        call: &ComponentCall,
        rows: &RecordBatch,
        rejects: &[Reject],
        place: impl Fn(usize) -> (u32, u64),
    ) -> Result<()> {
        let Some(first) = rejects.first() else { return Ok(()) };
        let trapped = || rejects.iter().filter(|reject| reject.trapped);
        self.note_first(&call.operator, rows, rejects, &place);
        if let Some(first) = trapped().min_by_key(|reject| place(reject.row)) {
            let mut report = self.report();
            report.trapped(&call.operator, trapped().count() as u64);
            report.traps(&call.operator, place(first.row), &first.reason, || shown_row(rows, first.row));
        }
        let broken = self.bound.as_ref().and_then(|bound| bound.broken(call, self.time, &self.report()));
        match self.policy(call.on_reject) {
            OnReject::Fail => Err(DataFusionError::Execution(format!(
                "{call} does not take a row of batch {}: {}\n  the row: {}\n  To go on without such rows, set `on_reject` of [operators.{}] to \"skip\" or \"dead-letter\".",
                self.time,
                first.reason,
                shown_row(rows, first.row),
                call.operator
            ))),
            _ if let Some(broken) = broken => Err(DataFusionError::Execution(broken)),
            OnReject::Skip => Ok(()),
            OnReject::DeadLetter => {
                let letters = rejects.iter().map(|reject| {
                    let (segment, position) = place(reject.row);
                    Rejected {
                        operator: call.operator.clone(),
                        component: Some(call.component.clone()),
                        digest: Some(call.digest),
                        reason: reject.reason.clone(),
                        segment,
                        position,
                        stays,
                        row: row_json(rows, reject.row),
                    }
                });
                let letters: Vec<_> = letters.collect();
                self.report().dead_letters.extend(letters);
                Ok(())
            }
        }
    }
}

impl BatchRoom {
    /// Deals with rows that do not say when they happened, of a source or an operator. `place` as for
    /// [`reject`](Self::reject).
    pub(super) fn refuse(
        &self,
        who: &Refusal<'_>,
        rows: &RecordBatch,
        refused: &[Reject],
        place: impl Fn(usize) -> (u32, u64),
    ) -> Result<()> {
        let Some(first) = refused.first() else { return Ok(()) };
        let Refusal { kind, name, on_reject } = who;
        self.note_first(name, rows, refused, &place);
        let go_on = match on_reject.map(|on_reject| self.policy(on_reject)) {
            Some(OnReject::Skip) => return Ok(()),
            Some(OnReject::DeadLetter) => {
                self.keep_letters(name, rows, refused, place);
                return Ok(());
            }
            Some(OnReject::Fail) => format!("set `on_reject` of [{kind}s.{name}] to \"skip\" or \"dead-letter\""),
            None => "leave them out before, with `sql` and a `where`".to_owned(),
        };
        Err(DataFusionError::Execution(format!(
            "{kind} `{name}` does not take a row of batch {}: {}\n  the row: {}\n  To go on without such rows, {go_on}.",
            self.time,
            first.reason,
            shown_row(rows, first.row),
        )))
    }

    fn note_first(&self, name: &str, rows: &RecordBatch, rejects: &[Reject], place: &impl Fn(usize) -> (u32, u64)) {
        if let Some(first) = rejects.iter().min_by_key(|reject| place(reject.row)) {
            self.report().rejects(name, place(first.row), &first.reason, || shown_row(rows, first.row));
        }
    }

    /// Keeps rows as dead letters that came at no time, or too late, of a source or an operator.
    pub(super) fn keep_letters(
        &self,
        name: &str,
        rows: &RecordBatch,
        refused: &[Reject],
        place: impl Fn(usize) -> (u32, u64),
    ) {
        let letters = refused.iter().map(|reject| {
            let (segment, position) = place(reject.row);
            Rejected {
                operator: name.to_owned(),
                component: None,
                digest: None,
                reason: reject.reason.clone(),
                segment,
                position,
                stays: Some(Stays::Time),
                row: row_json(rows, reject.row),
            }
        });
        let letters: Vec<_> = letters.collect();
        self.report().dead_letters.extend(letters);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
