//! Rows to rows, each operator as plainly as it can be said.

use serde_json::Value;

use super::history::History;
use super::pipeline::{Operator, Policy, What};
use super::tally;
use super::{Letter, Stream, aggregate};
use crate::output::Row;

/// Streams put one after the other.
pub fn union<'a>(streams: impl Iterator<Item = &'a Stream>) -> Stream {
    let mut union = Stream { rows: Vec::new(), ordered: true };
    for stream in streams {
        union.rows.extend(stream.rows.iter().cloned());
        union.ordered &= stream.ordered;
    }
    union
}

/// One batch of an operator.
pub fn run(history: &History, operator: &Operator, time: u64, letters: &mut Vec<Letter>) -> Stream {
    if operator.what.is("aggregate") {
        return aggregate::run(history, operator, time, letters);
    }
    if !history.due(operator, time) {
        return Stream { rows: Vec::new(), ordered: true };
    }
    match &operator.what {
        What::Query(query) => query.run(&history.inputs(operator, time)),
        What::Tally(tally) => {
            let told = tally::replay(history, operator, tally, time);
            letters.extend(told.letters);
            Stream { rows: told.rows, ordered: false }
        }
        What::Snapshot(every) => snapshot(history, operator, *every, time),
        What::Sample(false) => Stream { rows: Vec::new(), ordered: true },
        What::Sample(true) | What::Repartition(_) | What::Window => union(history.inputs(operator, time).iter()),
        _ => transforms(history, operator, time, letters),
    }
}

fn snapshot(history: &History, operator: &Operator, every: u64, time: u64) -> Stream {
    let of = history.pipeline.operator(&operator.inputs[0]);
    let rows = match of.map(|of| (of, &of.what)) {
        Some((of, What::Tally(tally))) if time.is_multiple_of(every * history.pipeline.interval) => {
            tally::replay(history, of, tally, time).known.iter().map(tally::Known::row).collect()
        }
        _ => Vec::new(),
    };
    Stream { rows, ordered: false }
}

fn transforms(history: &History, operator: &Operator, time: u64, letters: &mut Vec<Letter>) -> Stream {
    let input = union(history.inputs(operator, time).iter());
    let mut rows = Vec::new();
    for row in input.rows {
        match transform(&operator.what, &row) {
            Ok(output) => rows.extend(output),
            Err(_) if operator.policy == Policy::Skip => {}
            Err(reason) => letters.push(Letter { operator: operator.name.clone(), row: Value::Object(row), reason }),
        }
    }
    Stream { rows, ordered: input.ordered && operator.key.is_empty() }
}

/// The output rows of a row, or why there are none.
fn transform(what: &What, row: &Row) -> Result<Vec<Row>, String> {
    let text = |column: &str| match &row[column] {
        Value::String(text) => Ok(text.as_str()),
        _ => Err(format!("column `{column}` is null")),
    };
    let each = |column: &str, values: Vec<&str>| {
        values.into_iter().map(|value| Row::from_iter([(column.to_owned(), Value::from(value))])).collect()
    };
    match what {
        // A line that is null has no words.
        What::Words => Ok(each("word", text("line").map(words).unwrap_or_default())),
        What::Hashtags => Ok(each("tag", hashtags(text("text")?))),
        What::Grep(pattern) => {
            Ok(if text("line").is_ok_and(|line| line.contains(pattern)) { vec![row.clone()] } else { vec![] })
        }
        What::Picky => {
            let line = text("line")?;
            if line.contains("poison") {
                return Err(format!("poisoned by `{line}`"));
            }
            if line.contains("reject me") {
                return Err(format!("`{line}` asked for it"));
            }
            Ok(vec![row.clone()])
        }
        _ => unreachable!("not a transform"),
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split([' ', '\t', '\n', '\r', '\x0C']).filter(|word| !word.is_empty()).collect()
}

fn hashtags(text: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    for (at, c) in text.char_indices() {
        let of_tag = |c: &char| matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '\u{80}'..);
        let name: usize = text[at..].chars().skip(1).take_while(of_tag).map(char::len_utf8).sum();
        if c == '#' && name > 0 {
            tags.push(&text[at..=at + name]);
        }
    }
    tags
}
