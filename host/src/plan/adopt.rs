//! Rows from SQL made a stream again: types brought to the six that streams have, all in one segment.
//!
//! SQL runs in one partition, over rows in canonical order, so the order of its output is canonical too.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, future};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::segment::{attach_constant, with_segment};
use crate::rows::{ColumnType, Columns, of_columns};

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
    let mut names = HashSet::new();
    for field in query.fields() {
        if !names.insert(field.name()) {
            return Err(format!("the query answers with two columns `{0}`; name one of them with `as`", field.name()));
        }
        if field.name().is_empty() || field.name().starts_with("__") {
            return Err(format!(
                "the query answers with a column named `{}`; names must not be empty or begin with `__`",
                field.name()
            ));
        }
    }
    let field = |f: &std::sync::Arc<Field>| {
        let kind = adopted_type(f.data_type()).ok_or_else(|| {
            format!(
                "column `{}` has type {}, which a stream cannot have; cast it, as in `arrow_cast({0}, 'Utf8')`, or leave it out",
                f.name(),
                f.data_type()
            )
        })?;
        Ok(Field::new(f.name(), kind.arrow(), f.is_nullable()))
    };
    Ok(Schema::new(query.fields().iter().map(field).collect::<Result<Vec<_>, String>>()?))
}

fn adopted_type(found: &DataType) -> Option<ColumnType> {
    if let Some(same) = ColumnType::of(found) {
        return Some(same);
    }
    Some(match found {
        t if t.is_integer() => ColumnType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            ColumnType::Float64
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => ColumnType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => ColumnType::Binary,
        DataType::Dictionary(_, value) => return adopted_type(value),
        _ => return None,
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
            let batch = batch.map_err(|e| match e {
                // An operator below has given its own name.
                DataFusionError::Execution(_) => e,
                other => DataFusionError::Execution(format!(
                    "operator `{operator}`, running its query: {}",
                    other.strip_backtrace()
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
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| {
        let lossless = arrow::compute::CastOptions { safe: false, ..Default::default() };
        arrow::compute::cast_with_options(column, field.data_type(), &lossless)
            .map_err(|e| DataFusionError::Execution(format!("column `{}` of a query: {e}", field.name())))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(of_columns(schema.clone(), columns, batch.num_rows())?)
}
