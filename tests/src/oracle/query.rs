//! Queries: a few kinds, each as SQL and as what it means.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::Stream;
use super::columns::{Column, Kind};
use super::join::{self, Join};
use crate::output::{Row, row};

/// The rows of the table `known`: a word twice, and a value that is null.
pub const KNOWN: [(&str, Option<i64>); 5] =
    [("to", Some(1)), ("be", Some(-2)), ("to", Some(3)), ("#tag", None), ("ann", Some(1 << 40))];

/// A query over one or two streams. Columns that it names are text, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Filters and renames a column to `line`.
    Lines(String),
    /// Counts rows by a column, the most frequent first.
    Top(String),
    /// Joins a column with the table `known`.
    Known(String),
    /// Doubles what is positive: needs `user` and `value`.
    Double,
    /// A column, and an integer column, as `user` and `value`.
    Amounts(String, String),
    /// The same, with the integer as a double.
    Floats(String, String),
    /// How many rows there are: a row even where there are none.
    Total,
    /// Each value of a column once.
    Distinct(String),
    /// A column of each of two streams, put together as `word`.
    Both(String, String),
    /// The pairs of a column of each of two streams.
    Join(Join, String, String),
    /// How often each value is in a column of either of two streams.
    Cogroup(String, String),
}

impl Query {
    /// The query over these streams.
    pub fn sql(&self, inputs: &[String]) -> String {
        let from = &inputs[0];
        match self {
            Self::Lines(column) => format!("SELECT {column} AS line FROM {from} WHERE {column} <> 'to'"),
            Self::Top(column) => {
                format!("SELECT {column}, count(*) AS n FROM {from} GROUP BY {column} ORDER BY n DESC, {column}")
            }
            Self::Known(column) => {
                format!(
                    "SELECT {from}.{column} AS word, known.value FROM {from} JOIN known ON {from}.{column} = known.word"
                )
            }
            Self::Double => format!("SELECT user, value * 2 AS value FROM {from} WHERE value > 0"),
            Self::Amounts(text, number) => format!("SELECT {text} AS user, {number} AS value FROM {from}"),
            Self::Floats(text, number) => {
                format!("SELECT {text} AS user, CAST({number} AS DOUBLE) AS value FROM {from}")
            }
            Self::Total => format!("SELECT count(*) AS n FROM {from}"),
            Self::Distinct(column) => format!("SELECT DISTINCT {column} AS word FROM {from}"),
            Self::Both(left, right) => {
                format!("SELECT {left} AS word FROM {from} UNION ALL SELECT {right} FROM {}", inputs[1])
            }
            Self::Join(join, left, right) => {
                let to = &inputs[1];
                format!(
                    "SELECT {from}.{left} AS word, {to}.{right} AS other FROM {from} {} {to} ON {from}.{left} = {to}.{right}",
                    join.sql()
                )
            }
            Self::Cogroup(left, right) => join::cogroup_sql(from, left, &inputs[1], right),
        }
    }

