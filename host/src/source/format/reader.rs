//! Reading a block: its rows in chunks, and beside them the records that could not be read.

use std::borrow::Cow;
use std::num::{NonZeroU64, NonZeroUsize};
use std::str::Utf8Error;

use anyhow::{Context, Result, bail};
use arrow::record_batch::RecordBatch;

use super::csv::CsvRows;
use super::framing::{Framing, blank_is_row};
use super::json::JsonRows;
use super::records::{Chunk, Input, Listed, MUST_NOT_CHANGE, Records, check_line_start};
use super::structured::StructuredDecoder;
use super::text::TextDecoder;
use super::{Decoding, MAX_RECORD_BYTES};
use crate::block::{Block, BlockData, BlockStore};
use crate::pipeline::Format;
use crate::source::generator::RowMaker;

/// How much of a rejected record is kept.
const KEPT_BYTES: usize = 64 << 10;

/// Some rows of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The rows, in block order; there may be none.
    pub rows: RecordBatch,
    /// The records among them that could not be read, in block order.
    pub rejects: Vec<RejectedRecord>,
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Its index among the block's records, rejected ones included.
    pub row: u64,
    /// Its text, at most the first 64 KiB; what is not UTF-8 is replaced.
    pub record: String,
    /// Whether that is all of it, as it was.
    pub whole: bool,
    /// Why.
    pub reason: String,
}

/// The rows of a block, chunk by chunk, read in bounded memory.
#[derive(Debug)]
pub struct BlockReader {
    rows: Rows,
    chunk_rows: usize,
    /// Records that were read.
    read: u64,
    expected: Option<NonZeroU64>,
    /// Where the block lies, for messages.
    place: String,
    done: bool,
}

#[derive(Debug)]
enum Rows {
    Records { records: Records, decoder: Box<dyn ChunkDecoder> },
    Listed { records: Listed, decoder: Box<dyn ChunkDecoder> },
    Generated(RowMaker),
}

/// Turns a chunk of records into rows of the schema. Each record is judged alone: how a block is cut into chunks must not
/// show in the rows.
pub(super) trait ChunkDecoder: Send + std::fmt::Debug {
    fn decode(&mut self, chunk: Chunk<'_>, rejects: &mut Rejects) -> Result<RecordBatch>;
}

/// Collects the rejected records of a chunk.
#[derive(Debug)]
pub(super) struct Rejects {
    /// Records of the block before the chunk.
    before: u64,
    rejected: Vec<RejectedRecord>,
}

impl Rejects {
    /// Rejects record `index` of the chunk.
    pub(super) fn add(&mut self, index: usize, chunk: &Chunk<'_>, reason: String) {
        let span = &chunk.spans[index];
        let text = chunk.text(span);
        let kept = &text[..text.len().min(KEPT_BYTES)];
        let record = String::from_utf8_lossy(kept);
        let whole = !span.too_long && kept.len() == text.len() && matches!(record, Cow::Borrowed(_));
        let record = record.into_owned();
        self.rejected.push(RejectedRecord { row: self.before + index as u64, record, whole, reason });
    }
}

/// The reason for a record that is over the limit.
pub(super) fn too_long() -> String {
    format!("longer than {} MiB, or in CSV a quote that is never closed", MAX_RECORD_BYTES >> 20)
}

/// The reason for a record that is not text.
pub(super) fn not_utf8(error: &Utf8Error) -> String {
    format!("not UTF-8 at byte {}", error.valid_up_to())
}

impl BlockReader {
    /// Opens a block, to be read in chunks of at most `chunk_rows` records (fewer, where they are large).
    ///
    /// Fails when the block's bytes are not there any more, or the block is not of a source with this decoding.
    pub fn open(block: &Block, decoding: &Decoding, store: &BlockStore, chunk_rows: NonZeroUsize) -> Result<Self> {
        let rows = match (decoding, &block.data) {
            (Decoding::Records { format, .. }, BlockData::Stored(id)) => {
                let records = Records::new(Input::memory(store.get(*id)?), Framing::Lines, blank_is_row(*format));
                Rows::Records { records, decoder: chunk_decoder(decoding, *format, chunk_rows)? }
            }
            (Decoding::Records { format, .. }, BlockData::File { path, start, end }) => {
                if Framing::of_file(*format) == Framing::Lines {
                    check_line_start(path, *start)?;
                }
                let input = Input::file(path, *start, *end)?;
                let records = Records::new(input, Framing::of_file(*format), blank_is_row(*format));
                Rows::Records { records, decoder: chunk_decoder(decoding, *format, chunk_rows)? }
            }
            (Decoding::Generated(recipe), BlockData::Generated { from, to }) => {
                Rows::Generated(recipe.rows(*from..*to))
            }
            (decoding, data) => bail!("the block {data:?} cannot be read as {decoding:?}: it is another source's"),
        };
        Ok(Self {
            rows,
            chunk_rows: chunk_rows.get(),
            read: 0,
            expected: block.rows,
            place: place(&block.data),
            done: false,
        })
    }

