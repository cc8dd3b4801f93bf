//! Files: one, or those of a folder in the order of their names, as ranges of whole records.
//!
//! Nothing is copied: a cut offers byte ranges, which the batch reads. Where a range ends depends only on the file's content,
//! on where the range starts and on the rows asked for. Where all that there is is wanted, and a newline ends a record
//! whatever is before it, the cut looks for the newline at the end of each range alone, and records are counted by who
//! reads them; else it reads the file to count.
//!
//! In a folder, names that start with `.` or `_` or end in `.tmp` are passed over, and so are folders. With `watch` the
//! folder is listed again at each cut: a file that appears is read once, from start to end as it is then. So a file must
//! be moved in by rename when it is complete, and a file that grows is not followed; new files are taken in the order of
//! their names among those that appeared together.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::format::framing::{Framing, blank_is_row};
use super::format::records::{Input, MUST_NOT_CHANGE, Records, open_file};
use super::format::{csv_header, records_start};
use super::pace::Pace;
use super::{FilePlace, FilesMoved, FilesPosition, Mode, Moved, Position, Source, SourceContext, SourceCut};
use crate::block::{Block, BlockData};
use crate::pipeline::Format;
use crate::time::BatchTime;
use crate::units::Rate;

/// How many records are looked at together: few enough to stay in a core's cache.
const SCAN_RECORDS: u64 = 2 << 10;

/// How much is read at once to find the end of a line.
const LOOK_BYTES: usize = 4 << 10;

/// A file or a folder of files.
#[derive(Debug)]
pub(super) struct FileSource {
    path: PathBuf,
    format: Format,
    schema: SchemaRef,
    block_size: u64,
    pace: Option<Pace>,
    /// Most files of one batch.
    max_files: Option<NonZeroUsize>,
    /// Whether the folder is listed again.
    watched: bool,
    position: FilesPosition,
    /// What has changed in it since the last cut.
    moved: FilesMoved,
    /// The file that `position.current` is a place in, once it is open.
    current: Option<OpenFile>,
    stopped: bool,
}

/// A file of which not everything has been given.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    format: Format,
    /// Those from `at` on, once they are looked at.
    counted: Option<Counted>,
    /// Where the next block starts.
    at: u64,
    length: u64,
}

/// Records on their way through the cut, which counts them.
#[derive(Debug)]
struct Counted {
    records: Records,
    /// Where in the file they start.
    start: u64,
}

impl Counted {
    fn open(path: &Path, format: Format, start: u64, end: u64) -> Result<Self> {
        let input = Input::file(path, start, end)?;
        Ok(Self { records: Records::new(input, Framing::of_file(format), blank_is_row(format)), start })
    }
}

impl FileSource {
    /// Opens the file or folder, which must exist.
    pub(super) fn open(
        path: &Path,
        watch: bool,
        rate: Option<Rate>,
        max_files: Option<NonZeroUsize>,
        format: Format,
        schema: &SchemaRef,
        context: &SourceContext,
    ) -> Result<Self> {
        if watch && !path.is_dir() && path.exists() {
            bail!("{} is a file, and only a folder can be watched: leave `watch` out", path.display());
        }
        let mut source = Self {
            path: path.to_owned(),
            format,
            schema: schema.clone(),
            block_size: context.block_size.max(1),
            pace: rate.map(|rate| Pace::new(rate, context.interval)).transpose()?,
            max_files,
            watched: watch && context.mode == Mode::Live,
            position: FilesPosition::default(),
            moved: FilesMoved::default(),
            current: None,
            stopped: false,
        };
        source.look_for_files()?;
        Ok(source)
    }

