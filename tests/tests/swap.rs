//! Components replaced under load: between two batches, on every partition at once, and nothing is lost or seen twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use serde_json::Value;
use weir_tests::output::Row;
use weir_tests::{Event, Folder, Live};

/// A load of 200,000 rows a second, each marked by the version that saw it.
fn pipeline(rate: &str) -> String {
    format!(
        r#"
        [batch]
        interval = "200ms"
        partitions = 3
        backpressure = {{ enabled = false }}
        [sources.rows]
        type = "generator"
        rate = "{rate}"
        columns.n = {{ kind = "sequence" }}
        [operators.stamp]
        transform = "stamp-a@0.1.0"
        inputs = ["rows"]
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["stamp"]
        "#
    )
}

/// Swaps, and waits until the first batch that the new component runs is committed; that batch, as the host logs it.
fn swap(folder: &Folder, host: &mut Live, args: &[&str], expected: &str) -> String {
    let answer = folder.weir(&[&["swap", "stamp"], args].concat()).ok().stdout;
    assert!(answer.starts_with(&format!("operator `stamp` runs {expected} (")), "{answer}");
    let (_, rest) = answer.split_once(" from batch ").expect("the answer names the batch");
    let (first, before) = rest.split_once(" on; before: ").expect("the answer names what ran before");
    assert!(before.starts_with("stamp-"), "{answer}");
    host.wait_for("the first batch after a swap", |event| {
        event.is("batch committed") && event.fields["batch"] == first
    });
    first.to_owned()
}

/// The component that the host says it runs.
fn running(folder: &Folder) -> String {
    folder.status()["operators"][0]["component"].as_str().expect("a component").to_owned()
}

/// What each batch with rows has: its time as the host logs it, the versions in it, and its sequence numbers.
fn batches(folder: &Folder, host: &Live) -> Vec<(String, Vec<Value>, Vec<u64>)> {
    let with_rows = |event: &&Event| event.number("rows_out") > 0;
    let times = host.seen("batch committed").filter(with_rows).map(|event| event.fields["batch"].clone());
    let (times, output): (Vec<Value>, _) = (times.collect(), folder.batches("out"));
    assert_eq!(times.len(), output.0.len(), "a batch for each folder");
    let batch = |(time, rows): (Value, &Vec<Row>)| {
        let mut versions: Vec<Value> = rows.iter().map(|row| row["version"].clone()).collect();
        versions.dedup();
        let numbers = rows.iter().map(|row| row["n"].as_u64().expect("a number")).collect();
        (time.as_str().expect("a time").to_owned(), versions, numbers)
    };
    times.into_iter().zip(output.0.values()).map(batch).collect()
}

#[test]
fn given_a_heavy_stream_when_a_component_is_swapped_twenty_times_then_each_batch_is_of_one_version_and_no_row_is_lost()
{
    let folder = Folder::new();
    let mut host = folder.start(&pipeline("200000/s")).started();
    host.batch();
    let mut swaps = vec![(String::new(), "a")];
    for turn in 0..20 {
        let to = ["b", "a"][turn % 2];
        let component = format!("stamp-{to}@0.1.0");
        swaps.push((swap(&folder, &mut host, &[&component], &component), to));
    }
    host.terminate();
    host.finish().ok();

    let batches = batches(&folder, &host);
    let mut next = 0;
    for (time, versions, numbers) in &batches {
        // Times are written so that they can be compared as text.
        let (_, due) = swaps.iter().rfind(|(from, _)| from <= time).expect("the first is before all");
        assert_eq!(versions, &[Value::from(*due)], "batch {time}");
        assert!(
            numbers.iter().copied().eq(next..next + numbers.len() as u64),
            "batch {time} is not whole or not in order"
        );
        next += numbers.len() as u64;
    }
    let rows = |field: &str| host.seen("batch committed").map(|event| event.number(field)).sum::<u64>();
    assert_eq!((rows("rows_in"), rows("rows_out")), (next, next));
    assert!(next > 20 * 30_000, "{next} rows are no heavy load");
}

