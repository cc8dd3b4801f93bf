//! The rows of a stream's past batches, for as long as a window or a person may want them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::record_batch::RecordBatch;

use crate::time::BatchTime;

/// The rows of one batch of a stream.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// In canonical order, each with its segment.
    pub rows: Vec<RecordBatch>,
    /// Where each segment's rows are: the index of a batch of `rows`, and the rows in it.
    pub runs: Vec<(u32, usize, Range<usize>)>,
    /// How many segments there may be.
    pub segments: u32,
}

impl Past {
    /// The rows of one segment.
    pub fn segment(&self, segment: u32) -> impl Iterator<Item = RecordBatch> + '_ {
        let first = self.runs.partition_point(|(s, _, _)| *s < segment);
        let runs = self.runs[first..].iter().take_while(move |(s, _, _)| *s == segment);
        runs.map(|(_, batch, rows)| self.rows[*batch].slice(rows.start, rows.len()))
    }
}

/// The past of every stream that is kept.
#[derive(Debug, Default)]
pub struct History {
    streams: Mutex<HashMap<String, BTreeMap<BatchTime, Arc<Past>>>>,
}

impl History {
    /// A batch of a stream, if it is kept.
    pub fn batch(&self, stream: &str, batch: BatchTime) -> Option<Arc<Past>> {
        self.lock().get(stream)?.get(&batch).cloned()
    }

    /// The batches of a stream that are kept, the oldest first.
    pub fn batches(&self, stream: &str) -> Vec<(BatchTime, Arc<Past>)> {
        self.lock().get(stream).into_iter().flatten().map(|(batch, past)| (*batch, past.clone())).collect()
    }

    /// Adds a batch, and forgets those up to `forget`.
    pub(super) fn keep(&self, stream: &str, batch: BatchTime, past: Past, forget: Option<BatchTime>) {
        let mut streams = self.lock();
        let batches = streams.entry(stream.to_owned()).or_default();
        batches.insert(batch, Arc::new(past));
        if let Some(forget) = forget {
            while let Some(first) = batches.first_entry().filter(|first| *first.key() <= forget) {
                first.remove();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<BatchTime, Arc<Past>>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
