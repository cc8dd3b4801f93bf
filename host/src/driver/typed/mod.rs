//! A pipeline with every stream's columns known: references resolved to digests, components configured, queries checked.
//!
//! `weir check` stops here; `weir run` goes on with what is made here; a swap is checked against it.

mod event;
mod operator;
mod windows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use arrow::datatypes::{Schema, SchemaRef};
use indexmap::IndexMap;

use super::delivery::Delivers;
use super::initial;
use super::log::Running;
use super::sql::Query;
use super::tables::Table;
use crate::operator::{Digest, Reference, State};
use crate::pipeline::{Loaded, OnReject, OperatorKind, OperatorSpec};
use crate::plan::{ComponentCall, Operators, adopted_schema, migration};
use crate::rows::{Columns, describe};
use crate::source::Decoding;
use crate::state::KeyedSpec;

pub use event::{EventWindow, SourceTime};
pub(super) use event::{held_rows, open_windows};
pub use operator::TypedOperator;
pub(super) use windows::partials;
pub use windows::{BatchWindow, Windows};

/// A source whose columns are known.
#[derive(Debug, Clone)]
pub struct TypedSource {
    /// How its bytes become rows.
    pub decoding: Decoding,
    /// What becomes of records that cannot be read.
    pub on_reject: OnReject,
    /// When they happened, if they say.
    pub event_time: Option<SourceTime>,
}

/// A pipeline that can be planned.
#[derive(Debug, Clone)]
pub struct Typed {
    /// The pipeline and its graph.
    pub loaded: Loaded,
    /// Sources that reach a sink, in file order.
    pub sources: IndexMap<String, TypedSource>,
    /// Operators that reach a sink, in the order in which they can run.
    pub operators: IndexMap<String, TypedOperator>,
    /// Tables.
    pub tables: IndexMap<String, Table>,
    /// The columns of each stream.
    pub streams: HashMap<String, SchemaRef>,
    /// How far each stream slides, and what of it is kept.
    pub windows: Windows,
    /// The windows on event time, by operator.
    pub event_windows: HashMap<String, EventWindow>,
    /// Streams whose rows somebody wants to see, whether a sink reads them or not.
    pub wanted: HashSet<String>,
    /// An operator whose input somebody wants to see.
    pub given: Option<String>,
    /// What was swapped in to deliver the rows of sinks.
    pub(super) delivering: BTreeMap<String, Delivers>,
}

/// A component that fits in an operator's place.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// The component.
    pub running: Running,
    /// What it keeps for each key, if it does.
    keyed: Option<KeyedSpec>,
    /// What ran in the operator when this was found fitting.
    in_place_of: Digest,
}

impl Typed {
    /// Finds out every stream's columns. Compiles components and reads tables and the heads of files.
    pub async fn new(loaded: Loaded, operators: &Operators) -> Result<Self> {
        let mut typed = Self {
            sources: IndexMap::new(),
            operators: IndexMap::new(),
            tables: IndexMap::new(),
            streams: HashMap::new(),
            windows: Windows::default(),
            event_windows: HashMap::new(),
            wanted: HashSet::new(),
            given: None,
            delivering: BTreeMap::new(),
            loaded,
        };
        let reached: Vec<String> = typed.loaded.graph.streams().map(str::to_owned).collect();
        for (name, spec) in typed.loaded.pipeline.sources.iter().filter(|(name, _)| reached.contains(name)) {
            let decoding = Decoding::of(name, spec)?;
            if let Some(field) = decoding.schema().fields().iter().find(|f| f.name().starts_with("__")) {
                bail!("source `{name}` has a column `{}`: names that begin with `__` are Weir's own", field.name());
            }
            let event_time = spec.event_time().map(|e| SourceTime::of(name, e, &decoding.schema())).transpose()?;
            typed.streams.insert(name.clone(), decoding.schema());
            typed.sources.insert(name.clone(), TypedSource { decoding, on_reject: spec.on_reject(), event_time });
        }
        for (name, spec) in &typed.loaded.pipeline.tables {
            let spec = spec.clone();
            let read = tokio::task::spawn_blocking(move || Table::read(&spec)).await?;
            typed.tables.insert(name.clone(), read.with_context(|| format!("table `{name}`"))?);
        }
        let order: Vec<String> = typed.loaded.graph.operators().map(str::to_owned).collect();
        for name in order {
            let spec = &typed.loaded.pipeline.operators[&name];
            if let Some(window) = typed.event_window(spec).with_context(|| format!("operator `{name}`"))? {
                typed.event_windows.insert(name.clone(), window);
            }
            let operator = typed.operator(&name, spec, operators).await?;
            let output = operator.output();
            Columns::of(&output).with_context(|| format!("operator `{name}`"))?;
            typed.streams.insert(name.clone(), output);
            typed.operators.insert(name, operator);
        }
        typed.windows = Windows::of(&typed.loaded)?;
        for (name, spec) in &typed.loaded.pipeline.sinks {
            typed.union(spec.inputs()).with_context(|| format!("sink `{name}`"))?;
        }
        Ok(typed)
    }

