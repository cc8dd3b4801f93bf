//! Partitions to one, in an order that does not depend on which comes first.

use arrow::array::AsArray;
use arrow::datatypes::{SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::node::{Node, Task};
use super::segment::{SEGMENT, runs};

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

/// Batches that a partition may be ahead of the reader.
const AHEAD: usize = 4;

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
        // Every partition works at once; whoever is ahead waits.
        let mut workers = JoinSet::new();
        let mut heads = Vec::with_capacity(streams.len());
        for mut input in streams {
            let (sender, receiver) = mpsc::channel(AHEAD);
            workers.spawn(async move {
                while let Some(batch) = input.next().await {
                    let failed = batch.is_err();
                    if sender.send(batch).await.is_err() || failed {
                        return;
                    }
                }
            });
            heads.push(Head { receiver, waiting: None });
        }
        let merging = Merging { order, heads, _workers: workers };
        let rows = stream::try_unfold(merging, |mut merging| async move {
            Ok(merging.next().await?.map(|batch| (batch, merging)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Merging {
    order: Order,
    heads: Vec<Head>,
    /// Ended when the reader goes away.
    _workers: JoinSet<()>,
}

struct Head {
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    /// The next rows, all of one segment.
    waiting: Option<(u32, RecordBatch)>,
}

impl Head {
    /// Makes sure that rows wait, unless the partition is at its end.
    async fn fill(&mut self) -> Result<()> {
        while self.waiting.is_none() {
            match self.receiver.recv().await.transpose()? {
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
