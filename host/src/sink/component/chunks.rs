//! Rows on their way through the spool to the calls of a component: Arrow's IPC stream, and chunks of one size out of it.
//!
//! Which rows are in which chunk follows from the rows and the size alone, so that a batch that is delivered again is
//! delivered in the same calls.

use std::io::{BufReader, Read};

use anyhow::{Context, Result};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use crate::rows::concat;
use crate::sink::spool::Part;

/// Writes the rows of one part into the spool.
pub(super) struct Encoder {
    writer: StreamWriter<Vec<u8>>,
}

impl Encoder {
    /// For rows of these columns.
    pub(super) fn new(schema: &Schema) -> Result<Self> {
        Ok(Self { writer: StreamWriter::try_new(Vec::new(), schema).context("staging rows")? })
    }

    /// Appends rows to the part.
    pub(super) fn write(&mut self, part: &mut Part, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).context("staging rows")?;
        self.flush(part, rows.num_rows())
    }

    /// Ends the stream.
    pub(super) fn finish(mut self, part: &mut Part) -> Result<()> {
        self.writer.finish().context("staging rows")?;
        self.flush(part, 0)
    }

    fn flush(&mut self, part: &mut Part, rows: usize) -> Result<()> {
        let encoded = std::mem::take(self.writer.get_mut());
        part.append(rows, &encoded)
    }
}

/// The rows of one part, in chunks.
pub(super) struct Chunks<R: Read> {
    rows: StreamReader<BufReader<R>>,
    schema: SchemaRef,
    size: usize,
    /// Rows that were read and are in no chunk yet.
    pending: Vec<RecordBatch>,
}

impl<R: Read> Chunks<R> {
    /// Chunks of `size` rows, at least one, the last one smaller.
    pub(super) fn of(encoded: R, size: usize) -> Result<Self> {
        let rows = StreamReader::try_new(BufReader::new(encoded), None)?;
        Ok(Self { schema: rows.schema(), rows, size, pending: Vec::new() })
    }

    /// The next chunk, until there is none.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut room = self.size;
        let mut chunk = Vec::new();
        while room > 0 {
            let Some(rows) = self.pending.pop().map_or_else(|| self.rows.next().transpose(), |rows| Ok(Some(rows)))?
            else {
                break;
            };
            let taken = rows.num_rows().min(room);
            if taken < rows.num_rows() {
                self.pending.push(rows.slice(taken, rows.num_rows() - taken));
            }
            chunk.push(rows.slice(0, taken));
            room -= taken;
        }
        if room == self.size { Ok(None) } else { Ok(Some(concat(&self.schema, &chunk)?)) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::rows::of_columns;
    use crate::sink::spool::Spool;

    /// Numbers counted up in batches of these sizes, and the sizes of the chunks that they come out in.
    #[track_caller]
    fn check(batches: &[i64], size: usize, expected: &[usize]) {
        let folder = tempfile::tempdir().unwrap();
        let mut part = Spool::at(folder.path()).unwrap().part();
        let mut next = 0;
        let mut numbers = |count: i64| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(next..next + count));
            next += count;
            RecordBatch::try_from_iter([("n", numbers)]).unwrap()
        };
        let mut encoder = Encoder::new(&numbers(0).schema()).unwrap();
        for &count in batches {
            encoder.write(&mut part, &numbers(count)).unwrap();
        }
        encoder.finish(&mut part).unwrap();
        let mut chunks = Chunks::of(part.read().unwrap(), size).unwrap();
        let (mut sizes, mut all) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.next().unwrap() {
            sizes.push(chunk.num_rows());
            all.extend_from_slice(chunk.column(0).as_primitive::<Int64Type>().values());
        }
        assert_eq!(sizes, expected, "{batches:?}");
        assert_eq!(all, (0..batches.iter().sum()).collect::<Vec<_>>());
    }

    #[test]
    fn given_rows_in_batches_of_any_size_when_read_then_chunks_are_full_but_the_last() {
        check(&[], 3, &[]);
        check(&[0], 3, &[]);
        check(&[7], 3, &[3, 3, 1]);
        check(&[6], 3, &[3, 3]);
        check(&[1, 0, 1, 1, 5, 0], 3, &[3, 3, 2]);
        check(&[2, 2, 2], 100, &[6]);
        check(&[2, 2], 1, &[1, 1, 1, 1]);
    }

    #[test]
    fn given_rows_without_columns_when_read_then_there_are_as_many() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = Spool::at(folder.path()).unwrap().part();
        let schema = Arc::new(Schema::empty());
        let mut encoder = Encoder::new(&schema).unwrap();
        encoder.write(&mut part, &of_columns(schema.clone(), vec![], 5).unwrap()).unwrap();
        encoder.finish(&mut part).unwrap();
        let mut chunks = Chunks::of(part.read().unwrap(), 3).unwrap();
        let sizes: Vec<_> = std::iter::from_fn(|| chunks.next().unwrap()).map(|chunk| chunk.num_rows()).collect();
        assert_eq!(sizes, [3, 2]);
    }
}