    async fn operator(&self, name: &str, spec: &OperatorSpec, operators: &Operators) -> Result<TypedOperator> {
        let at = || format!("operator `{name}`");
        let window = self.event_windows.get(name);
        let Some(kind) = spec.kind() else { bail!("operator `{name}` is nothing: write transform, aggregate or sql") };
        if let OperatorKind::Sql(sql) = kind {
            let streams =
                spec.inputs.iter().filter_map(|i| Some((i.clone(), event::seen(self.streams.get(i)?, window))));
            let tables = self.tables.iter().map(|(name, table)| (name.clone(), table.schema().clone()));
            let query = Query::new(sql, &streams.chain(tables).collect::<Vec<_>>()).await.with_context(at)?;
            let schema = adopted_schema(query.schema()).map_err(anyhow::Error::msg).with_context(at)?;
            return Ok(TypedOperator::Sql { query: Box::new(query), output: Columns::of(&schema)? });
        }
        let rows = self.union(&spec.inputs).with_context(at)?;
        let seen = event::seen(&rows, window);
        // An aggregate does not see the windows that it folds; they are part of its key.
        let input = if matches!(kind, OperatorKind::Aggregate(_)) { rows } else { seen.clone() };
        let reference = match kind {
            OperatorKind::Transform(reference)
            | OperatorKind::Aggregate(reference)
            | OperatorKind::State(reference) => reference,
            OperatorKind::Snapshot(_) => return self.snapshot(spec),
            OperatorKind::Sql(_) | OperatorKind::Sample(_) | OperatorKind::Repartition(_) | OperatorKind::Window => {
                return Ok(TypedOperator::Rows { output: Columns::of(&input)? });
            }
        };
        let reference: Reference = reference.parse().with_context(at)?;
        let key = key(&input, &spec.key).with_context(at)?;
        let digest = operators.components().registry().resolve(&reference).with_context(at)?;
        let call = ComponentCall {
            operator: name.to_owned(),
            component: reference.to_string(),
            digest,
            config: serde_json::to_string(&spec.config.clone().unwrap_or_default())?,
            input: Columns::of(&input)?,
            memory: spec.limits.memory.0,
            fuel: spec.limits.fuel,
            output: spec.limits.output.0,
            on_reject: spec.on_reject,
            chunk_rows: self.loaded.pipeline.batch.chunk_rows.get(),
        };
        if let OperatorKind::Transform(_) = kind {
            let transform = operators.transform(&call)?;
            return Ok(TypedOperator::Transform { key, output: Columns::of(transform.output())?, call });
        }
        let mut key_columns = input.project(&key)?;
        if let OperatorKind::State(_) = kind {
            let state = operators.state(&call, &key_columns)?;
            apart(name, &key_columns, state.output(), "answers with")?;
            apart(name, &key_columns, state.state(), "keeps as state")?;
            let keyed = KeyedSpec {
                key: Arc::new(key_columns),
                state: state.state().clone(),
                version: state.version(),
                timeout: spec.timeout.map(|timeout| u64::try_from(timeout.0.as_millis()).unwrap_or(u64::MAX)),
            };
            if let Some((name, table)) = spec.initial.as_ref().and_then(|name| self.tables.get_key_value(name)) {
                initial::check(name, table.schema(), &keyed).with_context(at)?;
            }
            return Ok(TypedOperator::State { key, keyed, output: Columns::of(state.output())?, call });
        }
        let aggregate = operators.aggregate(&call)?;
        let mut key = key;
        if window.is_some() {
            key.extend(input.fields().len()..seen.fields().len());
            key_columns = seen.project(&key)?;
        }
        apart(name, &key_columns, aggregate.output(), "answers with")?;
        Ok(TypedOperator::Aggregate {
            key,
            key_columns: Columns::of(&key_columns)?,
            accumulator: Columns::of(aggregate.accumulator())?,
            output: Columns::of(aggregate.output())?,
            retracts: aggregate.retracts(),
            call,
        })
    }

