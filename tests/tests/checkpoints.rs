//! Checkpoints in a bucket: a host that is killed, moved and cut off from it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;
use weir_tests::bucket::Bucket;
use weir_tests::output::Row;
use weir_tests::{Finished, Folder, Live};

/// More rows than there is time for, each of the user after the one before.
const ROWS: u64 = 40_000;
const USERS: u64 = 7;

/// Rows by a rate, and a state that counts those of each user.
const PIPELINE: &str = r#"
    name = "p"
    batch = { interval = "50ms" }
    checkpoint = { interval = "100ms", location = "LOCATION" }
    [sources.rows]
    type = "file"
    path = "rows.jsonl"
    format = "json"
    schema = { user = "int64" }
    rate = "200/s"
    [operators.counts]
    aggregate = "count@0.1.0"
    inputs = ["rows"]
    key = ["user"]
    window = { length = "1h", slide = "50ms" }
    [sinks.out]
    type = "files"
    path = "out"
    inputs = ["counts"]
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    let row = |n: u64| format!("{}\n", json!({"user": n % USERS}));
    folder.write("rows.jsonl", (0..ROWS).map(row).collect::<String>());
    folder
}

fn command(folder: &Folder, bucket: &Bucket, args: &[&str]) -> Command {
    let mut command = folder.command(args);
    bucket.reach(&mut command);
    command
}

fn start(folder: &Folder, bucket: &Bucket, location: &str) -> Live {
    folder.write("p.toml", PIPELINE.replace("LOCATION", location));
    Live::start(command(folder, bucket, &["run", "p.toml"])).started()
}

/// What was read up to the last checkpoint cannot be read again: whoever has lost the states cannot make them anew.
fn forget_rows(folder: &Folder, rows: u64) {
    let text = folder.read("rows.jsonl");
    let line = |(n, line): (u64, &str)| if n < rows { "#".repeat(line.len()) } else { line.to_owned() } + "\n";
    folder.write("rows.jsonl", (0..).zip(text.lines()).map(line).collect::<String>());
}

/// How many rows were counted by the last batch. Each must have been counted once.
#[track_caller]
fn counted(folder: &Folder) -> u64 {
    let batches = folder.batches("out").0;
    let (_, rows) = batches.last_key_value().expect("output");
    let number = |row: &Row, column: &str| row[column].as_u64().expect("a number");
    let counts: BTreeMap<u64, u64> = rows.iter().map(|row| (number(row, "user"), number(row, "count"))).collect();
    let all = counts.values().sum();
    let expected = (0..USERS.min(all)).map(|user| (user, (all - user).div_ceil(USERS)));
    assert_eq!(counts, expected.collect::<BTreeMap<_, _>>());
    all
}

/// Waits until so many more rows have been counted, and stops the host.
fn stop_after(host: &mut Live, rows: u64) -> Finished {
    let mut seen = 0;
    while seen < rows {
        seen += host.batch().number("rows_in");
    }
    host.terminate();
    host.finish().ok()
}

#[test]
fn given_checkpoints_in_a_bucket_when_the_host_is_stopped_killed_and_sent_elsewhere_then_it_goes_on_from_them() {
    let Some(bucket) = Bucket::start() else { return };
    let folder = folder();
    for (life, location) in ["s3://weir/a", "s3://weir/a", "s3://weir/b/c", "elsewhere", "s3://weir"].iter().enumerate()
    {
        let mut host = start(&folder, &bucket, location);
        assert_eq!(host.seen("checkpoint restored").count(), usize::from(life > 0), "{}", host.log());
        let finished = stop_after(&mut host, 40);
        assert!(!finished.stderr.contains("cannot"), "{}", finished.stderr);
        forget_rows(&folder, counted(&folder));
        let names = bucket.names();
        match location.strip_prefix("s3://weir").map(|prefix| format!("{prefix}/p/")) {
            None => assert_eq!(names, Vec::<String>::new(), "nothing is left behind"),
            Some(prefix) => {
                let inside = |name: &String| name.starts_with(prefix.trim_start_matches('/'));
                assert!(names.iter().all(inside) && names.iter().any(|n| n.ends_with(".manifest.json")), "{names:?}");
            }
        }
    }
    let mut host = start(&folder, &bucket, "s3://weir");
    host.batch();
    host.kill();
    // The second leaves no checkpoint of rows that are forgotten.
    for _ in 0..2 {
        stop_after(&mut start(&folder, &bucket, "s3://weir"), 40);
    }
    counted(&folder);
    let verified = Finished::wait(command(&folder, &bucket, &["verify"]), "verify").ok();
    assert!(verified.stdout.contains(" differing 0"), "{}", verified.stdout);
}

#[test]
fn given_a_bucket_that_is_out_of_reach_then_no_host_starts_and_one_at_work_goes_on() {
    let Some(bucket) = Bucket::start() else { return };
    let folder = folder();
    let mut host = start(&folder, &bucket, "s3://weir/a");
    host.batch();
    let start_again = command(&folder, &bucket, &["run", "p.toml"]);
    drop(bucket);

    host.wait_for("a warning", |event| event.is_about("cannot write a checkpoint, and will try again"));
    let finished = stop_after(&mut host, 40);
    assert!(finished.stderr.contains("cannot write the last checkpoint"), "{}", finished.stderr);
    counted(&folder);

    let texts = ["the checkpoints in s3://weir/a/p/", "cannot be looked at; nothing was changed", "--fresh"];
    Finished::wait(start_again, "run").refused(&texts);
}

#[test]
fn given_a_location_that_is_none_when_the_pipeline_is_checked_then_its_place_in_the_file_is_told() {
    let folder = folder();
    folder.write("p.toml", PIPELINE.replace("LOCATION", "ftp://weir/a"));
    let told = ["p.toml:4:", "`location` in [checkpoint]: `ftp://weir/a` is no place", "\"s3://bucket/prefix\""];
    folder.weir(&["check", "p.toml"]).refused(&told);
}
