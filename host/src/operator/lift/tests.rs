//! Answers of guests that may say anything, and what is made of them.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use arrow::array::{Array, AsArray};
use arrow::datatypes::Schema;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::operator::columns::WitReject;
use crate::operator::state::whence;
use crate::operator::transform::{carry, origin, rejects};
use crate::testing::largest_allocation;

const TYPES: [ColumnType; 6] = [
    ColumnType::Boolean,
    ColumnType::Int64,
    ColumnType::Float64,
    ColumnType::Timestamp,
    ColumnType::Utf8,
    ColumnType::Binary,
];
/// More rows than this have no answer here.
const MOST: usize = 20;
const LIMIT: Size = Size(4096);

/// Lists that are often as long as the rows are many, so that what comes after that check is reached.
fn list<T: std::fmt::Debug + Clone>(
    rows: usize,
    value: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![8 => vec(value.clone(), rows), 1 => vec(value, 0..MOST)]
}

fn bitmap(rows: usize) -> impl Strategy<Value = Vec<u8>> {
    list(rows.div_ceil(8), prop_oneof![Just(0xFF), any::<u8>()])
}

/// Values with offsets that are mostly right, or not far from it.
fn var_len(rows: usize) -> impl Strategy<Value = VarLenOut> {
    let text = "[a-c]{0,3}|ä|€|𝄞";
    let values = prop_oneof![
        4 => vec(text.prop_map(String::into_bytes), rows),
        1 => vec(vec(any::<u8>(), 0..4), rows),
    ];
    let wrong = prop_oneof![Just(0), Just(-1), Just(i32::MAX), Just(i32::MIN), -3..40_i32];
    let wrong = prop::option::weighted(0.3, (any::<prop::sample::Index>(), wrong));
    let near = prop_oneof![3 => Just(0), 1 => -2..3_i32];
    (values, wrong, near, any::<prop::sample::Index>(), prop::option::weighted(0.1, list(rows + 1, any::<i32>())))
        .prop_map(|(values, wrong, near, moved, any)| {
            let mut offsets = vec![0_i32];
            offsets.extend(values.iter().scan(0, |end, value| {
                *end += value.len() as i32;
                Some(*end)
            }));
            *moved.get_mut(&mut offsets) += near;
            if let Some((at, wrong)) = wrong {
                *at.get_mut(&mut offsets) = wrong;
            }
            VarLenOut { offsets: any.unwrap_or(offsets), data: values.concat() }
        })
}

fn slices(rows: usize) -> impl Strategy<Value = SlicesOut> {
    let number = prop_oneof![8 => 0..8_u32, 1 => Just(u32::MAX), 1 => any::<u32>()];
    let column = prop_oneof![6 => 0..3_u32, 1 => any::<u32>()];
    let lists = (list(rows, prop_oneof![8 => 0..40_u32, 1 => any::<u32>()]), list(rows, number));
    (column, lists).prop_map(|(column, (starts, lengths))| SlicesOut { column, starts, lengths })
}

fn values(rows: usize) -> impl Strategy<Value = ValuesOut> {
    prop_oneof![
        1 => bitmap(rows).prop_map(ValuesOut::Boolean),
        1 => list(rows, any::<i64>()).prop_map(ValuesOut::Int64),
        1 => list(rows, any::<f64>()).prop_map(ValuesOut::Float64),
        1 => list(rows, any::<i64>()).prop_map(ValuesOut::Timestamp),
        3 => var_len(rows).prop_map(ValuesOut::Utf8),
        2 => var_len(rows).prop_map(ValuesOut::Binary),
        4 => slices(rows).prop_map(ValuesOut::Slices),
    ]
}

/// A column as it was announced, and as it is answered: mostly of that type.
fn column(rows: usize) -> impl Strategy<Value = (ColumnType, bool, ColumnOut)> {
    let validity = prop::option::of(bitmap(rows));
    let other = prop::option::weighted(0.1, select(&TYPES[..]));
    (values(rows), validity, any::<bool>(), other, any::<bool>()).prop_map(
        |(values, validity, nullable, other, is_text)| {
            let fitting = match &values {
                ValuesOut::Boolean(_) => ColumnType::Boolean,
                ValuesOut::Int64(_) => ColumnType::Int64,
                ValuesOut::Float64(_) => ColumnType::Float64,
                ValuesOut::Timestamp(_) => ColumnType::Timestamp,
                ValuesOut::Utf8(_) => ColumnType::Utf8,
                ValuesOut::Slices(_) if is_text => ColumnType::Utf8,
                ValuesOut::Binary(_) | ValuesOut::Slices(_) => ColumnType::Binary,
            };
            (other.unwrap_or(fitting), nullable, ColumnOut { values, validity })
        },
    )
}