    fn snapshot(&self, spec: &OperatorSpec) -> Result<TypedOperator> {
        let of = spec.inputs.first().context("a snapshot has no input")?;
        let Some(TypedOperator::State { keyed, .. }) = self.operators.get(of) else {
            bail!("a snapshot is taken of `{of}`, which keeps no state");
        };
        let output = Columns::of(&operator::joined(&keyed.key, &keyed.state))?;
        Ok(TypedOperator::Snapshot { of: of.clone(), output })
    }

    /// The columns of several streams put one after the other: they must have the same.
    pub fn union(&self, inputs: &[String]) -> Result<SchemaRef> {
        let mut streams = inputs.iter().map(|name| (name, &self.streams[name]));
        let Some((first_name, first)) = streams.next() else { bail!("there is no input") };
        for (name, schema) in streams {
            if schema != first {
                bail!(
                    "its inputs have different columns and cannot be put together: `{first_name}` has {}; `{name}` has {}. \
                     Bring one to the other's with `sql` (a `?` marks a column that may be null; coalesce takes it away)",
                    describe(first),
                    describe(schema)
                );
            }
        }
        Ok(first.clone())
    }

    /// Whether a query reads the stream. A query may stop reading half-way, at a `limit` or a join with nothing to join; how
    /// many rows there are, and which are rejected, must not hang on that.
    pub(super) fn feeds_query(&self, stream: &str) -> bool {
        let queries = self.operators.iter().filter(|(_, operator)| matches!(operator, TypedOperator::Sql { .. }));
        let mut inputs = queries.flat_map(|(name, _)| &self.loaded.pipeline.operators[name].inputs);
        inputs.any(|input| input == stream)
    }

    /// Whether rows of a stream are in states or windows, of its own or further on.
    pub(super) fn lasts(&self, stream: &str) -> bool {
        let (mut next, mut seen) = (vec![stream], HashSet::new());
        while let Some(stream) = next.pop() {
            if !seen.insert(stream) {
                continue;
            }
            let is_state = matches!(self.operators.get(stream), Some(TypedOperator::State { .. }));
            if is_state || self.windows.window(stream).is_some() || self.event_windows.contains_key(stream) {
                return true;
            }
            let readers =
                self.loaded.pipeline.operators.iter().filter(|(_, spec)| spec.inputs.iter().any(|i| i == stream));
            next.extend(readers.map(|(name, _)| name.as_str()));
        }
        false
    }

    /// What each operator that is a component runs now.
    pub fn running(&self) -> Vec<Running> {
        self.operators.values().filter_map(TypedOperator::call).map(running).collect()
    }

    /// What an operator runs now, if it is a component.
    pub(super) fn runs(&self, operator: &str) -> Option<Running> {
        self.operators.get(operator).and_then(TypedOperator::call).map(running)
    }

