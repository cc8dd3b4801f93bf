//! What the transform attributes promise, each checked against the plain function over the rows.

use proptest::prelude::*;
use serde::Deserialize;
use weir_guest::testing::{self, Table};
use weir_guest::{Emitter, Record, Rows, Timestamp, batch_time, log};

/// All the types that a column can have, and a column that no operator reads.
#[derive(Record, Debug, Clone, PartialEq)]
struct Full {
    flag: Option<bool>,
    int: Option<i64>,
    float: Option<f64>,
    at: Option<Timestamp>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    unread: i64,
}

prop_compose! {
    fn full()(
        flag: Option<bool>,
        int: Option<i64>,
        float in prop::option::of(-1e9..1e9),
        at: Option<i64>,
        text in prop::option::of("[a-zé#_ ]{0,12}"),
        bytes: Option<Vec<u8>>,
        unread: i64,
    ) -> Full {
        Full { flag, int, float, at: at.map(Timestamp::from_micros), text, bytes, unread }
    }
}

fn rows() -> impl Strategy<Value = Vec<Full>> {
    prop::collection::vec(full(), 0..40)
}

/// The same columns, borrowed.
#[derive(Record, Debug, PartialEq)]
struct Borrowed<'a> {
    flag: Option<bool>,
    int: Option<i64>,
    float: Option<f64>,
    at: Option<Timestamp>,
    text: Option<&'a str>,
    bytes: Option<&'a [u8]>,
}

#[weir_guest::map]
fn unchanged(row: Borrowed<'_>) -> Borrowed<'_> {
    row
}

#[weir_guest::map]
fn copied(row: Full) -> Full {
    row
}

#[derive(Record, Debug, Clone, PartialEq)]
struct Words {
    text: String,
    unread: i64,
}

#[derive(Record)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Record, Debug, PartialEq)]
struct Word<'a> {
    word: &'a str,
    unread: i64,
}

#[derive(Record, Debug, PartialEq)]
struct Piece<'a> {
    word: &'a str,
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

#[weir_guest::flat_map(keep = ["unread"])]
fn split<'a>(row: Text<'a>) -> impl Iterator<Item = Piece<'a>> {
    pieces(row.text).map(|word| Piece { word })
}

/// The same with text that is not always part of the input.
#[weir_guest::flat_map(keep = ["unread"])]
fn split_and_mark<'a>(row: Text<'a>) -> impl Iterator<Item = Piece<'a>> {
    pieces(row.text).chain(["end"]).map(|word| Piece { word })
}

#[weir_guest::batch(keep = ["unread"])]
fn split_batch<'a>(rows: Rows<'a, Text<'a>>, out: &mut Emitter<'a, Piece<'a>>) {
    for (row, record) in rows.iter() {
        match record {
            Ok(record) => pieces(record.text).for_each(|word| out.emit(row, Piece { word })),
            Err(null) => out.reject(row, null),
        }
    }
}

#[derive(Record)]
struct Int {
    int: i64,
}

#[weir_guest::filter]
fn even(row: Int) -> Result<bool, &'static str> {
    if row.int < 0 { Err("negative") } else { Ok(row.int % 2 == 0) }
}

#[weir_guest::map(keep = all)]
fn halves(row: Int) -> Result<Option<Int>, &'static str> {
    if row.int < 0 { Err("negative") } else { Ok((row.int % 2 == 0).then_some(Int { int: row.int / 2 })) }
}

fn rejects<T>(rows: &[T], why: impl Fn(&T) -> Option<&'static str>) -> Vec<(usize, String)> {
    rows.iter().enumerate().filter_map(|(row, record)| Some((row, why(record)?.to_owned()))).collect()
}

fn int_reject(row: &Full) -> Option<&'static str> {
    match row.int {
        None => Some("column `int` is null"),
        Some(..0) => Some("negative"),
        Some(_) => None,
    }
}

