//! The same pipeline as a stream and as a batch job.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weir_tests::Folder;
use weir_tests::output::{Batches, Row};

/// 600 rows at 1000 rows a second, in intervals of 200 ms: three batches.
fn folder() -> Folder {
    let folder = Folder::new();
    let users = ["ann", "bob", "cyd"];
    let row = |n: usize| json!({"user": users[n % 3], "line": format!("to be {} not", n % 17)});
    folder.write("posts.jsonl", (0..600).map(|n| format!("{}\n", row(n))).collect::<String>());
    folder
}

fn pipeline(backpressure: bool) -> String {
    format!(
        r#"
        [batch]
        interval = "200ms"
        backpressure = {{ enabled = {backpressure} }}
        [sources.posts]
        type = "file"
        path = "posts.jsonl"
        format = "json"
        rate = "1000/s"
        [operators.words]
        transform = "words@0.1.0"
        inputs = ["posts"]
        [operators.counts]
        aggregate = "count@0.1.0"
        inputs = ["words"]
        key = ["word"]
        [sinks.words_out]
        type = "files"
        path = "words"
        inputs = ["words"]
        [sinks.counts_out]
        type = "files"
        path = "counts"
        inputs = ["counts"]
        "#
    )
}

/// The batches of both sinks of a run to the end, and of a live one.
fn once_and_live(backpressure: bool) -> ([Batches; 2], [Batches; 2]) {
    let sinks = |folder: &Folder| ["words", "counts"].map(|sink| folder.batches(sink));
    let (once, live) = (folder(), folder());
    once.run_once(&pipeline(backpressure)).ok();
    let mut host = live.start(&pipeline(backpressure)).started();
    let finished = host.finish().ok();
    assert!(!finished.stderr.contains("\"ERROR\""), "{}", finished.stderr);
    (sinks(&once), sinks(&live))
}

fn in_order(batches: &Batches) -> Vec<&Vec<Row>> {
    batches.0.values().collect()
}

#[test]
fn given_a_rated_file_when_run_live_then_the_host_ends_by_itself_with_the_same_batches_as_once() {
    let (once, live) = once_and_live(false);
    assert_eq!(once[0].0.keys().collect::<Vec<_>>(), [&200, &400, &600]);
    assert!(live[0].0.keys().all(|time| time % 200 == 0), "a batch time is a multiple of the interval");
    for (once, live) in once.iter().zip(&live) {
        assert_eq!(in_order(once), in_order(live));
    }
}

#[test]
fn given_a_rated_file_when_the_rate_controller_may_hold_it_back_then_the_totals_are_the_same() {
    let (once, live) = once_and_live(true);
    let words = |batches: &Batches| batches.rows().cloned().collect::<Vec<_>>();
    assert_eq!(words(&once[0]), words(&live[0]));
    let totals = |batches: &Batches| {
        let mut totals = BTreeMap::new();
        for row in batches.rows() {
            let word = row["word"].as_str().expect("text").to_owned();
            *totals.entry(word).or_insert(0) += row["count"].as_i64().expect("a count");
        }
        totals
    };
    assert_eq!(totals(&once[1]), totals(&live[1]));
}

#[test]
fn given_a_start_when_run_once_then_batch_times_are_counted_from_it() {
    let folder = folder();
    folder.write("p.toml", pipeline(true));
    folder.weir(&["run", "--once", "--start", "2026-01-31T00:00:00Z", "p.toml"]).ok();
    let first = 1_769_817_600_000;
    assert_eq!(folder.batches("words").0.into_keys().collect::<Vec<_>>(), [first + 200, first + 400, first + 600]);
}

#[test]
fn given_a_folder_of_files_when_one_is_added_to_it_live_then_its_rows_come_too() {
    let folder = Folder::new();
    folder.write("in/a.txt", "one\ntwo\n");
    let pipeline = r#"
        [batch]
        interval = "100ms"
        [sources.lines]
        type = "file"
        path = "in"
        watch = true
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["lines"]
    "#;
    let mut host = folder.start(pipeline).started();
    host.rows_in(2);
    folder.write("in/b.tmp", "three\nfour\n");
    std::fs::rename(folder.path("in/b.tmp"), folder.path("in/b.txt")).expect("a file can be renamed");
    host.rows_in(2);
    host.terminate();
    host.finish().ok();
    let lines = ["one", "two", "three", "four"].map(Value::from);
    assert_eq!(folder.batches("out").column("line"), lines.iter().collect::<Vec<_>>());
}
