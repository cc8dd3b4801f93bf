//! Partitions to one, in an order that does not depend on which comes first.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::node::{Node, Task};
use super::segment::{SEGMENT, runs};
use crate::fingerprint::size_of;

/// How partitions are put together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// By segment, which gives the canonical order.
    Segments,
    /// One partition after the other.
    Partitions,
}

/// Puts all partitions together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// In which order.
    pub order: Order,
}

/// How many bytes of rows a partition may be ahead of the reader: the rows of a block as large as most are, so that a
/// partition is through with its own while the block of another is read.
const AHEAD: usize = 8 << 20;
/// What a batch counts at least.
const LEAST: usize = 4 << 10;

impl Node for Merge {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, _: &[usize]) -> usize {
        1
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let order = self.order;
        let mut streams = task.input_streams()?;
        if streams.len() == 1 {
            return Ok(streams.remove(0));
        }
        // Every partition works at once; whoever is too far ahead waits.
        let mut workers = JoinSet::new();
        let mut heads = Vec::with_capacity(streams.len());
        for input in streams {
            let (sender, receiver) = mpsc::unbounded_channel();
            workers.spawn(run_ahead(input, sender));
            heads.push(Head { receiver, waiting: None });
        }
        let merging = Merging { order, heads, _workers: workers };
        let rows = stream::try_unfold(merging, |mut merging| async move {
            Ok(merging.next().await?.map(|batch| (batch, merging)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

/// Rows that are ahead, and the room that they take.
type Ahead = (Result<RecordBatch>, OwnedSemaphorePermit);

/// Sends rows as soon as there is room for them.
async fn run_ahead(mut input: SendableRecordBatchStream, sender: mpsc::UnboundedSender<Ahead>) {
    let room = Arc::new(Semaphore::new(AHEAD));
    while let Some(batch) = input.next().await {
        let size = batch.as_ref().map_or(0, |rows| size_of(rows) as usize).clamp(LEAST, AHEAD);
        let Ok(taken) = room.clone().acquire_many_owned(size as u32).await else { return };
        let failed = batch.is_err();
        if sender.send((batch, taken)).is_err() || failed {
            return;
        }
    }
}

struct Merging {
    order: Order,
    heads: Vec<Head>,
    /// Ended when the reader goes away.
    _workers: JoinSet<()>,
}

struct Head {
    receiver: mpsc::UnboundedReceiver<Ahead>,
    /// The next rows, all of one segment.
    waiting: Option<(u32, RecordBatch)>,
}

impl Head {
    /// Makes sure that rows wait, unless the partition is at its end.
    async fn fill(&mut self) -> Result<()> {
        while self.waiting.is_none() {
            match self.receiver.recv().await.map(|(batch, _)| batch).transpose()? {
                Some(batch) if batch.num_rows() > 0 => self.waiting = Some((first_segment(&batch), batch)),
                Some(_) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes the rows of the first segment that waits, leaving those of later segments.
    fn take(&mut self) -> Option<RecordBatch> {
        let (_, batch) = self.waiting.take()?;
        let Some(segments) = batch.column_by_name(SEGMENT) else { return Some(batch) };
        let runs = runs(segments.as_primitive::<UInt32Type>());
        if let [(_, first), (next, _), ..] = &runs[..] {
            self.waiting = Some((*next, batch.slice(first.end, batch.num_rows() - first.end)));
            return Some(batch.slice(0, first.end));
        }
        Some(batch)
    }
}

impl Merging {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        match self.order {
            Order::Partitions => {
                while let Some(head) = self.heads.first_mut() {
                    head.fill().await?;
                    if let Some((_, batch)) = head.waiting.take() {
                        return Ok(Some(batch));
                    }
                    self.heads.remove(0);
                }
                Ok(None)
            }
            Order::Segments => {
                for head in &mut self.heads {
                    head.fill().await?;
                }
                self.heads.retain(|h| h.waiting.is_some());
                // A segment is wholly in one partition, so the smallest has no rival.
                let least = self.heads.iter_mut().min_by_key(|h| h.waiting.as_ref().map(|(s, _)| *s));
                Ok(least.and_then(Head::take))
            }
        }
    }
}

fn first_segment(batch: &RecordBatch) -> u32 {
    batch.column_by_name(SEGMENT).map_or(0, |s| s.as_primitive::<UInt32Type>().value(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::BinaryArray;
    use arrow::datatypes::{DataType, Field, Schema};
    use tokio::task::yield_now;

    use super::*;

    /// As many batches of about so many bytes each, and how many of them were asked for.
    fn partition(batches: usize, bytes: usize) -> (SendableRecordBatchStream, Arc<AtomicUsize>) {
        let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Binary, false)]));
        let text = BinaryArray::from_iter_values([vec![0; bytes]]);
        let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(text)]).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let rows = stream::iter(0..batches).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(rows.clone())
        });
        (Box::pin(RecordBatchStreamAdapter::new(schema, rows)), asked)
    }

    /// Has everything run that can.
    async fn settle(asked: &AtomicUsize) -> usize {
        loop {
            let before = asked.load(Ordering::Relaxed);
            for _ in 0..100 {
                yield_now().await;
            }
            if asked.load(Ordering::Relaxed) == before {
                return before;
            }
        }
    }

    #[tokio::test]
    async fn a_partition_is_ahead_by_a_block_and_then_waits_for_the_reader() {
        let half = AHEAD / 2;
        // The batch for which there is no room has been asked for.
        for (bytes, ahead) in [(half - 4, 2 + 1), (half, 1 + 1), (3 * AHEAD, 1 + 1), (0, AHEAD / LEAST + 1)] {
            let (rows, asked) = partition(usize::MAX, bytes);
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let _worker = JoinSet::from_iter([run_ahead(rows, sender)]);
            assert_eq!(settle(&asked).await, ahead, "{bytes} bytes a batch");
            drop(receiver.recv().await.unwrap());
            assert_eq!(settle(&asked).await, ahead + 1, "{bytes} bytes a batch");
        }
    }

    #[tokio::test]
    async fn a_partition_of_a_block_needs_no_reader() {
        let (rows, _) = partition(16, AHEAD / 32);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        run_ahead(rows, sender).await;
        let mut came = 0;
        while receiver.recv().await.is_some() {
            came += 1;
        }
        assert_eq!(came, 16);
    }
}
