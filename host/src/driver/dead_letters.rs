//! Rows that nobody could take, kept with the batch that they were in: `BATCH.jsonl`, an object a line.
//!
//! Written before the batch commits, by rename, so that a re-run batch overwrites its own letters. After its commit a file
//! changes in two ways only: letters that another batch has sent through again go from it, when that batch has committed;
//! and where the batch is made anew, as a component was taken back, its letters are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::log::Retried;
use crate::plan::{Rejected, Stays, in_order};
use crate::storage::{self, Storage};
use crate::time::BatchTime;

const EXTENSION: &str = ".jsonl";

/// The folder of one pipeline's dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
}

/// What was rejected, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The batch, in milliseconds since the epoch.
    pub batch_time: BatchTime,
    /// What was rejected in it.
    #[serde(flatten)]
    pub rejected: Rejected,
}

/// A letter as it is written.
#[derive(Serialize)]
struct Written<'a> {
    batch_time: BatchTime,
    #[serde(flatten)]
    rejected: &'a Rejected,
}

impl DeadLetters {
    /// Keeps letters in this folder, which is made when the first come.
    pub fn at(storage: Arc<dyn Storage>, folder: &Path) -> Self {
        Self { storage, folder: folder.to_owned() }
    }

    /// Where the letters of a batch are.
    pub fn path(&self, batch: BatchTime) -> PathBuf {
        self.folder.join(format!("{}{EXTENSION}", batch.as_millis()))
    }

    /// Keeps exactly these letters for the batch.
    pub fn keep(&self, batch: BatchTime, letters: &[Rejected]) -> Result<()> {
        self.write(batch, &lines(batch, letters)?)
    }

    /// A committed batch was made anew, but not for sinks: `letters` are those of now. Of operators whose rows are in what
    /// `lasts`, only a letter that was one before, too, can be sent through: what the others are about, sinks have had or
    /// states have now. The letters of operators whose rows only sinks get are as they were.
    pub fn redo(&self, batch: BatchTime, letters: Vec<Rejected>, lasts: impl Fn(&str) -> bool) -> Result<()> {
        let mut all: Vec<_> = letters.into_iter().filter(|letter| lasts(&letter.operator)).collect();
        let (again, mut known) = (all.len(), vec![false; all.len()]);
        let mut not_ours = Vec::new();
        for line in self.text(batch)?.split_inclusive(|byte| *byte == b'\n') {
            let Ok(Letter { mut rejected, .. }) = serde_json::from_slice(line) else {
                not_ours.extend_from_slice(line);
                continue;
            };
            if lasts(&rejected.operator) {
                if let Some(same) = all[..again].iter().position(|other| is_same(other, &rejected)) {
                    all[same].stays = all[same].stays.or(rejected.stays);
                    known[same] = true;
                    continue;
                }
                rejected.stays.get_or_insert(Stays::Redone);
            }
            all.push(rejected);
        }
        for (letter, _) in all.iter_mut().zip(known).filter(|(_, known)| !known) {
            letter.stays.get_or_insert(Stays::Delivered);
        }
        in_order(&mut all);
        let mut text = lines(batch, &all)?;
        text.extend(not_ours);
        self.write(batch, &text)
    }

