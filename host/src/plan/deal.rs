//! Rows dealt out to exactly so many partitions, each a segment of its own, of the same size give or take a row.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::segment::{attach_constant, detach};
use crate::fingerprint::size_of;

/// Deals rows out. Its input is one partition, in canonical order, which can be read again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deal {
    /// The operator's name, under which its rows are counted.
    pub operator: String,
    /// How many partitions.
    pub partitions: usize,
}

impl Node for Deal {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, _: &[usize]) -> usize {
        self.partitions
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (batch, node, partition) = (task.batch()?, self.clone(), task.partition);
        let input = task.input()?.execute(0, task.context())?;
        let dealt = async move {
            let rows: Vec<RecordBatch> = input.try_collect().await?;
            let dealt = share(&rows, partition, node.partitions)?;
            let count = dealt.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
            batch.report().count(&node.operator, count, count, 0);
            batch.report().read(&node.operator, dealt.iter().map(size_of).sum());
            Ok::<_, datafusion::error::DataFusionError>(stream::iter(dealt.into_iter().map(Ok)))
        };
        let rows = stream::once(dealt).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

/// One partition's share.
fn share(rows: &[RecordBatch], partition: usize, partitions: usize) -> Result<Vec<RecordBatch>> {
    let total: usize = rows.iter().map(RecordBatch::num_rows).sum();
    let (each, longer) = (total / partitions, total % partitions);
    let start = partition * each + partition.min(longer);
    let end = start + each + usize::from(partition < longer);
    let mut share = Vec::new();
    let mut before = 0;
    for batch in rows {
        let after = before + batch.num_rows();
        let (from, to) = (start.max(before), end.min(after));
        if from < to {
            let (rows, _) = detach(&batch.slice(from - before, to - from))?;
            share.push(attach_constant(rows, partition as u32)?);
        }
        before = after;
    }
    Ok(share)
}