    /// Reads records that are told apart already.
    ///
    /// Fails when the source is none of records.
    pub fn of_records(records: &[&str], decoding: &Decoding, chunk_rows: NonZeroUsize) -> Result<Self> {
        let Decoding::Records { format, .. } = decoding else {
            bail!("records cannot be read as {decoding:?}: they are another source's");
        };
        let decoder = chunk_decoder(decoding, *format, chunk_rows)?;
        Ok(Self {
            rows: Rows::Listed { records: Listed::new(records), decoder },
            chunk_rows: chunk_rows.get(),
            read: 0,
            expected: NonZeroU64::new(records.len() as u64),
            place: "records that were rejected before".to_owned(),
            done: false,
        })
    }

    fn next_chunk(&mut self) -> Result<Option<Decoded>> {
        match &mut self.rows {
            Rows::Generated(maker) => {
                let rows = maker.next_chunk(self.chunk_rows)?;
                Ok(rows.map(|rows| Decoded { rows, rejects: Vec::new() }))
            }
            Rows::Records { records, decoder } => {
                let Some(chunk) = records.next_chunk(self.chunk_rows)? else {
                    self.check_count()?;
                    return Ok(None);
                };
                decoded(chunk, &mut **decoder, &mut self.read).map(Some)
            }
            Rows::Listed { records, decoder } => {
                let chunk = records.next_chunk(self.chunk_rows);
                chunk.map(|chunk| decoded(chunk, &mut **decoder, &mut self.read)).transpose()
            }
        }
    }

    fn check_count(&self) -> Result<()> {
        let read = self.read;
        if let Some(expected) = self.expected
            && read != expected.get()
        {
            bail!("there were {expected} records when the batch was cut and are {read} now{MUST_NOT_CHANGE}");
        }
        Ok(())
    }
}

/// A chunk to rows, `read` records into the block.
fn decoded(chunk: Chunk<'_>, decoder: &mut dyn ChunkDecoder, read: &mut u64) -> Result<Decoded> {
    let mut rejects = Rejects { before: *read, rejected: Vec::new() };
    let rows = decoder.decode(chunk, &mut rejects)?;
    *read += chunk.spans.len() as u64;
    Ok(Decoded { rows, rejects: rejects.rejected })
}

impl Iterator for BlockReader {
    type Item = Result<Decoded>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.next_chunk().with_context(|| format!("reading {}", self.place)).transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

fn place(data: &BlockData) -> String {
    match data {
        BlockData::Stored(id) => format!("block {}", id.0),
        BlockData::File { path, start, end } => format!("bytes {start} to {end} of {}", path.display()),
        BlockData::Generated { from, to } => format!("made-up rows {from} to {to}"),
        BlockData::Letters(records) => format!("the records {}", records.short()),
    }
}

fn chunk_decoder(decoding: &Decoding, format: Format, chunk_rows: NonZeroUsize) -> Result<Box<dyn ChunkDecoder>> {
    let schema = decoding.schema();
    Ok(match format {
        Format::Text => Box::new(TextDecoder::new(schema)),
        Format::Json => {
            let rows = JsonRows::new(schema, chunk_rows.get()).context("setting up the JSON reader")?;
            Box::new(StructuredDecoder::new(rows))
        }
        Format::Csv => {
            let rows = CsvRows::new(schema, chunk_rows.get()).context("setting up the CSV reader")?;
            Box::new(StructuredDecoder::new(rows))
        }
    })
}
