//! Blocks to rows. A block is a segment; reading it depends on nothing but the block and how it is decoded.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::report::{Rejected, Stays, shown};
use super::retry::texts;
use super::rooms::{BatchRoom, Rooms};
use super::segment::{attach_constant, with_segment};
use crate::block::{Block, BlockData};
use crate::pipeline::OnReject;
use crate::source::{BlockReader, Decoded, Decoding, RejectedRecord};

/// Reads the blocks of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// The source's name.
    pub source: String,
    /// The blocks of each partition, each with its segment.
    pub partitions: Vec<Vec<(u32, Block)>>,
    /// How bytes become rows.
    pub decoding: Decoding,
    /// What becomes of records that cannot be read.
    pub on_reject: OnReject,
    /// Rows of one batch of the scan.
    pub chunk_rows: NonZeroUsize,
}

impl Scan {
    /// Deals blocks out to at most `partitions` partitions, each to the one with the fewest bytes so far. So partitions take
    /// turns where rows are put back in order, and none has to be through before the next is read.
    pub fn deal(blocks: &[Block], partitions: NonZeroUsize) -> Vec<Vec<(u32, Block)>> {
        let mut dealt = vec![Vec::new(); partitions.get().min(blocks.len()).max(1)];
        let mut loads: BinaryHeap<_> = (0..dealt.len()).map(|partition| Reverse((0, partition))).collect();
        for (segment, block) in (0..).zip(blocks) {
            let Some(mut least) = loads.peek_mut() else { break };
            let Reverse((bytes, partition)) = &mut *least;
            dealt[*partition].push((segment, block.clone()));
            *bytes += block.bytes.max(1);
        }
        dealt
    }
}

impl Node for Scan {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&self.decoding.schema()))
    }

    fn partitions(&self, _: &[usize]) -> usize {
        self.partitions.len()
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch) = (task.rooms()?, task.batch()?);
        let blocks = self.partitions[task.partition].clone().into_iter();
        let scanner = Scanner { scan: self.clone(), rooms, batch, blocks, open: None };
        let rows = stream::try_unfold(scanner, |mut scanner| async move {
            Ok::<_, DataFusionError>(scanner.next()?.map(|rows| (rows, scanner)))
        });
        let rows = rows.try_filter(|rows| std::future::ready(rows.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Scanner {
    scan: Scan,
    rooms: Arc<Rooms>,
    batch: Arc<BatchRoom>,
    blocks: std::vec::IntoIter<(u32, Block)>,
    open: Option<(u32, BlockReader)>,
}

impl Scanner {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let (segment, mut reader) = match self.open.take() {
                Some(open) => open,
                None => match self.blocks.next() {
                    Some((segment, block)) => (segment, self.reader(&block)?),
                    None => return Ok(None),
                },
            };
            if let Some(decoded) = reader.next() {
                let Decoded { rows, rejects } = decoded.map_err(|e| self.failed(&e))?;
                self.open = Some((segment, reader));
                let read = rows.num_rows() + rejects.len();
                self.batch.report().count(&self.scan.source, read as u64, rows.num_rows() as u64, rejects.len() as u64);
                self.reject(segment, rejects)?;
                return attach_constant(rows, segment).map(Some);
            }
        }
    }

    fn reader(&self, block: &Block) -> Result<BlockReader> {
        let Scan { decoding, chunk_rows, .. } = &self.scan;
        let opened = match &block.data {
            BlockData::Letters(records) => self
                .rooms
                .tables
                .get(*records)
                .and_then(|records| BlockReader::of_records(&texts(&records)?, decoding, *chunk_rows)),
            _ => BlockReader::open(block, decoding, &self.rooms.blocks, *chunk_rows),
        };
        opened.map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &anyhow::Error) -> DataFusionError {
        DataFusionError::Execution(format!("source `{}`: {error:#}", self.scan.source))
    }

    fn reject(&self, segment: u32, rejects: Vec<RejectedRecord>) -> Result<()> {
        let Some(first) = rejects.first() else { return Ok(()) };
        let source = &self.scan.source;
        self.batch.report().rejects(source, (segment, first.row), &first.reason, || shown(first.record.clone()));
        match self.scan.on_reject {
            OnReject::Fail => Err(DataFusionError::Execution(format!(
                "source `{source}` has a record in batch {} that cannot be read: {}\n  the record: {}\n  To go on without such records, set `on_reject` of [sources.{source}] to \"skip\" or \"dead-letter\".",
                self.batch.time,
                first.reason,
                shown(first.record.clone())
            ))),
            OnReject::Skip => Ok(()),
            OnReject::DeadLetter => {
                let letters = rejects.into_iter().map(|reject| Rejected {
                    operator: source.clone(),
                    component: None,
                    digest: None,
                    reason: reject.reason,
                    segment,
                    position: reject.row,
                    stays: (!reject.whole).then_some(Stays::Part),
                    row: serde_json::Value::String(reject.record),
                });
                self.batch.report().dead_letters.extend(letters);
                Ok(())
            }
        }
    }
}
