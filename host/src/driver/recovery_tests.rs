//! Runs that are killed and go on, against a run that nothing disturbs.
//!
//! A host is killed by copying its data folder while it stands still between two batches: what a process that is gone
//! leaves behind is just that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::tests::{Bench, NOW, start_file};
use super::*;
use crate::data_dir::DataDir;

/// A stream read by a rate, windows on batch time and on event time over it, and a file sink.
const PIPELINE: &str = r#"
name = "numbers"
[batch]
missed = "run"
[checkpoint]
interval = "CHECKPOINT"
[sources.numbers]
type = "file"
path = "numbers.jsonl"
format = "json"
rate = "3/s"
event_time = { column = "at", delay = "2s" }
[operators.recent]
sql = "select count(*) as c, sum(n) as total, min(n) as first from numbers"
inputs = ["numbers"]
window = { length = "3s", slide = "1s" }
[operators.minutes]
sql = "select window_start, count(*) as c, sum(n) as total from numbers group by window_start order by window_start"
inputs = ["numbers"]
window = { on = "event_time", length = "4s", slide = "2s" }
[sinks.out]
type = "files"
path = "out"
inputs = ["rows"]
[operators.rows]
sql = "select 'recent' as what, c, total, first as at from recent union all select 'event', c, total, cast(window_start as bigint) from minutes"
inputs = ["recent", "minutes"]
"#;

const ROWS: i64 = 40;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a file");
        }
    }
}

/// What is in each batch's folder.
fn output(folder: &Path) -> BTreeMap<String, String> {
    let batches = fs::read_dir(folder.join("out")).expect("a folder").map(|entry| entry.expect("an entry"));
    let batches = batches.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    batches
        .filter(|(name, _)| name.starts_with("batch_time="))
        .map(|(name, path)| (name, fs::read_to_string(path.join("part-00000.json")).expect("a part")))
        .collect()
}

/// A folder with the input, and nothing else yet.
fn given() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    // Some rows come late, and some too late.
    let row = |n: i64| format!("{{\"n\":{n},\"at\":{}}}\n", NOW as i64 + n * 300 - (n * 7919 % 11) * 400);
    fs::write(folder.path().join("numbers.jsonl"), (0..ROWS).map(row).collect::<String>()).expect("a file");
    folder
}

async fn start_in(folder: &Path, checkpoint: &str, now: u64) -> Bench {
    let data = DataDir::at(folder.join("data"));
    start_file(&PIPELINE.replace("CHECKPOINT", checkpoint), &folder.join("numbers.toml"), &data, now).await
}

async fn undisturbed() -> BTreeMap<String, String> {
    let folder = given();
    let mut bench = start_in(folder.path(), "1h", NOW).await;
    for _ in 0..14 {
        bench.tick().await;
    }
    bench.running.await.expect("no panic").expect("a clean end");
    output(folder.path())
}

/// Runs until so many batches are done, in a folder where others may have been; the last run is killed.
async fn killed(folder: &Path, stopped_after: usize, killed_after: usize) -> tempfile::TempDir {
    let mut now = NOW;
    if stopped_after > 0 {
        let mut bench = start_in(folder, "1h", now).await;
        for _ in 0..stopped_after {
            bench.tick().await;
        }
        now = bench.clock.now();
        bench.stop().await;
    }
    let mut bench = start_in(folder, "1h", now).await;
    for _ in stopped_after..killed_after {
        bench.tick().await;
    }
    let left = tempfile::tempdir().expect("a folder");
    copy(folder, left.path());
    bench.running.abort();
    left
}

/// Goes on to the end, after the host was away for three batches, which are run as if it had not been.
async fn finish(folder: &Path, killed_after: usize, checkpoint: &str) -> BTreeMap<String, String> {
    let bench = start_in(folder, checkpoint, NOW + 1000 * (killed_after as u64 + 3)).await;
    bench.clock.advance(Duration::from_secs(20));
    bench.running.await.expect("no panic").expect("a clean end");
    output(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_after_any_batch_goes_on_as_if_it_had_not_been() {
    let expected = undisturbed().await;
    assert!(expected.len() > 12, "{expected:?}");
    for killed_after in [1, 4, 9, 13] {
        // Without a checkpoint, and with one some batches before the end.
        for stopped_after in [0, killed_after / 2] {
            let folder = given();
            let left = killed(folder.path(), stopped_after, killed_after).await;
            fs::remove_dir_all(folder.path()).expect("the folder goes");
            copy(left.path(), folder.path());
            let case = format!("killed after {killed_after}, stopped after {stopped_after}");
            assert_eq!(finish(folder.path(), killed_after, "1h").await, expected, "{case}");
        }
    }
}

/// In another folder and with other checkpoints, it is another definition of the pipeline.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_of_a_pipeline_that_has_changed_is_finished_as_it_was_and_goes_on_as_it_is() {
    let expected = undisturbed().await;
    for (stopped_after, killed_after) in [(0, 1), (0, 5), (4, 9)] {
        let folder = given();
        let left = killed(folder.path(), stopped_after, killed_after).await;
        let case = format!("killed after {killed_after}, stopped after {stopped_after}");
        assert_eq!(finish(left.path(), killed_after, "2s").await, expected, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_input_has_ended_has_nothing_left_to_do() {
    let folder = given();
    let bench = start_in(folder.path(), "1h", NOW).await;
    bench.clock.advance(Duration::from_secs(20));
    bench.running.await.expect("no panic").expect("a clean end");
    let bench = start_in(folder.path(), "1h", NOW + 60_000).await;
    let status = bench.running.await.expect("no panic").expect("a clean end");
    assert_eq!(status.batches, 0);
}
