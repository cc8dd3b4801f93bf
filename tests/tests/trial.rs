//! Components that are tried before they are swapped in, and swaps that are rolled back when they go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use weir_tests::http::{free_address, post};
use weir_tests::{Finished, Folder, Live};

/// A host that keeps a tally of the amounts that are posted.
struct Host {
    folder: Folder,
    live: Live,
    url: String,
    pipeline: String,
}

impl Host {
    fn start(config: &str) -> Self {
        let (folder, free) = (Folder::new(), free_address());
        let pipeline = format!(
            r#"
            [batch]
            interval = "100ms"
            backpressure = {{ enabled = false }}
            [checkpoint]
            interval = "200ms"
            keep = "1h"
            [sources.amounts]
            type = "http"
            listen = "{free}"
            format = "json"
            schema = {{ key = "utf8", value = "int64" }}
            [operators.tally]
            state = "tally@0.1.0"
            inputs = ["amounts"]
            key = ["key"]
            {config}
            [sinks.out]
            type = "files"
            path = "out"
            inputs = ["tally"]
            "#
        );
        let live = folder.start(&pipeline).started();
        Self { folder, live, url: format!("http://{free}/"), pipeline }
    }

    /// Sends amounts of one key, and waits until they have come out.
    fn send(&mut self, values: &[i64]) {
        let rows: String = values.iter().map(|value| format!("{}\n", json!({"key": "k", "value": value}))).collect();
        post(&self.url, None, rows);
        self.live.rows_in(values.len() as u64);
    }

    fn swap(&self, args: &[&str]) -> Finished {
        self.folder.weir(&[&["swap", "tally"], args].concat())
    }

    /// Begins a swap with a trial, which waits for batches.
    fn trial(&mut self, args: &[&str]) -> Trial {
        let trial = Trial::start(self.folder.command(&[&["swap"], args].concat()));
        self.live.wait_for("the trial", |event| event.is("a trial begins"));
        trial
    }

    fn runs(&self) -> String {
        self.folder.status()["operators"][0]["component"].as_str().expect("a component").to_owned()
    }

    /// Kills it where it stands, and starts it again.
    fn restart(self) -> Self {
        let Self { folder, live, url, pipeline } = self;
        live.kill();
        let live = folder.start(&pipeline).started();
        Self { folder, live, url, pipeline }
    }

    /// Ends it; what came out, in order.
    fn stop(mut self) -> (Folder, Vec<(i64, i64)>) {
        self.live.terminate();
        self.live.finish().ok();
        let batches = self.folder.batches("out");
        let number = |value: &Value| value.as_i64().expect("a number");
        let reports = batches.rows().map(|row| (number(&row["count"]), number(&row["total"]))).collect();
        (self.folder, reports)
    }
}

/// A command that waits for the end of a trial.
struct Trial(std::process::Child);

