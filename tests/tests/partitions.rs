//! Samples, and streams in other partitions: which rows are kept does not depend on who did the work.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::collections::BTreeSet;

use weir_tests::output::{Batches, Tree};
use weir_tests::{Folder, each};

/// Partitions, threads and rows of a call.
const CUTS: [(usize, usize, usize); 4] = [(1, 1, 8192), (3, 2, 100), (5, 4, 13), (64, 2, 1000)];

const ROWS: u64 = 20_000;

/// Rows of two batches and several blocks, sampled by fraction and seed.
fn pipeline((partitions, _, chunk_rows): (usize, usize, usize), sample: &str) -> String {
    format!(
        r#"
        [batch]
        partitions = {partitions}
        chunk_rows = {chunk_rows}
        [sources.numbers]
        type = "generator"
        rate = "{}/s"
        count = {ROWS}
        columns.n = {{ kind = "sequence" }}
        columns.user = {{ kind = "choice", of = ["ann", "bob", "cyd"] }}
        [operators.sampled]
        inputs = ["numbers"]
        sample = {{ {sample} }}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["sampled"]
        "#,
        ROWS / 2
    )
}

fn run(cut: (usize, usize, usize), pipeline: &str) -> Tree {
    let folder = Folder::new();
    folder.write("p.toml", pipeline);
    folder.weir(&["run", "--once", "--threads", &cut.1.to_string(), "p.toml"]).ok();
    folder.tree("out")
}

/// The numbers of the rows that are kept, which must be in order.
fn kept(sample: &str) -> BTreeSet<u64> {
    let batches = Batches::of(&run(CUTS[0], &pipeline(CUTS[0], sample)));
    let numbers: Vec<u64> = batches.column("n").into_iter().map(|n| n.as_u64().expect("a number")).collect();
    assert!(numbers.is_sorted(), "a sample keeps the order");
    numbers.into_iter().collect()
}

#[test]
fn given_a_sample_when_run_with_other_partitions_threads_and_chunks_then_the_same_rows_are_in_it() {
    let sample = "fraction = 0.3, seed = 9";
    let reference = run(CUTS[0], &pipeline(CUTS[0], sample));
    assert!(!reference.is_empty());
    each(CUTS, |cut| assert!(run(cut, &pipeline(cut, sample)) == reference, "other rows or bytes"));
}

#[test]
fn given_fractions_when_sampled_then_about_so_many_rows_are_kept_and_exactly_all_or_none_at_the_ends() {
    // Within five standard deviations of so many throws of a coin.
    each([0.001, 0.1, 0.5, 0.9], |fraction| {
        let rows = kept(&format!("fraction = {fraction:?}")).len() as f64;
        let (mean, deviation) = (ROWS as f64 * fraction, (ROWS as f64 * fraction * (1.0 - fraction)).sqrt());
        assert!((rows - mean).abs() < 5.0 * deviation, "{rows} rows of {ROWS}");
    });
    assert_eq!(kept("fraction = 1.0"), (0..ROWS).collect());
    assert_eq!(kept("fraction = 0.0"), BTreeSet::new());
}

#[test]
fn given_two_seeds_when_sampled_then_the_samples_are_independent_and_each_is_the_same_again() {
    let (first, second) = (kept("fraction = 0.5, seed = 1"), kept("fraction = 0.5, seed = 2"));
    assert_eq!(first, kept("fraction = 0.5, seed = 1"));
    let both = first.intersection(&second).count() as f64;
    let deviation = (ROWS as f64 * 0.25 * 0.75).sqrt();
    assert!((both - ROWS as f64 * 0.25).abs() < 5.0 * deviation, "{both} rows are in both");
    // One batch is not sampled as the other.
    let shifted: BTreeSet<u64> = first.iter().map(|n| (n + ROWS / 2) % ROWS).collect();
    let both = first.intersection(&shifted).count() as f64;
    assert!((both - ROWS as f64 * 0.25).abs() < 10.0 * deviation, "{both} rows are at the same place in both batches");
}

#[test]
fn given_fractions_that_are_none_when_checked_then_the_range_is_told() {
    let cases = [("-0.1", "from 0 to 1"), ("1.5", "from 0 to 1"), ("nan", "a finite number")];
    each(cases, |(fraction, says)| {
        let folder = Folder::new();
        folder.write("p.toml", pipeline(CUTS[0], &format!("fraction = {fraction}")));
        let says = ["`fraction` in [operators.sampled.sample]", says];
        folder.weir(&["check", "p.toml"]).refused(&says);
    });
}