proptest! {
    #[test]
    fn every_type_goes_in_and_out_unchanged(rows in rows(), chunk in 1..50_usize) {
        let answer = testing::transform::<copied>().chunk(chunk).run(rows.clone()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(answer.rows::<Full>().map_err(TestCaseError::fail)?, rows.clone());

        let borrowed = testing::transform::<unchanged>().chunk(chunk).run(rows).map_err(TestCaseError::fail)?;
        prop_assert_eq!(
            borrowed.rows::<Borrowed>().map_err(TestCaseError::fail)?,
            answer.rows::<Borrowed>().map_err(TestCaseError::fail)?
        );
    }

    #[test]
    fn a_flat_map_gives_what_its_function_gives(rows in rows(), chunk in 1..50_usize) {
        let expected = |mark: bool| -> Vec<(String, i64)> {
            rows.iter()
                .filter_map(|row| Some((row.text.as_deref()?, row.unread)))
                .flat_map(|(text, unread)| pieces(text).chain(mark.then_some("end")).map(move |w| (w.to_owned(), unread)))
                .collect()
        };
        let nulls = rejects(&rows, |row| row.text.is_none().then_some("column `text` is null"));
        let table = Table::of(rows.clone()).map_err(TestCaseError::fail)?;
        let runs = [
            (testing::transform::<split>().chunk(chunk).run_table(&table), false),
            (testing::transform::<split_batch>().chunk(chunk).run_table(&table), false),
            (testing::transform::<split_and_mark>().chunk(chunk).run_table(&table), true),
        ];
        for (answer, mark) in runs {
            let answer = answer.map_err(TestCaseError::fail)?;
            let words = answer.rows::<Word>().map_err(TestCaseError::fail)?;
            let words: Vec<_> = words.into_iter().map(|w| (w.word.to_owned(), w.unread)).collect();
            prop_assert_eq!(words, expected(mark));
            prop_assert_eq!(answer.rejects(), &nulls[..]);
        }
    }

    #[test]
    fn a_filter_keeps_whole_rows(rows in rows(), chunk in 1..50_usize) {
        let answer = testing::transform::<even>().chunk(chunk).run(rows.clone()).map_err(TestCaseError::fail)?;
        let expected: Vec<_> = rows.iter().filter(|r| r.int.is_some_and(|i| i >= 0 && i % 2 == 0)).cloned().collect();
        prop_assert_eq!(answer.rows::<Full>().map_err(TestCaseError::fail)?, expected);
        prop_assert_eq!(answer.rejects(), rejects(&rows, int_reject));
    }

    #[test]
    fn a_map_drops_rejects_and_replaces(rows in rows(), chunk in 1..50_usize) {
        let answer = testing::transform::<halves>().chunk(chunk).run(rows.clone()).map_err(TestCaseError::fail)?;
        let expected: Vec<_> = rows.iter()
            .filter_map(|row| Some((row.int.filter(|i| *i >= 0 && i % 2 == 0)?, row)))
            .map(|(int, row)| Full { int: Some(int / 2), ..row.clone() })
            .collect();
        prop_assert_eq!(answer.columns(), ["flag", "float", "at", "text", "bytes", "unread", "int"]);
        prop_assert_eq!(answer.rows::<Full>().map_err(TestCaseError::fail)?, expected);
        prop_assert_eq!(answer.rejects(), rejects(&rows, int_reject));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    times: usize,
}

#[derive(Record, Debug, PartialEq)]
struct Repeated {
    text: String,
    at: Timestamp,
}

#[weir_guest::flat_map]
fn repeat(row: Text<'_>, config: &Times) -> Result<Vec<Repeated>, String> {
    if row.text.is_empty() {
        return Err("nothing to repeat".to_owned());
    }
    log::info!("{} times {}", config.times, row.text);
    Ok((0..config.times).map(|_| Repeated { text: row.text.to_owned(), at: batch_time() }).collect())
}

fn words(texts: &[&str]) -> Vec<Words> {
    texts.iter().map(|text| Words { text: (*text).to_owned(), unread: 0 }).collect()
}

#[test]
fn config_batch_time_and_log_reach_the_function() -> Result<(), String> {
    let at = Timestamp::from_millis(5);
    let answer = testing::transform::<repeat>().config(r#"{"times": 2}"#).at(at).run(words(&["a", ""]))?;
    let repeated = || Repeated { text: "a".to_owned(), at };
    assert_eq!(answer.rows::<Repeated>()?, [repeated(), repeated()]);
    assert_eq!(answer.rejects(), [(1, "nothing to repeat".to_owned())]);
    assert_eq!(answer.log(), [(log::Level::Info, "2 times a".to_owned())]);
    Ok(())
}

#[test]
fn a_pipeline_that_does_not_fit_is_refused() {
    #[track_caller]
    fn refused(result: Result<testing::Answer, String>, why: &str) {
        assert_eq!(result.expect_err("it does not fit"), why);
    }
    refused(
        testing::transform::<repeat>().run(words(&[])),
        "the operator's config is not valid: missing field `times`",
    );
    refused(
        testing::transform::<even>().config(r#"{"odd":true}"#).run([Int { int: 1 }]),
        r#"the operator takes no config, but is given {"odd":true}"#,
    );
    refused(
        testing::transform::<even>().run(words(&[])),
        "the input has no column `int` (int64), which the operator reads; it has `text` (utf8), `unread` (int64)",
    );
    refused(
        testing::transform::<split>().run([Text { text: "a" }]),
        "the input has no column `unread`, which the operator keeps; it has `text` (utf8)",
    );
}

#[weir_guest::batch]
fn backwards<'a>(rows: Rows<'a, Int>, out: &mut Emitter<'a, Int>) {
    (0..rows.len()).rev().for_each(|row| out.emit(row, Int { int: 0 }));
}

#[weir_guest::batch]
fn failing<'a>(_rows: Rows<'a, ()>, _out: &mut Emitter<'a, ()>) -> Result<(), &'static str> {
    Err("no more")
}

#[test]
fn a_batch_function_can_fail() {
    let result = testing::transform::<failing>().run([Int { int: 1 }]);
    assert_eq!(result.map(|_| ()), Err("no more".to_owned()));
    let result = testing::transform::<backwards>().run([Int { int: 1 }, Int { int: 2 }]);
    assert_eq!(result.map(|_| ()), Err("the operator emitted a row from input row 0 after one from 1".to_owned()));
}
