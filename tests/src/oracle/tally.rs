//! The test guest `tally`: how many rows a key has had, and what they add up to; and what a host owes the state of a key.

use serde_json::{Value, json};

use super::history::History;
use super::operator::union;
use super::pipeline::{Operator, Policy};
use super::{Letter, Stream};
use crate::output::Row;

/// What a tally is told, and its operator with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// A key is removed once it has had so many rows.
    pub remove_at: Option<i64>,
    /// A key with rows is woken after so many milliseconds.
    pub wake: Option<u64>,
    /// It says nothing of keys that it is called with for no reason of theirs.
    pub quiet: bool,
    /// It rejects rows with negative values.
    pub reject_negative: bool,
    /// It is called with every key that is known.
    pub touch_all: bool,
    /// A key without rows for so many milliseconds is forgotten.
    pub timeout: Option<u64>,
}

/// A key that has a state.
#[derive(Debug, Clone)]
pub struct Known {
    key: Row,
    count: i64,
    total: i64,
    /// When it last had rows.
    last: u64,
    /// When it is to be woken; 0 for never.
    timer: u64,
}

/// What a tally comes to in a batch.
#[derive(Debug, Default)]
pub struct Told {
    /// All keys, as they are after the batch.
    pub known: Vec<Known>,
    /// What it says.
    pub rows: Vec<Row>,
    /// What it does not take.
    pub letters: Vec<Letter>,
}

/// What a tally comes to in a batch, found out by going through all batches from the first.
pub fn replay(history: &History, operator: &Operator, tally: &Tally, time: u64) -> Told {
    let mut told = Told::default();
    for batch in history.batches.iter().filter(|batch| batch.time <= time) {
        told = Told { known: told.known, ..Told::default() };
        if history.due(operator, batch.time) {
            let input = union(history.inputs(operator, batch.time).iter());
            told = step(operator, tally, batch.time, told.known, &input);
        }
    }
    told
}

impl Known {
    /// As a snapshot has it.
    pub fn row(&self) -> Row {
        with_columns(&self.key, json!({"count": self.count, "total": self.total}))
    }

    /// Why it would be called without rows.
    fn due(&self, tally: &Tally, now: u64) -> Option<&'static str> {
        if self.timer != 0 && self.timer <= now {
            Some("timer")
        } else if tally.timeout.is_some_and(|timeout| self.last + timeout <= now) {
            Some("idle")
        } else {
            tally.touch_all.then_some("all")
        }
    }
}

fn with_columns(key: &Row, columns: Value) -> Row {
    let Value::Object(columns) = columns else { unreachable!("it is written as an object") };
    key.clone().into_iter().chain(columns).collect()
}

/// One batch: each key that has rows or is due is called once.
fn step(operator: &Operator, tally: &Tally, now: u64, known: Vec<Known>, input: &Stream) -> Told {
    let key_of =
        |row: &Row| -> Row { operator.key.iter().map(|column| (column.clone(), row[column].clone())).collect() };
    let mut keys: Vec<Row> = known.iter().map(|known| known.key.clone()).collect();
    for key in input.rows.iter().map(key_of) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut told = Told::default();
    for key in keys {
        let rows: Vec<&Row> = input.rows.iter().filter(|row| key_of(row) == key).collect();
        let before = known.iter().find(|known| known.key == key);
        let due = before.and_then(|before| before.due(tally, now));
        let cause = match due {
            Some("timer") => "timer",
            _ if !rows.is_empty() => "rows",
            Some(cause) => cause,
            None => {
                // It is not called.
                told.known.extend(before.cloned());
                continue;
            }
        };
        let rejected = |row: &&Row| tally.reject_negative && row["value"].as_i64().is_some_and(|value| value < 0);
        if operator.policy == Policy::DeadLetter {
            let letter = |row: &&Row| Letter {
                operator: operator.name.clone(),
                row: Value::Object((*row).clone()),
                reason: "negative".to_owned(),
            };
            told.letters.extend(rows.iter().filter(|row| rejected(row)).map(letter));
        }
        let had_rows = !rows.is_empty();
        let values = rows.into_iter().filter(|row| !rejected(row)).map(|row| row["value"].as_i64()).collect();
        let (says, after) = Call { cause, key, before, had_rows, values }.answer(tally, now);
        told.rows.extend(says);
        told.known.extend(after);
    }
    told
}

/// A call with one key.
struct Call<'k> {
    cause: &'k str,
    key: Row,
    before: Option<&'k Known>,
    /// Whether rows came, taken or not.
    had_rows: bool,
    /// The values of the rows that are taken.
    values: Vec<Option<i64>>,
}

impl Call<'_> {
    /// What is said, and the key as it is afterwards, if it is not forgotten.
    fn answer(self, tally: &Tally, now: u64) -> (Option<Row>, Option<Known>) {
        let Self { cause, key, before, had_rows, values } = self;
        let known = before.cloned().unwrap_or(Known { key, count: 0, total: 0, last: now, timer: 0 });
        let last = if had_rows { now } else { known.last };
        if (tally.quiet && cause == "all") || (before.is_none() && values.is_empty()) {
            // Nothing changes, but that a call that was due has been made.
            let timer = if cause == "timer" { 0 } else { known.timer };
            return (None, before.map(|before| Known { last, timer, ..before.clone() }));
        }
        let seen = values.len() as i64;
        let count = known.count + seen;
        let total = values.into_iter().flatten().fold(known.total, i64::wrapping_add);
        let says = with_columns(&known.key, json!({"cause": cause, "seen": seen, "count": count, "total": total}));
        let forgotten = cause == "idle" || tally.remove_at.is_some_and(|most| count >= most);
        let timer = tally.wake.filter(|_| seen > 0).map_or(0, |wake| now + wake);
        (Some(says), (!forgotten).then_some(Known { count, total, last, timer, ..known }))
    }
}