impl Trial {
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

fn says(text: &str, all: &[&str]) {
    all.iter().for_each(|part| assert!(text.contains(part), "no `{part}` in:\n{text}"));
}

#[test]
fn given_a_component_of_another_state_when_it_gives_the_same_rows_in_its_trial_then_it_takes_over_the_states() {
    let mut host = Host::start("");
    host.send(&[1, 2]);
    let trial = host.trial(&["tally", "tally-2@0.1.0", "--trial", "2"]);
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
    let mut host = Host { folder, live, url: format!("http://{free}/"), pipeline };
    let mut tried = |args: &[&str]| {
        let trial = host.trial(&[&["tally", "stamp-b@0.1.0", "--trial", "1"], args].concat());
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
    let mut host = Host::start("config = { trap_at = 3 }");
    host.send(&[1]);
    let trial = host.trial(&["tally", "tally-2@0.1.0", "--trial", "5"]);
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
    let mut host = Host::start("");
    let mut trial = host.trial(&["tally", "tally-2@0.1.0", "--trial", "1000"]);
    host.send(&[1]);
    trial.0.kill().expect("a child can be killed");
    trial.0.wait().expect("a child can be waited for");
    host.live.wait_for("the trial's end", |event| event.is("a trial was given up by whoever asked for it"));
    host.swap(&["tally-2@0.1.0"]).ok();
    host.send(&[1]);
    assert_eq!(host.stop().1, [(1, 1), (2, 2)]);
}

#[test]
fn given_a_swap_that_goes_wrong_when_it_is_watched_then_it_is_rolled_back_and_no_row_is_lost_or_counted_twice() {
    let mut host = Host::start("config = { trap_at = 4 }");
    host.send(&[1]);
    host.swap(&["tally-2@0.1.0", "--watch", "1000"]).ok();
    host.send(&[2]);
    host.send(&[3]);
    assert_eq!(host.runs(), "tally-2@0.1.0");
    // The batch of this row fails, and is run again by what ran before.
    host.send(&[4]);
    assert_eq!(host.runs(), "tally@0.1.0");
    let status = host.folder.weir(&["status"]).ok().stdout;
    says(&status, &["operator tally: tally-2@0.1.0 was rolled back to tally@0.1.0", "a row that `trap_at` is about"]);
    let state = host.folder.weir(&["state", "get", "tally", "k"]).ok().stdout;
    says(&state, &["\"count\":4", "\"total\":10"]);
    assert!(!state.contains("largest"), "{state}");
    host.send(&[5]);

    let mut host = host.restart();
    assert_eq!(host.runs(), "tally@0.1.0");
    host.send(&[6]);
    let (folder, reports) = host.stop();
    assert_eq!(reports, [(1, 1), (2, 3), (3, 6), (4, 10), (5, 15), (6, 21)]);
    says(&folder.weir(&["verify"]).ok().stdout, &["differing 0"]);
}

#[test]
fn given_a_watched_swap_when_the_host_is_killed_and_started_again_then_it_is_watched_still() {
    let mut host = Host::start("config = { trap_at = 4 }");
    host.send(&[1]);
    host.swap(&["tally-2@0.1.0", "--watch", "3"]).ok();
    host.send(&[2]);
    let mut host = host.restart();
    host.send(&[3]);
    assert_eq!(host.runs(), "tally-2@0.1.0");
    host.send(&[4]);
    assert_eq!(host.runs(), "tally@0.1.0");

    // The batches in which it did well count, before the restart and after.
    host.swap(&["tally-2@0.1.0", "--watch", "1"]).ok();
    host.send(&[5]);
    let mut host = host.restart();
    host.swap(&["--back"]).refused(&["cannot go back to tally@0.1.0", "migrated"]);
    host.swap(&["tally-2@0.1.0"]).refused(&["operator `tally` runs tally-2@0.1.0 (", ") already"]);
    host.send(&[6]);
    assert_eq!(host.stop().1, [(1, 1), (2, 3), (3, 6), (4, 10), (5, 15), (6, 21)]);
}

#[test]
fn given_a_row_that_only_the_new_component_took_when_it_is_rolled_back_then_the_stream_goes_on_and_the_row_is_kept() {
    let (folder, free) = (Folder::new(), free_address());
    let pipeline = format!(
        r#"
        batch = {{ interval = "100ms", backpressure = {{ enabled = false }} }}
        [sources.lines]
        type = "http"
        listen = "{free}"
        [operators.tally]
        transform = "picky@0.1.0"
        inputs = ["lines"]
        [operators.counts]
        aggregate = "count@0.1.0"
        inputs = ["tally"]
        key = ["line"]
        window = {{ length = "1h" }}
        [operators.checked]
        sql = "select 1 / (2 - count(*)) as one from counts"
        inputs = ["counts"]
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["tally"]
        [sinks.ones]
        type = "files"
        path = "ones"
        inputs = ["checked"]
        "#
    );
    let live = folder.start(&pipeline).started();
    let mut host = Host { folder, live, url: format!("http://{free}/"), pipeline };
    let say = |host: &mut Host, line: &str| {
        post(&host.url, None, format!("{line}\n"));
        host.live.rows_in(1);
    };
    host.swap(&["patient@0.1.0", "--watch", "1000"]).ok();
    say(&mut host, "reject me");
    // There are two lines in the window now, which the query cannot bear; `picky` does not take the first.
    say(&mut host, "fine");
    assert_eq!(host.runs(), "picky@0.1.0");

    let mut host = host.restart();
    say(&mut host, "fine");
    let letters = host.folder.dead_letters("p");
    assert_eq!(letters.column("stays"), ["delivered"]);
    host.folder.weir(&["dead-letters", "retry", "--all"]).refused(&["no dead letters", "; 1 stay: "]);
    says(&host.folder.weir(&["verify"]).ok().stdout, &["differing 0"]);
    host.live.terminate();
    host.live.finish().ok();
    assert_eq!(host.folder.batches("out").column("line"), ["reject me", "fine", "fine"]);
}

#[test]
fn given_dead_letters_of_a_swap_when_it_is_rolled_back_then_no_row_goes_through_twice() {
    let mut host = Host::start("on_reject = \"dead-letter\"\nconfig = { trap_at = 3 }");
    host.send(&[1]);
    host.swap(&["tally-2@0.1.0", "--watch", "1000", "--max-traps", "2"]).ok();
    host.send(&[2, 3]);
    let retry = |host: &Host| host.folder.weir(&["dead-letters", "retry", "--all"]);
    retry(&host).refused(&["no dead letters", "when the last swap is watched no longer"]);
    host.send(&[4]);
    host.send(&[5, 6]);
    assert_eq!(host.runs(), "tally@0.1.0");
    // The first batch that is made anew comes last before this is answered.
    host.send(&[7]);

    retry(&host).refused(&["no dead letters", "; 2 stay: "]);
    let letters = host.folder.dead_letters("p");
    assert_eq!(letters.column("stays"), ["redone", "redone"]);
    let (folder, reports) = host.stop();
    assert_eq!(reports, [(1, 1), (2, 5), (6, 21), (7, 28)]);
    says(&folder.weir(&["verify"]).ok().stdout, &["differing 0"]);
}

#[test]
fn given_a_component_that_cannot_migrate_some_state_when_swapped_in_then_it_is_rolled_back() {
    let mut host = Host::start("config = { bad_migration = true }");
    host.send(&[1]);
    host.swap(&["tally-2@0.1.0", "--watch", "1000"]).ok();
    host.send(&[2]);
    assert_eq!(host.runs(), "tally@0.1.0");
    let status = host.folder.weir(&["status"]).ok().stdout;
    says(&status, &["cannot take over the states of version 1", "a state that `bad_migration` is about"]);
    assert_eq!(host.stop().1, [(1, 1), (2, 3)]);
}

#[test]
fn given_rows_that_are_skipped_when_a_swapped_component_traps_on_more_than_it_may_then_none_is_lost() {
    let mut host = Host::start("on_reject = \"skip\"\nconfig = { trap_at = 3 }");
    host.send(&[1, 1]);
    host.swap(&["tally-2@0.1.0", "--watch", "1000"]).ok();
    host.send(&[1, 1]);
    assert_eq!(host.runs(), "tally@0.1.0");
    let status = host.folder.weir(&["status"]).ok().stdout;
    let why = "operator `tally` (tally-2@0.1.0, ";
    says(
        &status,
        &[why, "goes wrong on more rows of batch ", "than the 0 on which it may: trapped", "the row: {\"key\":\"k\""],
    );
    assert_eq!(host.stop().1, [(2, 2), (4, 4)]);
}

/// Amounts of so many keys.
fn many(keys: usize) -> String {
    (0..keys).map(|key| format!("{}\n", json!({"key": format!("k{key}"), "value": 1}))).collect()
}

#[test]
fn given_rows_that_are_skipped_when_a_component_traps_on_them_in_its_trial_then_the_first_is_named_and_it_is_refused() {
    let mut host = Host::start("on_reject = \"skip\"\nconfig = { trap_at = 1 }");
    let mut tried = |key: &str, args: &[&str]| {
        let trial = host.trial(&[&["tally", "tally-2@0.1.0", "--trial"], args].concat());
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
    let mut host = Host::start("on_reject = \"skip\"\nconfig = { trap_at = 1 }");
    let keys = 4000;
    let args = ["tally", "tally-2@0.1.0", "--trial", "5", "--max-diff", "100%", "--max-traps", "1000000"];
    let trial = host.trial(&args);
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
    let trial = host.trial(&[&args[..], &["--max-cost", "1e9"]].concat());
    for _ in 0..5 {
        host.send(&[1]);
    }
    let (well, text) = trial.end();
    assert!(well, "{text}");
    assert_eq!(host.runs(), "tally-2@0.1.0");
}

#[test]
fn given_a_component_that_loops_at_every_row_in_its_trial_then_it_is_stopped_after_a_call_of_each_task() {
    let mut host = Host::start("on_reject = \"skip\"\nlimits = { fuel = 100_000_000 }\nconfig = { spin_at = 1 }");
    let trial = host.trial(&["tally", "tally-2@0.1.0", "--trial", "5", "--max-diff", "100%", "--max-traps", "1000"]);
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
    let mut host = Host::start(stamped);
    let trial = host.trial(&["tally", "tally-2@0.1.0", "--trial", "2"]);
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
    let mut host = Host::start("");
    let trial = host.trial(&["tally", "tally-2@0.1.0", "--trial", "1000"]);
    host.send(&[1]);
    host.live.terminate();
    host.live.finish().ok();
    let (well, text) = trial.end();
    assert!(!well, "{text}");
    let tried = "nothing was swapped: the host has stopped, when tally-2@0.1.0 had been tried for 1 of 1000 batches";
    says(&text, &[tried]);

    let mut host = host.restart();
    let trial = host.trial(&["tally", "tally-2@0.1.0", "--trial", "1000"]);
    let host = host.restart();
    let (well, text) = trial.end();
    assert!(!well, "{text}");
    says(&text, &["is gone, and the trial of tally-2@0.1.0 has come to no end: nothing was swapped", "weir status"]);
    assert_eq!(host.runs(), "tally@0.1.0");
}

#[test]
fn given_states_of_a_component_that_was_swapped_in_when_the_pipeline_changes_then_the_error_names_it() {
    let mut host = Host::start("");
    host.send(&[1]);
    host.swap(&["tally-2@0.1.0"]).ok();
    host.send(&[2]);
    let pipeline = host.pipeline.clone();
    let (folder, _) = host.stop();
    let changed = pipeline.replace("interval = \"200ms\"", "interval = \"300ms\"");
    folder.start(&changed).finish().refused(&[
        "cannot keep what operator `tally` keeps",
        "its state is of version 2, as tally-2@0.1.0 keeps it, which had been swapped in",
        "tally@0.1.0, which the pipeline file names, keeps version 1 and exports no `migrate`",
        "name tally-2@0.1.0 in the file",
    ]);
    let mut live = folder.start(&changed.replace("tally@0.1.0", "tally-2@0.1.0")).started();
    let state = folder.weir(&["state", "get", "tally", "k"]).ok().stdout;
    says(&state, &["\"count\":2", "\"total\":3"]);
    live.terminate();
    live.finish().ok();
}

/// One that is killed at each of its writes needs a command that has fault points.
#[test]
#[ignore = "needs WEIR_BIN to be weir-fault-points: `tests/all` runs it"]
fn given_a_rollback_when_it_is_killed_at_any_of_its_writes_then_the_next_start_goes_on_with_it() {
    let folder = Folder::new();
    let pipeline = r#"
        batch = { interval = "500ms", partitions = 1, backpressure = { enabled = false } }
        checkpoint = { interval = "1s", keep = "1h" }
        [sources.amounts]
        type = "generator"
        rate = "2/s"
        count = 16
        columns.key = { kind = "choice", of = ["k"] }
        columns.value = { kind = "sequence" }
        [operators.tally]
        state = "tally@0.1.0"
        inputs = ["amounts"]
        key = ["key"]
        on_reject = "dead-letter"
        config = { trap_at = 13 }
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["tally"]
    "#;
    let mut live = folder.start(pipeline).started();
    folder.weir(&["swap", "tally", "tally-2@0.1.0", "--watch", "1000", "--max-traps", "1"]).ok();
    live.wait_for("a batch of what is watched", |event| event.is("batch committed"));
    live.kill();
    let copy = |from: &[&str], to: &str| {
        let copied = Command::new("cp").current_dir(folder.path(".")).arg("-a").args(from).arg(to).status();
        assert!(copied.expect("cp can be started").success());
    };
    folder.write("killed/note", "");
    copy(&["data", "out"], "killed");
    let run = |die_at: u64| {
        let mut command = folder.command(&["run", "p.toml"]);
        command.env("WEIR_DIE_AT", die_at.to_string());
        Finished::wait(command, "run p.toml")
    };
    let left = || (folder.batches("out"), folder.dead_letters("p"));

    let undisturbed = run(0).ok();
    let expected = left();
    says(&undisturbed.stderr, &["the swap is rolled back"]);
    assert_eq!(expected.1.column("stays"), ["redone"]);
    let counts: Vec<_> =
        expected.0.column("count").into_iter().map(|count| count.as_i64().expect("a number")).collect();
    assert_eq!(counts, (1..=16).filter(|count| *count != 13).collect::<Vec<_>>());

    let mut killed_at_it = 0;
    for die_at in 1.. {
        for changed in ["data", "out"] {
            std::fs::remove_dir_all(folder.path(changed)).expect("a folder can be removed");
        }
        copy(&["killed/data", "killed/out"], ".");
        let died = run(die_at);
        if died.status.success() {
            break;
        }
        says(&died.stderr, &[&format!("dying at fault point {die_at}")]);
        if !died.stderr.contains("the swap is rolled back") {
            continue;
        }
        killed_at_it += 1;
        run(0).ok();
        assert_eq!(left(), expected, "killed at {die_at}:\n{}", died.stderr);
    }
    assert!(killed_at_it > 10, "it was killed {killed_at_it} times after the rollback had begun");
}