/// The input of a call: text, bytes and a number; of a batch that is part of another, as chunks are.
fn input() -> RecordBatch {
    let text = StringArray::from(vec!["before", "to be", "ä€𝄞", "", "or not to be, that is the question", "behind"]);
    let bytes = BinaryArray::from_vec(vec![b"b", b"\xFF\xFE", b"abc", b"", b"\x80", b"c"]);
    let columns: [(&str, ArrayRef); 3] =
        [("text", Arc::new(text)), ("bytes", Arc::new(bytes)), ("n", Arc::new(Int64Array::from(vec![0; 6])))];
    RecordBatch::try_from_iter(columns).unwrap().slice(1, 4)
}

/// The bytes of a text or binary column as a guest has seen them.
fn seen(input: &RecordBatch, column: usize) -> Vec<u8> {
    match column {
        0 => input.column(0).as_string::<i32>().iter().flatten().collect::<String>().into_bytes(),
        _ => input.column(1).as_binary::<i32>().iter().flatten().collect::<Vec<_>>().concat(),
    }
}

/// Each value of an answer as bytes, told without the code under test; none: null.
fn expected(answer: &ColumnOut, input: &RecordBatch, row: usize) -> Option<Vec<u8>> {
    let bit = |bits: &[u8]| bits[row / 8] >> (row % 8) & 1 == 1;
    if answer.validity.as_ref().is_some_and(|bits| !bit(bits)) {
        return None;
    }
    let part = |data: &[u8], from: usize, to: usize| data[from..to].to_vec();
    Some(match &answer.values {
        ValuesOut::Boolean(bits) => vec![u8::from(bit(bits))],
        ValuesOut::Int64(values) | ValuesOut::Timestamp(values) => values[row].to_le_bytes().to_vec(),
        ValuesOut::Float64(values) => values[row].to_bits().to_le_bytes().to_vec(),
        ValuesOut::Utf8(VarLenOut { offsets, data }) | ValuesOut::Binary(VarLenOut { offsets, data }) => {
            part(data, offsets[row] as usize, offsets[row + 1] as usize)
        }
        ValuesOut::Slices(SlicesOut { column, starts, lengths }) => {
            let start = starts[row] as usize;
            part(&seen(input, *column as usize), start, start + lengths[row] as usize)
        }
    })
}

fn found(array: &dyn Array, row: usize) -> Option<Vec<u8>> {
    if array.is_null(row) {
        return None;
    }
    Some(match ColumnType::of(array.data_type()).unwrap() {
        ColumnType::Boolean => vec![u8::from(array.as_boolean().value(row))],
        ColumnType::Int64 => array.as_primitive::<arrow::datatypes::Int64Type>().value(row).to_le_bytes().to_vec(),
        ColumnType::Timestamp => {
            array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().value(row).to_le_bytes().to_vec()
        }
        ColumnType::Float64 => {
            array.as_primitive::<arrow::datatypes::Float64Type>().value(row).to_bits().to_le_bytes().to_vec()
        }
        ColumnType::Utf8 => array.as_string::<i32>().value(row).as_bytes().to_vec(),
        ColumnType::Binary => array.as_binary::<i32>().value(row).to_vec(),
    })
}

fn is_verdict<T>(answer: &Result<T, CallError>) -> bool {
    matches!(answer, Err(CallError::Verdict(Verdict::Contract(_) | Verdict::Output { .. })))
}

fn answers() -> impl Strategy<Value = (usize, Vec<(ColumnType, bool, ColumnOut)>)> {
    (0..MOST).prop_flat_map(|rows| vec(column(rows), 1..3).prop_map(move |columns| (rows, columns)))
}

