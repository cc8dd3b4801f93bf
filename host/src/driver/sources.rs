//! The sources of a running pipeline, cut together, each slowed by its own rate controller.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use anyhow::{Context, Result};

use super::log::Cut;
use super::rate::{Measured, PidRateEstimator};
use crate::block::{BlockData, BlockId};
use crate::pipeline::BackpressureSpec;
use crate::plan::OperatorMeter;
use crate::source::{Source, SourceCut};
use crate::time::BatchTime;

/// Sources by name, in file order.
pub struct Sources {
    interval: Duration,
    running: Vec<Running>,
    stopped: bool,
    /// What a batch gets that is still to be cut, or why it cannot.
    ahead: Option<(BatchTime, Result<Shares>)>,
}

/// What sources give to a batch.
#[derive(Debug)]
pub struct Shares {
    /// Of each source, in file order.
    pub cuts: Vec<(String, SourceCut)>,
    /// The sources that came to their end by themselves, with this batch or before.
    pub exhausted: Vec<String>,
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
        Ok(Self { interval, running, stopped: false, ahead: None })
    }

    /// Resolves when every source has something to cut, or nothing more: only of use when all input is read at once.
    pub async fn ready(&mut self) -> Result<()> {
        for running in &mut self.running {
            running.source.ready().await.with_context(|| format!("source `{}`", running.name))?;
        }
        Ok(())
    }

    /// Takes each source's share of the batch. Blocks on local files.
    pub fn cut(&mut self, batch: BatchTime) -> Result<Shares> {
        match self.ahead.take() {
            Some((at, shares)) if at == batch => shares,
            _ => self.take(batch),
        }
    }

    /// Whether there is anything to [`cut_ahead`](Self::cut_ahead).
    pub fn may_cut_ahead(&self) -> bool {
        self.ahead.is_none() && !self.ended() && self.running.iter().all(|r| r.source.waits_for_nobody())
    }

    /// Takes what [`cut`](Self::cut) is to give to the next batch, while another is at work. Only of use when all input is
    /// read at once: nothing slows a source then. Blocks on local files.
    pub fn cut_ahead(&mut self, batch: BatchTime) {
        self.ahead = Some((batch, self.take(batch)));
    }

    fn take(&mut self, batch: BatchTime) -> Result<Shares> {
        let (seconds, stopped) = (self.interval.as_secs_f64(), self.stopped);
        let cut = |running: &mut Running| {
            let limit = running.rate.map(|rate| (rate * seconds).ceil() as u64);
            let cut = running.source.cut(batch, limit).with_context(|| format!("source `{}`", running.name))?;
            // A source that was stopped has ended too, but what it was to give is not all there.
            running.exhausted |= !stopped && running.source.ended();
            Ok((running.name.clone(), cut))
        };
        let cuts = self.running.iter_mut().map(cut).collect::<Result<_>>()?;
        let exhausted = self.running.iter().filter(|r| r.exhausted).map(|r| r.name.clone()).collect();
        Ok(Shares { cuts, exhausted })
    }

    /// Tells the rate controllers of a finished batch.
    pub fn measured(&mut self, rows_in: &BTreeMap<String, u64>, batch: Measured) {
        for running in &mut self.running {
            let rows = rows_in.get(&running.name).copied().unwrap_or(0);
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
        self.ahead.is_none() && self.running.iter().all(|r| r.source.ended())
    }

    /// Stops receiving; what was received can still be cut.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.ahead = None;
        for running in &mut self.running {
            running.source.stop();
        }
    }
}

/// How many records each source has given to a batch that has been computed, dead letters that came again left out.
pub(super) fn rows_in(cut: &Cut, meters: &BTreeMap<String, OperatorMeter>) -> BTreeMap<String, u64> {
    let rows = |(name, share): &(String, SourceCut)| {
        let counted: Option<u64> = share.blocks.iter().map(|block| block.rows.map(NonZeroU64::get)).sum();
        let read = || {
            let again = cut.retried.iter().filter(|retried| retried.operator == *name).map(|retried| retried.letters);
            meters.get(name).map_or(0, |meter| meter.rows_in).saturating_sub(again.sum())
        };
        (name.clone(), counted.unwrap_or_else(read))
    };
    cut.sources.iter().map(rows).collect()
}