    /// The batches that have letters, in order.
    pub fn batches(&self) -> Result<Vec<BatchTime>> {
        let names = match self.storage.list(&self.folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            names => names.with_context(|| format!("cannot list the dead letters in {}", self.folder.display()))?,
        };
        let batch = |name: &String| name.strip_suffix(EXTENSION)?.parse().ok().map(BatchTime::from_millis);
        Ok(names.iter().filter_map(batch).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// The letters of a batch, in the order of the rows.
    pub fn of(&self, batch: BatchTime) -> Result<Vec<Letter>> {
        let path = self.path(batch);
        let text = self.text(batch)?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let letter = |line| {
            serde_json::from_slice(line)
                .with_context(|| format!("{} has a line that is no dead letter; mend or remove it", path.display()))
        };
        lines.map(letter).collect()
    }

    /// Removes letters that committed batches have sent through again; those that are gone already stay gone.
    pub fn remove(&self, retried: &[Retried]) -> Result<()> {
        let mut gone: BTreeMap<BatchTime, BTreeSet<&str>> = BTreeMap::new();
        for retried in retried {
            for batch in &retried.of {
                gone.entry(*batch).or_default().insert(&retried.operator);
            }
        }
        for (batch, operators) in gone {
            let text = self.text(batch)?;
            let stays = |line: &&[u8]| match serde_json::from_slice::<Letter>(line) {
                Ok(Letter { rejected, .. }) => {
                    rejected.stays.is_some() || !operators.contains(rejected.operator.as_str())
                }
                // What is not ours is not ours to remove.
                Err(_) => true,
            };
            let left: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').filter(stays).collect();
            let left = left.concat();
            if left.len() < text.len() {
                self.write(batch, &left)?;
            }
        }
        Ok(())
    }

    /// The bytes of a batch's file; none where there is no file.
    fn text(&self, batch: BatchTime) -> Result<Vec<u8>> {
        let path = self.path(batch);
        match self.storage.read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            text => text.with_context(|| format!("cannot read the dead letters {}", path.display())),
        }
    }

    fn write(&self, batch: BatchTime, text: &[u8]) -> Result<()> {
        let path = self.path(batch);
        let failed = || format!("cannot write the dead letters {}", path.display());
        if text.is_empty() {
            return match self.storage.remove(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => Err(e).with_context(failed),
                _ => Ok(()),
            };
        }
        self.storage.create_folder(&self.folder).with_context(failed)?;
        storage::create(&*self.storage, &path, text).with_context(failed)?;
        Ok(())
    }
}

/// Whether two letters are about one row.
fn is_same(one: &Rejected, other: &Rejected) -> bool {
    let place = |r: &Rejected| (r.segment, r.position);
    one.operator == other.operator && place(one) == place(other) && one.row == other.row
}

fn lines(batch: BatchTime, letters: &[Rejected]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for rejected in letters {
        serde_json::to_writer(&mut text, &Written { batch_time: batch, rejected })?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use serde_json::json;

    use super::*;
    use crate::operator::Digest;
    use crate::storage::Disk;

    fn rejected(operator: &str, row: u64, stays: Option<Stays>) -> Rejected {
        Rejected {
            operator: operator.into(),
            component: Some("picky@1".into()),
            digest: Some(Digest::of(b"picky")),
            reason: "it asked for it".into(),
            segment: 3,
            position: u64::MAX,
            stays,
            row: json!({"n": row, "f": 0.1, "s": null}),
        }
    }

    fn retried(operator: &str, of: &[u64]) -> Retried {
        let of = of.iter().copied().map(BatchTime::from_millis).collect();
        Retried { operator: operator.into(), of, letters: 1, rows: Digest::of(b"rows") }
    }

    fn letters(folder: &tempfile::TempDir) -> DeadLetters {
        DeadLetters::at(Arc::new(Disk), folder.path())
    }

    #[test]
    fn letters_are_read_as_they_were_kept_batch_by_batch() {
        let folder = tempfile::tempdir().unwrap();
        let letters = letters(&folder);
        assert_eq!(letters.batches().unwrap(), []);
        let (early, late) = (BatchTime::from_millis(999), BatchTime::from_millis(1000));
        let kept = [rejected("a", 1, None), rejected("b", 2, Some(Stays::Part))];
        letters.keep(late, &kept).unwrap();
        letters.keep(early, &kept[..1]).unwrap();
        assert_eq!(letters.batches().unwrap(), [early, late]);
        let read = letters.of(late).unwrap();
        assert!(read.iter().all(|letter| letter.batch_time == late));
        assert_eq!(read.into_iter().map(|letter| letter.rejected).collect::<Vec<_>>(), kept);
        letters.keep(late, &[]).unwrap();
        assert_eq!(letters.batches().unwrap(), [early]);
    }

    #[test]
    fn what_was_sent_through_again_goes_once_and_what_cannot_be_stays() {
        let folder = tempfile::tempdir().unwrap();
        let letters = letters(&folder);
        let batch = BatchTime::from_millis(1000);
        let kept = [rejected("a", 1, None), rejected("a", 2, Some(Stays::Key)), rejected("b", 3, None)];
        letters.keep(batch, &kept).unwrap();
        for _ in 0..2 {
            letters.remove(&[retried("a", &[500, 1000]), retried("c", &[1000])]).unwrap();
            let left: Vec<_> = letters.of(batch).unwrap().into_iter().map(|letter| letter.rejected).collect();
            assert_eq!(left, kept[1..]);
        }
        letters.keep(batch, &kept[..1]).unwrap();
        letters.remove(&[retried("a", &[1000])]).unwrap();
        assert_eq!(letters.batches().unwrap(), []);
    }

    #[test]
    fn given_a_batch_that_is_made_anew_when_it_is_so_twice_then_only_a_row_that_nobody_took_can_be_sent_through() {
        let folder = tempfile::tempdir().unwrap();
        let letters = letters(&folder);
        let batch = BatchTime::from_millis(1000);
        let before = [rejected("a", 1, None), rejected("a", 2, None), rejected("z", 1, None)];
        letters.keep(batch, &before).unwrap();
        let still = Rejected { reason: "otherwise".into(), ..before[1].clone() };
        let new = |operator: &str| Rejected { position: 7, ..rejected(operator, 3, None) };
        for _ in 0..2 {
            letters.redo(batch, vec![still.clone(), new("a"), new("z")], |operator| operator == "a").unwrap();
            let left: Vec<_> = letters.of(batch).unwrap().into_iter().map(|letter| letter.rejected).collect();
            let redone = Rejected { stays: Some(Stays::Redone), ..before[0].clone() };
            let delivered = Rejected { stays: Some(Stays::Delivered), ..new("a") };
            assert_eq!(left, [delivered, redone, still.clone(), before[2].clone()]);
        }
    }

    #[test]
    fn a_line_that_is_no_letter_is_named_by_its_file_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let letters = letters(&folder);
        let batch = BatchTime::from_millis(1000);
        letters.keep(batch, &[rejected("a", 1, None)]).unwrap();
        let path = letters.path(batch);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("a note\n{text}")).unwrap();
        let error = letters.of(batch).unwrap_err().to_string();
        assert!(error.contains("1000.jsonl has a line that is no dead letter"), "{error}");
        letters.remove(&[retried("a", &[1000])]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a note\n");
    }
}