#[test]
fn given_an_answer_of_one_large_row_many_times_over_when_its_columns_are_kept_then_it_is_too_large_an_answer() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
    let many = origin(vec![0; 2048], 1).unwrap();
    let (kept, most) = largest_allocation(|| carry(&column, Some(&many), LIMIT));
    assert_eq!(kept.err(), Some(Verdict::Output { limit: LIMIT }.into()));
    assert!(most <= 1 << 20, "{most} bytes at once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn given_any_answer_when_lifted_then_it_is_refused_or_sound_and_says_what_the_guest_did((rows, answer) in answers()) {
        let input = input();
        let lowered = Lowered::new(&input, &[0, 1, 2]).unwrap();
        let types = [ColumnType::Utf8, ColumnType::Binary, ColumnType::Int64];
        let cuttable = Cuttable { columns: &lowered, types: &types, limit: LIMIT };
        let field = |(kind, nullable, _): &(ColumnType, bool, ColumnOut)| Arc::new(Field::new("c", kind.arrow(), *nullable));
        let fields: Vec<Arc<Field>> = answer.iter().map(field).collect();
        let columns: Vec<ColumnOut> = answer.into_iter().map(|(_, _, column)| column).collect();

        let (lifted, most) = largest_allocation(|| super::columns("apply", &fields, columns.clone(), rows, Some(&cuttable)));

        prop_assert!(most <= 2 * LIMIT.0 as usize, "{} bytes at once", most);
        let Ok(arrays) = lifted else {
            prop_assert!(is_verdict(&lifted), "{:?}", lifted);
            return Ok(());
        };
        for ((array, field), answered) in arrays.iter().zip(&fields).zip(&columns) {
            array.to_data().validate_full().unwrap();
            prop_assert_eq!((array.len(), array.data_type()), (rows, field.data_type()));
            prop_assert!(field.is_nullable() || array.null_count() == 0);
            for row in 0..rows {
                prop_assert_eq!(found(array, row), expected(answered, &input, row));
            }
        }
    }

    #[test]
    fn given_an_answer_without_an_input_when_lifted_then_slices_and_other_row_counts_are_refused(
        (rows, answer) in answers(),
        claimed in prop_oneof![4 => Just(None), 1 => any::<u32>().prop_map(Some)],
    ) {
        let fields = answer.iter().enumerate();
        let fields = fields.map(|(n, (kind, nullable, _))| Field::new(n.to_string(), kind.arrow(), *nullable));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns: Vec<ColumnOut> = answer.into_iter().map(|(_, _, column)| column).collect();
        let slices = columns.iter().any(|column| matches!(column.values, ValuesOut::Slices(_)));
        let row_count = claimed.unwrap_or(rows as u32);
        match super::batch("merge", &schema, BatchOut { row_count, columns }, rows) {
            Ok(batch) => prop_assert!(!slices && row_count as usize == rows && batch.num_rows() == rows),
            lifted => prop_assert!(is_verdict(&lifted), "{:?}", lifted),
        }
    }

    #[test]
    fn given_any_rows_that_an_answer_comes_from_when_checked_then_they_are_in_order_and_there(
        from in prop_oneof![vec(0..6_u32, 0..8), vec(any::<u32>(), 0..4)],
        sorted: bool,
        rows in 0..6_usize,
    ) {
        let mut from = from;
        if sorted {
            from.sort();
        }
        let sound = from.is_sorted() && from.iter().all(|row| (*row as usize) < rows);
        let checked = origin(from.clone(), rows);
        prop_assert!(checked.as_ref().map_or_else(|_| is_verdict(&checked), |checked| checked.values()[..] == from[..]));
        prop_assert_eq!(checked.is_ok(), sound);
        let checked = whence(&from, rows);
        prop_assert!(checked.is_ok() == sound && (sound || is_verdict(&checked)));
    }

    #[test]
    fn given_any_rejects_when_checked_then_each_row_is_there_and_once(
        rejected in vec((prop_oneof![8 => 0..6_u32, 1 => any::<u32>()], "[a-zäß]{0,3}|ä{2000}"), 0..6),
        rows in 0..6_usize,
    ) {
        let mut numbers: Vec<u32> = rejected.iter().map(|(row, _)| *row).collect();
        numbers.sort();
        let sound = numbers.windows(2).all(|two| two[0] < two[1]) && numbers.iter().all(|row| (*row as usize) < rows);
        let rejected = rejected.into_iter().map(|(row, reason)| WitReject { row, reason }).collect();
        match rejects(rejected, rows) {
            Ok(checked) => {
                prop_assert!(sound && checked.iter().map(|reject| reject.row as u32).eq(numbers));
                prop_assert!(checked.iter().all(|reject| reject.reason.len() < 1100));
            }
            checked => prop_assert!(!sound && is_verdict(&checked)),
        }
    }
}
