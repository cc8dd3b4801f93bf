//! Components that are tried before they are swapped in.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::process::{Command, Stdio};

use serde_json::json;
use weir_tests::Folder;
use weir_tests::http::{free_address, post};
use weir_tests::tally::{Tally, says};

/// A command that waits for the end of a trial.
struct Trial(std::process::Child);

impl Trial {
    /// Begins a swap with a trial, which waits for batches.
    fn of(host: &mut Tally, args: &[&str]) -> Self {
        let trial = Self::start(host.folder.command(&[&["swap"], args].concat()));
        host.live.wait_for("the trial", |event| event.is("a trial begins"));
        trial
    }

    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("weir can be started"))
    }

    fn end(self) -> (bool, String) {
        let output = self.0.wait_with_output().expect("a child can be waited for");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.success(), text(output.stdout) + &text(output.stderr))
    }
}

#[test]
fn given_a_component_of_another_state_when_it_gives_the_same_rows_in_its_trial_then_it_takes_over_the_states() {
    let mut host = Tally::start("");
    host.send(&[1, 2]);
    let trial = Trial::of(&mut host, &["tally", "tally-2@0.1.0", "--trial", "2"]);
    host.send(&[3]);
    assert_eq!(host.runs(), "tally@0.1.0");
    let so_far = "operator tally: tally-2@0.1.0 is tried beside tally@0.1.0, 1 of 2 batches with rows so far: 0 of 1 row \
                  differs (0.000 %)";
    says(&host.folder.weir(&["status"]).ok().stdout, &[so_far]);
    host.send(&[4]);
    let (well, text) = trial.end();
    assert!(well, "{text}");
    let trying = "trying tally-2@0.1.0 beside tally@0.1.0 for 2 batches with rows in operator `tally`";
    let tried = "tried over 2 batches with 2 rows: 0 of 2 rows differ (0.000 %)";
    says(&text, &[trying, tried, "runs tally-2@0.1.0 ("]);
    let watched = "operator tally: tally-2@0.1.0 is watched, 0 of 10 batches with rows so far: it went wrong on 0 rows, and is \
                   rolled back to tally@0.1.0 on more than 0";
    says(&host.folder.weir(&["status"]).ok().stdout, &[watched]);
    host.send(&[5]);
    let state = host.folder.weir(&["state", "get", "tally", "k"]).ok().stdout;
    says(&state, &["\"count\":5", "\"total\":15", "\"largest\":5"]);

    // What was migrated stays so.
    let mut host = host.restart();
    assert_eq!(host.runs(), "tally-2@0.1.0");
    host.send(&[6]);
    host.swap(&["tally@0.1.0"]).refused(&["tally@0.1.0", "state is of version 1", "of version 2", "`migrate`"]);
    let (folder, reports) = host.stop();
    assert_eq!(reports, [(2, 3), (3, 6), (4, 10), (5, 15), (6, 21)]);
    says(&folder.weir(&["verify"]).ok().stdout, &["differing 0"]);
}

#[test]
fn given_a_component_that_is_not_good_enough_in_its_trial_then_it_is_refused_and_says_why() {
    let folder = Folder::new();
    let free = free_address();
    let pipeline = format!(
        "[batch]\ninterval = \"100ms\"\nbackpressure = {{ enabled = false }}\n[sources.rows]\ntype = \"http\"\nlisten = \"{free}\"\nformat = \"json\"\n\
         schema = {{ n = \"int64\" }}\n[operators.tally]\ntransform = \"stamp-a@0.1.0\"\ninputs = [\"rows\"]\n\
         [sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"tally\"]\n"
    );
    let live = folder.start(&pipeline).started();
    let mut host = Tally { folder, live, url: format!("http://{free}/"), pipeline };
    let mut tried = |args: &[&str]| {
        let trial = Trial::of(&mut host, &[&["tally", "stamp-b@0.1.0", "--trial", "1"], args].concat());
        post(&host.url, None, "{\"n\":7}\n");
        host.live.rows_in(1);
        let end = trial.end();
        (end.0, end.1, host.runs())
    };
    let (well, text, runs) = tried(&[]);
    assert_eq!((well, &*runs), (false, "stamp-a@0.1.0"), "{text}");
    let differ = "1 of 1 row differs (100.000 %), more than the 0.000 % of --max-diff";
    says(
        &text,
        &[
            "nothing was swapped",
            "stamp-b@0.1.0",
            differ,
            "- {\"n\":7,\"version\":\"a\"}",
            "+ {\"n\":7,\"version\":\"b\"}",
        ],
    );
    let (well, text, runs) = tried(&["--max-diff", "100%", "--max-cost", "0.001"]);
    assert_eq!((well, &*runs), (false, "stamp-a@0.1.0"), "{text}");
    says(&text, &["times the fuel, more than the 0.001 of --max-cost"]);
    let (well, text, runs) = tried(&["--max-diff", "100%", "--max-cost", "10"]);
    assert_eq!((well, &*runs), (true, "stamp-b@0.1.0"), "{text}");
}

