//! Rows to rows, each operator as plainly as it can be said.

use serde_json::Value;

use super::pipeline::{Operator, Policy, What};
use super::{Letter, Stream};
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
pub fn run(operator: &Operator, inputs: &[&Stream], letters: &mut Vec<Letter>) -> Stream {
    if let What::Query(query) = &operator.what {
        return query.run(inputs);
    }
    let input = union(inputs.iter().copied());
    let ordered = input.ordered && operator.key.is_empty();
    if let What::Count | What::Sum = operator.what {
        return Stream { rows: fold(operator, &input.rows), ordered: operator.key.is_empty() };
    }
    let mut rows = Vec::new();
    for row in input.rows {
        match transform(&operator.what, &row) {
            Ok(output) => rows.extend(output),
            Err(_) if operator.policy == Policy::Skip => {}
            Err(reason) => letters.push(Letter { operator: operator.name.clone(), row: Value::Object(row), reason }),
        }
    }
    Stream { rows, ordered }
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
        What::Count | What::Sum | What::Query(_) => unreachable!("not a transform"),
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split([' ', '\t', '\n', '\r', '\x0C']).filter(|word| !word.is_empty()).collect()
}

fn hashtags(text: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    for (at, c) in text.char_indices() {
        let name: usize =
            text[at..].chars().skip(1).take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
        if c == '#' && name > 0 {
            tags.push(&text[at..=at + name]);
        }
    }
    tags
}

/// One row for each key, in order of first occurrence.
fn fold(operator: &Operator, rows: &[Row]) -> Vec<Row> {
    let mut keys: Vec<Row> = Vec::new();
    let mut totals: Vec<i64> = Vec::new();
    for row in rows {
        let key: Row = operator.key.iter().map(|column| (column.clone(), row[column].clone())).collect();
        let at = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            keys.push(key);
            totals.push(0);
            totals.len() - 1
        });
        totals[at] = totals[at].wrapping_add(match operator.what {
            What::Count => 1,
            _ => row["value"].as_i64().unwrap_or(0),
        });
    }
    let name = if operator.what == What::Count { "count" } else { "sum" };
    let answer = |(key, total): (Row, i64)| key.into_iter().chain([(name.to_owned(), total.into())]).collect();
    keys.into_iter().zip(totals).map(answer).collect()
}
