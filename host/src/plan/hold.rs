//! Rows held until their event-time window closes: they come out window after window, in the order in which they came in.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::event_time::places;
use super::key_group::{KEY_GROUPS, key_groups};
use super::node::{Node, Task};
use super::rooms::{BatchRoom, Rooms};
use super::segment::{Position, attach_constant, detach, without_segment};
use super::state_update::not_open;
use crate::event_time::{Watermark, window_fields};
use crate::fingerprint::size_of;
use crate::rows::of_columns;
use crate::state::{Change, Changes, Delta, Key, Keyed, RowBytes, StateBytes};

/// Rows that go on together.
const ROWS: usize = 8192;

/// Holds rows. Its input is one partition, in canonical order, each row with its window behind it; so is its output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The name under which rows are kept.
    pub rows: String,
    /// The sources whose watermark closes windows.
    pub sources: Vec<String>,
    /// The operator under whose name rows are counted, where nobody else counts them.
    pub counts: Option<String>,
}

/// The key of a row that is held: its window, and its place in the canonical order of all batches.
pub fn held_key() -> Schema {
    let place = ["batch", "segment", "place"].map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
    Schema::new(window_fields().into_iter().chain(place).collect::<Vec<_>>())
}

impl Node for Hold {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        if task.partition_count()? != 1 {
            return Err(DataFusionError::Internal("rows are held in one partition".to_owned()));
        }
        let (rooms, batch, input, node) = (task.rooms()?, task.batch()?, task.input_stream()?, self.clone());
        let schema = without_segment(&task.schema);
        let rows = async move {
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            let watermark = batch.watermarks().least(&node.sources).await;
            let rows = Worker::new(node, &rooms, batch, watermark)?.run(&schema, &batches)?;
            Ok::<_, DataFusionError>(stream::iter(rows.into_iter().map(Ok)))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, stream::once(rows).try_flatten())))
    }
}

struct Worker {
    node: Hold,
    batch: Arc<BatchRoom>,
    watermark: Watermark,
    keyed: Arc<Keyed>,
    keys: RowBytes,
    rows: RowBytes,
    position: Position,
    changes: Vec<(u32, Changes)>,
    /// The rows whose windows close.
    free: Vec<(Key, StateBytes)>,
}

impl Worker {
    fn new(node: Hold, rooms: &Rooms, batch: Arc<BatchRoom>, watermark: Watermark) -> Result<Self> {
        let keyed = rooms.state.keyed.get(&node.rows).ok_or_else(|| not_open(&node.rows))?;
        let (keys, rows) = (RowBytes::new(keyed.spec().key.clone())?, RowBytes::new(keyed.spec().state.clone())?);
        let changes = (0..KEY_GROUPS).map(|group| (group, Vec::new())).collect();
        let position = Position::default();
        Ok(Self { node, batch, watermark, keyed, keys, rows, position, changes, free: Vec::new() })
    }

    fn run(mut self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        let keyed = self.keyed.clone();
        for (group, changes) in (0..).zip(&mut self.changes).map(|(group, (_, changes))| (group, changes)) {
            let states: &crate::state::Group = &keyed.groups()[group];
            for (key, entry, _) in states.due(self.watermark.as_millis(), None) {
                self.free.push((key.clone(), entry.state.clone()));
                changes.push((key.clone(), None));
            }
        }
        for rows in batches {
            self.add(rows)?;
        }
        self.free.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let out = self.free.chunks(ROWS).map(|rows| self.shown(schema, rows)).collect::<Result<Vec<_>>>()?;
        let Self { node, batch, watermark, changes, keyed: held, free, .. } = self;
        if let Some(operator) = &node.counts {
            let rows_in = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            batch.report().count(operator, rows_in as u64, free.len() as u64, 0);
            batch.report().read(operator, batches.iter().map(size_of).sum());
        }
        // The rows must not be held any more when the batch commits, or it would have to copy them.
        drop((keyed, held));
        batch.stage(0, Delta { operator: node.rows, now: watermark.as_millis(), groups: changes });
        Ok(out)
    }

    fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let places = places(rows, &mut self.position)?;
        let (rows, _) = detach(rows)?;
        let own = rows.num_columns() - 2;
        let windows = &rows.columns()[own..];
        let batch = i64::try_from(self.batch.time.as_millis()).unwrap_or(i64::MAX);
        let place: [ArrayRef; 3] = [
            Arc::new(Int64Array::from_value(batch, rows.num_rows())),
            Arc::new(Int64Array::from_iter_values(places.iter().map(|(segment, _)| i64::from(*segment)))),
            Arc::new(Int64Array::from_iter_values(
                places.iter().map(|(_, place)| i64::try_from(*place).unwrap_or(i64::MAX)),
            )),
        ];
        let keys = of_columns(self.keys.schema().clone(), [windows, &place].concat(), rows.num_rows())?;
        let groups = key_groups(windows, rows.num_rows())?;
        let ends = windows[1].as_primitive::<TimestampMicrosecondType>().values();
        let values = of_columns(self.rows.schema().clone(), rows.columns()[..own].to_vec(), rows.num_rows())?;
        let rows = self.keys.encode_each::<Key>(&keys)?.into_iter().zip(self.rows.encode_each(&values)?);
        for ((key, state), (group, end)) in rows.zip(groups.into_iter().zip(ends)) {
            let end = end / 1000;
            if self.watermark.passed(end) {
                self.free.push((key, state));
            } else {
                let change = Change { state, last: self.batch.time.as_millis(), timer: end.unsigned_abs() };
                self.changes[group as usize].1.push((key, Some(change)));
            }
        }
        Ok(())
    }

    /// Rows as they came in, with their windows.
    fn shown(&self, schema: &SchemaRef, rows: &[(Key, StateBytes)]) -> Result<RecordBatch> {
        let windows = self.keys.decode(rows.iter().map(|(key, _)| &**key))?;
        let values = self.rows.decode(rows.iter().map(|(_, row)| &**row))?;
        let columns = [values.columns(), &windows.columns()[..2]].concat();
        attach_constant(of_columns(schema.clone(), columns, rows.len())?, 0)
    }
}
