//! A sink that is down: the batch waits for it, and is tried again until it is done.
//!
//! Waiting has no end while the stream goes on, since all that could be done instead would lose the batch or end the
//! stream. People are told when it begins and when it is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Clock;
use crate::sink::{Sink, SinkError, SinkFailed};
use crate::time::BatchTime;

/// How long to wait after the first failure. It doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest that it comes to by itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest that a sink may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// A sink that is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The sink.
    pub sink: String,
    /// The batch that waits for it.
    pub batch: BatchTime,
    /// What is in the way.
    pub reason: String,
    /// Whether all of the batch is staged, and it waits to be delivered.
    pub staged: bool,
}

/// What the batch at work waits for, for those outside; and sinks that they put in the place of the one that is down.
#[derive(Debug, Default)]
pub struct Outages {
    now: Mutex<Option<Outage>>,
    others: Mutex<Vec<(String, Arc<dyn Sink>)>>,
    offered: Notify,
}

impl Outages {
    /// The sink that is down, if one is.
    pub(super) fn now(&self) -> Option<Outage> {
        lock(&self.now).clone()
    }

    /// Has another sink go on with the batch, at once.
    pub(super) fn offer(&self, name: String, other: Arc<dyn Sink>) {
        lock(&self.others).push((name, other));
        self.offered.notify_one();
    }

    /// The sink that was put in this one's place last.
    pub(super) fn other(&self, name: &str) -> Option<Arc<dyn Sink>> {
        let mut others = lock(&self.others);
        let last = others.iter().rposition(|(offered, _)| offered == name).map(|last| others[last].1.clone());
        others.retain(|(offered, _)| offered != name);
        last
    }

    /// A batch is done: what was offered came too late.
    pub(super) fn forget(&self) {
        lock(&self.others).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The attempts at one thing, for one batch.
pub(super) struct Attempts<'c> {
    clock: &'c dyn Clock,
    outages: &'c Outages,
    /// The stream comes to its end for another reason: nothing is waited for any more.
    ending: &'c CancellationToken,
    batch: BatchTime,
    pause: Duration,
    /// The sink that people were told of.
    down: Option<String>,
    staged: bool,
}

impl<'c> Attempts<'c> {
    /// None was made yet.
    pub(super) fn new(
        clock: &'c dyn Clock,
        outages: &'c Outages,
        ending: &'c CancellationToken,
        batch: BatchTime,
    ) -> Self {
        Self { clock, outages, ending, batch, pause: FIRST_PAUSE, down: None, staged: false }
    }

    /// All of the batch is staged: from here on it is delivered.
    pub(super) fn staged(&mut self) {
        self.staged = true;
    }

    /// Takes the end of an attempt. Where a sink was in the way, it answers with nothing, after a pause: then another is
    /// to be made. Any other error is the caller's.
    pub(super) async fn ended<T>(&mut self, end: Result<T>) -> Result<Option<T>> {
        let error = match end {
            Ok(done) => {
                self.up();
                return Ok(Some(done));
            }
            Err(error) => error,
        };
        let Some((sink, reason, asked)) = outage(&error) else { return Err(error) };
        let batch = self.batch;
        if self.down.as_deref() == Some(sink) {
            debug!(sink, %batch, reason, "the sink is still not available");
        } else {
            self.up();
            warn!(sink, %batch, reason, "the sink is not available; the batch waits for it");
            self.down = Some(sink.to_owned());
            self.pause = FIRST_PAUSE;
        }
        let outage = Outage { sink: sink.to_owned(), batch, reason: reason.to_owned(), staged: self.staged };
        *lock(&self.outages.now) = Some(outage);
        let pause = self.clock.pause(self.pause.max(asked.unwrap_or_default().min(LONGEST_ASKED)));
        tokio::select! {
            biased;
            () = self.ending.cancelled() => return Err(error),
            () = self.outages.offered.notified() => self.pause = FIRST_PAUSE,
            () = pause => self.pause = (self.pause * 2).min(LONGEST_PAUSE),
        }
        Ok(None)
    }