    /// The operator with another component, if it fits: same world, same columns out, and states that it can go on with.
    pub fn fitting(&self, operator: &str, reference: &Reference, operators: &Operators) -> Result<Fitting> {
        let Some(typed) = self.operators.get(operator) else {
            let known: Vec<&str> = self.operators.keys().map(String::as_str).collect();
            bail!("there is no operator `{operator}`; there is {}", known.join(", "));
        };
        let Some(call) = typed.call() else {
            bail!("operator `{operator}` is no component: to change it, change the pipeline file and restart")
        };
        let digest = operators.components().registry().resolve(reference)?;
        let in_place_of = call.digest;
        let call = ComponentCall { component: reference.to_string(), digest, ..call.clone() };
        let mut keeps = None;
        match typed {
            TypedOperator::Transform { output, .. } => {
                let transform = operators.transform(&call)?;
                same("output", &output.schema(), transform.output(), &call)?;
            }
            TypedOperator::Aggregate { accumulator, output, .. } => {
                let aggregate = operators.aggregate(&call)?;
                same("output", &output.schema(), aggregate.output(), &call)?;
                same("accumulator", &accumulator.schema(), aggregate.accumulator(), &call)?;
            }
            TypedOperator::State { keyed, output, .. } => {
                let state = operators.state(&call, &keyed.key)?;
                same("output", &output.schema(), state.output(), &call)?;
                if !migration::keeps(&state, keyed) {
                    ensure!(
                        state.migrates() && state.version() != keyed.version,
                        migration::unreadable(&call, keyed, &state)
                    );
                    apart(operator, &keyed.key, state.state(), "keeps as state")?;
                    self.snapshots_fit(operator, keyed, &state, &call)?;
                }
                keeps = Some(KeyedSpec { state: state.state().clone(), version: state.version(), ..keyed.clone() });
            }
            TypedOperator::Sql { .. } | TypedOperator::Snapshot { .. } | TypedOperator::Rows { .. } => {}
        }
        Ok(Fitting { running: running(&call), keyed: keeps, in_place_of })
    }

    /// A snapshot's columns are those of the state, and no stream's columns change while it runs.
    fn snapshots_fit(&self, of: &str, keyed: &KeyedSpec, state: &State, call: &ComponentCall) -> Result<()> {
        let is_of =
            |operator: &TypedOperator| matches!(operator, TypedOperator::Snapshot { of: other, .. } if other == of);
        match self.operators.iter().find(|(_, operator)| is_of(operator)) {
            Some((snapshot, _)) => same("state", &keyed.state, state.state(), call)
                .with_context(|| format!("`{snapshot}` is a snapshot of these states")),
            None => Ok(()),
        }
    }

    /// Goes on with what operators ran when the host stopped, where that is another component than the pipeline names.
    /// Answers with what ran `before` that, where it is still there and could run again.
    pub fn resume(
        &mut self,
        ran: &[Running],
        before: &BTreeMap<String, Running>,
        operators: &Operators,
    ) -> Result<HashMap<String, Fitting>> {
        let mut could_run_again = HashMap::new();
        for ran in ran {
            let Some(named) = self.operators.get(&ran.operator).and_then(TypedOperator::call).map(running) else {
                continue;
            };
            let from = before.get(&ran.operator).and_then(|before| self.resume_after(before, ran, operators));
            self.resume_with(ran, operators).with_context(|| {
                format!(
                    "operator `{}` ran {}, which was swapped in, when the host stopped",
                    ran.operator, ran.component
                )
            })?;
            if named.digest != ran.digest {
                tracing::info!(
                    operator = ran.operator,
                    runs = ran.component,
                    named = named.component,
                    "the operator goes on with what was swapped in, not with what the pipeline file names"
                );
            }
            could_run_again.extend(from.map(|from| (ran.operator.clone(), from)));
        }
        Ok(could_run_again)
    }

    /// Goes on with what an operator ran, as it was put in the place of what it ran before: that, if it could run again.
    fn resume_after(&mut self, before: &Running, ran: &Running, operators: &Operators) -> Option<Fitting> {
        let mut typed = self.clone();
        match typed.resume_with(before, operators).and_then(|_| typed.resume_with(ran, operators)) {
            Ok(from) => {
                *self = typed;
                from
            }
            Err(error) => {
                let (operator, before) = (&ran.operator, &before.component);
                tracing::warn!(operator, before, "the last swap cannot be taken back any more: {error:#}");
                None
            }
        }
    }

