//! The world `state`: a state for each key, carried from batch to batch.

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc};

use super::columns::{BatchIn, BatchOut, Lowered, WitField, WitReject, arrow_field, bits, wit_fields};
use super::compiled::Compiled;
use super::instance::{Export, Guest, Limits, LogLevel, Metering, Usage, configured_keyed};
use super::lift;
use super::moment::Moment;
use super::transform::{Reject, read_columns, rejects, unique_names};
use super::verdict::{CallError, contract, failure};

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
struct WitShape {
    reads: Option<Vec<u32>>,
    state: Vec<WitField>,
    version: u32,
    output: Vec<WitField>,
}

/// What becomes of a key after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum Fate {
    /// Its state is its row of `next`.
    #[component(name = "keep")]
    Keep,
    /// It is forgotten.
    #[component(name = "remove")]
    Remove,
    /// State and timer stay as they are.
    #[component(name = "unchanged")]
    Unchanged,
}

/// Why a key is in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Cause {
    /// It has rows in this batch.
    #[component(name = "rows")]
    Rows,
    /// It had none for the idle timeout.
    #[component(name = "idle")]
    Idle,
    /// The timer that it asked for is due.
    #[component(name = "timer")]
    Timer,
    /// Every known key is called in every batch.
    #[component(name = "all")]
    All,
}

#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct WitTouched<'a> {
    keys: BatchIn<'a>,
    groups: &'a [u32],
    input: BatchIn<'a>,
    previous: BatchIn<'a>,
    present: &'a [u8],
    causes: &'a [Cause],
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
struct WitUpdated {
    next: BatchOut,
    fates: Vec<Fate>,
    timers: Vec<u64>,
    output: BatchOut,
    #[component(name = "output-from")]
    output_from: Vec<u32>,
    rejects: Vec<WitReject>,
}

type Update<'a> = TypedFunc<(u64, WitTouched<'a>), (Result<WitUpdated, String>,)>;
type Migrate<'a> = TypedFunc<(u32, &'a [WitField], BatchIn<'a>), (Result<BatchOut, String>,)>;

/// The keys of a call, an entry each.
#[derive(Debug, Clone, Copy)]
pub struct Touched<'a> {
    /// The keys' columns.
    pub keys: &'a RecordBatch,
    /// The rows of key k are `groups[k] .. groups[k + 1]` of `input`.
    pub groups: &'a [u32],
    /// The rows, with just the columns of [`State::reads`].
    pub input: &'a RecordBatch,
    /// The keys' states; a blank row where there is none.
    pub previous: &'a RecordBatch,
    /// Which keys have a state.
    pub present: &'a BooleanBuffer,
    /// Why each key is here.
    pub causes: &'a [Cause],
}

/// The answer to a call, checked.
#[derive(Debug)]
pub(super) struct Updated {
    /// One row for each key.
    pub(super) next: RecordBatch,
    pub(super) fates: Vec<Fate>,
    pub(super) timers: Vec<u64>,
    pub(super) output: RecordBatch,
    pub(super) output_from: Vec<u32>,
    /// Rows of the input not taken, in order.
    pub(super) rejects: Vec<Reject>,
}

/// A state operator that has been configured for a config, a key and an input schema.
#[derive(Debug, Clone)]
pub struct State {
    compiled: Arc<Compiled>,
    config: String,
    keys: Vec<WitField>,
    input: Vec<WitField>,
    shape: WitShape,
    reads: Vec<usize>,
    state: SchemaRef,
    output: SchemaRef,
    limits: Limits,
    migrates: bool,
}

impl State {
    /// Asks the component for its shape under this config, key and input, and checks the answer.
    pub fn configure(
        compiled: Arc<Compiled>,
        config: &str,
        keys: &Schema,
        input: &Schema,
        limits: Limits,
    ) -> Result<Self, CallError> {
        let (key_fields, fields) = (wit_fields(keys)?, wit_fields(input)?);
        let (mut guest, shape) = configured_keyed::<WitShape>(
            &compiled,
            Metering::Always,
            limits,
            Moment::NONE,
            config,
            &key_fields,
            &fields,
        )?;
        let migrates = guest.export(&compiled.migrate(), "migrate").is_ok();
        let reads = read_columns(shape.reads.as_deref(), input)?;
        let schema = |fields: &[WitField]| Arc::new(Schema::new(fields.iter().map(arrow_field).collect::<Vec<_>>()));
        let (state, output) = (schema(&shape.state), schema(&shape.output));
        unique_names(&state)?;
        unique_names(&output)?;
        let config = config.to_owned();
        Ok(Self { compiled, config, keys: key_fields, input: fields, shape, reads, state, output, limits, migrates })
    }

    /// The columns of a key's state.
    pub fn state(&self) -> &SchemaRef {
        &self.state
    }

    /// The columns of an output row, without the key.
    pub fn output(&self) -> &SchemaRef {
        &self.output
    }

    /// Raised by the component's author whenever the meaning of the state changes.
    pub fn version(&self) -> u32 {
        self.shape.version
    }

    /// Indices of the input columns that `update` reads.
    pub fn reads(&self) -> &[usize] {
        &self.reads
    }

