//! What is printed.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::io;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use futures::executor::block_on;

use super::*;

fn batch(seconds: u64) -> BatchTime {
    BatchTime::from_millis(1_769_860_800_000 + seconds * 1000)
}

fn rows(rows: &[(Option<&str>, i64)]) -> RecordBatch {
    let words: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|row| row.0)));
    let counts: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
    RecordBatch::try_from_iter_with_nullable([("word", words, true), ("count", counts, true)]).unwrap()
}

fn given(format: StdoutFormat) -> (StdoutSink, Arc<Mutex<Vec<u8>>>) {
    let output = Arc::new(Mutex::new(Vec::new()));
    (StdoutSink::new(format, rows(&[]).schema(), output.clone()), output)
}

fn stage(sink: &StdoutSink, batch: BatchTime, part: usize, rows: RecordBatch) -> Staged {
    block_on(async {
        let mut writer = sink.stage(batch, part).await.unwrap();
        writer.write(rows).await.unwrap();
        writer.finish().await.unwrap()
    })
}

fn printed(output: &Mutex<Vec<u8>>) -> String {
    String::from_utf8(std::mem::take(&mut *output.lock().unwrap())).unwrap()
}

#[test]
fn given_parts_when_committed_then_the_batch_is_printed_as_one_table_in_the_order_of_parts() {
    let (sink, output) = given(StdoutFormat::Table);
    block_on(sink.begin(batch(0))).unwrap();
    assert_eq!(stage(&sink, batch(0), 1, rows(&[(None, 2)])).rows, 1);
    stage(&sink, batch(0), 0, rows(&[(Some("weir"), 1)]));
    assert_eq!(printed(&output), "");

    block_on(sink.commit(batch(0))).unwrap();

    let expected = "\
-- batch 2026-01-31T12:00:00.000Z (2 rows)
+------+-------+
| word | count |
+------+-------+
| weir | 1     |
| null | 2     |
+------+-------+
";
    assert_eq!(printed(&output), expected);
    // A second commit has nothing to print.
    block_on(sink.commit(batch(0))).unwrap();
    assert_eq!(printed(&output), "");
}

#[test]
fn given_no_rows_when_committed_then_only_the_heading_is_printed() {
    let (sink, output) = given(StdoutFormat::Table);
    block_on(sink.begin(batch(1))).unwrap();
    stage(&sink, batch(1), 0, rows(&[]));
    block_on(sink.commit(batch(1))).unwrap();
    assert_eq!(printed(&output), "-- batch 2026-01-31T12:00:01.000Z (0 rows)\n");
}

#[test]
fn given_a_batch_that_is_begun_again_when_committed_then_the_earlier_attempt_is_gone() {
    let (sink, output) = given(StdoutFormat::Json);
    for count in [1, 2] {
        block_on(sink.begin(batch(0))).unwrap();
        stage(&sink, batch(0), 0, rows(&[(None, count)]));
    }
    block_on(sink.commit(batch(0))).unwrap();
    assert_eq!(printed(&output), "{\"word\":null,\"count\":2}\n");
}

/// A pipe whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn given_a_closed_pipe_when_committed_then_the_error_says_so() {
    let sink = StdoutSink::new(StdoutFormat::Json, rows(&[]).schema(), Arc::new(Mutex::new(Closed)));
    block_on(sink.begin(batch(0))).unwrap();
    stage(&sink, batch(0), 0, rows(&[(None, 1)]));
    let error = block_on(sink.commit(batch(0))).unwrap_err().to_string();
    assert_eq!(error, "standard output is closed: whoever read it has gone");
}
