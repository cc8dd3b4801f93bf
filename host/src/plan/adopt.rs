//! Rows from SQL made a stream again: types brought to the six that streams have, all in one segment.
//!
//! SQL runs in one partition, over rows in canonical order, so the order of its output is canonical too.

use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, future};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::segment::{attach_constant, with_segment};
use crate::rows::{self, Columns, NotAdoptable};

/// Casts and numbers the rows of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adopt {
    /// The operator's name, under which its rows are counted.
    pub operator: String,
    /// The columns of the stream.
    pub output: Columns,
}

/// The stream's schema for a query's: each type becomes the nearest of the six. A value that does not fit in it, such
/// as an unsigned integer from 2^63 on, fails the batch; decimals and nanoseconds are rounded.
pub fn adopted_schema(query: &Schema) -> Result<Schema, String> {
    rows::adopted_schema(query).map_err(|e| match e {
        NotAdoptable::Twice(name) => {
            format!("the query answers with two columns `{name}`; name one of them with `as`")
        }
        NotAdoptable::Name(name) => {
            format!("the query answers with a column named `{name}`; names must not be empty or begin with `__`")
        }
        NotAdoptable::Type { column, found } => format!(
            "column `{column}` has type {found}, which a stream cannot have; cast it, as in `arrow_cast({column}, \
             'Utf8')`, or leave it out"
        ),
    })
}

impl Node for Adopt {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&self.output.schema()))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let batch_room = task.batch()?;
        let schema = SchemaRef::new(self.output.schema());
        let operator = self.operator.clone();
        let rows = task.input_stream()?.map(move |batch| {
            let batch = batch.map_err(|e| match e.find_root() {
                // An operator below has given its own name.
                DataFusionError::Execution(_) => e,
                other => DataFusionError::Execution(format!(
                    "operator `{operator}`, running its query: {}\n  A query has no rows to set aside: let it see to such values \
                     itself, as with `nullif(x, 0)` before a division, or `try_cast`.",
                    match other {
                        DataFusionError::ArrowError(error, _) => error.to_string(),
                        other => other.strip_backtrace(),
                    }
                )),
            })?;
            batch_room.report().count(&operator, 0, batch.num_rows() as u64, 0);
            attach_constant(adopt(&batch, &schema)?, 0)
        });
        let rows = rows.filter(|b| future::ready(!b.as_ref().is_ok_and(|b| b.num_rows() == 0)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

fn adopt(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    rows::adopt(batch, schema).map_err(|e| match e {
        ArrowError::CastError(text) => DataFusionError::Execution(format!("in a query's answer, {text}")),
        other => other.into(),
    })
}
