//! Bundles: all that an operator's result in one batch depends on, in one file that runs on any machine.
//!
//! The component, what is done with it, the rows that it was given, and the states of their keys as the batch before had left
//! them. What runs is the same nodes over the same rows in the same segments, so the same rows come out.
//!
//! The file begins with [`MAGIC`], which names the format's version; then come the CRC-32 of the rest (u32, little endian) and
//! the rest: bincode of [`Bundle`]. Rows and states lie in it as in a checkpoint.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::batch::Runner;
use super::log::Cut;
use super::planner::{Given, Stream, Work};
use super::typed::Typed;
use super::{DeadLetters, SystemClock};
use crate::block::BlockStore;
use crate::checkpoint;
use crate::fingerprint::Fingerprint as Rows;
use crate::operator::{Digest, Metering, Registry};
use crate::pipeline::Touch;
use crate::plan::{
    BatchRoom, ComponentCall, Fingerprint, KEY_GROUPS, Operators, Pool, Recall, Report, Rooms, Stage, locate, past,
    segment,
};
use crate::rows::Columns;
use crate::state::{Change, Changes, Delta, Kept, Keyed, Staged, Store};
use crate::storage::Disk;
use crate::table::TableStore;
use crate::time::BatchTime;

const MAGIC: &[u8; 8] = b"WEIRBND1";

/// Under this name the rows that the operator was given lie in a bundle's store.
const GIVEN: &str = "given";

/// What an operator was given in one batch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bundle {
    /// The pipeline that it is of.
    pub pipeline: String,
    /// The batch.
    pub batch: BatchTime,
    work: Work,
    partitions: NonZeroUsize,
    columns: Columns,
    segments: u32,
    /// The component, as it was registered.
    component: Vec<u8>,
    /// Rows and states, as in a checkpoint.
    store: Vec<u8>,
    /// The rows that came out, where the batch was committed and what comes out hangs on nothing else.
    then: Option<Rows>,
}

/// What comes of a bundle.
#[derive(Debug)]
pub struct Unbundled {
    /// The rows that come out, in the canonical order.
    pub rows: Vec<RecordBatch>,
    /// What the operator used, and which rows it rejected.
    pub report: Report,
    /// Whether they are the rows that came out then; none where that cannot be told.
    pub same: Option<bool>,
}

impl Bundle {
    /// Takes what an operator is given in a batch, which is the next after what the runner's store has.
    pub(super) async fn of(
        operator: &str,
        runner: &Runner,
        typed: &Typed,
        cut: &Cut,
        registry: &Registry,
        then: Option<Rows>,
    ) -> Result<Self> {
        // What is migrated for this batch is not to be seen by others.
        let runner = runner.fork();
        let mut typed = typed.clone();
        typed.given = Some(operator.to_owned());
        let typed = Arc::new(typed);
        let (given, rows) = runner.given(&typed, cut).await?;
        let Some(Given { input, work, partitions }) = given else {
            bail!("operator `{operator}` is given nothing in batch {}: its window has no rows then", cut.batch);
        };
        let columns = Columns::of(&segment::without_segment(&input.plan.schema()))?;
        let given = past(rows, input.segments)?;
        let before = BatchTime::from_millis(cut.batch.as_millis().saturating_sub(1));
        let store = Store::default();
        if let (Work::Update(update), Some(keyed)) = (&work, runner.rooms.state.keyed.get(operator)) {
            store.keyed.open(operator, keyed.spec().clone(), KEY_GROUPS);
            let groups = match update.touch {
                Touch::All => all(&keyed),
                Touch::Changed => touched(&keyed, &given.rows, &update.key, cut.batch)?,
            };
            let delta = Delta { operator: operator.to_owned(), now: 0, groups };
            store.commit(before, Staged { deltas: vec![delta], ..Staged::default() });
        }
        let kept = Kept { stream: GIVEN.to_owned(), past: given, forget: None };
        store.commit(before, Staged { kept: vec![kept], ..Staged::default() });
        let saved = store.saved(None).context("there is nothing to write")?;
        let call = work.call();
        let windowed = typed.windows.folded(operator, &typed.loaded.pipeline).is_some()
            || matches!(work, Work::Fold { .. }) && typed.event_windows.contains_key(operator);
        Ok(Self {
            pipeline: typed.loaded.name.clone(),
            batch: cut.batch,
            component: registry.bytes(call.digest).with_context(|| call.to_string())?,
            partitions,
            columns,
            segments: input.segments,
            store: checkpoint::to_bytes(saved)?,
            then: then.filter(|_| !windowed),
            work,
        })
    }

    /// The component and its config, limits and policy.
    pub fn call(&self) -> &ComponentCall {
        self.work.call()
    }

    /// The component's file.
    pub fn component(&self) -> &[u8] {
        &self.component
    }

