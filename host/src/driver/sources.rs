//! The sources of a running pipeline, cut together, each slowed by its own rate controller.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::rate::{Measured, PidRateEstimator};
use crate::block::{BlockData, BlockId};
use crate::pipeline::BackpressureSpec;
use crate::source::{Source, SourceCut};
use crate::time::BatchTime;

/// Sources by name, in file order.
pub struct Sources {
    interval: Duration,
    running: Vec<Running>,
    stopped: bool,
}

struct Running {
    name: String,
    source: Box<dyn Source>,
    controller: Option<PidRateEstimator>,
    rate: Option<f64>,
    /// It came to its end by itself.
    exhausted: bool,
}

impl Sources {
    /// Puts opened sources under the rate controller, if there is to be one.
    pub fn new(
        sources: Vec<(String, Box<dyn Source>)>,
        interval: Duration,
        backpressure: Option<&BackpressureSpec>,
    ) -> Result<Self> {
        let mut running = Vec::with_capacity(sources.len());
        for (name, mut source) in sources {
            let controller = backpressure.map(|spec| PidRateEstimator::new(interval, spec)).transpose()?;
            let rate = backpressure.and_then(|spec| spec.initial_rate).map(|rate| rate.0);
            if let Some(rate) = rate {
                source.set_rate(rate);
            }
            running.push(Running { name, source, controller, rate, exhausted: false });
        }
        Ok(Self { interval, running, stopped: false })
    }

    /// Resolves when every source has something to cut, or nothing more: only of use when all input is read at once.
    pub async fn ready(&mut self) -> Result<()> {
        for running in &mut self.running {
            running.source.ready().await.with_context(|| format!("source `{}`", running.name))?;
        }
        Ok(())
    }

    /// Takes each source's share of the batch. Blocks on local files.
    pub fn cut(&mut self, batch: BatchTime) -> Result<Vec<(String, SourceCut)>> {
        let (seconds, stopped) = (self.interval.as_secs_f64(), self.stopped);
        let cut = |running: &mut Running| {
            let limit = running.rate.map(|rate| (rate * seconds).ceil() as u64);
            let cut = running.source.cut(batch, limit).with_context(|| format!("source `{}`", running.name))?;
            // A source that was stopped has ended too, but what it was to give is not all there.
            running.exhausted |= !stopped && running.source.ended();
            Ok((running.name.clone(), cut))
        };
        self.running.iter_mut().map(cut).collect()
    }

    /// The sources that came to their end by themselves, with the last cut or before.
    pub fn exhausted(&self) -> Vec<String> {
        self.running.iter().filter(|r| r.exhausted).map(|r| r.name.clone()).collect()
    }

    /// Tells the rate controllers of a finished batch.
    pub fn measured(&mut self, cuts: &[(String, SourceCut)], batch: Measured) {
        for running in &mut self.running {
            let rows = cuts.iter().find(|(name, _)| *name == running.name).map_or(0, |(_, cut)| rows(cut));
            let rate = running.controller.as_mut().and_then(|c| c.compute(Measured { rows, ..batch }));
            if let Some(rate) = rate {
                running.rate = Some(rate.0);
                running.source.set_rate(rate.0);
            }
        }
    }

    /// Each source's limit in rows a second, where there is one.
    pub fn rates(&self) -> BTreeMap<String, f64> {
        self.running.iter().filter_map(|r| Some((r.name.clone(), r.rate?))).collect()
    }

    /// How many records each source has refused so far, being too long to be part of a block.
    pub fn refused(&self) -> impl Iterator<Item = (&str, u64)> {
        self.running.iter().map(|r| (r.name.as_str(), r.source.refused())).filter(|(_, refused)| *refused > 0)
    }

    /// Whether nothing will come any more from any source.
    pub fn ended(&self) -> bool {
        self.running.iter().all(|r| r.source.ended())
    }

    /// Stops receiving; what was received can still be cut.
    pub fn stop(&mut self) {
        self.stopped = true;
        for running in &mut self.running {
            running.source.stop();
        }
    }
}

/// How many records a cut has.
pub(super) fn rows(cut: &SourceCut) -> u64 {
    cut.blocks.iter().map(|b| b.rows).sum()
}

/// The blocks of a cut that lie in the block store.
pub(super) fn stored(cuts: &[(String, SourceCut)]) -> Vec<BlockId> {
    let blocks = cuts.iter().flat_map(|(_, cut)| &cut.blocks);
    blocks.filter_map(|b| if let BlockData::Stored(id) = b.data { Some(id) } else { None }).collect()
}