    /// Lists the folder: what appeared is read after all that was there before.
    fn look_for_files(&mut self) -> Result<()> {
        let listed = list_files(&self.path)?;
        let FilesPosition { seen, pending, .. } = &mut self.position;
        let found: Vec<PathBuf> = listed.iter().filter(|file| !seen.contains(*file)).cloned().collect();
        if seen.len() + found.len() > listed.len() {
            // A name that is gone may come back with another file, and the set must not grow for ever.
            let there: HashSet<&PathBuf> = listed.iter().collect();
            let gone: Vec<PathBuf> = seen.iter().filter(|file| !there.contains(file)).cloned().collect();
            for file in &gone {
                seen.remove(file);
            }
            self.moved.gone.extend(gone);
        }
        seen.extend(found.iter().cloned());
        pending.extend(found.iter().cloned());
        self.moved.found.extend(found);
        Ok(())
    }

    fn open_next(&mut self) -> Result<Option<OpenFile>> {
        if let Some(place) = self.position.current.take() {
            return Ok(Some(self.at(place)));
        }
        let Some(path) = self.position.pending.pop_front() else { return Ok(None) };
        self.moved.opened += 1;
        let looking = || format!("looking at {}", path.display());
        let length = open_file(&path)?.metadata().with_context(looking)?.len();
        if self.format == Format::Csv {
            self.check_header(&path, length)?;
        }
        let at = records_start(&path, self.format, length)?;
        Ok(Some(self.at(FilePlace { path, at, length })))
    }

    fn at(&self, FilePlace { path, at, length }: FilePlace) -> OpenFile {
        OpenFile { path, format: self.format, counted: None, at, length }
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

    /// What the cut that is being made has changed.
    fn take_moved(&mut self) -> Moved {
        let mut moved = std::mem::take(&mut self.moved);
        (moved.first, moved.given) = (self.pace.as_ref().and_then(Pace::first), self.position.given);
        moved.current = match &self.current {
            Some(file) => Some(FilePlace { path: file.path.clone(), at: file.at, length: file.length }),
            None => self.position.current.clone(),
        };
        Moved::Files(moved)
    }
}

#[async_trait]
impl Source for FileSource {
    fn cut(&mut self, batch: BatchTime, limit: Option<u64>) -> Result<SourceCut> {
        let given = self.position.given;
        let due = self.pace.as_mut().map(|pace| pace.due(batch).saturating_sub(given));
        let mut rows_left = match (due, limit) {
            (Some(due), Some(limit)) => Some(due.min(limit)),
            (due, limit) => due.or(limit),
        };
        let mut blocks = Vec::new();
        if self.watched && !self.stopped {
            self.look_for_files()?;
        }
        let mut files_left = self.max_files.map_or(usize::MAX, NonZeroUsize::get);
        while !self.stopped && rows_left != Some(0) && files_left > 0 {
            let mut file = match self.current.take() {
                Some(file) => file,
                None => match self.open_next()? {
                    Some(file) => file,
                    None => break,
                },
            };
            files_left -= 1;
            if rows_left.is_none() && Framing::of_file(self.format) == Framing::Lines {
                file.take_rest(self.block_size, &mut blocks)?;
            } else {
                let rows = file.take_blocks(self.block_size, rows_left, &mut blocks)?;
                if self.pace.is_some() {
                    self.position.given += rows;
                }
                rows_left = rows_left.map(|left| left - rows);
            }
            self.current = Some(file).filter(|file| !file.is_done());
        }
        Ok(SourceCut { blocks, moved: self.take_moved() })
    }

    fn resume(&mut self, position: &Position) -> Result<()> {
        let position = match position {
            Position::Start => return Ok(()),
            Position::Files(files) => files,
            Position::Rows(_) => bail!("it was no source of files"),
        };
        if let Some(FilePlace { path, length, .. }) = &position.current {
            let now = path.metadata().with_context(|| format!("{} was not read to its end", path.display()))?.len();
            if now < *length {
                bail!(
                    "{} was not read to its end, and is shorter now than it was: {now} bytes, not {length}",
                    path.display()
                );
            }
        }
        // What was listed at the opening counts from the start; without a watch the list stays what it was.
        (self.position, self.moved) = (position.clone(), FilesMoved::default());
        match (&mut self.pace, position.first) {
            (Some(pace), Some(first)) => pace.resume(Some(first)),
            // A rate that comes back counts anew.
            _ => self.position.given = 0,
        }
        Ok(())
    }

