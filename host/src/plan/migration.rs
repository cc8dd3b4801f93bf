//! States of keys brought to the version of the component that runs, between two batches: all keys of an operator at once.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::rooms::{ComponentCall, Rooms};
use crate::operator::State;
use crate::rows::describe;
use crate::state::{Entry, Group, Key, Keyed, KeyedSpec, RowBytes};

/// States of one call.
const CHUNK: usize = 8192;

/// Brings an operator's states to what the component of a call keeps, where they are of another version. Uses the threads
/// of the pool that it is called on.
pub fn migrate(rooms: &Rooms, call: &ComponentCall) -> Result<()> {
    let Some(keyed) = rooms.state.keyed.get(&call.operator) else { return Ok(()) };
    let from = keyed.spec();
    let state = rooms.operators.state(call, &from.key)?;
    if keeps(&state, from) {
        return Ok(());
    }
    let to = KeyedSpec { state: state.state().clone(), version: state.version(), ..from.clone() };
    let keys = keyed.keys();
    if keys > 0 && !state.migrates() {
        bail!("{}", unreadable(call, from, &state));
    }
    let groups = keyed.groups().par_iter().map(|group| migrated(group, &state, from, &to).map(Arc::new));
    let groups: Vec<Arc<Group>> = groups.collect::<Result<_>>().map_err(|error| {
        anyhow!("{call} cannot take over the states of version {}, by its `migrate`: {error:#}", from.version)
    })?;
    if keys > 0 {
        let (from, to) = (from.version, to.version);
        tracing::info!(operator = call.operator, component = call.component, keys, from, to, "states migrated");
    }
    rooms.state.replace(&call.operator, Keyed::new(to, groups));
    Ok(())
}

/// Whether a component keeps states of just this version and these columns.
pub fn keeps(state: &State, kept: &KeyedSpec) -> bool {
    state.version() == kept.version && *state.state() == kept.state
}

/// Why a component cannot go on with states.
pub fn unreadable(call: &ComponentCall, kept: &KeyedSpec, state: &State) -> String {
    let (now, new) = (kept.version, state.version());
    if now == new {
        return format!(
            "{call} does not fit: its state is {}, but that of the one that runs, of the same version {now}, is {}; raise the \
             version, and export `migrate`",
            describe(state.state()),
            describe(&kept.state)
        );
    }
    format!(
        "{call} does not fit: its state is of version {new}, and the states that are kept are of version {now}; export \
         `migrate` beside `state`, which brings them to version {new}"
    )
}

fn migrated(group: &Group, state: &State, from: &KeyedSpec, to: &KeyedSpec) -> Result<Group> {
    if group.is_empty() {
        return Ok(group.clone());
    }
    let (before, after) = (RowBytes::new(from.state.clone())?, RowBytes::new(to.state.clone())?);
    let mut entries: Vec<(&Key, &Entry)> = group.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    let mut migration = state.migration(from.version, &from.state)?;
    let mut states = Vec::with_capacity(entries.len());
    for chunk in entries.chunks(CHUNK) {
        let rows = migration.migrate(&before.decode(chunk.iter().map(|(_, entry)| &*entry.state))?)?;
        let keys = chunk.iter().map(|(key, _)| Key::clone(key));
        states.extend(keys.zip(after.encode_each(&rows)?));
    }
    Ok(group.with_states(states))
}
