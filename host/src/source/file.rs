//! Files: one, or those of a folder in the order of their names, as ranges of whole records.
//!
//! Nothing is copied: a cut scans for record ends and offers byte ranges, which the batch reads. Where a range ends depends
//! only on the file's content, on where the range starts and on the rows asked for.
//!
//! In a folder, names that start with `.` or `_` or end in `.tmp` are passed over, and so are folders. With `watch` the
//! folder is listed again at each cut: a file that appears is read once, from start to end as it is then. So a file must
//! be moved in by rename when it is complete, and a file that grows is not followed; new files are taken in the order of
//! their names among those that appeared together.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::json;

use super::format::framing::{Framing, blank_is_row};
use super::format::records::{Input, Records};
use super::format::{csv_header, records_start};
use super::pace::Pace;
use super::{Mode, Source, SourceContext, SourceCut};
use crate::block::{Block, BlockData};
use crate::pipeline::Format;
use crate::time::BatchTime;
use crate::units::Rate;

/// How many records are looked at together.
const SCAN_RECORDS: u64 = 16 << 10;

/// A file or a folder of files.
#[derive(Debug)]
pub(super) struct FileSource {
    path: PathBuf,
    format: Format,
    schema: SchemaRef,
    block_size: u64,
    pace: Option<Pace>,
    /// The names already taken from a watched folder; `None` when nothing is watched.
    seen: Option<HashSet<PathBuf>>,
    pending: VecDeque<PathBuf>,
    current: Option<OpenFile>,
    given: u64,
    stopped: bool,
}

/// A file of which not everything has been given.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    records: Records,
    /// Where in the file `records` starts.
    start: u64,
    /// Where the next block starts.
    at: u64,
    length: u64,
}

impl FileSource {
    /// Opens the file or folder, which must exist.
    pub(super) fn open(
        path: &Path,
        watch: bool,
        rate: Option<Rate>,
        format: Format,
        schema: &SchemaRef,
        context: &SourceContext,
    ) -> Result<Self> {
        let pending: VecDeque<_> = list_files(path)?.into();
        if watch && !path.is_dir() {
            bail!("{} is a file, and only a folder can be watched: leave `watch` out", path.display());
        }
        let watched = watch && context.mode == Mode::Live;
        Ok(Self {
            path: path.to_owned(),
            format,
            schema: schema.clone(),
            block_size: context.block_size.max(1),
            pace: rate.map(|rate| Pace::new(rate, context.interval)).transpose()?,
            seen: watched.then(|| pending.iter().cloned().collect()),
            pending,
            current: None,
            given: 0,
            stopped: false,
        })
    }

    fn look_for_new_files(&mut self) -> Result<()> {
        let Some(seen) = &mut self.seen else { return Ok(()) };
        let listed = list_files(&self.path)?;
        self.pending.extend(listed.iter().filter(|file| !seen.contains(*file)).cloned());
        // A name that is gone may come back with another file, and the set must not grow for ever.
        *seen = listed.into_iter().collect();
        Ok(())
    }

    fn open_next(&mut self) -> Result<Option<OpenFile>> {
        let Some(path) = self.pending.pop_front() else { return Ok(None) };
        let length = path.metadata().with_context(|| format!("looking at {}", path.display()))?.len();
        if self.format == Format::Csv {
            self.check_header(&path, length)?;
        }
        let start = records_start(&path, self.format, length)?;
        let input = Input::file(&path, start, length)?;
        let records = Records::new(input, Framing::of_file(self.format), blank_is_row(self.format));
        Ok(Some(OpenFile { path, records, start, at: start, length }))
    }

    /// Fields are told apart by their place, so a file whose columns are in another order would be read wrongly.
    fn check_header(&self, path: &Path, length: u64) -> Result<()> {
        let header = csv_header(path, length)?;
        let expected: Vec<_> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        if !header.is_empty() && header != expected {
            bail!(
                "{} has the columns `{}` in its header line, and the schema has `{}`: they must be the same, \
                 in the same order",
                path.display(),
                header.join(","),
                expected.join(",")
            );
        }
        Ok(())
    }