    /// Whether it can take over states of earlier versions.
    pub fn migrates(&self) -> bool {
        self.migrates
    }

    /// A fresh instance that takes over states of version `from`, which have these columns.
    pub fn migration(&self, from: u32, columns: &Schema) -> Result<Migration<'_>, CallError> {
        let mut guest = self.guest(Metering::Always, Moment::NONE)?;
        let migrate = guest.export(&self.compiled.migrate(), "migrate")?;
        Ok(Migration { state: self, guest, migrate, from, columns: wit_fields(columns)? })
    }

    /// A fresh instance, configured.
    fn guest(&self, metering: Metering, moment: Moment) -> Result<Guest, CallError> {
        let Self { compiled, limits, config, keys, input, .. } = self;
        let (guest, shape) = configured_keyed::<WitShape>(compiled, metering, *limits, moment, config, keys, input)?;
        if shape != self.shape {
            return Err(contract("`configure` answered differently from the time before: it is not a pure function"));
        }
        Ok(guest)
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// A fresh instance for one task.
    pub(super) fn task(self: &Arc<Self>, metering: Metering, moment: Moment) -> Result<StateTask, CallError> {
        let mut guest = self.guest(metering, moment)?;
        let update = guest.export(self.compiled.interface(), "update")?;
        Ok(StateTask { state: self.clone(), guest, update, moment })
    }
}

/// One instance that brings states of an earlier version to its own. After an error it must be dropped.
pub struct Migration<'s> {
    state: &'s State,
    guest: Guest,
    migrate: Export,
    from: u32,
    columns: Vec<WitField>,
}

impl Migration<'_> {
    /// States of the earlier version to as many of this one.
    pub fn migrate(&mut self, states: &RecordBatch) -> Result<RecordBatch, CallError> {
        let rows = lowered(states)?;
        let columns = rows.columns();
        let migrate: Migrate<'_> = self.guest.typed(self.migrate)?;
        let (answer,) = self.guest.call(migrate, (self.from, &self.columns, rows.batch(&columns)))?;
        lift::batch("migrate", &self.state.state, answer.map_err(failure)?, states.num_rows())
    }
}

/// One instance at work on one partition. After an error it must be dropped.
pub(super) struct StateTask {
    state: Arc<State>,
    guest: Guest,
    update: Export,
    moment: Moment,
}

impl StateTask {
    /// Asks what becomes of some keys.
    pub(super) fn update(&mut self, touched: &Touched<'_>) -> Result<Updated, CallError> {
        let keys = touched.causes.len();
        let [key_columns, input, previous] = [touched.keys, touched.input, touched.previous].map(lowered);
        let (key_columns, input, previous) = (key_columns?, input?, previous?);
        let (k, i, p) = (key_columns.columns(), input.columns(), previous.columns());
        let present = bits(touched.present);
        let wit = WitTouched {
            keys: key_columns.batch(&k),
            groups: touched.groups,
            input: input.batch(&i),
            previous: previous.batch(&p),
            present: &present,
            causes: touched.causes,
        };
        let update: Update<'_> = self.guest.typed(self.update)?;
        let (answer,) = self.guest.call(update, (self.moment.batch_time().as_millis(), wit))?;
        let updated = answer.map_err(failure)?;
        one_each("fates", updated.fates.len(), keys)?;
        one_each("timers", updated.timers.len(), keys)?;
        let output_rows = updated.output_from.len();
        whence(&updated.output_from, keys)?;
        Ok(Updated {
            next: lift::batch("update", &self.state.state, updated.next, keys)?,
            fates: updated.fates,
            timers: updated.timers,
            output: lift::batch("update", &self.state.output, updated.output, output_rows)?,
            output_from: updated.output_from,
            rejects: rejects(updated.rejects, touched.input.num_rows())?,
        })
    }

    /// What the instance has used so far.
    pub(super) fn used(&self) -> Usage {
        self.guest.used()
    }

    /// Takes the operator's log lines since the last time.
    pub(super) fn take_log(&mut self) -> Vec<(LogLevel, String)> {
        self.guest.take_log()
    }
}

fn lowered(batch: &RecordBatch) -> Result<Lowered<'_>, CallError> {
    Lowered::new(batch, &(0..batch.num_columns()).collect::<Vec<_>>())
}

fn one_each(what: &str, found: usize, keys: usize) -> Result<(), CallError> {
    if found == keys {
        return Ok(());
    }
    Err(contract(format!("`update` answered with {found} {what} for {keys} keys")))
}

/// Checks which keys output rows come from.
pub(super) fn whence(from: &[u32], keys: usize) -> Result<(), CallError> {
    if let Some(i) = from.windows(2).position(|w| w[1] < w[0]) {
        return Err(contract(format!(
            "`update`: output-from decreases from {} to {} at output row {}",
            from[i],
            from[i + 1],
            i + 1
        )));
    }
    match from.last() {
        Some(&last) if last as usize >= keys => {
            Err(contract(format!("`update`: an output row comes from key {last} of a call of {keys} keys")))
        }
        _ => Ok(()),
    }
}
