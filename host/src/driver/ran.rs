//! After a batch: it is logged as committed and told of, its input is let go, and a checkpoint or the end of a trial follows.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::watch::Watch;
use super::{
    AtWork, BatchStats, Cut, Done, Driver, Ended, Measured, Purpose, Queued, Record, RolledBack, Sources, sources,
};
use crate::time::{BatchTime, millis};

impl Driver {
    /// The batch at work came to its end: logs that it is done, and lets go of its input.
    pub(super) async fn ran(&mut self, Ended { done, tried }: Ended) -> Result<()> {
        let Some(AtWork { queued, started, scheduling, .. }) = self.at_work.take() else { return Ok(()) };
        let cut = queued.cut.clone();
        let done = match done {
            Ok(done) => done,
            Err(error) => match self.watch.take_if(|watch| watch.may_be_blamed(&cut, &error)) {
                Some(Watch { from, to, first, before: Some(before), since, .. }) => {
                    let why = format!("batch {} failed: {error:#}", cut.batch);
                    let rolled_back = RolledBack { to: from.running.clone(), from: to, first_batch: first, why };
                    return self.roll_back(rolled_back, &from, &before, since, queued).await;
                }
                _ => return Err(error.context(format!("batch {} failed", cut.batch))),
            },
        };
        let watched = self.watch.as_mut().filter(|watch| watch.covers(&cut));
        let stays = watched.map(|watch| watch.committed(&cut, &done));
        let judged = tried.and_then(|tried| self.trial.as_mut()?.judge(tried));
        self.show_care();
        self.tell(&queued, done, started, scheduling)?;
        if queued.purpose == Purpose::Run {
            self.retries.committed(&cut).await?;
        }
        if stays.is_none() {
            self.let_go(&cut);
        }
        if let Some(checkpointing) = &mut self.checkpointing {
            let rooms = &self.runner.rooms;
            // They can be had from the block log again.
            rooms.blocks.release(sources::stored(&cut.sources));
            checkpointing.committed(&cut);
        }
        if stays == Some(true) {
            self.end_watch();
        }
        if !self.may_go_back()
            && let Some(checkpointing) = &mut self.checkpointing
        {
            let rooms = &self.runner.rooms;
            checkpointing.begin_if_due(self.clock.now(), &rooms.state, &rooms.pool).await?;
        }
        if let Some(end) = judged {
            self.end_trial(end);
        }
        Ok(())
    }

    /// Lets go of a batch's input, which no batch will ask for any more, unless no checkpoint holds what it has left.
    pub(super) fn let_go(&mut self, cut: &Cut) {
        let blocks = sources::stored(&cut.sources);
        match self.checkpointing {
            Some(_) => self.unforgotten.push_back((cut.batch, blocks)),
            None => self.runner.rooms.blocks.forget(&blocks),
        }
        self.tables.committed(cut.batch);
    }

    /// The oldest checkpoint holds what these batches left: their input is needed no more.
    pub(super) fn checkpointed(&mut self, batch: BatchTime) -> Result<()> {
        while let Some((_, blocks)) = self.unforgotten.pop_front_if(|(committed, _)| *committed <= batch) {
            self.runner.rooms.blocks.forget(&blocks);
        }
        self.tables.checkpointed(batch);
        self.status.write().unwrap_or_else(PoisonError::into_inner).checkpoint = Some(batch);
        self.shorten_log(batch)
    }

    /// Logs that a batch is committed, and tells whoever wants to know; of one that was before, only what has changed.
    fn tell(&mut self, queued: &Queued, done: Done, started: Instant, scheduling: Duration) -> Result<()> {
        let cut = &queued.cut;
        if queued.purpose == Purpose::Recompute {
            self.recomputed += 1;
            if self.queue.front().is_none_or(|next| next.purpose != Purpose::Recompute) {
                let (batches, took_ms) = (self.recomputed, millis(self.started.elapsed()));
                tracing::info!(batches, took_ms, "committed batches computed again");
            }
            return Ok(());
        }
        let rows_in = sources::rows_in(cut, &done.meters);
        let stats = BatchStats {
            batch: cut.batch,
            rows_in: rows_in.values().sum(),
            rows_out: done.rows_out.iter().map(|(_, rows)| rows).sum(),
            rejected: done.meters.values().map(|m| m.rejected).sum(),
            processing: started.elapsed(),
            scheduling,
            queued: self.queue.len(),
        };
        let Done { rows_out, meters, fingerprints, .. } = done;
        self.log.append(&Record::Committed {
            batch: cut.batch,
            rows_in: stats.rows_in,
            rows_out,
            meters: meters.clone(),
            fingerprints,
        })?;
        if queued.purpose == Purpose::Redo {
            return Ok(());
        }
        if let Some(sources) = &mut self.sources {
            let finished = self.started.elapsed();
            let measured = Measured { finished, rows: 0, processing: stats.processing, scheduling };
            sources.measured(&rows_in, measured);
        }
        let rates = self.sources.as_ref().map(Sources::rates).unwrap_or_default();
        {
            let mut status = self.status.write().unwrap_or_else(PoisonError::into_inner);
            status.add(&stats, &meters);
            status.rates = rates;
            status.measure(&queued.typed, &self.runner.rooms.state);
            status.watermarks = self.runner.rooms.state.watermarks.all();
        }
        (self.on_batch)(&stats);
        Ok(())
    }
}
