//! Runs that are killed and go on, against a run that nothing disturbs.
//!
//! A host is killed by copying its data folder while it stands still between two batches: what a process that is gone
//! leaves behind is just that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::tests::{Bench, NOW, start_file, start_on};
use super::*;
use crate::data_dir::DataDir;
use crate::storage::{Fault, SimulatedDisk};
use crate::testing::DyingStore;

/// A stream read by a rate, windows on batch time and on event time over it, and a file sink.
pub(super) const PIPELINE: &str = r#"
name = "numbers"
[batch]
missed = "run"
[checkpoint]
interval = "CHECKPOINT"
[sources.numbers]
type = "file"
path = "numbers.jsonl"
format = "json"
schema = { n = "int64", at = "int64" }
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

pub(super) const ROWS: i64 = 40;

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
pub(super) fn output(folder: &Path) -> BTreeMap<String, String> {
    let batches = fs::read_dir(folder.join("out")).expect("a folder").map(|entry| entry.expect("an entry"));
    let batches = batches.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    batches
        .filter(|(name, _)| name.starts_with("batch_time="))
        .map(|(name, path)| (name, fs::read_to_string(path.join("part-00000.json")).expect("a part")))
        .collect()
}

/// A folder with the input, and nothing else yet.
pub(super) fn given() -> tempfile::TempDir {
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

pub(super) async fn undisturbed() -> BTreeMap<String, String> {
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

/// A host whose log failed between a batch's commit and the record of it wrote a last checkpoint with the batch's states
/// and without its place in the sources: the next run read its rows twice.
#[tokio::test(flavor = "multi_thread")]
async fn given_a_log_that_fails_at_any_write_of_a_batch_when_the_host_is_started_again_then_it_goes_on_as_if_it_had_not()
 {
    let expected = undisturbed().await;
    for at in 0..6 {
        let (folder, disk) = (given(), SimulatedDisk::default());
        let start = async |now| {
            let (data, file) = (DataDir::at(folder.path().join("data")), folder.path().join("numbers.toml"));
            let ground = Ground { storage: Arc::new(disk.clone()), ..Ground::default() };
            start_on(ground, &PIPELINE.replace("CHECKPOINT", "1h"), &file, &data, now).await.expect("opens")
        };
        let mut bench = start(NOW).await;
        for _ in 0..4 {
            bench.tick().await;
        }
        disk.set_fault(Some(Fault::Error { at: disk.changes() + at, torn: 3 }));
        bench.clock.advance(Duration::from_secs(2));
        let ended = bench.running.await.expect("no panic");
        let error = format!("{:#}", ended.expect_err("the log is part of what a batch needs"));
        assert!(error.contains("no space left on device"), "{at}: {error}");
        disk.set_fault(None);
        let bench = start(NOW + 7000).await;
        bench.clock.advance(Duration::from_secs(20));
        bench.running.await.expect("no panic").expect("a clean end");
        assert_eq!(output(folder.path()), expected, "change {at} of a batch failed");
    }
}

/// What was committed under an old definition was computed again, no checkpoint of it could be written, and the old
/// definition was dropped all the same: the states could not be had any more, and the host did not start.
#[tokio::test(flavor = "multi_thread")]
async fn given_a_changed_pipeline_when_its_start_fails_at_any_write_of_a_checkpoint_then_a_later_start_goes_on() {
    let expected = undisturbed().await;
    for writes in 0..8 {
        let (folder, disk, store) = (given(), SimulatedDisk::default(), DyingStore::after(usize::MAX));
        let start = async |checkpoint: &str, now| {
            let (data, file) = (DataDir::at(folder.path().join("data")), folder.path().join("numbers.toml"));
            let checkpoints = Some(store.location());
            let ground = Ground { storage: Arc::new(disk.clone()), checkpoints, ..Ground::default() };
            start_on(ground, &PIPELINE.replace("CHECKPOINT", checkpoint), &file, &data, now).await
        };
        let mut bench = start("1h", NOW).await.expect("opens");
        for _ in 0..4 {
            bench.tick().await;
        }
        kill(bench).await;
        store.die_after(writes);
        match start("2s", NOW + 4000).await {
            Ok(bench) => kill(bench).await,
            Err(error) => assert!(format!("{error:#}").contains("no checkpoint could be written"), "{error:#}"),
        }
        store.revive();
        let bench = start("2s", NOW + 7000).await.expect("opens");
        bench.clock.advance(Duration::from_secs(20));
        bench.running.await.expect("no panic").expect("a clean end");
        assert_eq!(output(folder.path()), expected, "died after {writes} writes");
    }
}

/// Ends a host where it stands.
pub(super) async fn kill(bench: Bench) {
    bench.running.abort();
    let _ = bench.running.await;
}

/// A host that was killed when its last batch was cut, and before the log said that this was the end, made one more, of
/// nothing, when it was started again.
#[tokio::test(flavor = "multi_thread")]
async fn given_a_run_whose_input_ends_when_it_is_killed_at_any_of_the_last_writes_then_no_batch_comes_after_the_last() {
    let expected = undisturbed().await;
    let (mut changes, mut killed) = (None, 0);
    for before_end in 0..7 {
        let (folder, disk) = (given(), SimulatedDisk::default());
        let start = async |now| {
            let (data, file) = (DataDir::at(folder.path().join("data")), folder.path().join("numbers.toml"));
            let ground = Ground { storage: Arc::new(disk.clone()), ..Ground::default() };
            start_on(ground, &PIPELINE.replace("CHECKPOINT", "1h"), &file, &data, now).await.expect("opens")
        };
        disk.set_fault(changes.map(|changes: usize| Fault::Stop { at: changes - before_end, torn: 0 }));
        let mut bench = start(NOW).await;
        for _ in 0..13 {
            bench.tick().await;
        }
        bench.clock.advance(Duration::from_secs(1));
        killed += usize::from(bench.running.await.expect("no panic").is_err());
        changes.get_or_insert(disk.changes());
        disk.set_fault(None);
        let bench = start(NOW + 60_000).await;
        bench.running.await.expect("no panic").expect("a clean end");
        assert_eq!(output(folder.path()), expected, "killed {before_end} changes before the end");
    }
    assert_eq!(killed, 6, "the first run tells how many changes there are");
}
