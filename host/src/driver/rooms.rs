//! What outlives batches, before the first: room for it, and what a checkpoint or a table says is in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};

use super::initial;
use super::planner::totals;
use super::typed::{Typed, TypedOperator};
use crate::checkpoint::Restored;
use crate::plan::{KEY_GROUPS, Pool};
use crate::state::{KeyedSpec, Store};
use crate::table::Contents;
use crate::time::{BatchTime, millis};

/// All that operators keep from batch to batch, by the name under which it is kept.
pub(super) fn rooms(typed: &Typed) -> Result<BTreeMap<String, KeyedSpec>> {
    let mut rooms: BTreeMap<String, KeyedSpec> = typed.kept_windows()?.into_iter().collect();
    for (name, operator) in &typed.operators {
        match operator {
            TypedOperator::State { keyed, .. } => drop(rooms.insert(name.clone(), keyed.clone())),
            TypedOperator::Aggregate { key_columns, accumulator, retracts: true, .. } => {
                let Some((_, window)) = typed.windows.folded(name, &typed.loaded.pipeline) else { continue };
                let (key, state) = (Arc::new(key_columns.schema()), Arc::new(accumulator.schema()));
                // Totals are of one window: of another they mean something else.
                rooms.insert(totals(name), KeyedSpec { key, state, version: window.version(), timeout: None });
            }
            _ => {}
        }
    }
    Ok(rooms)
}

/// Makes room for what operators keep. States of an earlier version lie there as they were, until a batch asks for others.
pub(super) fn open_rooms(state: &Store, rooms: BTreeMap<String, KeyedSpec>, restored: Option<&Restored>) {
    for (name, spec) in rooms {
        let kept = restored.and_then(|restored| restored.specs.get(&name)).filter(|kept| kept.key == spec.key);
        let spec = kept.map_or_else(|| spec.clone(), |kept| KeyedSpec { timeout: spec.timeout, ..kept.clone() });
        state.keyed.open(&name, spec, KEY_GROUPS);
    }
}

/// Fills the store from a checkpoint.
pub(super) fn restore(restored: Restored, state: &Store, pool: &Pool) {
    let (begun, batch, bytes, reading) = (Instant::now(), restored.batch, restored.bytes, restored.reading);
    pool.install(|| restored.fill(state));
    let keyed = state.keyed.operators().into_iter().filter_map(|operator| state.keyed.get(&operator));
    let keys: usize = keyed.map(|keyed| keyed.keys()).sum();
    let (reading_ms, filling_ms) = (millis(reading), millis(begun.elapsed()));
    tracing::info!(%batch, keys, bytes, reading_ms, filling_ms, "checkpoint restored");
}

/// Gives keys the states that they start with, of operators that keep none yet.
pub(super) fn start_states(
    typed: &Typed,
    state: &Store,
    contents: impl Fn(&str) -> Result<Arc<Contents>>,
    known: &[String],
    first: BatchTime,
    pool: &Pool,
) -> Result<()> {
    let interval = u64::try_from(typed.loaded.pipeline.batch.interval.0.as_millis()).unwrap_or(u64::MAX);
    let before_first = BatchTime::from_millis(first.as_millis().saturating_sub(interval));
    for (name, operator) in typed.operators.iter().filter(|(name, _)| !known.contains(name)) {
        let (TypedOperator::State { keyed, .. }, Some(table)) = (operator, typed.initial(name)) else { continue };
        let contents = contents(table)?;
        let states = initial::states(name, table, &contents, keyed, before_first.as_millis());
        let delta = states.with_context(|| format!("operator `{name}`"))?;
        pool.install(|| state.start(before_first, delta));
    }
    Ok(())
}