    fn position(&self) -> String {
        let place = self.current.as_ref().map(|file| (file.path.display().to_string(), file.at));
        match place {
            Some((file, offset)) => json!({ "rows": self.given, "file": file, "offset": offset }).to_string(),
            None => json!({ "rows": self.given }).to_string(),
        }
    }
}

#[async_trait]
impl Source for FileSource {
    fn cut(&mut self, batch: BatchTime, limit: Option<u64>) -> Result<SourceCut> {
        let due = self.pace.as_mut().map(|pace| pace.due(batch).saturating_sub(self.given));
        let mut rows_left = match (due, limit) {
            (Some(due), Some(limit)) => Some(due.min(limit)),
            (due, limit) => due.or(limit),
        };
        let mut blocks = Vec::new();
        if !self.stopped {
            self.look_for_new_files()?;
        }
        while !self.stopped && rows_left != Some(0) {
            let mut file = match self.current.take() {
                Some(file) => file,
                None => match self.open_next()? {
                    Some(file) => file,
                    None => break,
                },
            };
            let rows = file.take_blocks(self.block_size, rows_left, &mut blocks)?;
            self.given += rows;
            rows_left = rows_left.map(|left| left - rows);
            self.current = Some(file).filter(|file| !file.is_done());
        }
        Ok(SourceCut { blocks, position: self.position() })
    }

    fn ended(&self) -> bool {
        self.stopped || (self.seen.is_none() && self.current.is_none() && self.pending.is_empty())
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

impl OpenFile {
    fn is_done(&self) -> bool {
        self.at >= self.length
    }

    /// Takes blocks of at most `limit` rows in all; the rows taken.
    fn take_blocks(&mut self, block_size: u64, limit: Option<u64>, blocks: &mut Vec<Block>) -> Result<u64> {
        let limit = limit.unwrap_or(u64::MAX);
        let mut block = OpenBlock { rows: 0, end: self.at };
        let mut taken = 0;
        while taken < limit {
            // At most 16,384, so it fits.
            let wanted = (limit - taken).min(SCAN_RECORDS) as usize;
            let Some(chunk) = self.records.next_chunk(wanted)? else {
                block.close(&self.path, &mut self.at, blocks);
                // Blank lines may follow the last record.
                self.at = self.length;
                return Ok(taken);
            };
            for span in chunk.spans {
                block.rows += 1;
                block.end = self.start + span.end;
                if block.end - self.at >= block_size {
                    block.close(&self.path, &mut self.at, blocks);
                }
            }
            taken += chunk.spans.len() as u64;
        }
        block.close(&self.path, &mut self.at, blocks);
        Ok(taken)
    }
}

/// The block that is being gathered.
struct OpenBlock {
    rows: u64,
    end: u64,
}

impl OpenBlock {
    fn close(&mut self, path: &Path, at: &mut u64, blocks: &mut Vec<Block>) {
        let rows = std::mem::take(&mut self.rows);
        if rows > 0 {
            let data = BlockData::File { path: path.to_owned(), start: *at, end: self.end };
            blocks.push(Block { rows, bytes: self.end - *at, data });
            *at = self.end;
        }
    }
}

/// The file itself, or the files of a folder in the order of their names.
pub fn list_files(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("there is no file or folder {}", path.display()),
        _ => anyhow!(error).context(format!("looking at {}", path.display())),
    })?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let listing = || format!("listing the folder {}", path.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(listing)? {
        let file = entry.with_context(listing)?.path();
        // A file that has gone since is as good as never there.
        if is_input_name(&file) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn is_input_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    !(name.starts_with(['.', '_']) || name.ends_with(".tmp"))
}

#[cfg(test)]
mod tests;
