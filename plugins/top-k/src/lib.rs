//! The most frequent items of a key, in memory that does not grow with how many there are: see [`sketch`].
//!
//! Reads `item`; nulls do not count. An aggregate answers with one row for each key, so the items come as JSON in one
//! column, `top`, a list that the operator `json-parse` makes rows of again:
//!
//! ```json
//! [{"rank":1,"item":"#rust","count":1443,"error":2},{"rank":2,"item":"#coffee","count":791,"error":2}]
//! ```
//!
//! An item has occurred at least `count` times and at most `count + error` times, of all the items of the key that are
//! counted in `items`. The error is at most `items / (counters + 1)`, and 0 where there are no more different items than
//! counters. Whatever occurs more often than that is in the list, if `k` is as large.
//!
//! Which rows are put together first decides what a sketch forgets, so merging is associative within the error only. The
//! host folds in an order that hangs on the rows alone: the answer is the same in every run, on any number of threads.
//!
//! Config:
//!
//! - `k`: how many items to answer with; 10 by default.
//! - `counters`: how many items to count at once, at least `k`; ten times `k` by default.

pub mod sketch;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use weir_guest::Record;
use weir_guest::aggregate::{Aggregate, Group, Reject};

use sketch::Sketch;

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default = "k")]
    k: usize,
    counters: Option<usize>,
}

fn k() -> usize {
    10
}

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct TopK {
    k: usize,
    counters: usize,
}

/// With more, a list would be a table.
const MOST: usize = 10_000;

impl TryFrom<Settings> for TopK {
    type Error = String;

    fn try_from(Settings { k, counters }: Settings) -> Result<Self, Self::Error> {
        if !(1..=MOST).contains(&k) {
            return Err(format!("`k` is {k}; it must be from 1 to {MOST}"));
        }
        let counters = counters.unwrap_or(10 * k);
        if counters < k {
            return Err(format!("`counters` is {counters}, which is less than `k`, {k}"));
        }
        Ok(Self { k, counters })
    }
}

/// A row with something to be counted.
#[derive(Record, Debug)]
pub struct Row<'a> {
    /// What; null for nothing.
    pub item: Option<&'a str>,
}

/// A [`Sketch`] on its way.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Sketched {
    /// The counts, as a JSON object.
    pub counts: String,
    /// By how much each may be too low.
    pub error: i64,
    /// How many items were counted.
    pub items: i64,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Answer {
    /// A list of items, as JSON.
    pub top: String,
    /// How many items were counted.
    pub items: i64,
}

/// An item of the list.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    rank: usize,
    item: &'a str,
    count: i64,
    error: i64,
}

impl Sketched {
    fn new(sketch: &Sketch, items: i64) -> Self {
        Self { counts: json(&sketch.counts), error: sketch.error, items }
    }

    /// It was written by `new`, so what does not read was damaged: a panic tells so, and ends in the sandbox.
    fn sketch(&self) -> Sketch {
        let counts = serde_json::from_str(&self.counts);
        Sketch {
            counts: counts.unwrap_or_else(|error| panic!("not the counts of a sketch: {error}")),
            error: self.error,
        }
    }
}

/// Nothing that is written here can fail to be.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| panic!("no JSON: {error}"))
}

#[weir_guest::aggregate]
impl Aggregate for TopK {
    type Input<'a> = Row<'a>;
    type Accumulator = Sketched;
    type Output = Answer;

    fn create(&self, row: Row<'_>) -> Result<Sketched, Reject> {
        let sketch = Sketch::exact(row.item.map(|item| (item, 1)));
        Ok(Sketched::new(&sketch, row.item.is_some().into()))
    }

    /// Counts all that is there before anything is left out.
    fn create_group<'a>(&self, group: &mut Group<'a, Row<'a>>) -> Option<Sketched> {
        let mut counts = HashMap::<&str, i64>::new();
        group.filter_map(|row| row.item).for_each(|item| *counts.entry(item).or_default() += 1);
        let items = counts.values().sum();
        let mut sketch = Sketch::exact(counts);
        sketch.prune(self.counters);
        Some(Sketched::new(&sketch, items))
    }

    fn merge(&self, total: &mut Sketched, part: Sketched) {
        let mut sketch = total.sketch();
        sketch.merge(part.sketch());
        sketch.prune(self.counters);
        *total = Sketched::new(&sketch, total.items + part.items);
    }

    fn finish(&self, total: Sketched) -> Answer {
        let sketch = total.sketch();
        let top = sketch.top(self.k).into_iter().zip(1..);
        let top: Vec<_> = top.map(|((item, count), rank)| Entry { rank, item, count, error: sketch.error }).collect();
        Answer { top: json(&top), items: total.items }
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::testing;

    use super::*;

    fn rows<'a>(items: &[&'a str]) -> Vec<Row<'a>> {
        items.iter().map(|&item| Row { item: Some(item).filter(|item| !item.is_empty()) }).collect()
    }

    #[test]
    fn with_counters_enough_counts_are_exact() -> Result<(), String> {
        let items = ["a", "b", "a", "", "c", "a", "b", "\"d\"\n", "c"];
        for part in 1..=items.len() {
            let answer =
                testing::aggregate::<TopK>().config(r#"{"k": 3}"#).part(part).run([rows(&items), rows(&[""])])?;
            let top = r#"[{"rank":1,"item":"a","count":3,"error":0},{"rank":2,"item":"b","count":2,"error":0},{"rank":3,"item":"c","count":2,"error":0}]"#;
            let expected = [(top, 8), ("[]", 0)].map(|(top, items)| Answer { top: top.to_owned(), items });
            assert_eq!(answer.rows::<Answer>()?, expected);
        }
        Ok(())
    }

    #[test]
    fn with_too_few_counters_the_frequent_are_found_and_the_error_is_told() -> Result<(), String> {
        let items = ["a", "b", "a", "c", "a", "d", "a", "e", "a", "f"];
        let answer = testing::aggregate::<TopK>().config(r#"{"k": 1, "counters": 2}"#).part(5).run([rows(&items)])?;
        // Of the first five rows a is left with 2, of the others with 1, and each time an error of 1.
        let top = r#"[{"rank":1,"item":"a","count":3,"error":2}]"#;
        assert_eq!(answer.rows::<Answer>()?, [Answer { top: top.to_owned(), items: 10 }]);
        Ok(())
    }

    #[test]
    fn a_config_that_is_not_valid_says_why() {
        for (config, why) in [
            (r#"{"k": 0}"#, "`k` is 0; it must be from 1 to 10000"),
            (r#"{"k": 5, "counters": 4}"#, "`counters` is 4, which is less than `k`, 5"),
            (r#"{"K": 5}"#, "unknown field `K`, expected `k` or `counters`"),
        ] {
            let answer = testing::aggregate::<TopK>().config(config).run([rows(&["a"])]);
            assert_eq!(answer.map(|_| ()), Err(format!("the operator's config is not valid: {why}")));
        }
    }
}
