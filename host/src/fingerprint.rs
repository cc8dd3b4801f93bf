//! What rows a stream has, in 16 bytes: equal for equal rows in the same order of the same segments, however they are cut
//! into record batches and partitions.
//!
//! A segment's columns are hashed (XXH3) as their rows come, value after value; a stream's fingerprint is the sum of its
//! segments', so they may be summed in any order. It tells a mistake, not an attack: XXH3 is no cryptographic hash.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{ArrowNativeType, ByteArrayType, DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// The fingerprint of a stream's rows in a batch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// That of both, where no segment is in both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The rows of some segments, as they come.
#[derive(Default)]
pub struct Fingerprinter {
    /// Of the segments that are complete.
    sum: Fingerprint,
    /// The segment whose rows are coming.
    open: Option<Segment>,
    bytes: u64,
}

impl Fingerprinter {
    /// Takes more rows, all of one segment. Segments come one after the other.
    pub fn take(&mut self, segment: u32, rows: &RecordBatch, run: Range<usize>) {
        if self.open.as_ref().is_none_or(|open| open.number != segment) {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| Segment::new(segment, rows.num_columns()));
        for (hash, column) in open.columns.iter_mut().zip(rows.columns()) {
            self.bytes += hash.take(&column.slice(run.start, run.len()), open.rows);
        }
        open.rows += run.len() as u64;
    }

    /// The fingerprint of all rows, and how many bytes they have.
    pub fn finish(mut self) -> (Fingerprint, u64) {
        self.close();
        (self.sum, self.bytes)
    }

    fn close(&mut self) {
        if let Some(segment) = self.open.take() {
            self.sum = self.sum.with(segment.finish());
        }
    }
}

struct Segment {
    number: u32,
    rows: u64,
    columns: Vec<ColumnHash>,
}

impl Segment {
    fn new(number: u32, columns: usize) -> Self {
        Self { number, rows: 0, columns: (0..columns).map(|_| ColumnHash::default()).collect() }
    }

    fn finish(self) -> Fingerprint {
        let mut all = Xxh3::new();
        all.update(&self.number.to_le_bytes());
        all.update(&self.rows.to_le_bytes());
        for ColumnHash { nulls, lengths, values } in self.columns {
            [nulls, lengths, values].iter().for_each(|hash| all.update(&hash.digest128().to_le_bytes()));
        }
        Fingerprint(all.digest128())
    }
}

/// A column's values, each kind of byte by itself: so it does not matter where record batches end.
#[derive(Default)]
struct ColumnHash {
    /// The places of nulls.
    nulls: Xxh3,
    /// The lengths of texts and bytes.
    lengths: Xxh3,
    /// The values; of nulls, zeros or nothing.
    values: Xxh3,
}

impl ColumnHash {
    /// Takes more rows, the first of which is row `first` of the segment; how many bytes they have.
    fn take(&mut self, column: &ArrayRef, first: u64) -> u64 {
        if column.null_count() > 0 {
            for place in (0..column.len()).filter(|place| column.is_null(*place)) {
                self.nulls.update(&(first + place as u64).to_le_bytes());
            }
        }
        match column.data_type() {
            DataType::Boolean => {
                let values = column.as_boolean();
                let bytes: Vec<u8> =
                    (0..values.len()).map(|i| u8::from(values.is_valid(i) && values.value(i))).collect();
                self.values.update(&bytes);
                bytes.len() as u64
            }
            DataType::Int64 => self.fixed(column, column.as_primitive::<Int64Type>().values().inner()),
            DataType::Float64 => self.fixed(column, column.as_primitive::<Float64Type>().values().inner()),
            DataType::Timestamp(..) => {
                self.fixed(column, column.as_primitive::<TimestampMicrosecondType>().values().inner())
            }
            DataType::Utf8 => self.variable(column.as_string::<i32>()),
            DataType::Binary => self.variable(column.as_binary::<i32>()),
            other => unreachable!("{other} is no column type"),
        }
    }

    fn fixed(&mut self, column: &dyn Array, values: &[u8]) -> u64 {
        if column.null_count() == 0 {
            self.values.update(values);
        } else {
            for (place, value) in values.chunks_exact(8).enumerate() {
                self.values.update(if column.is_null(place) { &[0; 8] } else { value });
            }
        }
        values.len() as u64
    }

    fn variable<T: ByteArrayType<Offset = i32>>(&mut self, column: &arrow::array::GenericByteArray<T>) -> u64 {
        let (offsets, data) = (column.value_offsets(), column.value_data());
        let lengths: Vec<u32> = if column.null_count() == 0 {
            self.values.update(&data[offsets[0].as_usize()..offsets[column.len()].as_usize()]);
            offsets.windows(2).map(|ends| (ends[1] - ends[0]) as u32).collect()
        } else {
            let value = |row: usize| match column.is_null(row) {
                true => &[][..],
                false => &data[offsets[row].as_usize()..offsets[row + 1].as_usize()],
            };
            (0..column.len()).for_each(|row| self.values.update(value(row)));
            (0..column.len()).map(|row| value(row).len() as u32).collect()
        };
        let bytes: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        let lengths = Buffer::from_vec(lengths);
        self.lengths.update(&lengths);
        bytes + lengths.len() as u64
    }
}

