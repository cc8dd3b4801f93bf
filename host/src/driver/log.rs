//! The batch log: what each batch was made of, written before it runs, and that it is done, written after.
//!
//! A file of records: length (u32, little endian), CRC-32 of the payload (u32), payload (bincode of [`Record`]). The
//! header names the format; a change of [`Record`] that old payloads do not fit is a new format, and so is a new record, which
//! the version before cannot read. A log of version 3 is one of version 4 that was never shortened.
//!
//! A record is written when the one before it is durable. So a crash leaves at most one that is not whole, with nothing
//! behind it: it is dropped at the next start. Damage that has a whole record behind it stops the start. After an error
//! nothing more is written: what a failed write or sync has left on the disk cannot be known.

mod shorten;
#[cfg(test)]
mod tests;

pub use shorten::{LogLimits, Shortened};

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::delivery::Redirected;
use super::handle::WatchLimits;
use crate::decode::decode;
use crate::fingerprint::Fingerprints;
use crate::operator::Digest;
use crate::plan::{ComponentCall, OperatorMeter};
use crate::source::SourceCut;
use crate::storage::{self, Storage, StorageFile};
use crate::time::BatchTime;

const HEADER: &[u8; 8] = b"WEIRLOG4";
const HEADER_BEFORE: &[u8; 8] = b"WEIRLOG3";

/// Length and checksum.
const FRAME: usize = 8;

/// Longer records are not written; a longer length in the file is damage.
const LONGEST: u32 = 64 << 20;

/// Which component an operator runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The operator.
    pub operator: String,
    /// What people call the component.
    pub component: String,
    /// What it is.
    pub digest: Digest,
}

/// Everything that a batch's result depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The batch.
    pub batch: BatchTime,
    /// What each source gives.
    pub sources: Vec<(String, SourceCut)>,
    /// The sources that have come to their end by themselves: no later batch has rows of theirs. A source that was
    /// stopped is not among them.
    pub ended: Vec<String>,
    /// The component of each operator that has one.
    pub operators: Vec<Running>,
    /// The contents of each table.
    pub tables: Vec<(String, Digest)>,
    /// Dead letters of earlier batches that are sent through again.
    pub retried: Vec<Retried>,
}

impl Cut {
    /// All contents that the batch reads by their digests.
    pub(super) fn contents(&self) -> impl Iterator<Item = Digest> + '_ {
        self.tables.iter().map(|(_, digest)| *digest).chain(self.retried.iter().map(|retried| retried.rows))
    }
}

/// Dead letters of one operator or source that a batch sends through again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// The operator or source that rejected them.
    pub operator: String,
    /// The batches in which it did. Of each of them these are all letters that can be sent through again.
    pub of: Vec<BatchTime>,
    /// How many letters.
    pub letters: u64,
    /// Their rows, or a source's records: contents, kept as those of tables are.
    pub rows: Digest,
}

impl Cut {
    /// The component that the batch runs where a call names the one of now.
    pub(super) fn call(&self, call: &ComponentCall) -> ComponentCall {
        let mut call = call.clone();
        if let Some(running) = self.operators.iter().find(|running| running.operator == call.operator) {
            call.component.clone_from(&running.component);
            call.digest = running.digest;
        }
        call
    }