    /// Puts a component in an operator's place, if another one is there: that one.
    fn resume_with(&mut self, ran: &Running, operators: &Operators) -> Result<Option<Fitting>> {
        let call = self.operators.get(&ran.operator).and_then(TypedOperator::call);
        if call.is_none_or(|call| call.digest == ran.digest) {
            return Ok(None);
        }
        let fitting = self.fitting(&ran.operator, &Reference::Digest(ran.digest), operators)?;
        self.swap(&Fitting { running: ran.clone(), ..fitting }).map(Some)
    }

    /// Puts a component that was found fitting in an operator's place; gives what ran there.
    pub fn swap(&mut self, to: &Fitting) -> Result<Fitting> {
        let Fitting { running: to, keyed, in_place_of } = to;
        let operator = self.operators.get_mut(&to.operator);
        let operator = operator.with_context(|| format!("there is no operator `{}`", to.operator))?;
        let call = operator.call_mut().with_context(|| format!("operator `{}` is no component", to.operator))?;
        ensure!(
            call.digest == *in_place_of,
            "operator `{}` runs {} by now, which it did not when {} was found fitting; try again",
            to.operator,
            call.component,
            to.component
        );
        let from = running(call);
        call.component.clone_from(&to.component);
        call.digest = to.digest;
        let before = match (operator, keyed) {
            (TypedOperator::State { keyed: now, .. }, Some(keyed)) => Some(std::mem::replace(now, keyed.clone())),
            _ => None,
        };
        Ok(Fitting { running: from, keyed: before, in_place_of: to.digest })
    }

    /// Whether an operator's component can take over states of other versions.
    pub(super) fn migrates(&self, operator: &str, operators: &Operators) -> Result<bool> {
        match self.operators.get(operator) {
            Some(TypedOperator::State { call, keyed, .. }) => Ok(operators.state(call, &keyed.key)?.migrates()),
            _ => Ok(false),
        }
    }

    /// Whether a component keeps states in another form than the one that runs.
    pub(super) fn changes_states(&self, to: &Fitting) -> bool {
        let operator = self.operators.get(&to.running.operator);
        matches!((operator, &to.keyed), (Some(TypedOperator::State { keyed: now, .. }), Some(keyed)) if now != keyed)
    }

    /// Whether a query that runs reads the table.
    pub fn is_queried(&self, table: &str) -> bool {
        self.operators
            .values()
            .any(|operator| matches!(operator, TypedOperator::Sql { query, .. } if query.reads(table)))
    }

    /// The table that the keys of an operator start with.
    pub fn initial(&self, operator: &str) -> Option<&str> {
        self.loaded.pipeline.operators.get(operator)?.initial.as_deref()
    }

    /// Lets go of the rows of the tables; their columns stay.
    pub fn forget_rows(&mut self) {
        self.tables.values_mut().for_each(Table::forget_rows);
    }
}

fn running(call: &ComponentCall) -> Running {
    Running { operator: call.operator.clone(), component: call.component.clone(), digest: call.digest }
}

fn same(what: &str, now: &Schema, new: &Schema, call: &ComponentCall) -> Result<()> {
    if now == new {
        return Ok(());
    }
    bail!(
        "{call} does not fit: its {what} columns are {}, but those of the one that runs are {}; a swap keeps columns as they \
         are: to change them, register it, name it in the pipeline file, and start the host again",
        describe(new),
        describe(now)
    )
}

/// The key's columns come before the component's own, so no name may be in both.
fn apart(operator: &str, key: &Schema, own: &Schema, does: &str) -> Result<()> {
    let clash = own.fields().iter().find(|f| key.column_with_name(f.name()).is_some());
    match clash {
        None => Ok(()),
        Some(clash) => bail!(
            "operator `{operator}` {does} a column `{}`, which is also a column of its key; rename the key's in SQL before",
            clash.name()
        ),
    }
}

fn key(input: &Schema, names: &[String]) -> Result<Vec<usize>> {
    let index = |name: &String| {
        let found = input.column_with_name(name).map(|(i, _)| i);
        found.with_context(|| format!("key column `{name}` is not among its input's columns: {}", describe(input)))
    };
    names.iter().map(index).collect()
}
