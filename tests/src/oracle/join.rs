//! Two streams brought together by a column of text.

use serde_json::{Value, json};

use super::Stream;
use super::columns::{Column, Kind};
use crate::output::{Row, row};

/// Which rows without a partner are in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// None.
    Inner,
    /// Those of the first stream.
    Left,
    /// Those of the second.
    Right,
    /// All.
    Full,
}

impl Join {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inner, Self::Left, Self::Right, Self::Full];

    /// As SQL has it.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Inner => "JOIN",
            Self::Left => "LEFT JOIN",
            Self::Right => "RIGHT JOIN",
            Self::Full => "FULL JOIN",
        }
    }

    /// The columns of the result: the first stream's as `word`, the second's as `other`.
    pub fn columns(self, left: Column, right: Column) -> Vec<Column> {
        let left_is_lost = matches!(self, Self::Right | Self::Full);
        let right_is_lost = matches!(self, Self::Left | Self::Full);
        vec![left.named("word").or_null(left_is_lost), right.named("other").or_null(right_is_lost)]
    }

    /// The rows of the result, where null is equal to nothing.
    pub fn run(self, left: &[Row], left_column: &str, right: &[Row], right_column: &str) -> Vec<Row> {
        let lefts = || left.iter().map(|row| &row[left_column]);
        let rights = || right.iter().map(|row| &row[right_column]);
        let meet = |a: &Value, b: &Value| !a.is_null() && a == b;
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        for a in lefts() {
            pairs.extend(rights().filter(|b| meet(a, b)).map(|b| (a.clone(), b.clone())));
        }
        if matches!(self, Self::Left | Self::Full) {
            let alone = lefts().filter(|a| !rights().any(|b| meet(a, b)));
            pairs.extend(alone.map(|a| (a.clone(), Value::Null)));
        }
        if matches!(self, Self::Right | Self::Full) {
            let alone = rights().filter(|b| !lefts().any(|a| meet(a, b)));
            pairs.extend(alone.map(|b| (Value::Null, b.clone())));
        }
        pairs.into_iter().map(|(word, other)| row(json!({"word": word, "other": other}))).collect()
    }
}

/// For each value in either stream, how often it is in the one and in the other; null is a value.
pub fn cogroup(left: &Stream, left_column: &str, right: &Stream, right_column: &str) -> Vec<Row> {
    let mut words: Vec<(&Value, i64, i64)> = Vec::new();
    let lefts = left.rows.iter().map(|row| (&row[left_column], 1, 0));
    let rights = right.rows.iter().map(|row| (&row[right_column], 0, 1));
    for (word, in_left, in_right) in lefts.chain(rights) {
        match words.iter_mut().find(|(known, _, _)| *known == word) {
            Some((_, lefts, rights)) => {
                *lefts += in_left;
                *rights += in_right;
            }
            None => words.push((word, in_left, in_right)),
        }
    }
    let answer = |(word, lefts, rights)| row(json!({"word": word, "lefts": lefts, "rights": rights}));
    words.into_iter().map(answer).collect()
}

/// The query that cogroups.
pub fn cogroup_sql(left: &str, left_column: &str, right: &str, right_column: &str) -> String {
    format!(
        "SELECT coalesce(l.word, r.word) AS word, coalesce(l.n, 0) AS lefts, coalesce(r.n, 0) AS rights \
         FROM (SELECT {left_column} AS word, count(*) AS n FROM {left} GROUP BY {left_column}) l \
         FULL JOIN (SELECT {right_column} AS word, count(*) AS n FROM {right} GROUP BY {right_column}) r \
         ON l.word IS NOT DISTINCT FROM r.word"
    )
}

/// The columns of what is cogrouped.
pub fn cogroup_columns() -> Vec<Column> {
    let number = |name| Column::new(name, Kind::Int64, false);
    vec![Column::new("word", Kind::Utf8, true), number("lefts"), number("rights")]
}
