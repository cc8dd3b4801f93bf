//! Rows that are made up.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::num::NonZeroUsize;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use indexmap::IndexMap;
use proptest::prelude::*;

use super::*;
use crate::block::BlockStore;
use crate::pipeline::GeneratedColumn;
use crate::rows::describe;

fn columns() -> IndexMap<String, GeneratedColumn> {
    let words = GeneratedColumn::Words { length: NonZeroUsize::new(99).unwrap(), vocabulary: None };
    [
        ("n", GeneratedColumn::Sequence),
        ("i", GeneratedColumn::Integer { min: -3, max: 3 }),
        ("all", GeneratedColumn::Integer { min: i64::MIN, max: i64::MAX }),
        ("f", GeneratedColumn::Float { min: -1.0, max: 1.0 }),
        ("c", GeneratedColumn::Choice { of: vec!["x".into(), "é".into(), String::new()] }),
        ("w", words),
    ]
    .map(|(name, column)| (name.to_owned(), column))
    .into()
}

fn made(recipe: &Recipe, rows: std::ops::Range<u64>, chunk: usize) -> RecordBatch {
    let mut maker = recipe.rows(rows);
    let mut batches = vec![];
    while let Some(batch) = maker.next_chunk(chunk).unwrap() {
        batches.push(batch);
    }
    concat_batches(&recipe.schema(), &batches).unwrap()
}

fn context(mode: Mode) -> SourceContext {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    SourceContext {
        store: BlockStore::new(1),
        interval: Duration::from_secs(1),
        block_interval: Duration::from_millis(200),
        block_size: 1,
        mode,
        runtime: runtime.handle().clone(),
    }
}

fn at(second: u64) -> BatchTime {
    BatchTime::from_millis(second * 1000)
}

#[test]
fn given_columns_of_each_kind_when_made_then_values_lie_in_their_ranges() {
    let recipe = Recipe::new(0, &columns()).unwrap();
    assert_eq!(describe(&recipe.schema()), "n int64, i int64, all int64, f float64, c utf8, w utf8");
    let rows = made(&recipe, 0..20_000, 8192);

    let n = rows.column(0).as_primitive::<Int64Type>();
    assert!(n.values().iter().copied().eq(0..20_000));
    let i = rows.column(1).as_primitive::<Int64Type>();
    for value in -3..=3 {
        let count = i.values().iter().filter(|v| **v == value).count();
        assert!((2500..3200).contains(&count), "{value}: {count}");
    }
    assert!(i.values().iter().all(|v| (-3..=3).contains(v)));
    let negative = rows.column(2).as_primitive::<Int64Type>().values().iter().filter(|v| **v < 0).count();
    assert!((9_500..10_500).contains(&negative), "{negative}");
    let f = rows.column(3).as_primitive::<Float64Type>();
    assert!(f.values().iter().all(|v| (-1.0..1.0).contains(v)));
    assert!(f.values().iter().sum::<f64>().abs() < 300.0);
    let c = rows.column(4).as_string::<i32>();
    assert!((6_000..7_400).contains(&c.iter().filter(|v| *v == Some("é")).count()));
}

#[test]
fn given_words_when_made_then_lines_have_their_length_and_frequencies_follow_zipf() {
    let rows = made(&Recipe::new(0, &columns()).unwrap(), 0..20_000, 8192);
    let lines = rows.column(5).as_string::<i32>();
    let mut counts = std::collections::HashMap::new();
    for line in lines.iter().flatten() {
        assert_eq!(line.len(), 99);
        for word in line.split_whitespace() {
            *counts.entry(word).or_insert(0u32) += 1;
        }
    }
    let total: u32 = counts.values().sum();
    assert!((10 * 20_000..12 * 20_000).contains(&total), "{total} words");
    let mut most: Vec<u32> = counts.values().copied().collect();
    most.sort_unstable_by(|a, b| b.cmp(a));
    // The second half as often as the first, the tenth a tenth.
    assert!((0.45..0.55).contains(&(f64::from(most[1]) / f64::from(most[0]))), "{:?}", &most[..3]);
    assert!((0.085..0.115).contains(&(f64::from(most[9]) / f64::from(most[0]))), "{:?}", &most[..10]);
    let hashtags = counts.keys().filter(|w| w.starts_with('#')).count() as f64 / counts.len() as f64;
    assert!((0.08..0.12).contains(&hashtags), "{hashtags}");
}

