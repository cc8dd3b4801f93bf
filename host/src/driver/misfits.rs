//! A pipeline that has changed, or runs something else than it did: what of the runs before it cannot go on with is named
//! before anything starts.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use arrow::datatypes::SchemaRef;

use super::log::Running;
use super::recovery::Recovery;
use super::typed::Typed;
use crate::plan::Operators;
use crate::plan::segment::with_segment;
use crate::source::Position;
use crate::state::KeyedSpec;

/// What of an earlier run the pipeline, as it is now, cannot go on with.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    /// By operator or source, why.
    found: BTreeMap<String, String>,
}

impl Misfits {
    /// Compares what was kept with what there is room for.
    pub(super) fn of(
        typed: &Typed,
        rooms: &BTreeMap<String, KeyedSpec>,
        kept: &BTreeMap<String, KeyedSpec>,
        recovery: &Recovery,
        operators: &Operators,
    ) -> Result<Self> {
        let mut misfits = Self::default();
        for (kept, spec) in kept {
            let room = rooms.get(kept);
            let is_earlier = room.is_some_and(|room| room.key == spec.key && room.version != spec.version);
            if is_earlier && typed.migrates(kept, operators)? {
                continue;
            }
            // The states of windows are named by their operator, and what of it they are.
            let operator = kept.split('.').next().unwrap_or(kept);
            let swapped_in = recovery.swapped_in(operator).filter(|_| kept == operator);
            let Some(why) = misfit(room, spec, typed.runs(operator), swapped_in) else { continue };
            misfits.found.insert(operator.to_owned(), format!("what operator `{operator}` keeps ({why})"));
        }
        for (source, position) in recovery.positions.iter().filter(|(source, _)| !typed.sources.contains_key(*source)) {
            let what = match position {
                Position::Start => format!("rows that source `{source}` has received and no batch has taken"),
                Position::Rows(_) | Position::Files(_) => format!("how far source `{source}` was read"),
            };
            misfits.found.insert(source.clone(), format!("{what} (it is not there any more)"));
        }
        Ok(misfits)
    }

    /// Adds the streams whose past batches have other columns than they have now.
    pub(super) fn add_streams<'s>(&mut self, typed: &Typed, kept: impl Iterator<Item = (&'s str, SchemaRef)>) {
        for (stream, found) in kept {
            let now: Option<SchemaRef> = typed.streams.get(stream).map(|columns| with_segment(columns));
            if now.is_some_and(|now| now != found) {
                let why = format!("the past batches of `{stream}` (its columns are others now)");
                self.found.entry(stream.to_owned()).or_insert(why);
            }
        }
    }

    /// Whether something of an operator, source or stream does not fit.
    pub(super) fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// Refuses to give up what need not be, and to go on without what was not given up.
    pub(super) fn check(&self, pipeline: &str, given_up: &[String]) -> Result<()> {
        if let Some(name) = given_up.iter().find(|name| !self.has(name)) {
            bail!("there is nothing to give up of `{name}`: pipeline `{pipeline}` goes on with all that it has of it");
        }
        self.refuse(pipeline, given_up)
    }

    /// Refuses to go on without what was not given up.
    pub(super) fn refuse(&self, pipeline: &str, given_up: &[String]) -> Result<()> {
        let lost: Vec<(&String, &String)> = self.found.iter().filter(|(name, _)| !given_up.contains(name)).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let what: Vec<&str> = lost.iter().map(|(_, why)| why.as_str()).collect();
        let names: Vec<&str> = lost.iter().map(|(name, _)| name.as_str()).collect();
        bail!(
            "pipeline `{pipeline}` has changed since it last ran, and cannot keep {}; nothing was changed. To go on without, \
             start it with --give-up {}; to begin anew altogether, with --fresh",
            what.join("; "),
            names.join(",")
        )
    }

    /// The operators, sources and streams of which something is given up.
    pub(super) fn names(&self) -> Vec<&str> {
        self.found.keys().map(String::as_str).collect()
    }
}

fn misfit(
    room: Option<&KeyedSpec>,
    kept: &KeyedSpec,
    runs: Option<Running>,
    swapped_in: Option<&Running>,
) -> Option<String> {
    let Some(room) = room else { return Some("it keeps nothing of the kind any more".to_owned()) };
    if room.key != kept.key {
        return Some("its key is another now".to_owned());
    }
    if room.version == kept.version {
        return (room.state != kept.state).then(|| "the columns of its state are others now".to_owned());
    }
    let Some((runs, ran)) = runs.zip(swapped_in) else {
        return Some("its state is of another version now, and it exports no `migrate`".to_owned());
    };
    Some(format!(
        "its state is of version {}, as {} keeps it, which had been swapped in; {}, which the pipeline file names, keeps version {} \
         and exports no `migrate`: to go on with these states, name {1} in the file",
        kept.version, ran.component, runs.component, room.version
    ))
}
