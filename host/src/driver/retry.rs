//! Dead letters sent through again: which can be, and with which batch.
//!
//! Letters of committed batches are asked for, read, and held against the columns of today; then they wait for the next cut,
//! which names them, and whose batch has their rows behind its own. Of one operator and batch all letters go together, so
//! those two name them, and each is taken once. When that batch has committed, the letters are removed; the batch log tells
//! a later start of those that a crash has left behind.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::dead_letters::{DeadLetters, Letter};
use super::log::{Cut, Record, Retried};
use super::typed::{Typed, TypedOperator};
use crate::event_time::with_window;
use crate::pipeline::OnReject;
use crate::plan::records;
use crate::rows::from_json;
use crate::table::Contents;
use crate::time::BatchTime;

/// What may be sent through again at once, in bytes of JSON: all of it is in memory while the batch runs.
const MOST_BYTES: usize = 256 << 20;

/// Most of a row that an error shows, in characters.
const SHOWN: usize = 200;

/// Which letters are to be sent through again; all of them, where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Those of this operator or source.
    #[serde(default)]
    pub operator: Option<String>,
    /// Those of this batch.
    #[serde(default)]
    pub batch: Option<BatchTime>,
}

/// What becomes of letters that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resent {
    /// Those that go through again, by operator or source.
    pub sent: Vec<Sent>,
    /// How many cannot, and stay.
    pub stay: u64,
}

/// Letters of one operator or source that go through again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The operator or source.
    pub operator: String,
    /// How many.
    pub letters: u64,
    /// The batch that they go with.
    pub batch: BatchTime,
}

/// Letters that wait for a cut.
#[derive(Debug, Clone)]
struct Waiting {
    retried: Retried,
    contents: Arc<Contents>,
}

/// The letters that a running pipeline sends through again.
#[derive(Debug)]
pub(super) struct Retries {
    letters: DeadLetters,
    waiting: Vec<Waiting>,
    /// The operators and batches whose letters go with a batch that was cut, or is to be.
    taken: HashSet<(String, BatchTime)>,
}

impl Retries {
    /// Goes on where these batches, cut and not committed, have taken letters.
    pub(super) fn new<'c>(letters: DeadLetters, unfinished: impl Iterator<Item = &'c Cut>) -> Self {
        let taken = unfinished.flat_map(|cut| &cut.retried).flat_map(named).collect();
        Self { letters, waiting: Vec::new(), taken }
    }

    /// Sees to it that letters go with the next batch, of which `next` is the first that comes. Only those of batches before
    /// `running`, the first that has not committed, and before `watched`, the first that may be made anew, are there to stay
    /// until then.
    pub(super) async fn ask(
        &mut self,
        wanted: Wanted,
        running: Option<BatchTime>,
        watched: Option<BatchTime>,
        typed: &Arc<Typed>,
        next: BatchTime,
    ) -> Result<Resent> {
        let (letters, taken, of) = (self.letters.clone(), self.taken.clone(), typed.clone());
        let there = move |operator: &str, batch: BatchTime| {
            running.into_iter().chain(watched).all(|first| batch < first)
                && !taken.contains(&(operator.to_owned(), batch))
        };
        let (waiting, stay) = spawn_blocking(move || choose(&letters, &wanted, there, watched, &of)).await??;
        self.taken.extend(waiting.iter().flat_map(|waiting| named(&waiting.retried)));
        let sent = waiting.iter().map(|Waiting { retried: Retried { operator, letters, .. }, .. }| Sent {
            operator: operator.clone(),
            letters: *letters,
            batch: first_batch(typed, operator, next),
        });
        let sent: Vec<Sent> = sent.collect();
        for Sent { operator, letters, batch } in &sent {
            tracing::info!(operator, letters, %batch, "dead letters are to be sent through again");
        }
        self.waiting.extend(waiting);
        Ok(Resent { sent, stay })
    }

    /// The letters that go with a batch, and their rows, which are to be kept before it is cut.
    pub(super) fn take(&mut self, typed: &Typed, batch: BatchTime) -> (Vec<Retried>, Vec<Arc<Contents>>) {
        let due = self.waiting.extract_if(.., |waiting| takes_letters(typed, &waiting.retried.operator, batch));
        due.map(|Waiting { retried, contents }| (retried, contents)).unzip()
    }

    /// The batch has committed: its letters are letters no more. Where they cannot be removed, the next start does it.
    pub(super) async fn committed(&mut self, cut: &Cut) -> Result<()> {
        if cut.retried.is_empty() {
            return Ok(());
        }
        let (letters, retried) = (self.letters.clone(), cut.retried.clone());
        match spawn_blocking(move || letters.remove(&retried)).await? {
            Ok(()) => self.taken.retain(|taken| !cut.retried.iter().flat_map(named).any(|gone| gone == *taken)),
            Err(error) => {
                tracing::warn!(
                    "dead letters that were sent through again are still there until the next start: {error:#}"
                );
            }
        }
        for Retried { operator, letters, .. } in &cut.retried {
            tracing::info!(operator, letters, batch = %cut.batch, "dead letters were sent through again");
        }
        Ok(())
    }
}

