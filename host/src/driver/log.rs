//! The batch log: what each batch was made of, written before it runs, and that it is done, written after.
//!
//! A file of records: length (u32, little endian), CRC-32 of the payload (u32), payload (bincode of [`Record`]). The
//! header names the format; a change of [`Record`] that old payloads do not fit is a new format. A record that was cut
//! short by a crash, at the very end, is dropped at the next start; damage anywhere else stops the start.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::operator::Digest;
use crate::source::SourceCut;
use crate::time::BatchTime;

const HEADER: &[u8; 8] = b"WEIRLOG3";

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
    /// A batch is done: its output is visible, its input may be forgotten.
    Committed {
        /// The batch.
        batch: BatchTime,
        /// Rows read, over all sources.
        rows_in: u64,
        /// Rows written to each sink.
        rows_out: Vec<(String, u64)>,
    },
    /// From the next cut on, an operator runs another component.
    Swapped {
        /// What ran until then.
        from: Running,
        /// What runs from then on.
        to: Running,
    },
    /// All sources have come to their end, and everything is committed.
    Ended,
}

/// The log of one pipeline, open for appending.
#[derive(Debug)]
pub struct BatchLog {
    file: File,
    path: PathBuf,
    /// Where the last whole record ends: what a failed write left behind it is cut off.
    end: u64,
}

impl BatchLog {
    /// Opens the log, or begins one, and gives the records that are in it.
    pub fn open(path: &Path) -> Result<(Self, Vec<Record>)> {
        let open = || format!("cannot open the batch log {}", path.display());
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).with_context(open)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(open)?;
        let log = |file, end| Self { file, path: path.to_owned(), end };
        if bytes.len() < HEADER.len() && HEADER.starts_with(&bytes) {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(HEADER).and_then(|()| file.sync_all()).with_context(open)?;
            return Ok((log(file, HEADER.len() as u64), Vec::new()));
        }
        let (records, end) = read(&bytes).with_context(|| {
            format!(
                "the batch log {} is damaged; nothing was changed. To begin anew, move it away: batches that it names \
                 will not be known any more, sinks keep what they have",
                path.display()
            )
        })?;
        if end < bytes.len() {
            tracing::warn!(path = %path.display(), bytes = bytes.len() - end, "the last record of the batch log was cut short; dropping it");
            file.set_len(end as u64).and_then(|()| file.sync_all()).with_context(open)?;
        }
        Ok((log(file, end as u64), records))
    }

    /// Appends a record and waits until it is on disk.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let failed = || format!("cannot write to the batch log {}; is the disk full?", self.path.display());
        let payload = bincode::serde::encode_to_vec(record, bincode::config::standard()).with_context(failed)?;
        let length = u32::try_from(payload.len()).ok().filter(|l| *l <= LONGEST);
        let Some(length) = length else {
            bail!("a record of {} bytes is too long for the batch log; cut smaller batches", payload.len());
        };
        let mut framed = Vec::with_capacity(payload.len() + 8);
        framed.extend_from_slice(&length.to_le_bytes());
        framed.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        framed.extend_from_slice(&payload);
        self.file.seek(SeekFrom::Start(self.end)).with_context(failed)?;
        self.file.write_all(&framed).and_then(|()| self.file.sync_data()).with_context(failed)?;
        self.end += framed.len() as u64;
        Ok(())
    }
}

/// The whole records of a log, and where the last one ends.
fn read(bytes: &[u8]) -> Result<(Vec<Record>, usize)> {
    if !bytes.starts_with(HEADER) {
        bail!("it does not begin as a batch log of this version does");
    }
    let mut records = Vec::new();
    let mut at = HEADER.len();
    while at < bytes.len() {
        match next(&bytes[at..]) {
            Frame::Whole(payload) => {
                let (record, _) = bincode::serde::decode_from_slice(payload, bincode::config::standard())
                    .with_context(|| format!("record {} at byte {at} cannot be read", records.len()))?;
                records.push(record);
                at += 8 + payload.len();
            }
            Frame::CutShort => break,
            Frame::Damaged => bail!("record {} at byte {at} does not match its checksum", records.len()),
        }
    }
    Ok((records, at))
}

enum Frame<'a> {
    Whole(&'a [u8]),
    /// Reaches to or over the end of the file.
    CutShort,
    /// There are whole bytes behind it, so no crash in mid-write explains it.
    Damaged,
}

fn next(bytes: &[u8]) -> Frame<'_> {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let (Some(length), Some(crc)) = (word(0), word(4)) else { return Frame::CutShort };
    if length > LONGEST {
        return Frame::Damaged;
    }
    let end = 8 + length as usize;
    match bytes.get(8..end) {
        Some(payload) if crc32fast::hash(payload) == crc => Frame::Whole(payload),
        Some(_) if end < bytes.len() => Frame::Damaged,
        _ => Frame::CutShort,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use proptest::prelude::*;

    use super::*;

    fn committed(batch: u64) -> Record {
        Record::Committed { batch: BatchTime::from_millis(batch), rows_in: batch, rows_out: vec![("out".into(), 1)] }
    }

    fn written(records: &[Record]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("batches.log");
        let (mut log, before) = BatchLog::open(&path).unwrap();
        assert_eq!(before, vec![]);
        for record in records {
            log.append(record).unwrap();
        }
        (folder, path)
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let records = [
            Record::Started { engine: 7, definition: Digest::of(b"p"), after: BatchTime::from_millis(0) },
            committed(1000),
            committed(2000),
        ];
        let (_folder, path) = written(&records);
        assert_eq!(BatchLog::open(&path).unwrap().1, records);
    }

    #[test]
    fn appending_goes_on_after_a_torn_tail() {
        let (_folder, path) = written(&[committed(1000), committed(2000)]);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let (mut log, records) = BatchLog::open(&path).unwrap();
        assert_eq!(records, [committed(1000)]);
        log.append(&committed(3000)).unwrap();
        assert_eq!(BatchLog::open(&path).unwrap().1, [committed(1000), committed(3000)]);
    }

    #[test]
    fn damage_in_the_middle_stops_the_start_and_changes_nothing() {
        let (_folder, path) = written(&[committed(1000), committed(2000)]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[HEADER.len() + 9] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let error = format!("{:#}", BatchLog::open(&path).unwrap_err());
        assert!(error.contains("record 0 at byte 8 does not match its checksum"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    proptest! {
        #[test]
        fn a_log_cut_anywhere_gives_a_prefix_of_its_records(count in 0_u64..5, cut in 0_usize..200) {
            let records: Vec<Record> = (0..count).map(committed).collect();
            let (_folder, path) = written(&records);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..cut.min(bytes.len())]).unwrap();
            let (_, left) = BatchLog::open(&path).unwrap();
            prop_assert!(records.starts_with(&left));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&[HEADER.as_slice(), &bytes].concat());
        }
    }
}
