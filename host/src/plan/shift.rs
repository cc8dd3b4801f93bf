//! Segments renumbered, so that several streams can be put one after the other (union).

use arrow::array::PrimitiveArray;
use arrow::array::UInt32Array;
use arrow::compute::unary;
use arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::segment::{attach, detach};

/// Adds a number to every segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// How many segments come before.
    pub by: u32,
}

impl Node for Shift {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let by = self.by;
        let rows = task.input_stream()?.map(move |batch| {
            let (rows, segments) = detach(&batch?)?;
            let shifted: PrimitiveArray<UInt32Type> = unary(&segments, |s| s + by);
            attach(rows, UInt32Array::from(shifted))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}
