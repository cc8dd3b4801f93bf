//! Text: a line is a row of one column, `line utf8`, without its line end.

use std::str;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::StringArray;
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::reader::{ChunkDecoder, Rejects};
use super::records::{Chunk, Span};

/// Turns lines into rows.
#[derive(Debug)]
pub(super) struct TextDecoder {
    schema: SchemaRef,
}

impl TextDecoder {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }
}

impl ChunkDecoder for TextDecoder {
    fn decode(&mut self, chunk: Chunk<'_>, rejects: &mut Rejects) -> Result<RecordBatch> {
        // A line is valid when the chunk is: a line end is never part of a character.
        let all_valid = simdutf8::basic::from_utf8(chunk.bytes).is_ok();
        let mut offsets = Vec::with_capacity(chunk.spans.len() + 1);
        let mut values = Vec::with_capacity(chunk.bytes.len());
        offsets.push(0);
        for (index, span) in chunk.spans.iter().enumerate() {
            let line = chunk.text(span);
            match problem(span, line, all_valid) {
                Some(reason) => rejects.add(index, &chunk, reason),
                None => {
                    values.extend_from_slice(line);
                    // A chunk is bounded to a few MiB, far from the end of i32.
                    offsets.push(i32::try_from(values.len())?);
                }
            }
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let lines = StringArray::try_new(offsets, Buffer::from_vec(values), None)?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(lines)])?)
    }
}

fn problem(span: &Span, line: &[u8], all_valid: bool) -> Option<String> {
    if span.too_long {
        return Some(super::reader::too_long());
    }
    if all_valid {
        return None;
    }
    str::from_utf8(line).err().map(|error| super::reader::not_utf8(&error))
}