#[test]
fn given_a_seed_when_rows_are_made_then_they_are_these_for_ever() {
    // A recipe is part of a batch's lineage: if these change, replays do.
    let rows = made(&Recipe::new(7, &columns()).unwrap(), 1_000_000..1_000_001, 1);
    let options = arrow::util::display::FormatOptions::default();
    let row: Vec<String> = rows
        .columns()
        .iter()
        .map(|c| arrow::util::display::ArrayFormatter::try_new(c.as_ref(), &options).unwrap().value(0).to_string())
        .collect();
    let line = "mtmbjuqdx bkquux bkquux ateytyknqyq ydculsbotk tegcjwmssuri rvnvtdocusq vputdh vmj #cforcrevvk     ";
    assert_eq!(row, ["1000000", "3", "3915854248793370103", "-0.11962215114654295", "é", line]);
}

#[test]
fn given_another_seed_or_column_when_made_then_rows_are_others_and_columns_do_not_touch_each_other() {
    let one = made(&Recipe::new(0, &columns()).unwrap(), 0..100, 100);
    let other = made(&Recipe::new(1, &columns()).unwrap(), 0..100, 100);
    assert_ne!(one.column(5), other.column(5));
    let mut fewer = columns();
    fewer.shift_remove("i");
    let fewer = made(&Recipe::new(0, &fewer).unwrap(), 0..100, 100);
    assert_eq!(one.column(5), fewer.column(4));
}

#[test]
fn given_a_rate_when_cut_then_blocks_are_bounded_and_the_last_row_ends_it() {
    let recipe = Recipe::new(0, &columns()).unwrap();
    let mut source = GeneratorSource::open(Rate(20_000.0), Some(50_000), recipe, &context(Mode::Once)).unwrap();
    let cuts: Vec<_> = (1..=3).map(|second| source.cut(at(second), None).unwrap()).collect();
    let ranges: Vec<Vec<_>> = cuts.iter().map(|c| c.blocks.iter().map(|b| b.data.clone()).collect()).collect();
    let range = |from, to| BlockData::Generated { from, to };
    assert_eq!(ranges[0], [range(0, 16_384), range(16_384, 20_000)]);
    assert_eq!(ranges[2], [range(40_000, 50_000)]);
    assert_eq!(cuts[2].moved, Moved::Rows(RowsPosition { first: Some(at(1)), next: 50_000 }));
    assert!(source.ended());
}

#[test]
fn given_a_limit_when_cut_then_the_generator_falls_behind_and_leaves_no_row_out() {
    let recipe = Recipe::new(0, &columns()).unwrap();
    let mut source = GeneratorSource::open(Rate(100.0), None, recipe, &context(Mode::Live)).unwrap();
    let mut cut = |second, limit| source.cut(at(second), limit).unwrap().blocks[0].data.clone();
    assert_eq!(cut(1, Some(30)), BlockData::Generated { from: 0, to: 30 });
    assert_eq!(cut(2, Some(100)), BlockData::Generated { from: 30, to: 130 });
    assert_eq!(cut(3, None), BlockData::Generated { from: 130, to: 300 });
    source.stop();
    assert!(source.ended());
    assert_eq!(source.cut(at(4), None).unwrap().blocks, []);
}

#[test]
fn given_a_recipe_that_makes_no_sense_when_opened_then_the_error_names_the_column() {
    let refuse = |column| {
        let columns = [("x".to_owned(), column)].into();
        format!("{:#}", Recipe::new(0, &columns).unwrap_err())
    };
    assert_eq!(refuse(GeneratedColumn::Integer { min: 2, max: 1 }), "column `x`: `min` 2 is above `max` 1");
    assert!(refuse(GeneratedColumn::Float { min: f64::MIN, max: f64::MAX }).starts_with("column `x`"));
    assert!(refuse(GeneratedColumn::Choice { of: vec![] }).contains("nothing to choose from"));
    let endless = GeneratorSource::open(Rate(1.0), None, Recipe::new(0, &columns()).unwrap(), &context(Mode::Once));
    assert!(endless.unwrap_err().to_string().contains("`count`"));
}

proptest! {
    #[test]
    fn given_any_range_when_made_in_any_chunks_then_rows_are_those_of_the_whole(
        seed: u64, from in 0u64..500, length in 1u64..200, chunk in 1usize..50,
    ) {
        let recipe = Recipe::new(seed, &columns()).unwrap();
        let whole = made(&recipe, 0..700, 8192);
        let part = made(&recipe, from..from + length, chunk);
        prop_assert_eq!(part, whole.slice(from as usize, length as usize));
    }
}
