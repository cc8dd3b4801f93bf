//! How many rows a batch may reject: what `max_rejects` allows, held against what the whole batch has rejected.
//!
//! It looks at counts of a batch that has been computed, so how rows were partitioned does not show; and it looks before
//! anything is committed, so a batch that rejects too much leaves nothing behind.
//!
//! Letters that were sent through again are not held against the batch, neither those that are rejected again nor, as rows in,
//! those that are taken.

use std::collections::HashMap;

use anyhow::{Result, bail};
use serde_json::Value;

use super::log::Cut;
use super::typed::Typed;
use crate::plan::{Report, row_text, texts};
use crate::table::TableStore;
use crate::units::Budget;

/// Fails where a source or operator has rejected more than the pipeline allows.
pub(super) fn check(typed: &Typed, cut: &Cut, report: &Report, tables: &TableStore) -> Result<()> {
    let pipeline = &typed.loaded.pipeline;
    let sources = pipeline.sources.iter().map(|(name, spec)| (Kind::Source, name, spec.max_rejects()));
    let operators = pipeline.operators.iter().map(|(name, spec)| (Kind::Operator, name, spec.max_rejects));
    for (kind, name, budget) in sources.chain(operators) {
        let rejects = report.meters.get(name).is_some_and(|meter| meter.rejected > 0);
        if let Some(budget) = budget.filter(|_| rejects) {
            let again = Again::of(kind, name, cut, report, tables)?;
            within(budget, kind, name, cut, report, &again)?;
        }
    }
    Ok(())
}

/// What rejects.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Records that are no rows.
    Source,
    /// Rows.
    Operator,
}

/// Letters that came to a source or operator again.
#[derive(Debug, Default, PartialEq, Eq)]
struct Again {
    letters: u64,
    /// Those of them that were rejected again.
    rejected: u64,
}

impl Again {
    fn of(kind: Kind, name: &str, cut: &Cut, report: &Report, tables: &TableStore) -> Result<Self> {
        let mut sent: HashMap<String, u64> = HashMap::new();
        for retried in cut.retried.iter().filter(|retried| retried.operator == name) {
            let contents = tables.get(retried.rows)?;
            let rows: Vec<String> = match kind {
                Kind::Source => texts(&contents)?.into_iter().map(|text| Value::from(text).to_string()).collect(),
                Kind::Operator => {
                    let rows = contents.rows().iter();
                    rows.flat_map(|rows| (0..rows.num_rows()).map(move |row| row_text(rows, row))).collect()
                }
            };
            rows.into_iter().for_each(|row| *sent.entry(row).or_default() += 1);
        }
        let letters = sent.values().sum();
        // A row that is as a letter was is rejected with it, or neither is: which of them this is does not matter.
        let new = report.dead_letters.iter().filter(|letter| letter.operator == name && letter.stays.is_none());
        let rejected = new.filter(|letter| match sent.get_mut(&letter.row.to_string()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        });
        Ok(Self { letters, rejected: rejected.count() as u64 })
    }
}