    /// Over how many streams it is.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Both(..) | Self::Join(..) | Self::Cogroup(..) => 2,
            _ => 1,
        }
    }

    /// The columns of the result; none where it does not fit its inputs.
    pub fn columns(&self, inputs: &[&[Column]]) -> Option<Vec<Column>> {
        let find = |input: usize, name: &str, kind: Kind| {
            inputs.get(input)?.iter().find(|column| column.name == name && column.kind == kind).cloned()
        };
        let text = |name: &String| find(0, name, Kind::Utf8);
        let other = |name: &String| find(1, name, Kind::Utf8);
        if inputs.len() != self.inputs() {
            return None;
        }
        Some(match self {
            Self::Lines(column) => vec![text(column)?.named("line")],
            Self::Top(column) => vec![text(column)?, Column::new("n", Kind::Int64, false)],
            Self::Known(column) => vec![text(column)?.named("word"), Column::new("value", Kind::Int64, true)],
            Self::Double => vec![find(0, "user", Kind::Utf8)?, find(0, "value", Kind::Int64)?],
            Self::Amounts(column, number) => {
                vec![text(column)?.named("user"), find(0, number, Kind::Int64)?.named("value")]
            }
            Self::Floats(column, number) => {
                let number = find(0, number, Kind::Int64)?.named("value");
                vec![text(column)?.named("user"), Column { kind: Kind::Float64, ..number }]
            }
            Self::Total => vec![Column::new("n", Kind::Int64, false)],
            Self::Distinct(column) => vec![text(column)?.named("word")],
            Self::Both(left, right) => vec![text(left)?.named("word").or_null(other(right)?.nullable)],
            Self::Join(join, left, right) => join.columns(text(left)?, other(right)?),
            Self::Cogroup(left, right) => {
                text(left).zip(other(right))?;
                join::cogroup_columns()
            }
        })
    }

    /// One batch of the query.
    pub fn run(&self, inputs: &[Stream]) -> Stream {
        let Stream { rows: input, ordered } = &inputs[0];
        match self {
            Self::Lines(column) => {
                let kept = input.iter().map(|row| &row[column]).filter(|value| value.is_string() && *value != "to");
                Stream { rows: kept.map(|value| row(json!({ "line": value }))).collect(), ordered: *ordered }
            }
            Self::Top(column) => Stream { rows: top(column, input), ordered: true },
            Self::Known(column) => {
                let pairs = input.iter().flat_map(|row| KNOWN.iter().map(move |known| (&row[column], known)));
                let joined = pairs.filter(|(value, (word, _))| *value == word);
                let rows = joined.map(|(word, (_, value))| row(json!({"word": word, "value": value}))).collect();
                Stream { rows, ordered: false }
            }
            Self::Double => {
                let rows = input.iter().filter_map(|found| {
                    let value = found["value"].as_i64().filter(|value| *value > 0)?;
                    Some(row(json!({"user": found["user"], "value": value * 2})))
                });
                Stream { rows: rows.collect(), ordered: *ordered }
            }
            Self::Amounts(text, number) => {
                let rows = input.iter().map(|found| row(json!({"user": found[text], "value": found[number]})));
                Stream { rows: rows.collect(), ordered: *ordered }
            }
            Self::Floats(text, number) => {
                let rows = input.iter().map(|found| {
                    let value = found[number].as_i64().map(|value| value as f64);
                    row(json!({"user": found[text], "value": value}))
                });
                Stream { rows: rows.collect(), ordered: *ordered }
            }
            Self::Total => Stream { rows: vec![row(json!({ "n": input.len() }))], ordered: true },
            Self::Distinct(column) => {
                let mut words: Vec<&Value> = Vec::new();
                for word in input.iter().map(|row| &row[column]) {
                    if !words.contains(&word) {
                        words.push(word);
                    }
                }
                Stream { rows: words.into_iter().map(|word| row(json!({ "word": word }))).collect(), ordered: false }
            }
            Self::Both(left, right) => {
                let left = input.iter().map(|row| &row[left]);
                let both = left.chain(inputs[1].rows.iter().map(|row| &row[right]));
                Stream { rows: both.map(|word| row(json!({ "word": word }))).collect(), ordered: false }
            }
            Self::Join(join, left, right) => {
                Stream { rows: join.run(input, left, &inputs[1].rows, right), ordered: false }
            }
            Self::Cogroup(left, right) => {
                Stream { rows: join::cogroup(&inputs[0], left, &inputs[1], right), ordered: false }
            }
        }
    }
}

fn top(column: &str, rows: &[Row]) -> Vec<Row> {
    let mut counts: Vec<(&Value, i64)> = Vec::new();
    for value in rows.iter().map(|row| &row[column]) {
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    counts.sort_by(|(a, many), (b, others)| others.cmp(many).then_with(|| nulls_last(a, b)));
    counts.into_iter().map(|(value, n)| row(json!({column: value, "n": n}))).collect()
}

/// Text by its bytes, and null after all of it, as SQL orders.
fn nulls_last(a: &Value, b: &Value) -> Ordering {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}