/// Removes the letters that committed batches have sent through again and a crash has left.
pub(super) fn catch_up(letters: &DeadLetters, records: &[Record]) -> Result<()> {
    letters.remove(&committed(records))
}

/// The letters that committed batches have sent through again. Of a batch that was cut several times the last cut counts.
pub(super) fn committed(records: &[Record]) -> Vec<Retried> {
    let mut cuts: BTreeMap<BatchTime, &[Retried]> = BTreeMap::new();
    let mut committed = Vec::new();
    for record in records {
        match record {
            Record::Cut(cut) => drop(cuts.insert(cut.batch, &cut.retried)),
            Record::Committed { batch, .. } => committed.extend_from_slice(cuts.remove(batch).unwrap_or_default()),
            Record::Started { .. }
            | Record::Swapped { .. }
            | Record::Redirected(_)
            | Record::RolledBack { .. }
            | Record::Watched { .. }
            | Record::Ended
            | Record::Shortened(_) => {}
        }
    }
    committed
}

fn named(retried: &Retried) -> impl Iterator<Item = (String, BatchTime)> + '_ {
    retried.of.iter().map(|batch| (retried.operator.clone(), *batch))
}

/// Reads the letters that are wanted and there, and makes rows of them; how many stay, as they cannot be sent through again.
fn choose(
    letters: &DeadLetters,
    wanted: &Wanted,
    there: impl Fn(&str, BatchTime) -> bool,
    watched: Option<BatchTime>,
    typed: &Typed,
) -> Result<(Vec<Waiting>, u64)> {
    let mut chosen: IndexMap<String, Vec<Letter>> = IndexMap::new();
    let (mut stay, mut bytes) = (0, 0);
    let batches = letters.batches()?.into_iter();
    for batch in batches.filter(|batch| wanted.batch.is_none_or(|wanted| wanted == *batch)) {
        for letter in letters.of(batch)? {
            let operator = &letter.rejected.operator;
            if wanted.operator.as_ref().is_some_and(|wanted| wanted != operator) {
                continue;
            }
            if letter.rejected.stays.is_some() {
                stay += 1;
                continue;
            }
            if !there(operator, batch) {
                continue;
            }
            bytes += letter.rejected.row.to_string().len();
            ensure!(
                bytes <= MOST_BYTES,
                "these letters have more than {} MiB, too much for one batch: choose fewer, with --operator and --batch",
                MOST_BYTES >> 20
            );
            chosen.entry(operator.clone()).or_default().push(letter);
        }
    }
    if chosen.is_empty() {
        match &wanted.operator {
            Some(name) if stay == 0 && !is_entry(typed, name) => bail!("{}", no_entry(typed, name)),
            _ => bail!("{}", nothing(wanted, stay, watched)),
        }
    }
    let waiting = chosen.into_iter().map(|(operator, letters)| {
        let contents = Arc::new(contents(typed, &operator, &letters)?);
        let mut of: Vec<BatchTime> = letters.iter().map(|letter| letter.batch_time).collect();
        of.dedup();
        let retried = Retried { operator, of, letters: letters.len() as u64, rows: contents.digest() };
        Ok(Waiting { retried, contents })
    });
    let waiting = waiting.collect::<Result<_>>().context("nothing was changed")?;
    Ok((waiting, stay))
}

/// Why there is nothing to do.
fn nothing(wanted: &Wanted, stay: u64, watched: Option<BatchTime>) -> String {
    let of = wanted.operator.as_ref().map(|operator| format!(" of `{operator}`")).unwrap_or_default();
    let batch = wanted.batch.map(|batch| format!(" of batch {batch}")).unwrap_or_default();
    let others = match stay {
        0 => String::new(),
        stay => format!(
            "; {stay} stay: late rows, keys, records that were not kept whole, and rows of batches that a rollback has made \
             anew cannot be"
        ),
    };
    let watched = watched.map(|first| {
        format!("; those of batch {first} and later can be when the last swap is watched no longer, or is rolled back")
    });
    format!(
        "there are no dead letters{of}{batch} that could be sent through again, and do not go with a batch \
         already{others}{}. See them with `weir dead-letters list`",
        watched.unwrap_or_default()
    )
}

/// Rows of an operator's letters, or records of a source's.
fn contents(typed: &Typed, operator: &str, letters: &[Letter]) -> Result<Contents> {
    let misfit = |letter: &Letter, reason: &str| {
        let row: String = letter.rejected.row.to_string().chars().take(SHOWN).collect();
        format!(
            "a dead letter of batch {} does not fit `{operator}` as it is now: {reason}\n  the row: {row}\n  To send others \
             through again, choose them with --operator and --batch.",
            letter.batch_time
        )
    };
    let Some(columns) = entry(typed, operator)? else {
        let text = |letter: &Letter| match letter.rejected.row.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => bail!("{}", misfit(letter, "it is no record of a source")),
        };
        return Ok(records(letters.iter().map(text).collect::<Result<_>>()?)?);
    };
    let rows: Vec<_> = letters.iter().map(|letter| &letter.rejected.row).collect();
    match from_json(&columns, &rows) {
        Ok(rows) => Ok(Contents::new(columns, vec![rows])?),
        Err(wrong) => bail!("{}", misfit(&letters[wrong.row], &wrong.reason)),
    }
}

