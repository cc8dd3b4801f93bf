//! All batches so far, and what of them an operator gets to see.
//!
//! Nothing is ever forgotten, and nothing is carried from one batch to the next: a window is looked up among all batches,
//! a state is computed again from the first.

use std::collections::BTreeMap;

use super::Stream;
use super::operator::union;
use super::pipeline::{Operator, Pipeline, Window};

/// One batch.
#[derive(Debug)]
pub struct Batch {
    /// The end of its interval, in milliseconds.
    pub time: u64,
    /// The rows of each source and operator.
    pub streams: BTreeMap<String, Stream>,
}

/// All batches so far, the oldest first; the last may be in the making.
#[derive(Debug)]
pub struct History<'p> {
    /// The pipeline.
    pub pipeline: &'p Pipeline,
    /// The batches.
    pub batches: Vec<Batch>,
}

impl Window {
    /// Whether the window that a batch sees has another batch, or itself, in it.
    fn holds(&self, batch: u64, now: u64) -> bool {
        now.checked_sub(self.ago).is_some_and(|end| batch <= end && batch + self.length > end)
    }
}

impl History<'_> {
    /// How far apart the batches are in which a stream has rows: a window says so, and what follows from it keeps to that.
    fn slide(&self, stream: &str) -> u64 {
        match self.pipeline.operator(stream) {
            None => self.pipeline.interval,
            Some(operator) => {
                let own = operator.window.and_then(|window| window.slide);
                own.unwrap_or_else(|| self.slide(&operator.inputs[0]))
            }
        }
    }

    /// Whether an operator has anything to do in a batch.
    pub fn due(&self, operator: &Operator, time: u64) -> bool {
        time.is_multiple_of(self.slide(&operator.name))
    }

    /// Adds the rows of a stream to the batch in the making.
    pub fn add(&mut self, stream: &str, rows: Stream) {
        let batch = self.batches.last_mut().expect("a batch is in the making");
        batch.streams.insert(stream.to_owned(), rows);
    }

    /// The rows of a stream in one batch.
    pub fn rows(&self, stream: &str, time: u64) -> &Stream {
        let batch = self.batches.iter().find(|batch| batch.time == time).expect("the batch is among those so far");
        &batch.streams[stream]
    }

    /// What an operator sees of each of its inputs in a batch.
    pub fn inputs(&self, operator: &Operator, time: u64) -> Vec<Stream> {
        let seen = |input: &String| match operator.window {
            None => self.rows(input, time).clone(),
            Some(window) => {
                let held = self.batches.iter().filter(|batch| window.holds(batch.time, time));
                union(held.map(|batch| &batch.streams[input]))
            }
        };
        operator.inputs.iter().map(seen).collect()
    }
}