    /// Has it run another component in an operator's place; gives the one that it had.
    pub(super) fn replace(&mut self, to: &Running) -> Option<Running> {
        let place = self.operators.iter_mut().find(|running| running.operator == to.operator)?;
        Some(std::mem::replace(place, to.clone()))
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A host began to work.
    Started {
        /// The engine's identity: results are comparable bit for bit under the same one.
        engine: u64,
        /// The pipeline that it runs, by the digest of its definition.
        definition: Digest,
        /// No batch up to this one is cut, whatever the clock says: they belong to earlier runs.
        after: BatchTime,
    },
    /// A batch is about to run. A batch that did not commit may be cut again: the last cut counts.
    Cut(Cut),
    /// A batch is done: its output is visible, its input may be forgotten. Of several of one batch the last counts.
    Committed {
        /// The batch.
        batch: BatchTime,
        /// Rows read, over all sources.
        rows_in: u64,
        /// Rows written to each sink.
        rows_out: Vec<(String, u64)>,
        /// What each operator and source did.
        meters: BTreeMap<String, OperatorMeter>,
        /// What rows each gave.
        fingerprints: Fingerprints,
    },
    /// From the next cut on, an operator runs another component.
    Swapped {
        /// What ran until then.
        from: Running,
        /// What runs from then on.
        to: Running,
    },
    /// From the next batch on that begins, another component delivers a sink's rows, or one that may send elsewhere.
    Redirected(Redirected),
    /// A swap was taken back: batches from `first` on are, and were, of what the operator ran before it. What sinks have of
    /// them by then stays; what they left behind was made anew.
    RolledBack {
        /// The component that went wrong.
        from: Running,
        /// What runs again.
        to: Running,
        /// The first batch that it had run.
        first: BatchTime,
        /// What went wrong.
        why: String,
    },
    /// All sources have come to their end, and everything is committed.
    Ended,
    /// The swap that comes next is watched.
    Watched {
        /// What is swapped in.
        to: Running,
        /// For how long, and what takes it back.
        limits: WatchLimits,
    },
    /// The log had a beginning that is not there any more. Stands before all else.
    Shortened(Shortened),
}

impl Record {
    /// The batch that it is about.
    fn batch(&self) -> Option<BatchTime> {
        match self {
            Self::Cut(Cut { batch, .. }) | Self::Committed { batch, .. } => Some(*batch),
            Self::Started { .. }
            | Self::Swapped { .. }
            | Self::Redirected(_)
            | Self::RolledBack { .. }
            | Self::Watched { .. }
            | Self::Ended
            | Self::Shortened(_) => None,
        }
    }

    fn cut(&self) -> Option<&Cut> {
        if let Self::Cut(cut) = self { Some(cut) } else { None }
    }
}

/// The log of one pipeline, open for appending.
#[derive(Debug)]
pub struct BatchLog {
    file: Box<dyn StorageFile>,
    path: PathBuf,
    /// How long it is, in bytes.
    length: u64,
    limits: LogLimits,
    /// From so many bytes on it is to be shortened.
    shorten_at: u64,
    /// Why nothing more is written.
    failed: Option<Arc<str>>,
}

impl BatchLog {
    /// Opens the log, or begins one, and gives the records that are in it.
    pub fn open(storage: &dyn Storage, path: &Path) -> Result<(Self, Vec<Record>)> {
        let cannot = || format!("cannot open the batch log {}", path.display());
        let limits = LogLimits::default();
        let log = |file, length: usize| Self {
            file,
            path: path.to_owned(),
            length: length as u64,
            limits,
            shorten_at: limits.bytes,
            failed: None,
        };
        let Some(bytes) = bytes(storage, path).with_context(cannot)? else {
            let file = storage::create(storage, path, HEADER).with_context(cannot)?;
            return Ok((log(file, HEADER.len()), Vec::new()));
        };
        let Contents { records, end, damage, .. } = read(&bytes);
        if let Some(damage) = damage {
            bail!(
                "the batch log {} is damaged; nothing was changed: {damage}. Put a copy of the file in its place that is \
                 as it was, or begin anew with --fresh: that forgets all states, how far sources were read and rows that \
                 no batch has had; sinks keep what they have",
                path.display()
            );
        }
        let mut file = storage.open(path).with_context(cannot)?;
        if end < bytes.len() {
            tracing::warn!(path = %path.display(), bytes = bytes.len() - end, "the last record of the batch log was cut short; dropping it");
            file.truncate(end as u64).and_then(|()| file.sync()).with_context(cannot)?;
        }
        // Whoever made it may have been killed before its name was durable.
        path.parent().map_or(Ok(()), |folder| storage.sync_folder(folder)).with_context(cannot)?;
        Ok((log(file, end), records))
    }

    /// What can be read of a log, whatever is damaged in it.
    pub fn salvage(storage: &dyn Storage, path: &Path) -> Vec<Record> {
        bytes(storage, path).ok().flatten().map(|bytes| read(&bytes).records).unwrap_or_default()
    }