    fn waits_for_nobody(&self) -> bool {
        !self.watched
    }

    fn ended(&self) -> bool {
        let FilesPosition { current, pending, .. } = &self.position;
        self.stopped || (!self.watched && self.current.is_none() && current.is_none() && pending.is_empty())
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

impl OpenFile {
    fn is_done(&self) -> bool {
        self.at >= self.length
    }

    /// Takes all that is left, in blocks of whole lines that nobody has counted.
    fn take_rest(&mut self, block_size: u64, blocks: &mut Vec<Block>) -> Result<()> {
        self.counted = None;
        while !self.is_done() {
            let end = self.line_end(self.at + full(self.at, self.length, block_size))?;
            let data = BlockData::File { path: self.path.clone(), start: self.at, end };
            blocks.push(Block { rows: None, bytes: end - self.at, data });
            self.at = end;
        }
        Ok(())
    }

    /// The first end of a line at `from` or behind it.
    fn line_end(&self, from: u64) -> Result<u64> {
        if from >= self.length {
            return Ok(self.length);
        }
        let mut file = open_file(&self.path)?;
        let mut passed = || {
            file.seek(SeekFrom::Start(from - 1))?;
            BufReader::with_capacity(LOOK_BYTES, &file).skip_until(b'\n')
        };
        let passed = passed().with_context(|| format!("looking for the end of a line in {}", self.path.display()))?;
        if passed == 0 {
            bail!("{} is shorter than it was{MUST_NOT_CHANGE}", self.path.display());
        }
        // What has been added since is not read.
        Ok((from - 1 + passed as u64).min(self.length))
    }

    /// Takes blocks of at most `limit` rows in all; the rows taken.
    fn take_blocks(&mut self, block_size: u64, limit: Option<u64>, blocks: &mut Vec<Block>) -> Result<u64> {
        let limit = limit.unwrap_or(u64::MAX);
        let Self { path, format, counted, at, length } = self;
        let Counted { records, start } = match counted {
            Some(counted) => counted,
            None => counted.insert(Counted::open(path, *format, *at, *length)?),
        };
        let mut block = OpenBlock { rows: 0, end: *at };
        let mut taken = 0;
        while taken < limit {
            // Up to the line with which the block is full.
            let room = (*at + full(*at, *length, block_size) - block.end).saturating_sub(1);
            if let Some(passed) = records.pass_lines(limit - taken, room)? {
                (block.rows, block.end) = (block.rows + passed.records, *start + passed.end);
                taken += passed.records;
                continue;
            }
            // At most 2,048, so it fits.
            let wanted = (limit - taken).min(SCAN_RECORDS) as usize;
            let Some(chunk) = records.next_chunk(wanted)? else {
                block.close(path, at, blocks);
                // Blank lines may follow the last record.
                *at = *length;
                return Ok(taken);
            };
            taken += chunk.spans.len() as u64;
            for span in chunk.spans {
                block.rows += 1;
                block.end = *start + span.end;
                if block.end - *at >= full(*at, *length, block_size) {
                    block.close(path, at, blocks);
                }
            }
        }
        block.close(path, at, blocks);
        Ok(taken)
    }
}

/// How many bytes a block has that starts at `at`, at least: what is left of a file is no block of its own if it is small.
fn full(at: u64, length: u64, block_size: u64) -> u64 {
    let left = length - at;
    if left < block_size.saturating_add(block_size / 2) { left } else { block_size }
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
            blocks.push(Block { rows: NonZeroU64::new(rows), bytes: self.end - *at, data });
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
