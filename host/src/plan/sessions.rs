//! The open sessions of a key as one row of state, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};

use crate::event_time::{Span, window_fields};
use crate::rows::{concat as concat_rows, of_columns, take as take_rows};
use crate::state::{RowBytes, StateBytes};

/// The columns of one session: its start and end, and its accumulator.
fn session(accumulator: &Schema) -> Schema {
    let accumulator = accumulator.fields().iter().enumerate();
    let accumulator = accumulator.map(|(i, f)| Arc::new(f.as_ref().clone().with_name(format!("__acc_{i}"))));
    Schema::new(window_fields().into_iter().chain(accumulator).collect::<Vec<_>>())
}

/// The columns of a key's state: those of its first session, and the bytes of the others, if there are any.
pub fn session_state(accumulator: &Schema) -> Schema {
    let others = Arc::new(Field::new("__others", DataType::Binary, true));
    Schema::new(session(accumulator).fields().iter().cloned().chain([others]).collect::<Vec<_>>())
}

/// The state of a key, and the end of its first session.
pub(super) type Packed = (StateBytes, i64);

/// Packs sessions.
pub(super) struct Packing {
    session: RowBytes,
    state: RowBytes,
}

impl Packing {
    pub(super) fn new(accumulator: &Schema) -> Result<Self> {
        Ok(Self {
            session: RowBytes::new(Arc::new(session(accumulator)))?,
            state: RowBytes::new(Arc::new(session_state(accumulator)))?,
        })
    }

    fn columns(&self) -> &SchemaRef {
        self.session.schema()
    }

    /// The sessions of some keys, and which key each is of.
    pub(super) fn unpack(&self, states: &[Option<&[u8]>]) -> Result<(RecordBatch, Vec<usize>)> {
        let known: Vec<(usize, &[u8])> = states.iter().enumerate().filter_map(|(key, s)| Some((key, (*s)?))).collect();
        let rows = self.state.decode(known.iter().map(|(_, state)| *state))?;
        let columns = self.columns().fields().len();
        let firsts = of_columns(self.columns().clone(), rows.columns()[..columns].to_vec(), rows.num_rows())?;
        let mut owners: Vec<usize> = known.iter().map(|(key, _)| *key).collect();
        let mut others = Vec::new();
        for ((key, _), packed) in known.iter().zip(rows.column(columns).as_binary::<i32>()) {
            for other in unframed(packed.unwrap_or_default())? {
                others.push(other);
                owners.push(*key);
            }
        }
        let others = self.session.decode(others.into_iter())?;
        Ok((concat_rows(self.columns(), &[firsts, others])?, owners))
    }

    /// The state of each key that keeps a session, and the end of its first. `sessions` lie by key and, within it, in the
    /// order of time.
    pub(super) fn pack(
        &self,
        sessions: &RecordBatch,
        spans: &[(usize, Span)],
        keeps: impl Fn(&Span) -> bool,
    ) -> Result<BTreeMap<usize, Packed>> {
        let (mut keys, mut firsts, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (key, span)) in (0_u32..).zip(spans).filter(|(_, (_, span))| keeps(span)) {
            if keys.last().is_some_and(|(last, _)| last == key) {
                others.push((keys.len() - 1, row));
            } else {
                keys.push((*key, span.end));
                firsts.push(row);
            }
        }
        let rows = take_rows(sessions, &UInt32Array::from(firsts))?;
        let other_rows = take_rows(sessions, &UInt32Array::from_iter_values(others.iter().map(|(_, row)| *row)))?;
        let mut packed: Vec<Option<Vec<u8>>> = vec![None; keys.len()];
        for ((key, _), session) in others.iter().zip(self.session.encode_each::<StateBytes>(&other_rows)?) {
            let packed = packed[*key].get_or_insert_default();
            packed.extend_from_slice(&(session.len() as u64).to_le_bytes());
            packed.extend_from_slice(&session);
        }
        let packed: ArrayRef = Arc::new(BinaryArray::from_iter(packed));
        let columns = [rows.columns(), &[packed]].concat();
        let states = self.state.encode_each(&of_columns(self.state.schema().clone(), columns, keys.len())?)?;
        Ok(keys.into_iter().zip(states).map(|((key, end), state)| (key, (state, end))).collect())
    }
}

/// Each session of those packed together.
fn unframed(mut packed: &[u8]) -> Result<Vec<&[u8]>> {
    let damaged = || DataFusionError::Execution("the state of a session window is damaged".to_owned());
    let mut sessions = Vec::new();
    while !packed.is_empty() {
        let (length, rest) = packed.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
        let (session, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        sessions.push(session);
        packed = rest;
    }
    Ok(sessions)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use proptest::prelude::*;

    use super::super::assign::timestamps;
    use super::*;

    proptest! {
        #[test]
        fn sessions_survive_being_packed(lengths in proptest::collection::vec(0_usize..4, 0..6)) {
            let accumulator = Schema::new(vec![Field::new("sum", DataType::Int64, false)]);
            let packing = Packing::new(&accumulator).expect("two schemas");
            let spans: Vec<(usize, Span)> = lengths
                .iter()
                .enumerate()
                .flat_map(|(key, n)| (0..*n as i64).map(move |i| (key, Span { start: i * 10, end: i * 10 + 5 })))
                .collect();
            let columns: Vec<ArrayRef> = vec![
                timestamps(spans.iter().map(|(_, s)| s.start * 1000).collect()),
                timestamps(spans.iter().map(|(_, s)| s.end * 1000).collect()),
                Arc::new(Int64Array::from_iter_values(0..spans.len() as i64)),
            ];
            let rows = of_columns(packing.columns().clone(), columns, spans.len()).expect("rows");
            let packed = packing.pack(&rows, &spans, |_| true).expect("packs");
            let states: Vec<Option<&[u8]>> = (0..lengths.len()).map(|key| packed.get(&key).map(|(s, _)| &**s)).collect();
            let (unpacked, owners) = packing.unpack(&states).expect("unpacks");
            prop_assert!(packed.values().all(|(_, end)| *end == 5));
            let mut found: Vec<_> = (0..unpacked.num_rows()).map(|row| (owners[row], row as u32)).collect();
            found.sort_unstable();
            let order = UInt32Array::from_iter_values(found.iter().map(|(_, row)| *row));
            prop_assert_eq!(take_rows(&unpacked, &order).expect("rows"), rows);
            prop_assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), spans.iter().map(|(key, _)| *key).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_unframed_without_panic(packed in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = unframed(&packed);
        }
    }
}