/// The columns of rows that can be sent through an operator again; none for a source, which takes records.
fn entry(typed: &Typed, name: &str) -> Result<Option<SchemaRef>> {
    let pipeline = &typed.loaded.pipeline;
    let policy = |kind: &str, on_reject: OnReject| match on_reject {
        OnReject::DeadLetter => Ok(()),
        OnReject::Fail | OnReject::Skip => bail!(
            "{kind} `{name}` keeps no dead letters now, and what it rejected again would be lost: set `on_reject` of \
             [{kind}s.{name}] to \"dead-letter\""
        ),
    };
    if let Some(source) = typed.sources.get(name) {
        policy("source", source.on_reject)?;
        return Ok(None);
    }
    let Some(columns) = columns(typed, name) else {
        bail!("{}", no_entry(typed, name));
    };
    policy("operator", pipeline.operators[name].on_reject)?;
    let folds = matches!(typed.operators.get(name), Some(TypedOperator::Aggregate { .. }));
    if typed.windows.window(name).is_some() && !folds {
        bail!(
            "dead letters of operator `{name}` cannot be sent through again: the rows of its window come again in each batch \
             by themselves, as long as the window has them"
        );
    }
    Ok(Some(columns))
}

/// Whether dead letters can be of a source or operator.
fn is_entry(typed: &Typed, name: &str) -> bool {
    typed.sources.contains_key(name) || columns(typed, name).is_some()
}

fn no_entry(typed: &Typed, name: &str) -> String {
    let known = typed.sources.keys().chain(typed.operators.keys()).filter(|known| is_entry(typed, known));
    format!(
        "there is no source or component `{name}` that its dead letters could be sent through; there is {}",
        known.map(String::as_str).collect::<Vec<_>>().join(", ")
    )
}

/// The columns of an operator's rows where its dead letters come in: with their windows, where these are on event time.
pub(super) fn columns(typed: &Typed, operator: &str) -> Option<SchemaRef> {
    let kind = typed.operators.get(operator)?;
    let input = kind.call()?.input.schema();
    let windowed = matches!(kind, TypedOperator::Aggregate { .. }) && typed.event_windows.contains_key(operator);
    Some(Arc::new(if windowed { with_window(&input) } else { input }))
}

/// Whether rows that come to an operator with this batch are taken: one that follows a window may not be run in each.
fn takes_letters(typed: &Typed, operator: &str, batch: BatchTime) -> bool {
    // Accumulators of a window are made in every batch.
    typed.windows.folded(operator, &typed.loaded.pipeline).is_some() || typed.windows.due(operator, batch)
}

/// The first batch from `next` on that takes an operator's letters.
fn first_batch(typed: &Typed, operator: &str, next: BatchTime) -> BatchTime {
    let interval: Duration = typed.loaded.pipeline.batch.interval.0;
    let mut batches = std::iter::successors(Some(next), |batch| Some(batch.next(interval))).take(1 << 24);
    batches.find(|batch| takes_letters(typed, operator, *batch)).unwrap_or(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Digest;

    fn at(second: u64) -> BatchTime {
        BatchTime::from_millis(second * 1000)
    }

    fn cut(batch: u64, of: &[u64]) -> Cut {
        let retried = Retried {
            operator: "o".into(),
            of: of.iter().map(|second| at(*second)).collect(),
            letters: 1,
            rows: Digest::of(b"rows"),
        };
        let retried = if of.is_empty() { vec![] } else { vec![retried] };
        Cut { batch: at(batch), sources: vec![], ended: vec![], operators: vec![], tables: vec![], retried }
    }

    fn done(batch: u64) -> Record {
        Record::Committed {
            batch: at(batch),
            rows_in: 0,
            rows_out: vec![],
            meters: Default::default(),
            fingerprints: Default::default(),
        }
    }

    #[test]
    fn letters_are_gone_with_the_commit_of_the_last_cut_that_took_them() {
        let of =
            |records: &[Record]| committed(records).iter().flat_map(|retried| retried.of.clone()).collect::<Vec<_>>();
        let mut records = vec![Record::Cut(cut(3, &[1])), Record::Cut(cut(4, &[2]))];
        assert_eq!(of(&records), []);
        records.push(done(3));
        assert_eq!(of(&records), [at(1)]);
        // The pipeline was changed, and the batch cut again without letters.
        records.extend([Record::Cut(cut(4, &[])), done(4)]);
        assert_eq!(of(&records), [at(1)]);
    }

    #[test]
    fn letters_that_a_batch_has_yet_to_commit_are_taken() {
        let letters = DeadLetters::at(Arc::new(crate::storage::Disk), std::path::Path::new("nowhere"));
        let retries = Retries::new(letters, [cut(3, &[1, 2]), cut(4, &[])].iter());
        assert_eq!(retries.taken, HashSet::from([("o".to_owned(), at(1)), ("o".to_owned(), at(2))]));
    }
}
