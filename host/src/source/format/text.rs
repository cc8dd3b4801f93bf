//! Text: a line is a row of one column, `line utf8`, without its line end.

use std::str;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::StringBuilder;
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
        // Lines are text where the chunk is: a line end is never part of a character.
        let text = simdutf8::basic::from_utf8(chunk.bytes).ok();
        // Which can have no more than i32 counts: a chunk is bounded to a few MiB.
        let mut lines = StringBuilder::with_capacity(chunk.spans.len(), chunk.bytes.len());
        for (index, span) in chunk.spans.iter().enumerate() {
            match line(&chunk, text, span) {
                Ok(line) => lines.append_value(line),
                Err(reason) => rejects.add(index, &chunk, reason),
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(lines.finish())])?)
    }
}

/// A line of a chunk, which may be text as a whole, or why it is none.
fn line<'a>(chunk: &Chunk<'a>, text: Option<&'a str>, span: &Span) -> Result<&'a str, String> {
    if span.too_long {
        return Err(super::reader::too_long());
    }
    match text {
        Some(text) => Ok(&text[span.text.clone()]),
        None => str::from_utf8(chunk.text(span)).map_err(|error| super::reader::not_utf8(&error)),
    }
}