    /// Whether a file's bytes are a bundle, of this version or another.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC[..7])
    }

    /// A bundle as bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let payload = bincode::serde::encode_to_vec(self, bincode::config::standard())?;
        Ok([MAGIC, &crc32fast::hash(&payload).to_le_bytes()[..], &payload].concat())
    }

    /// A bundle that was written down.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(MAGIC).context("it is no bundle of this version of Weir")?;
        let (crc, payload) = rest.split_first_chunk().context("it is cut short")?;
        ensure!(crc32fast::hash(payload) == u32::from_le_bytes(*crc), "it is damaged, or cut short: make it again");
        let (bundle, _) = bincode::serde::decode_from_slice(payload, bincode::config::standard())
            .context("it cannot be read: make it again")?;
        Ok(bundle)
    }

    /// Runs the operator again, or another component in its place, on what it was given. Blocks, if not for long.
    pub async fn run(
        &self,
        component: &str,
        digest: Digest,
        operators: Arc<Operators>,
        scratch: &Path,
    ) -> Result<Unbundled> {
        let is_same = digest == self.call().digest;
        let call = ComponentCall { component: component.to_owned(), digest, ..self.call().clone() };
        let operator = call.operator.clone();
        let restored = checkpoint::from_bytes(&self.store).context("its rows and states cannot be read")?;
        let state = Arc::new(Store::default());
        for (name, spec) in &restored.specs {
            state.keyed.open(name, spec.clone(), KEY_GROUPS);
        }
        let pool = Pool::new(super::cores().get())?;
        pool.install(|| restored.fill(&state));
        let before = state.batch().context("it has no rows")?;
        let runner = Runner {
            rooms: Arc::new(Rooms {
                operators,
                blocks: BlockStore::new(0),
                sinks: IndexMap::new(),
                state,
                tables: Arc::new(TableStore::at(scratch)),
                pool,
            }),
            dead_letters: DeadLetters::at(Arc::new(Disk), scratch),
            clock: Arc::new(SystemClock),
            outages: Arc::default(),
            ending: CancellationToken::new(),
            cores: super::cores(),
            bound: None,
            metering: Metering::Always,
        };
        let work = self.work.clone().with(&call, &runner.rooms.operators)?;
        if let Work::Update(_) = work {
            runner.migrate_call(call).await?;
        }
        let recall =
            Recall { stream: GIVEN.to_owned(), columns: self.columns.clone(), partitions: vec![vec![(before, 0)]] };
        let given = Stream { plan: Stage::Recall(recall).over(vec![])?, segments: self.segments };
        let out = work.over(given, self.partitions)?;
        let fingerprint = Stage::Fingerprint(Fingerprint { stream: operator.clone() });
        let room = Arc::new(BatchRoom::new(self.batch));
        let rows = runner.rows_of(fingerprint.over(vec![out.plan])?, &room).await?;
        let report = room.take_report();
        let now = report.fingerprints.get(&operator).copied().unwrap_or_default();
        let rows = in_order(rows)?;
        Ok(Unbundled { rows, report, same: self.then.filter(|_| is_same).map(|then| then == now) })
    }
}

/// Every key, with its state.
fn all(keyed: &Keyed) -> Vec<(u32, Changes)> {
    let groups = keyed.groups().iter().enumerate();
    groups
        .map(|(group, keys)| (group as u32, keys.iter().map(|(k, e)| (k.clone(), Some(Change::of(e)))).collect()))
        .collect()
}

/// The keys that have rows, or are due, with their states.
fn touched(keyed: &Keyed, rows: &[RecordBatch], key: &[usize], batch: BatchTime) -> Result<Vec<(u32, Changes)>> {
    let mut wanted = HashSet::new();
    for rows in rows {
        wanted.extend(locate(&rows.project(key)?)?);
    }
    let mut groups: BTreeMap<u32, Changes> = BTreeMap::new();
    for (index, group) in keyed.groups().iter().enumerate() {
        let due = group.due(batch.as_millis(), keyed.spec().timeout).into_iter();
        wanted.extend(due.map(|(key, _, _)| (index as u32, key.clone())));
    }
    for (group, key) in wanted {
        if let Some(entry) = keyed.groups().get(group as usize).and_then(|keys| keys.get(&key)) {
            groups.entry(group).or_default().push((key, Some(Change::of(entry))));
        }
    }
    Ok(groups.into_iter().collect())
}

fn in_order(partitions: Vec<Vec<RecordBatch>>) -> Result<Vec<RecordBatch>> {
    let rows = past(partitions, 0)?;
    rows.pieces().iter().map(|piece| Ok(segment::detach(piece)?.0)).collect()
}

impl Runner {
    /// What an operator of the typed pipeline is given, and the rows of that, partition by partition.
    async fn given(&self, typed: &Arc<Typed>, cut: &Cut) -> Result<(Option<Given>, Vec<Vec<RecordBatch>>)> {
        let Some(given) = self.planned(typed, cut).await?.given else { return Ok((None, Vec::new())) };
        let room = Arc::new(BatchRoom::new(cut.batch));
        let rows = self.rows_of(given.input.plan.clone(), &room).await;
        room.abandon();
        Ok((Some(given), rows?))
    }

    /// All rows of a plan, partition by partition.
    async fn rows_of(
        &self,
        plan: Arc<dyn datafusion::physical_plan::ExecutionPlan>,
        room: &Arc<BatchRoom>,
    ) -> Result<Vec<Vec<RecordBatch>>> {
        let context = self.context(room.clone());
        let mut partitions = Vec::new();
        for partition in 0..plan.properties().output_partitioning().partition_count() {
            let rows = plan.execute(partition, context.clone()).map_err(super::batch::readable)?;
            partitions.push(tokio::spawn(rows.try_collect::<Vec<_>>()));
        }
        let mut all = Vec::with_capacity(partitions.len());
        for rows in partitions {
            all.push(rows.await?.map_err(super::batch::readable)?);
        }
        Ok(all)
    }
}
