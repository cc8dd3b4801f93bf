//! Many rows of a key to one.

use serde_json::Value;

use super::history::History;
use super::operator::union;
use super::pipeline::{Operator, Policy, What};
use super::{Letter, Stream};
use crate::output::Row;

/// One batch of an aggregate: all rows that it sees, folded anew.
pub fn run(history: &History, operator: &Operator, time: u64, letters: &mut Vec<Letter>) -> Stream {
    if operator.policy == Policy::DeadLetter {
        let arriving = union(arriving(history, operator, time));
        letters.extend(arriving.rows.iter().filter_map(|row| {
            let reason = value(operator, row).err()?;
            Some(Letter { operator: operator.name.clone(), row: Value::Object(row.clone()), reason })
        }));
    }
    if !history.due(operator, time) {
        return Stream { rows: Vec::new(), ordered: true };
    }
    let input = union(history.inputs(operator, time).iter());
    Stream { rows: fold(operator, &input.rows), ordered: operator.key.is_empty() }
}

/// The rows that it gets to see for the first time. Through a window a row is looked at when it comes in, and never again:
/// so it is rejected once, though it lies in many windows, or in none.
fn arriving<'h>(history: &'h History, operator: &'h Operator, time: u64) -> impl Iterator<Item = &'h Stream> {
    let window = match (&operator.window, &operator.inputs[..]) {
        (None, [input]) => history.pipeline.operator(input).filter(|input| input.what == What::Window),
        _ => None,
    };
    window.unwrap_or(operator).inputs.iter().map(move |input| history.rows(input, time))
}

/// One row for each key, in order of first occurrence.
fn fold(operator: &Operator, rows: &[Row]) -> Vec<Row> {
    let mut keys: Vec<Row> = Vec::new();
    let mut totals: Vec<Value> = Vec::new();
    for row in rows {
        let Ok(value) = value(operator, row) else { continue };
        let key: Row = operator.key.iter().map(|column| (column.clone(), row[column].clone())).collect();
        match keys.iter().position(|known| *known == key) {
            Some(at) => totals[at] = sum(&totals[at], &value),
            None => {
                keys.push(key);
                totals.push(value);
            }
        }
    }
    let name = if operator.what == What::Count { "count" } else { "sum" };
    let answer = |(key, total): (Row, Value)| key.into_iter().chain([(name.to_owned(), total)]).collect();
    keys.into_iter().zip(totals).map(answer).collect()
}

/// What a row adds, or why it adds nothing.
fn value(operator: &Operator, row: &Row) -> Result<Value, String> {
    match operator.what {
        What::Count => Ok(1.into()),
        What::Sum => Ok(row["value"].as_i64().unwrap_or(0).into()),
        _ if row["value"].is_null() => Err("column `value` is null".to_owned()),
        // Whole numbers, not too large: in whatever order they are added, no bit is lost.
        _ => Ok(row["value"].clone()),
    }
}

fn sum(a: &Value, b: &Value) -> Value {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.wrapping_add(b).into(),
        _ => (a.as_f64().unwrap_or(f64::NAN) + b.as_f64().unwrap_or(f64::NAN)).into(),
    }
}