/// The blocks of a cut that lie in the block store.
pub(super) fn stored(cuts: &[(String, SourceCut)]) -> Vec<BlockId> {
    let blocks = cuts.iter().flat_map(|(_, cut)| &cut.blocks);
    blocks.filter_map(|b| if let BlockData::Stored(id) = b.data { Some(id) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use anyhow::bail;
    use async_trait::async_trait;

    use super::*;
    use crate::block::Block;
    use crate::driver::log::Retried;
    use crate::operator::Digest;

    /// Gives a row a batch, up to its last; then it has ended, or fails.
    struct Rows {
        left: u64,
        fails: bool,
        received: bool,
    }

    #[async_trait]
    impl Source for Rows {
        fn cut(&mut self, _: BatchTime, _: Option<u64>) -> Result<SourceCut> {
            if self.left == 0 && self.fails {
                bail!("the file is gone");
            }
            self.left = self.left.saturating_sub(1);
            let data = BlockData::Generated { from: self.left, to: self.left + 1 };
            Ok(SourceCut { blocks: vec![Block { rows: NonZeroU64::new(1), bytes: 1, data }], ..SourceCut::default() })
        }

        fn waits_for_nobody(&self) -> bool {
            !self.received
        }

        fn ended(&self) -> bool {
            self.left == 0 && !self.fails
        }

        fn stop(&mut self) {
            self.left = 0;
        }
    }

    fn sources(rows: Rows) -> Sources {
        Sources::new(vec![("s".into(), Box::new(rows))], Duration::from_secs(1), None).unwrap()
    }

    fn at(second: u64) -> BatchTime {
        BatchTime::from_millis(second * 1000)
    }

    #[test]
    fn given_the_last_share_taken_ahead_when_it_is_cut_then_the_stream_ends_with_it_and_not_before() {
        let rows = |left| Rows { left, fails: false, received: false };
        let (mut ahead, mut plain) = (sources(rows(2)), sources(rows(2)));
        for second in 1..=2 {
            assert!(ahead.may_cut_ahead());
            ahead.cut_ahead(at(second));
            assert!(!ahead.may_cut_ahead() && !ahead.ended());
            let (found, expected) = (ahead.cut(at(second)).unwrap(), plain.cut(at(second)).unwrap());
            assert_eq!((found.cuts, found.exhausted), (expected.cuts, expected.exhausted));
            assert_eq!(ahead.ended(), second == 2);
        }
        assert!(!ahead.may_cut_ahead(), "nothing is left");
    }

    #[test]
    fn given_a_share_that_cannot_be_taken_ahead_when_it_is_cut_then_that_is_told() {
        let mut sources = sources(Rows { left: 0, fails: true, received: false });
        sources.cut_ahead(at(1));
        assert!(!sources.ended());
        assert_eq!(format!("{:#}", sources.cut(at(1)).unwrap_err()), "source `s`: the file is gone");
    }

    #[test]
    fn given_a_share_taken_ahead_when_stopped_then_the_stream_has_ended() {
        let mut sources = sources(Rows { left: 2, fails: false, received: false });
        sources.cut_ahead(at(1));
        sources.stop();
        assert!(sources.ended());
    }

    #[test]
    fn rows_that_a_cut_has_not_counted_are_those_that_were_read_but_for_letters() {
        let block =
            |rows| Block { rows: NonZeroU64::new(rows), bytes: 1, data: BlockData::Generated { from: 0, to: 1 } };
        let share = |blocks| SourceCut { blocks, ..SourceCut::default() };
        let shares = [("counted", vec![block(2), block(3)]), ("read", vec![block(2), block(0)]), ("empty", vec![])];
        let letters = |letters| Retried { operator: "read".into(), of: vec![], letters, rows: Digest::of(b"rows") };
        let cut = Cut {
            batch: at(1),
            sources: shares.map(|(name, blocks)| (name.to_owned(), share(blocks))).into(),
            ended: vec![],
            operators: vec![],
            tables: vec![],
            retried: vec![letters(3), Retried { operator: "counted".into(), ..letters(1) }],
        };
        let meter = |name: &str, rows_in| (name.to_owned(), OperatorMeter { rows_in, ..OperatorMeter::default() });
        let meters = BTreeMap::from([meter("counted", 6), meter("read", 12)]);
        let expected = [("counted", 5), ("empty", 0), ("read", 9)];
        assert_eq!(rows_in(&cut, &meters), expected.map(|(name, rows)| (name.to_owned(), rows)).into());
    }

    #[test]
    fn what_is_received_is_not_cut_ahead() {
        assert!(!sources(Rows { left: 2, fails: false, received: true }).may_cut_ahead());
    }
}
