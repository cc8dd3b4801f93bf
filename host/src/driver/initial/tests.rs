//! Rows as states, and tables that cannot be.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};

use super::*;
use crate::plan::locate;
use crate::state::{Staged, Store};
use crate::time::BatchTime;

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    Arc::new(Schema::new(
        fields.iter().map(|(name, kind, null)| Field::new(*name, kind.clone(), *null)).collect::<Vec<_>>(),
    ))
}

/// A count for each user.
fn keyed() -> KeyedSpec {
    let (key, state) = (schema(&[("user", DataType::Utf8, true)]), schema(&[("n", DataType::Int64, false)]));
    KeyedSpec { key, state, version: 1, timeout: Some(5000) }
}

fn users(rows: &[(Option<&str>, Option<i64>)]) -> Contents {
    let schema = schema(&[("n", DataType::Int64, true), ("user", DataType::Utf8, true)]);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|(_, n)| *n)));
    let users: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|(user, _)| *user)));
    let rows = RecordBatch::try_new(schema.clone(), vec![numbers, users]).unwrap();
    Contents::new(schema, vec![rows]).unwrap()
}

#[test]
fn every_row_is_a_key_where_a_shuffle_would_look_for_it() {
    let rows = [(Some("ann"), Some(3)), (None, Some(4)), (Some("bob"), Some(5))];
    let store = Store::default();
    assert!(store.keyed.open("counts", keyed(), KEY_GROUPS));
    let delta = states("counts", "users", &users(&rows), &keyed(), 9000).unwrap();
    store.commit(BatchTime::from_millis(9000), Staged { deltas: vec![delta], ..Staged::default() });

    let found = store.keyed.get("counts").unwrap();
    assert_eq!(found.keys(), 3);
    let names: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|(user, _)| *user)));
    let names = RecordBatch::try_new(keyed().key, vec![names]).unwrap();
    let numbers = RowBytes::new(keyed().state).unwrap();
    for (row, (group, name)) in locate(&names).unwrap().into_iter().enumerate() {
        let group = &found.groups()[group as usize];
        let entry = group.get(&name).unwrap();
        let expected: ArrayRef = Arc::new(Int64Array::from(vec![rows[row].1.unwrap()]));
        assert_eq!(*entry.state, *numbers.encode(&[expected]).unwrap().row(0).data());
        assert_eq!((entry.last, entry.timer), (9000, 0));
        // As if it had last had rows then: idle five seconds later.
        assert!(group.due(13_999, Some(5000)).is_empty());
        assert!(group.due(14_000, Some(5000)).iter().any(|(key, _, _)| **key == name));
    }
}

#[test]
fn a_key_that_comes_twice_is_named() {
    let twice = users(&[(Some("ann"), Some(1)), (Some("bob"), Some(2)), (Some("ann"), Some(3))]);
    let error = states("counts", "users", &twice, &keyed(), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 3 of table `users` has the key user = ann again: a key can start with one state only; take one of the rows out"
    );
}

#[test]
fn zero_has_two_signs_and_is_one_key() {
    let spec = KeyedSpec { key: schema(&[("x", DataType::Float64, false)]), ..keyed() };
    let schema = schema(&[("x", DataType::Float64, true), ("n", DataType::Int64, true)]);
    let x: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0]));
    let n: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let rows = RecordBatch::try_new(schema.clone(), vec![x, n]).unwrap();
    let error = states("counts", "xs", &Contents::new(schema, vec![rows]).unwrap(), &spec, 0).unwrap_err();
    assert!(error.to_string().starts_with("row 2 of table `xs` has the key x = -0.0 again"), "{error}");
}

#[test]
fn a_null_where_none_may_be_names_its_row() {
    let error =
        states("counts", "users", &users(&[(Some("ann"), Some(1)), (Some("bob"), None)]), &keyed(), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 2 of table `users` has no `n`, and a key or state cannot be without it: give it a value, or take the row out"
    );
}

#[test]
fn a_table_must_have_the_columns_of_key_and_state_and_no_other() {
    for (columns, expected) in [
        (vec![("user", DataType::Utf8, true), ("n", DataType::Int64, true)], None),
        (vec![("n", DataType::Int64, false), ("user", DataType::Utf8, false)], None),
        (vec![("user", DataType::Utf8, true)], Some("it lacks n int64.")),
        (
            vec![("user", DataType::Int64, true), ("n", DataType::Int64, true)],
            Some("it lacks user utf8?, which it has as user int64?."),
        ),
        (
            vec![("user", DataType::Utf8, true), ("at", DataType::Int64, true), ("m", DataType::Int64, true)],
            Some("it lacks n int64; `at`, `m` is no column of either."),
        ),
    ] {
        let checked = check("users", &schema(&columns), &keyed());
        match (checked, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (checked, _) => panic!("{columns:?}: {checked:?}"),
        }
    }
}
