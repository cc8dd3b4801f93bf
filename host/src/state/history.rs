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

    /// All rows in canonical order, in as few pieces as that takes.
    pub fn pieces(&self) -> Vec<RecordBatch> {
        let mut joined: Vec<(usize, Range<usize>)> = Vec::new();
        for (_, batch, rows) in &self.runs {
            match joined.last_mut() {
                Some((last, before)) if last == batch && before.end == rows.start => before.end = rows.end,
                _ => joined.push((*batch, rows.clone())),
            }
        }
        joined.into_iter().map(|(batch, rows)| self.rows[batch].slice(rows.start, rows.len())).collect()
    }

    fn row_count(&self) -> u64 {
        self.rows.iter().map(|rows| rows.num_rows() as u64).sum()
    }
}

/// The past batches of one stream, the oldest first.
pub type Batches = BTreeMap<BatchTime, Arc<Past>>;

/// The past of every stream that is kept.
#[derive(Debug, Default)]
pub struct History {
    streams: Mutex<HashMap<String, Stream>>,
}

#[derive(Debug, Clone, Default)]
struct Stream {
    /// Shared with whoever reads, and copied (the map, not the rows) when a batch comes while somebody still reads.
    batches: Arc<Batches>,
    rows: u64,
}

impl History {
    /// A batch of a stream, if it is kept.
    pub fn batch(&self, stream: &str, batch: BatchTime) -> Option<Arc<Past>> {
        self.lock().get(stream)?.batches.get(&batch).cloned()
    }

    /// The batches of a stream that are kept, the oldest first.
    pub fn batches(&self, stream: &str) -> Vec<(BatchTime, Arc<Past>)> {
        let batches = self.lock().get(stream).map(|stream| stream.batches.clone()).unwrap_or_default();
        batches.iter().map(|(batch, past)| (*batch, past.clone())).collect()
    }

    /// The batches of every stream that has any.
    pub(super) fn all(&self) -> HashMap<String, Arc<Batches>> {
        self.lock().iter().map(|(name, stream)| (name.clone(), stream.batches.clone())).collect()
    }

    /// How many batches of a stream are kept, and how many rows are in them.
    pub fn size(&self, stream: &str) -> (u64, u64) {
        self.lock().get(stream).map_or((0, 0), |stream| (stream.batches.len() as u64, stream.rows))
    }

    /// Adds a batch, and forgets those up to `forget`.
    pub(super) fn keep(&self, stream: &str, batch: BatchTime, past: Past, forget: Option<BatchTime>) {
        let mut streams = self.lock();
        let stream = streams.entry(stream.to_owned()).or_default();
        let batches = Arc::make_mut(&mut stream.batches);
        stream.rows += past.row_count();
        let again = batches.insert(batch, Arc::new(past));
        stream.rows -= again.map_or(0, |past| past.row_count());
        if let Some(forget) = forget {
            while let Some(first) = batches.first_entry().filter(|first| *first.key() <= forget) {
                stream.rows -= first.remove().row_count();
            }
        }
    }

    /// The same past, which goes on on its own from now on.
    pub(super) fn fork(&self) -> Self {
        Self { streams: Mutex::new(self.lock().clone()) }
    }

    /// Goes back to the past of a fork.
    pub(super) fn go_back(&self, fork: &Self) {
        *self.lock() = fork.lock().clone();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn batch(values: &[i64]) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(values.to_vec())) as ArrayRef)]).unwrap()
    }

    #[test]
    fn pieces_are_in_order_of_segments_and_joined_where_they_touch() {
        let runs = vec![(0, 1, 0..1), (1, 0, 0..1), (2, 0, 1..3)];
        let past = Past { rows: vec![batch(&[2, 3, 4]), batch(&[1])], runs, segments: 3 };
        let pieces: Vec<Vec<i64>> =
            past.pieces().iter().map(|piece| piece.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        assert_eq!(pieces, [vec![1], vec![2, 3, 4]]);
    }

    #[test]
    fn what_is_kept_is_counted_as_batches_come_go_and_come_again() {
        let history = History::default();
        let keep = |at: u64, values: &[i64], forget: Option<u64>| {
            let past = Past { rows: vec![batch(values)], runs: vec![(0, 0, 0..values.len())], segments: 1 };
            history.keep("s", BatchTime::from_millis(at), past, forget.map(BatchTime::from_millis));
            history.size("s")
        };
        assert_eq!(keep(1, &[1, 2], None), (1, 2));
        assert_eq!(keep(2, &[3], None), (2, 3));
        assert_eq!(keep(2, &[3, 4], None), (2, 4));
        assert_eq!(keep(3, &[], Some(1)), (2, 2));
        assert_eq!(history.size("another"), (0, 0));
    }
}