#[test]
fn given_a_component_that_goes_wrong_in_its_trial_then_the_stream_does_not_notice() {
    let mut host = Tally::start("config = { trap_at = 3 }");
    host.send(&[1]);
    let trial = Trial::of(&mut host, &["tally", "tally-2@0.1.0", "--trial", "5"]);
    host.swap(&["tally-2@0.1.0"]).refused(&["tally-2@0.1.0 is being tried"]);
    host.send(&[1]);
    host.send(&[1]);
    let (well, text) = trial.end();
    assert!(!well, "{text}");
    let failed = "nothing was swapped: in its trial tally-2@0.1.0 failed: batch ";
    says(&text, &[failed, "a row that `trap_at` is about", "the row: {\"key\":\"k\",\"value\":1}"]);
    host.send(&[1]);
    assert_eq!(host.runs(), "tally@0.1.0");
    assert_eq!(host.stop().1, [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[test]
fn given_a_trial_whose_command_is_ended_then_it_is_given_up_and_another_can_begin() {
    let mut host = Tally::start("");
    let mut trial = Trial::of(&mut host, &["tally", "tally-2@0.1.0", "--trial", "1000"]);
    host.send(&[1]);
    trial.0.kill().expect("a child can be killed");
    trial.0.wait().expect("a child can be waited for");
    host.live.wait_for("the trial's end", |event| event.is("a trial was given up by whoever asked for it"));
    host.swap(&["tally-2@0.1.0"]).ok();
    host.send(&[1]);
    assert_eq!(host.stop().1, [(1, 1), (2, 2)]);
}

/// Amounts of so many keys.
fn many(keys: usize) -> String {
    (0..keys).map(|key| format!("{}\n", json!({"key": format!("k{key}"), "value": 1}))).collect()
}

#[test]
fn given_rows_that_are_skipped_when_a_component_traps_on_them_in_its_trial_then_the_first_is_named_and_it_is_refused() {
    let mut host = Tally::start("on_reject = \"skip\"\nconfig = { trap_at = 1 }");
    let mut tried = |key: &str, args: &[&str]| {
        let trial = Trial::of(&mut host, &[&["tally", "tally-2@0.1.0", "--trial"], args].concat());
        post(&host.url, None, json!({"key": key, "value": 7}).to_string());
        host.live.rows_in(1);
        let (well, text) = trial.end();
        assert!(!well, "{text}");
        text
    };
    let text = tried("a", &["5", "--max-diff", "100%"]);
    let row = "the row: {\"key\":\"a\",\"value\":7}";
    says(
        &text,
        &["in its trial tally-2@0.1.0 failed: batch ", "than the 0 on which it may: trapped", "`trap_at`", row],
    );
    // As many as it may are no reason; but they are told. No batch after it can make it good.
    let text = tried("b", &["5", "--max-traps", "1"]);
    let rejected = "it rejected 1 row instead of 0; the first in batch ";
    let row = "the row: {\"key\":\"b\",\"value\":7}";
    says(&text, &["over 1 batch with 1 row", "1 of 1 row differs (100.000 %)", rejected, "trapped", row]);
    assert_eq!(host.runs(), "tally@0.1.0");
    assert_eq!(host.stop().1, [(1, 7), (1, 7)]);
}

#[test]
fn given_a_component_that_is_far_dearer_in_its_trial_then_it_is_stopped_and_the_stream_goes_on() {
    let mut host = Tally::start("on_reject = \"skip\"\nconfig = { trap_at = 1 }");
    let keys = 4000;
    let args = ["tally", "tally-2@0.1.0", "--trial", "5", "--max-diff", "100%", "--max-traps", "1000000"];
    let trial = Trial::of(&mut host, &args);
    post(&host.url, None, many(keys));
    host.live.rows_in(keys as u64);
    let (well, text) = trial.end();
    assert!(!well, "{text}");
    let stopped = "it was stopped when it had used ";
    says(
        &text,
        &["in its trial tally-2@0.1.0 failed: batch ", stopped, "(10 times the ", "a call before trapped", "`trap_at`"],
    );

    // What it may cost, it may.
    let trial = Trial::of(&mut host, &[&args[..], &["--max-cost", "1e9"]].concat());
    for _ in 0..5 {
        host.send(&[1]);
    }
    let (well, text) = trial.end();
    assert!(well, "{text}");
    assert_eq!(host.runs(), "tally-2@0.1.0");
}

#[test]
fn given_a_component_that_loops_at_every_row_in_its_trial_then_it_is_stopped_after_a_call_of_each_task() {
    let mut host = Tally::start("on_reject = \"skip\"\nlimits = { fuel = 100_000_000 }\nconfig = { spin_at = 1 }");
    let trial =
        Trial::of(&mut host, &["tally", "tally-2@0.1.0", "--trial", "5", "--max-diff", "100%", "--max-traps", "1000"]);
    let keys = 200;
    post(&host.url, None, many(keys));
    host.live.rows_in(keys as u64);
    let (well, text) = trial.end();
    assert!(!well, "{text}");
    says(
        &text,
        &["in its trial tally-2@0.1.0 failed: batch ", "a call before used up its fuel of 100000000 for one call"],
    );
    let (_, used) = text.split_once("it was stopped when it had used ").expect("it is told");
    let used: u64 = used.split_once(' ').expect("a number").0.parse().expect("a number");
    // To find the rows one by one would take hundreds of such calls.
    let calls = used / 100_000_000;
    let partitions = std::thread::available_parallelism().expect("it is known").get() as u64;
    assert!((1..=partitions).contains(&calls), "{text}");
    assert_eq!(host.stop().1.len(), keys);
}

#[test]
fn given_a_trial_when_another_operator_is_swapped_then_that_is_done_and_a_second_trial_is_refused() {
    let stamped = "[operators.stamp]\ntransform = \"stamp-a@0.1.0\"\ninputs = [\"tally\"]\n\
                   [sinks.stamped]\ntype = \"files\"\npath = \"stamped\"\ninputs = [\"stamp\"]";
    let mut host = Tally::start(stamped);
    let trial = Trial::of(&mut host, &["tally", "tally-2@0.1.0", "--trial", "2"]);
    host.send(&[1]);
    let of_same = "tally-2@0.1.0 is being tried in operator `tally`; wait for its end";
    host.swap(&["tally-2@0.1.0"]).refused(&[of_same, "weir status", "end the command"]);
    host.swap(&["--back"]).refused(&[of_same]);
    let second = "tally-2@0.1.0 is being tried in operator `tally`, and one component is tried at a time";
    host.folder.weir(&["swap", "stamp", "stamp-b@0.1.0", "--trial", "1"]).refused(&[second]);
    host.folder.weir(&["swap", "stamp", "stamp-b@0.1.0"]).ok();
    host.send(&[2]);
    let (well, text) = trial.end();
    assert!(well, "{text}");
    says(&text, &["tried over 2 batches with 2 rows: 0 of 2 rows differ (0.000 %)"]);
    host.send(&[3]);
    let (folder, reports) = host.stop();
    assert_eq!(reports, [(1, 1), (2, 3), (3, 6)]);
    assert_eq!(folder.batches("stamped").column("version"), ["a", "b", "b"]);
}

#[test]
fn given_a_trial_when_the_host_stops_or_is_killed_then_whoever_asked_is_told_that_nothing_was_swapped() {
    let mut host = Tally::start("");
    let trial = Trial::of(&mut host, &["tally", "tally-2@0.1.0", "--trial", "1000"]);
    host.send(&[1]);
    host.live.terminate();
    host.live.finish().ok();
    let (well, text) = trial.end();
    assert!(!well, "{text}");
    let tried = "nothing was swapped: the host has stopped, when tally-2@0.1.0 had been tried for 1 of 1000 batches";
    says(&text, &[tried]);

    let mut host = host.restart();
    let trial = Trial::of(&mut host, &["tally", "tally-2@0.1.0", "--trial", "1000"]);
    let host = host.restart();
    let (well, text) = trial.end();
    assert!(!well, "{text}");
    says(&text, &["is gone, and the trial of tally-2@0.1.0 has come to no end: nothing was swapped", "weir status"]);
    assert_eq!(host.runs(), "tally@0.1.0");
}