/// How many bytes rows have: eight for a number or a time, one for a boolean, four more than it has for a text. Columns that
/// are not of the six types are the host's own, and do not count.
pub fn size_of(rows: &RecordBatch) -> u64 {
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Boolean => column.len(),
        DataType::Int64 | DataType::Float64 | DataType::Timestamp(..) => 8 * column.len(),
        DataType::Utf8 => 4 * column.len() + spread(column.as_string::<i32>().value_offsets()),
        DataType::Binary => 4 * column.len() + spread(column.as_binary::<i32>().value_offsets()),
        _ => 0,
    });
    columns.sum::<usize>() as u64
}

fn spread(offsets: &[i32]) -> usize {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => last.as_usize() - first.as_usize(),
        _ => 0,
    }
}

/// The fingerprints of a batch's streams, by name.
pub type Fingerprints = BTreeMap<String, Fingerprint>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use std::sync::Arc;

    use arrow::array::{BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray};
    use arrow::compute::concat_batches;
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<i64>, Option<f64>, Option<bool>, Option<String>, Option<Vec<u8>>);

    fn rows(rows: &[Row]) -> RecordBatch {
        RecordBatch::try_from_iter([
            ("i", Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()) as ArrayRef),
            ("f", Arc::new(rows.iter().map(|r| r.1).collect::<Float64Array>())),
            ("b", Arc::new(rows.iter().map(|r| r.2).collect::<BooleanArray>())),
            ("s", Arc::new(rows.iter().map(|r| r.3.clone()).collect::<StringArray>())),
            ("y", Arc::new(rows.iter().map(|r| r.4.as_deref()).collect::<BinaryArray>())),
        ])
        .unwrap()
    }

    /// Of all rows in one segment, in record batches that end at these places.
    fn of(all: &RecordBatch, ends: &[usize]) -> Fingerprint {
        let (mut fingerprinter, mut start) = (Fingerprinter::default(), 0);
        for end in ends.iter().copied().chain([all.num_rows()]).filter(|end| *end <= all.num_rows()) {
            if end > start {
                fingerprinter.take(3, all, start..end);
                start = end;
            }
        }
        fingerprinter.finish().0
    }

    fn row() -> impl Strategy<Value = Row> {
        let text = proptest::option::of("[a-c]{0,3}");
        let binary = proptest::option::of(proptest::collection::vec(0_u8..3, 0..3));
        (proptest::option::of(0_i64..3), proptest::option::of(-1.0..1.0), any::<Option<bool>>(), text, binary)
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_record_batches_end(
            all in proptest::collection::vec(row(), 1..20),
            mut ends in proptest::collection::vec(0_usize..20, 0..4),
        ) {
            ends.sort_unstable();
            let batch = rows(&all);
            // What lies in memory behind nulls and around slices must not matter either.
            let around = concat_batches(batch.schema_ref(), [&rows(&all[..1]), &batch, &batch]).unwrap();
            prop_assert_eq!(of(&batch, &ends), of(&batch, &[]));
            prop_assert_eq!(of(&around.slice(1, all.len()), &ends), of(&batch, &[]));
        }

        #[test]
        fn other_rows_have_another(a in proptest::collection::vec(row(), 0..4), b in proptest::collection::vec(row(), 0..4)) {
            prop_assert_eq!(of(&rows(&a), &[]) == of(&rows(&b), &[]), a == b);
        }
    }

    #[test]
    fn the_order_of_segments_is_told_but_not_in_which_order_they_came() {
        let all = rows(&[(Some(1), None, None, None, None), (Some(2), None, None, None, None)]);
        let of = |first: (u32, usize), second: (u32, usize)| {
            let mut fingerprinter = Fingerprinter::default();
            for (segment, row) in [first, second] {
                fingerprinter.take(segment, &all, row..row + 1);
            }
            fingerprinter.finish().0
        };
        assert_eq!(of((0, 0), (1, 1)), of((1, 1), (0, 0)));
        assert_ne!(of((0, 0), (1, 1)), of((0, 1), (1, 0)));
    }

    #[test]
    fn bytes_are_counted_alike_with_and_without_hashing() {
        let row = (Some(1), Some(1.0), Some(true), Some("abc".into()), Some(vec![1]));
        let all = rows(&[row.clone(), row.clone(), row]);
        let mut fingerprinter = Fingerprinter::default();
        fingerprinter.take(0, &all, 0..3);
        assert_eq!((fingerprinter.finish().1, size_of(&all)), (3 * (8 + 8 + 1 + 7 + 5), 3 * (8 + 8 + 1 + 7 + 5)));
    }
}
