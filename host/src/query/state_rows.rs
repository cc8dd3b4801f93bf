//! The states of an operator, a piece at a time: keys are ordered and decoded group by group as they are asked for.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::plan::QUERY_ROWS;
use crate::rows::ColumnType;
use crate::sink::json_writer;
use crate::state::Group;
use crate::state::{Entry, Key, Keyed, RowBytes};

/// Some keys with their states.
pub(super) struct Piece {
    /// How many.
    pub(super) count: usize,
    /// The keys, if they were wanted.
    pub(super) keys: Option<RecordBatch>,
    /// The states, if they were wanted.
    pub(super) states: Option<RecordBatch>,
    /// The batch time of each key's last rows.
    pub(super) last: TimestampMicrosecondArray,
    /// When each key asked to be woken.
    timer: TimestampMicrosecondArray,
}

impl Piece {
    /// The first so many of them.
    pub(super) fn first(self, count: usize) -> Self {
        let count = count.min(self.count);
        Self {
            count,
            keys: self.keys.map(|keys| keys.slice(0, count)),
            states: self.states.map(|states| states.slice(0, count)),
            last: self.last.slice(0, count),
            timer: self.timer.slice(0, count),
        }
    }
}

/// Gives all keys, in order of key group and key. A group that has been read is let go: a commit need not copy it any more.
pub(super) struct StateRows {
    keys: Option<RowBytes>,
    states: Option<RowBytes>,
    ahead: std::vec::IntoIter<Arc<Group>>,
    /// The group that is read, and what is left of it, in order.
    at: (Arc<Group>, std::vec::IntoIter<Key>),
}

impl StateRows {
    /// All keys; what is not wanted is not decoded.
    pub(super) fn new(keyed: &Keyed, keys: bool, states: bool) -> Result<Self, ArrowError> {
        let spec = keyed.spec();
        let bytes = |wanted: bool, schema: &Arc<Schema>| wanted.then(|| RowBytes::new(schema.clone())).transpose();
        let (keys, states) = (bytes(keys, &spec.key)?, bytes(states, &spec.state)?);
        let ahead = keyed.groups().to_vec().into_iter();
        Ok(Self { keys, states, ahead, at: Default::default() })
    }

    /// One key.
    pub(super) fn one(keyed: &Keyed, key: &Key, entry: &Entry) -> Result<Piece, ArrowError> {
        Self::new(keyed, true, true)?.decode(&[(key, entry)])
    }

    fn decode(&self, rows: &[(&Key, &Entry)]) -> Result<Piece, ArrowError> {
        let keys = self.keys.as_ref().map(|keys| keys.decode(rows.iter().map(|(key, _)| &***key)));
        let states = self.states.as_ref().map(|states| states.decode(rows.iter().map(|(_, entry)| &*entry.state)));
        let timer = rows.iter().map(|(_, entry)| (entry.timer != 0).then(|| micros_of(entry.timer)));
        Ok(Piece {
            count: rows.len(),
            keys: keys.transpose()?,
            states: states.transpose()?,
            last: micros(rows.iter().map(|(_, entry)| entry.last)),
            timer: timer.collect::<TimestampMicrosecondArray>().with_timezone("UTC"),
        })
    }
}

impl Iterator for StateRows {
    type Item = Result<Piece, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at.1.len() == 0 {
            let group = self.ahead.next()?;
            let mut keys: Vec<Key> = group.iter().map(|(key, _)| key.clone()).collect();
            keys.sort_unstable();
            self.at = (group, keys.into_iter());
        }
        let keys: Vec<Key> = self.at.1.by_ref().take(QUERY_ROWS).collect();
        let rows: Vec<(&Key, &Entry)> = keys.iter().filter_map(|key| Some((key, self.at.0.get(key)?))).collect();
        Some(self.decode(&rows))
    }
}

/// Milliseconds as a column of timestamps.
pub(super) fn micros(millis: impl Iterator<Item = u64>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::from_iter_values(millis.map(micros_of)).with_timezone("UTC")
}

fn micros_of(millis: u64) -> i64 {
    i64::try_from(millis.saturating_mul(1000)).unwrap_or(i64::MAX)
}

/// Each key as a line of JSON: `{"key": {…}, "state": {…}, "last": …, "timer": …}`, with values as the files sink writes
/// them. Columns keep to themselves, so none can have a name that is taken.
pub(super) fn json_lines(piece: &Piece) -> Result<Vec<u8>> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (name, rows) in [("key", &piece.keys), ("state", &piece.states)] {
        let Some(rows) = rows else { continue };
        let column = match rows.num_columns() {
            0 => StructArray::new_empty_fields(piece.count, None),
            _ => StructArray::from(rows.clone()),
        };
        fields.push(Field::new_struct(name, rows.schema_ref().fields().clone(), false));
        columns.push(Arc::new(column));
    }
    fields.push(Field::new("last", ColumnType::Timestamp.arrow(), false));
    columns.push(Arc::new(piece.last.clone()));
    fields.push(Field::new("timer", ColumnType::Timestamp.arrow(), true));
    columns.push(Arc::new(piece.timer.clone()));
    let mut writer = json_writer(Vec::new());
    writer.write(&RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)?;
    Ok(writer.into_inner())
}
