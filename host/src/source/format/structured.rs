//! What JSON and CSV share: a whole chunk is decoded at once, and where that fails, the records at fault are found.
//!
//! Two things can be wrong with a record. Its *syntax* is checked as it is pushed, so each record is known to be exactly
//! one record of the format by itself; what follows cannot complete it or be swallowed by it. Its *values* are converted
//! with those of the chunk; when that fails the chunk is halved until single records are left. Both depend on the record
//! alone, so the result does not depend on the chunk.

use std::str;

use anyhow::Result;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::reader::{ChunkDecoder, Rejects, not_utf8, too_long};
use super::records::Chunk;

/// Decodes records of one format, several at once.
pub(super) trait RowDecoder: Send + std::fmt::Debug {
    /// The schema of the rows.
    fn schema(&self) -> SchemaRef;

    /// Adds a record, without its line end; the reason, if it is not exactly one record of the format. After an error
    /// only `reset` may follow.
    fn push(&mut self, record: &[u8]) -> Result<(), String>;

    /// The rows of the records that were pushed; the reason, if one of them has a value that does not fit. After an
    /// error only `reset` may follow.
    fn finish(&mut self) -> Result<RecordBatch, String>;

    /// Forgets what was pushed.
    fn reset(&mut self) -> Result<()>;

    /// What is wrong with a record for which `finish` failed with `reason` when it was pushed alone.
    fn explain(&self, _record: &[u8], reason: String) -> String {
        reason
    }
}

/// Decodes chunks of records and sorts out those that cannot be read.
#[derive(Debug)]
pub(super) struct StructuredDecoder<D> {
    rows: D,
}

impl<D: RowDecoder> StructuredDecoder<D> {
    pub(super) fn new(rows: D) -> Self {
        Self { rows }
    }

    /// Decodes the records of `run`, which are indices of spans.
    fn decode_run(
        &mut self,
        chunk: Chunk<'_>,
        mut run: &[usize],
        rejects: &mut Rejects,
        rows: &mut Vec<RecordBatch>,
    ) -> Result<()> {
        while !run.is_empty() {
            let Some((at, reason)) = self.push_all(chunk, run) else {
                return self.finish(chunk, run, rejects, rows);
            };
            self.rows.reset()?;
            // Those before it are well-formed, but have to be pushed again.
            let (before, from) = run.split_at(at);
            self.decode_run(chunk, before, rejects, rows)?;
            if let Some((&bad, rest)) = from.split_first() {
                rejects.add(bad, &chunk, reason);
                run = rest;
            }
        }
        Ok(())
    }

    /// The position in `run` of the first record that is not well-formed, and the reason.
    fn push_all(&mut self, chunk: Chunk<'_>, run: &[usize]) -> Option<(usize, String)> {
        run.iter().enumerate().find_map(|(at, &index)| {
            let pushed = self.rows.push(chunk.text(&chunk.spans[index]));
            pushed.err().map(|reason| (at, reason))
        })
    }

    /// Converts the records of `run`, all of which were pushed.
    fn finish(
        &mut self,
        chunk: Chunk<'_>,
        run: &[usize],
        rejects: &mut Rejects,
        rows: &mut Vec<RecordBatch>,
    ) -> Result<()> {
        let reason = match self.rows.finish() {
            Ok(batch) => {
                rows.push(batch);
                return Ok(());
            }
            Err(reason) => reason,
        };
        self.rows.reset()?;
        if let [bad] = *run {
            let record = chunk.text(&chunk.spans[bad]);
            rejects.add(bad, &chunk, self.rows.explain(record, reason));
            return Ok(());
        }
        let (first, second) = run.split_at(run.len() / 2);
        self.decode_run(chunk, first, rejects, rows)?;
        self.decode_run(chunk, second, rejects, rows)
    }
}

impl<D: RowDecoder> ChunkDecoder for StructuredDecoder<D> {
    fn decode(&mut self, chunk: Chunk<'_>, rejects: &mut Rejects) -> Result<RecordBatch> {
        let all_valid = simdutf8::basic::from_utf8(chunk.bytes).is_ok();
        let mut rows = Vec::new();
        let mut run = Vec::with_capacity(chunk.spans.len());
        for (index, span) in chunk.spans.iter().enumerate() {
            let reason = if span.too_long {
                too_long()
            } else if all_valid {
                run.push(index);
                continue;
            } else if let Err(error) = str::from_utf8(chunk.text(span)) {
                not_utf8(&error)
            } else {
                run.push(index);
                continue;
            };
            // Rejects are in the order of records, so what came before is dealt with first.
            self.decode_run(chunk, &std::mem::take(&mut run), rejects, &mut rows)?;
            rejects.add(index, &chunk, reason);
        }
        self.decode_run(chunk, &run, rejects, &mut rows)?;
        match &mut rows[..] {
            [only] => Ok(only.clone()),
            rows => Ok(concat_batches(&self.rows.schema(), rows.iter())?),
        }
    }
}