fn within(budget: Budget, kind: Kind, name: &str, cut: &Cut, report: &Report, again: &Again) -> Result<()> {
    let Some(meter) = report.meters.get(name) else { return Ok(()) };
    let (rejected, rows_in) =
        (meter.rejected.saturating_sub(again.rejected), meter.rows_in.saturating_sub(again.letters));
    if budget.allows(rejected, rows_in) {
        return Ok(());
    }
    let running = cut.operators.iter().find(|running| running.operator == name);
    let component = running.map(|r| format!(" ({}, {})", r.component, r.digest.short())).unwrap_or_default();
    let first = report.first_rejects.get(name);
    let first = first.map(|first| format!("; the first: {}\n  the row: {}", first.reason, first.row));
    let (kind, what, mend) = match kind {
        Kind::Source => ("source", "records", ""),
        Kind::Operator => ("operator", "rows", "name a version of the component that takes them, or "),
    };
    bail!(
        "{kind} `{name}`{component} rejected {} of {} {what} of batch {}, more than its `max_rejects` of {budget}{}\n  What \
         the batch has read stays as it is. To go on, {mend}raise `max_rejects` of [{kind}s.{name}].",
        rejected,
        rows_in,
        cut.batch,
        first.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::record_batch::RecordBatch;
    use serde_json::json;

    use super::*;
    use crate::driver::log::Retried;
    use crate::plan::{OperatorMeter, Rejected, Stays, records};
    use crate::table::Contents;
    use crate::time::BatchTime;

    fn letter(row: Value, stays: Option<Stays>) -> Rejected {
        Rejected {
            operator: "o".into(),
            component: None,
            digest: None,
            reason: "no".into(),
            segment: 0,
            position: 0,
            stays,
            row,
        }
    }

    /// Whether a batch of `rows_in` rows that sends these contents through again, and rejects these, is within the budget.
    fn check(kind: Kind, again: Contents, rows_in: u64, rejected: Vec<Rejected>, budget: Budget) -> Result<()> {
        let scratch = tempfile::tempdir().unwrap();
        let tables = TableStore::at(scratch.path());
        let again = Arc::new(again);
        tables.keep(&again).unwrap();
        let letters = again.rows().iter().map(|rows| rows.num_rows() as u64).sum();
        let retried = Retried { operator: "o".into(), of: vec![], letters, rows: again.digest() };
        let cut = Cut {
            batch: BatchTime::from_millis(1000),
            sources: vec![],
            ended: vec![],
            operators: vec![],
            tables: vec![],
            retried: vec![retried],
        };
        let meter = OperatorMeter { rows_in, rejected: rejected.len() as u64, ..OperatorMeter::default() };
        let meters = [("o".to_owned(), meter)].into();
        let report = Report { meters, dead_letters: rejected, ..Report::default() };
        let again = Again::of(kind, "o", &cut, &report, &tables)?;
        within(budget, kind, "o", &cut, &report, &again)
    }

    fn numbers(numbers: &[i64]) -> Contents {
        let column = Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef;
        let rows = RecordBatch::try_from_iter([("n", column)]).unwrap();
        Contents::new(rows.schema(), vec![rows]).unwrap()
    }

    fn rejected(numbers: &[i64]) -> Vec<Rejected> {
        numbers.iter().map(|n| letter(json!({ "n": n }), None)).collect()
    }

    #[test]
    fn given_letters_that_pass_when_as_many_other_rows_are_rejected_then_these_count() {
        let none: Budget = "0".parse().unwrap();
        let again = || numbers(&[1, 2, 2]);
        check(Kind::Operator, again(), 5, rejected(&[2, 1, 2]), none).unwrap();
        let error = check(Kind::Operator, again(), 5, rejected(&[7, 8]), none).unwrap_err().to_string();
        assert!(error.contains("rejected 2 of 2 rows of batch 1970-01-01T00:00:01.000Z"), "{error}");
        // One more than was sent again of the same.
        let error = check(Kind::Operator, again(), 5, rejected(&[1, 1]), none).unwrap_err().to_string();
        assert!(error.contains("rejected 1 of 2 rows"), "{error}");
    }

    #[test]
    fn given_letters_that_pass_when_a_share_is_allowed_then_it_is_one_of_the_other_rows() {
        let half: Budget = "50%".parse().unwrap();
        check(Kind::Operator, numbers(&[1, 2]), 4, rejected(&[7]), half).unwrap();
        assert!(check(Kind::Operator, numbers(&[1, 2]), 4, rejected(&[7, 8]), half).is_err());
        assert!(check(Kind::Operator, numbers(&[]), 3, rejected(&[7, 8]), half).is_err());
    }

    #[test]
    fn given_records_of_a_source_when_sent_again_then_they_are_known_by_their_text_and_late_rows_are_none() {
        let none: Budget = "0".parse().unwrap();
        let again = || records(vec!["no JSON".into(), "{\"n\": \"x\"}".into()]).unwrap();
        let text = |text: &str| letter(Value::from(text), None);
        check(Kind::Source, again(), 2, vec![text("no JSON")], none).unwrap();
        assert!(check(Kind::Source, again(), 3, vec![text("none either")], none).is_err());
        let late = letter(Value::from("no JSON"), Some(Stays::Time));
        assert!(check(Kind::Source, again(), 3, vec![late], none).is_err());
    }
}
