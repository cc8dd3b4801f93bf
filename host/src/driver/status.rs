//! What a running host tells of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delivery::Delivers;
use super::handle::WatchLimits;
use super::log::Running;
use super::outage::Outage;
use super::trial::{TrialLimits, Trialled};
use super::typed::{Typed, TypedOperator};
use crate::event_time::Watermark;
use crate::plan::OperatorMeter;
use crate::state::Store;
use crate::time::BatchTime;

/// One finished batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchStats {
    /// The batch.
    pub batch: BatchTime,
    /// Rows read, over all sources.
    pub rows_in: u64,
    /// Rows written, over all sinks.
    pub rows_out: u64,
    /// Rows rejected, over all operators and sources.
    pub rejected: u64,
    /// From the batch's start to its commit.
    pub processing: Duration,
    /// From the batch's time until its start: how long it waited for earlier batches.
    pub scheduling: Duration,
    /// Batches that wait behind it.
    pub queued: usize,
}

/// A host's state, as `weir status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The pipeline's name.
    pub pipeline: String,
    /// The batch interval.
    pub interval: Duration,
    /// Batches committed since the host started.
    pub batches: u64,
    /// Rows read since the host started.
    pub rows_in: u64,
    /// Rows written since the host started.
    pub rows_out: u64,
    /// Rows rejected since the host started.
    pub rejected: u64,
    /// The last batch committed.
    pub last: Option<BatchStats>,
    /// What each operator that is a component runs.
    pub operators: Vec<Running>,
    /// What delivers the rows of each sink that is a component.
    #[serde(default)]
    pub sinks: BTreeMap<String, Delivers>,
    /// What each operator and source did since the host started.
    pub meters: BTreeMap<String, OperatorMeter>,
    /// Each source's rate limit in rows a second, where the rate controller has set one.
    pub rates: BTreeMap<String, f64>,
    /// How far each source has come in event time, where windows wait for it.
    #[serde(default)]
    pub watermarks: BTreeMap<String, Watermark>,
    /// The batch that the newest checkpoint of this run was made after.
    #[serde(default)]
    pub checkpoint: Option<BatchTime>,
    /// What each operator that keeps states has of them.
    #[serde(default)]
    pub states: BTreeMap<String, StateSize>,
    /// The sink that is down, and for which a batch waits.
    #[serde(default)]
    pub waiting: Option<Outage>,
    /// A component that is tried.
    #[serde(default)]
    pub trial: Option<Trying>,
    /// The last swap, while it is watched.
    #[serde(default)]
    pub watch: Option<Watching>,
    /// The last swap that was taken back by itself since the host started.
    #[serde(default)]
    pub rolled_back: Option<RolledBack>,
    /// What is kept of each stream of which past batches are kept.
    #[serde(default)]
    pub kept: BTreeMap<String, KeptSize>,
}

/// A trial that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trying {
    /// What runs.
    pub from: Running,
    /// What is tried beside it.
    pub to: Running,
    /// What it is held to.
    pub limits: TrialLimits,
    /// What it has shown so far.
    pub shown: Trialled,
}

/// A swap that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// What would run again.
    pub from: Running,
    /// What runs.
    pub to: Running,
    /// What it is held to.
    pub limits: WatchLimits,
    /// Batches so far in which it had rows.
    pub batches: u32,
    /// Rows so far on which it went wrong.
    pub trapped: u64,
}

/// A swap that was taken back by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// What went wrong.
    pub from: Running,
    /// What runs again.
    pub to: Running,
    /// The first batch that it had run.
    pub first_batch: BatchTime,
    /// How it went wrong.
    pub why: String,
}

/// The states of an operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSize {
    /// Keys.
    pub keys: u64,
    /// Bytes of keys and states, without what it takes to find them.
    pub bytes: u64,
}

/// The past of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSize {
    /// Batches.
    pub batches: u64,
    /// Rows in them.
    pub rows: u64,
}

impl Status {
    /// Adds a finished batch.
    pub(super) fn add(&mut self, stats: &BatchStats, meters: &BTreeMap<String, OperatorMeter>) {
        self.batches += 1;
        self.rows_in += stats.rows_in;
        self.rows_out += stats.rows_out;
        self.rejected += stats.rejected;
        for (name, meter) in meters {
            self.meters.entry(name.clone()).or_default().add(meter);
        }
        self.last = Some(stats.clone());
    }

    /// Counts what outlives a batch, of the streams and operators that people know by name.
    pub(super) fn measure(&mut self, typed: &Typed, store: &Store) {
        for (name, operator) in &typed.operators {
            if let (TypedOperator::State { .. }, Some(keyed)) = (operator, store.keyed.get(name)) {
                self.states.insert(name.clone(), StateSize { keys: keyed.keys() as u64, bytes: keyed.bytes() });
            }
        }
        for name in typed.streams.keys().filter(|name| typed.windows.kept(name).is_some()) {
            let (batches, rows) = store.history.size(name);
            self.kept.insert(name.clone(), KeptSize { batches, rows });
        }
    }
}
