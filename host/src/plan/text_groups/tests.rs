//! The groups are those of a hash map, whatever the keys' lengths.

use std::collections::HashMap;

use arrow::array::{BinaryArray, StringArray};
use proptest::prelude::*;

use super::*;

/// The groups of batches of keys, and the keys as they come out.
fn grouped(batches: &[ArrayRef], key: &DataType) -> (Vec<u32>, ArrayRef) {
    let (mut table, mut groups) = (TextGroups::expecting(0), Vec::new());
    for batch in batches {
        table.add(batch, &mut groups).expect("keys of its type");
    }
    (groups, table.keys(key).expect("sound keys"))
}

#[track_caller]
fn check(batches: &[Vec<Option<Vec<u8>>>]) {
    let (mut ids, mut keys, mut expected) = (HashMap::new(), Vec::new(), Vec::new());
    for key in batches.iter().flatten() {
        expected.push(*ids.entry(key.clone()).or_insert_with(|| {
            keys.push(key.clone());
            keys.len() as u32 - 1
        }));
    }
    let array = |keys: &[Option<Vec<u8>>]| Arc::new(keys.iter().map(Option::as_deref).collect::<BinaryArray>()) as _;
    let arrays: Vec<ArrayRef> = batches.iter().map(|batch| array(batch)).collect();
    let (groups, found) = grouped(&arrays, &DataType::Binary);
    assert_eq!(groups, expected);
    assert_eq!(found.as_binary::<i32>(), array(&keys).as_binary::<i32>());
}

#[test]
fn groups_come_in_order_of_first_occurrence_and_text_stays_text() {
    let batches = [["to", "be", "or"], ["not", "to", "be"]].map(|b| Arc::new(StringArray::from(b.to_vec())) as _);
    let (groups, keys) = grouped(&batches, &DataType::Utf8);
    assert_eq!(groups, [0, 1, 2, 3, 0, 1]);
    assert_eq!(keys.as_string::<i32>(), &StringArray::from(vec!["to", "be", "or", "not"]));
}

#[test]
fn keys_that_differ_only_in_zeros_in_length_or_behind_the_head_are_not_one() {
    let long = |end: &str| Some(format!("a key of more bytes than a head {end}").into_bytes());
    let key = |text: &str| Some(text.as_bytes().to_vec());
    check(&[vec![key(""), key("\0"), key("\0\0"), None, key("a"), key("a\0"), key("fifteen bytes a"), None]]);
    check(&[vec![long("a"), long("b"), long("")], vec![long("b"), key("fifteen bytes ab"), key("fifteen bytes a")]]);
}

#[test]
fn a_slice_is_read_where_it_lies() {
    let all = StringArray::from(vec!["a", "b", "a", "c"]);
    let (groups, keys) = grouped(&[Arc::new(all.slice(1, 2)), Arc::new(all.slice(3, 1))], &DataType::Utf8);
    assert_eq!(groups, [0, 1, 2]);
    assert_eq!(keys.as_string::<i32>(), &StringArray::from(vec!["b", "a", "c"]));
}

#[test]
fn a_table_grows() {
    let keys: Vec<_> = (0..10_000).map(|n| Some(format!("{n}").repeat(n % 9).into_bytes())).collect();
    check(&[keys.clone(), keys]);
}

#[test]
fn short_keys_are_found_again_wherever_they_lie_among_those_that_are_looked_for_together() {
    let key = |n: usize| Some(format!("{}", n * n % 1009).into_bytes());
    for keys in [AHEAD - 1, AHEAD, AHEAD + 1, 100 * AHEAD + 3] {
        check(&[(0..keys).map(key).collect(), (keys..2 * keys).map(key).collect()]);
    }
}

proptest! {
    #[test]
    fn the_groups_are_those_of_a_hash_map(
        batches: Vec<Vec<Option<Vec<bool>>>>,
    ) {
        let bytes = |key: Vec<bool>| key.into_iter().map(u8::from).collect();
        check(&batches.into_iter().map(|b| b.into_iter().map(|k| k.map(bytes)).collect()).collect::<Vec<_>>());
    }

    #[test]
    fn the_groups_of_keys_that_are_mostly_short_are_those_of_a_hash_map(
        batches in prop::collection::vec(prop::collection::vec("[ab]{0,5}|[a-z]{0,20}|a", 0..200), 0..4),
    ) {
        check(&batches.into_iter().map(|b| b.into_iter().map(|k| Some(k.into_bytes())).collect()).collect::<Vec<_>>());
    }
}