#[test]
fn given_a_running_stream_when_a_swap_does_not_fit_then_it_is_refused_and_the_stream_runs_on() {
    let folder = Folder::new();
    let mut host = folder.start(&pipeline("1000/s")).started();
    let refused = |args: &[&str], says: &[&str]| drop(folder.weir(&[&["swap"], args].concat()).refused(says));
    refused(&["stamp", "hashtags@0.1.0"], &["operator `stamp`", "hashtags@0.1.0", "`text`"]);
    refused(&["stamp", "evil@0.1.0"], &["operator `stamp`", "evil@0.1.0", "evil needs to know what to do"]);
    refused(&["stamp", "count@0.1.0"], &["count@0.1.0", "world `aggregate`"]);
    refused(&["stamp", "stamp-c@0.1.0"], &["stamp-c@0.1.0 is not registered", "did you mean stamp-"]);
    refused(&["stamp", "stamp-a@9"], &["stamp-a@9 is not registered", "there is stamp-a@0.1.0"]);
    refused(&["stamp", "stamp-b"], &["`stamp-b` has no version", "sha256:"]);
    refused(&["stump", "stamp-b@0.1.0"], &["no operator `stump`", "there is stamp"]);
    refused(&["rows", "stamp-b@0.1.0"], &["no operator `rows`"]);
    refused(&["stamp", "--back"], &["operator `stamp`", "nothing to go back to"]);
    refused(&["stamp", "stamp-b@0.1.0", "--pipeline", "other"], &["no host runs the pipeline `other`"]);
    assert_eq!(running(&folder), "stamp-a@0.1.0");
    host.batch();
    host.terminate();
    host.finish().ok();
    let batches = batches(&folder, &host);
    assert!(batches.iter().all(|(_, versions, _)| versions == &[Value::from("a")]), "{batches:?}");
}

#[test]
fn given_an_operator_of_other_columns_when_a_swap_would_change_them_then_both_are_shown() {
    let folder = Folder::new();
    let text = "[sources.rows]\ntype = \"generator\"\nrate = \"1000/s\"\ncolumns.line = { kind = \"words\", length = 20 }\n\
                [operators.stamp]\ntransform = \"stamp-a@0.1.0\"\ninputs = [\"rows\"]\n\
                [sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"stamp\"]\n";
    let mut host = folder.start(text).started();
    let says = ["words@0.1.0", "does not fit", "word utf8", "line utf8, version utf8"];
    folder.weir(&["swap", "stamp", "words@0.1.0"]).refused(&says);
    host.batch();
    assert_eq!(running(&folder), "stamp-a@0.1.0");
}

#[test]
fn given_swaps_when_they_are_taken_back_then_the_ones_before_run_again_and_status_tells() {
    let folder = Folder::new();
    let mut host = folder.start(&pipeline("1000/s")).started();
    host.batch();
    assert_eq!(running(&folder), "stamp-a@0.1.0");
    swap(&folder, &mut host, &["stamp-b@0.1.0"], "stamp-b@0.1.0");
    assert_eq!(running(&folder), "stamp-b@0.1.0");
    swap(&folder, &mut host, &["--back"], "stamp-a@0.1.0");
    assert_eq!(running(&folder), "stamp-a@0.1.0");
    folder.weir(&["swap", "stamp", "--back"]).refused(&["nothing to go back to"]);

    // By digest, as `weir plugin list` shows it.
    let status = folder.status();
    let digest = status["operators"][0]["digest"].as_str().expect("a digest").to_owned();
    swap(&folder, &mut host, &["stamp-b@0.1.0"], "stamp-b@0.1.0");
    swap(&folder, &mut host, &[&digest], &digest);
    let status = folder.status();
    assert_eq!(status["operators"][0]["digest"], digest.as_str());
    assert_eq!(status["pipeline"], "p");
    assert!(status["batches"].as_u64() > Some(3) && status["rows_in"] == status["rows_out"], "{status}");
    host.terminate();
    host.finish().ok();
}

#[test]
fn given_a_swap_when_the_pipeline_file_is_changed_then_it_is_said_that_the_file_names_what_runs() {
    let folder = Folder::new();
    let mut host = folder.start(&pipeline("1000/s")).started();
    host.batch();
    swap(&folder, &mut host, &["stamp-b@0.1.0"], "stamp-b@0.1.0");
    host.terminate();
    host.finish().ok();
    let dropped = "the operator runs what the pipeline file names, not what had been swapped in";
    for (rate, swaps_dropped) in [("1000/s", 0), ("900/s", 1), ("900/s", 0)] {
        let mut host = folder.start(&pipeline(rate)).started();
        host.batch();
        let seen: Vec<&Event> = host.seen(dropped).collect();
        assert_eq!(seen.len(), swaps_dropped, "{rate}");
        for event in seen {
            let named = ["name", "runs", "swapped_in"].map(|field| &event.fields[field]);
            assert_eq!(named, ["stamp", "stamp-a@0.1.0", "stamp-b@0.1.0"]);
        }
        host.terminate();
        host.finish().ok();
    }
}
