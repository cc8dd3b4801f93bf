//! After a swap: the first batches of the new component are watched. When one fails, or the component goes wrong on more
//! rows than it may, that batch is not committed: the swap is taken back, and with it all that these batches have left.
//!
//! What sinks were given by then stays: a batch is committed once. States, windows and past rows become what they would have been
//! without the swap, from a fork that was taken before the first of the batches. The log says what is watched, and no
//! checkpoint is made meanwhile, so after a restart these batches are computed again and watched as before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::{Done, Uncomputed};
use super::handle::WatchLimits;
use super::log::{Cut, Running};
use super::recovery::Watched;
use super::status::Watching;
use super::typed::Fitting;
use crate::plan::{Bound, OperatorMeter};
use crate::source::Position;
use crate::state::Store;
use crate::time::BatchTime;

/// A component without rows is watched for so many times the batches, and then left alone.
const LONGEST: usize = 10;

/// A swap that may be taken back.
#[derive(Debug)]
pub(super) struct Watch {
    /// What ran before.
    pub(super) from: Fitting,
    /// What runs now.
    pub(super) to: Running,
    /// The first batch that it runs.
    pub(super) first: BatchTime,
    limits: WatchLimits,
    /// What it did in batches of an earlier run, which are computed again and tell less.
    earlier: BTreeMap<BatchTime, OperatorMeter>,
    /// Rows on which it went wrong so far.
    trapped: u64,
    /// Batches so far in which it had rows.
    with_rows: u32,
    /// What the batches before the first had left, as soon as that is run.
    pub(super) before: Option<Before>,
    /// The batches that it has run, in order. Their input is held.
    pub(super) since: Vec<Arc<Cut>>,
}

/// What outlived the batch before the first that is watched.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) store: Arc<Store>,
    /// How far each source had come.
    pub(super) positions: BTreeMap<String, Position>,
}

impl Watch {
    pub(super) fn new(from: Fitting, to: Running, first: BatchTime, limits: WatchLimits) -> Self {
        let (earlier, since) = (BTreeMap::new(), Vec::new());
        Self { from, to, first, limits, earlier, trapped: 0, with_rows: 0, before: None, since }
    }

    /// Goes on with what was watched when the host stopped; `next` is the first batch that is yet to be cut.
    pub(super) fn resumed(from: Fitting, watched: Watched, next: BatchTime) -> Self {
        let Watched { to, limits, first, meters, .. } = watched;
        Self { earlier: meters, ..Self::new(from, to, first.unwrap_or(next), limits) }
    }

    /// Whether the batch is run by what is watched.
    pub(super) fn covers(&self, cut: &Cut) -> bool {
        cut.batch >= self.first
    }

    /// Whether what is watched may have made a batch fail. Disks and sinks are not its fault.
    pub(super) fn may_be_blamed(&self, cut: &Cut, error: &anyhow::Error) -> bool {
        self.before.is_some() && self.covers(cut) && error.is::<Uncomputed>()
    }

    /// What the next batch fails beyond.
    pub(super) fn bound(&self) -> Bound {
        let (traps, trapped) = (self.limits.max_traps, self.trapped);
        Bound { operator: self.to.operator.clone(), fuel: None, traps, trapped }
    }

    /// How far it is.
    pub(super) fn watching(&self) -> Watching {
        Watching {
            from: self.from.running.clone(),
            to: self.to.clone(),
            limits: self.limits,
            batches: self.with_rows,
            trapped: self.trapped,
        }
    }

    /// A batch was committed; whether it was the last that is watched.
    pub(super) fn committed(&mut self, cut: &Arc<Cut>, done: &Done) -> bool {
        self.since.push(cut.clone());
        let meter = self.earlier.get(&cut.batch).or(done.meters.get(&self.to.operator));
        self.trapped += meter.map_or(0, |meter| meter.trapped);
        self.with_rows += u32::from(meter.is_some_and(|meter| meter.rows_in > 0));
        let batches = self.limits.batches;
        self.with_rows >= batches || self.since.len() >= (batches as usize).saturating_mul(LONGEST)
    }
}