    /// Appends a record and waits until it is on disk. After an error no more can be appended.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        if let Some(failed) = &self.failed {
            bail!("{failed}");
        }
        let bytes = encoded(record)?;
        self.file.append(&bytes).and_then(|()| self.file.sync()).or_else(|error| self.fail(error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Has the log be shortened when it is larger than this.
    pub(super) fn with_limits(self, limits: LogLimits) -> Self {
        Self { limits, shorten_at: limits.bytes, ..self }
    }

    /// What is on the disk is not known any more: nothing more is written.
    fn fail<T>(&mut self, error: std::io::Error) -> Result<T> {
        let failed = format!(
            "cannot write to the batch log {}: {error}; make room there or mend the disk, and start again",
            self.path.display()
        );
        self.failed = Some(failed.as_str().into());
        bail!(failed)
    }
}

/// A record as it stands in the file.
fn encoded(record: &Record) -> Result<Vec<u8>> {
    let payload = bincode::serde::encode_to_vec(record, bincode::config::standard())
        .context("a record of the batch log cannot be encoded")?;
    let Some(length) = u32::try_from(payload.len()).ok().filter(|length| *length <= LONGEST) else {
        bail!("a record of {} bytes is too long for the batch log; cut smaller batches", payload.len());
    };
    Ok(framed(length, &payload))
}

fn framed(length: u32, payload: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], &crc32fast::hash(payload).to_le_bytes(), payload].concat()
}

/// A log's bytes; nothing where there is none.
fn bytes(storage: &dyn Storage, path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match storage.read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// What a log holds.
#[derive(Debug)]
struct Contents {
    /// All that can be read.
    records: Vec<Record>,
    /// Where each begins.
    starts: Vec<usize>,
    /// What was written whole ends here.
    end: usize,
    /// The first damage.
    damage: Option<Damage>,
}

/// Bytes that no crash explains.
#[derive(Debug)]
struct Damage {
    /// How many records stand before them.
    record: usize,
    at: usize,
    what: &'static str,
    /// The last batch named before them, and the first behind.
    before: Option<BatchTime>,
    behind: Option<BatchTime>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { record, at, what, .. } = self;
        write!(f, "record {record} at byte {at} {what}, so it is not known ")?;
        match (self.before, self.behind) {
            (Some(one), Some(other)) if one == other => write!(f, "what became of batch {one}"),
            // Batches are cut ahead of those that commit.
            (Some(one), Some(other)) => {
                write!(f, "what became of batches {} to {}", one.min(other), one.max(other))
            }
            (Some(before), None) => write!(f, "what became of batch {before} and those after it"),
            (None, Some(behind)) => write!(f, "what became of batch {behind} and those before it"),
            (None, None) => write!(f, "which batches there were"),
        }
    }
}

/// Reads all that is whole.
fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents { records: Vec::new(), starts: Vec::new(), end: HEADER.len(), damage: None };
    if !bytes.starts_with(HEADER) && !bytes.starts_with(HEADER_BEFORE) {
        let what = "does not begin as a batch log of this version does";
        contents.damage = Some(Damage { record: 0, at: 0, what, before: None, behind: None });
        return contents;
    }
    let Contents { records, starts, end, damage } = &mut contents;
    let mut last = None;
    while *end < bytes.len() {
        let what = match frame(&bytes[*end..]).map(|payload| (payload.len(), decode::<Record>(payload).ok())) {
            Some((length, Some(record))) => {
                last = record.batch().or(last);
                if let Some(damage) = damage {
                    damage.behind = damage.behind.or(record.batch());
                }
                records.push(record);
                starts.push(*end);
                *end += FRAME + length;
                continue;
            }
            Some((_, None)) => "cannot be read",
            None => "does not match its checksum",
        };
        let Some(next) = next_whole(bytes, *end + 1) else {
            // Whole, and yet unreadable: no crash leaves that.
            if what == "cannot be read" {
                let record = records.len();
                damage.get_or_insert(Damage { record, at: *end, what, before: last, behind: None });
            }
            break;
        };
        damage.get_or_insert(Damage { record: records.len(), at: *end, what, before: last, behind: None });
        *end = next;
    }
    contents
}

/// The payload of the record that begins here, if it is whole.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let (length, crc) = (word(0)?, word(4)?);
    // No record is empty; but what was never written often reads as zeros.
    if length == 0 || length > LONGEST {
        return None;
    }
    bytes.get(FRAME..FRAME + length as usize).filter(|payload| crc32fast::hash(payload) == crc)
}

/// Where the next whole record begins.
fn next_whole(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find(|at| frame(&bytes[*at..]).is_some_and(|payload| decode::<Record>(payload).is_ok()))
}