    fn up(&mut self) {
        if let Some(sink) = self.down.take() {
            *lock(&self.outages.now) = None;
            info!(sink, batch = %self.batch, "the sink is available again");
        }
    }
}

impl Drop for Attempts<'_> {
    fn drop(&mut self) {
        *lock(&self.outages.now) = None;
    }
}

/// The sink that is not available, why, and for how long it asks to be left alone.
fn outage(error: &anyhow::Error) -> Option<(&str, &str, Option<Duration>)> {
    match error.downcast_ref() {
        Some(SinkFailed { sink, error: SinkError::Unavailable { reason, retry_after } }) => {
            Some((sink, reason, *retry_after))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use std::sync::Mutex;

    use anyhow::{Context, anyhow};
    use async_trait::async_trait;
    use futures::executor::block_on;

    use super::*;

    const BATCH: BatchTime = BatchTime::from_millis(1000);

    /// A clock on which no pause takes any time; it notes them.
    #[derive(Debug, Default)]
    struct Pauses(Mutex<Vec<u64>>);

    #[async_trait]
    impl Clock for Pauses {
        fn now(&self) -> u64 {
            self.0.lock().unwrap().iter().sum()
        }

        async fn until(&self, millis: u64) {
            let length = millis - self.now();
            self.0.lock().unwrap().push(length);
        }
    }

    fn down(sink: &str, asked: Option<u64>) -> anyhow::Error {
        let error = SinkError::Unavailable { reason: "gone".into(), retry_after: asked.map(Duration::from_secs) };
        SinkFailed { sink: sink.into(), error }.into()
    }

    /// Attempts that come to these ends: the last end, and the pauses in milliseconds.
    fn after(ends: Vec<Result<u8>>) -> (Result<u8>, Vec<u64>) {
        let clock = Pauses::default();
        let last = ends.len() - 1;
        let (outages, ending) = (Outages::default(), CancellationToken::new());
        let mut attempts = Attempts::new(&clock, &outages, &ending, BATCH);
        let mut told = Err(anyhow!("no attempt was made"));
        for (number, end) in ends.into_iter().enumerate() {
            let answer = block_on(attempts.ended(end));
            assert_eq!(matches!(answer, Ok(None)), number < last, "attempt {number}");
            assert!(number == last || outages.now().is_some(), "attempt {number}");
            told = answer.map(Option::unwrap_or_default);
        }
        drop(attempts);
        assert_eq!(outages.now(), None);
        (told, clock.0.into_inner().unwrap())
    }

    #[test]
    fn given_a_sink_that_is_down_when_tried_then_pauses_double_up_to_half_a_minute_and_it_never_gives_up() {
        let mut ends: Vec<_> = (0..12).map(|_| Err(down("out", None))).collect();
        ends.push(Ok(7));
        let (end, pauses) = after(ends);
        assert_eq!(end.unwrap(), 7);
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn given_a_sink_that_asks_for_time_when_tried_then_it_has_as_much_but_not_more_than_an_hour() {
        let asks = [Some(7), Some(0), Some(86_400), None];
        let ends = asks.map(|asked| Err(down("out", asked))).into_iter().chain([Ok(7)]);
        assert_eq!(after(ends.collect()).1, [7000, 200, 3_600_000, 800]);
    }

    #[test]
    fn given_an_error_that_does_not_pass_when_tried_then_it_is_told_and_the_sink_is_left_alone() {
        let (end, pauses) = after(vec![Err(down("out", None)), Err(anyhow!("no such table")).context("sink `out`")]);
        assert_eq!(format!("{:#}", end.unwrap_err()), "sink `out`: no such table");
        assert_eq!(pauses, [100]);
        let fatal = SinkFailed { sink: "out".into(), error: SinkError::Fatal(anyhow!("no such column")) };
        assert_eq!(after(vec![Err(fatal.into())]).0.unwrap_err().to_string(), "sink `out`: no such column");
    }

    #[test]
    fn given_another_sink_that_is_down_when_tried_then_pauses_begin_anew() {
        let ends = vec![Err(down("a", None)), Err(down("a", None)), Err(down("b", None)), Err(down("b", None)), Ok(7)];
        assert_eq!(after(ends).1, [100, 200, 100, 200]);
    }
}
