//! Swaps that are watched, and rolled back when they go wrong; and what can be done about those that are not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::process::Command;

use weir_tests::http::{free_address, post};
use weir_tests::tally::{Tally, says};
use weir_tests::{Finished, Folder, Live};

/// How many lines there were, and a query that fails when there are two different ones.
const BEARS_ONE: &str = r#"
    [operators.counts]
    aggregate = "count@0.1.0"
    inputs = ["tally"]
    key = ["line"]
    window = { length = "1h" }
    [operators.checked]
    sql = "select 1 / (2 - count(*)) as one from counts"
    inputs = ["counts"]
"#;

/// How many lines there were, which fails when one is there that `picky` does not take.
const BEARS_NO_OTHERS: &str = r#"
    [operators.fine]
    sql = "select line, 1 / (case line when 'reject me' then 0 else 1 end) as one from tally"
    inputs = ["tally"]
    [operators.checked]
    aggregate = "count@0.1.0"
    inputs = ["fine"]
    window = { length = "1h" }
"#;

/// How many lines there were in a minute.
const LAST: &str = r#"
    [operators.checked]
    sql = "select count(*) as count from tally"
    inputs = ["tally"]
    window = { length = "60s" }
"#;

/// A host whose operator `tally` runs a transform on lines, and others what is given, the last of them `checked`.
fn lines(runs: &str, on_reject: &str, others: &str) -> Tally {
    let (folder, free) = (Folder::new(), free_address());
    let pipeline = format!(
        r#"
        batch = {{ interval = "100ms", backpressure = {{ enabled = false }} }}
        [sources.lines]
        type = "http"
        listen = "{free}"
        [operators.tally]
        transform = "{runs}"
        inputs = ["lines"]
        on_reject = "{on_reject}"
        {others}
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
    Tally { folder, live, url: format!("http://{free}/"), pipeline }
}

fn say(host: &mut Tally, line: &str) {
    post(&host.url, None, format!("{line}\n"));
    host.live.rows_in(1);
}

#[test]
fn given_a_swap_that_goes_wrong_when_it_is_watched_then_it_is_rolled_back_and_no_row_is_lost_or_counted_twice() {
    let mut host = Tally::start("config = { trap_at = 4 }");
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
    let mut host = Tally::start("config = { trap_at = 4 }");
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
    let mut host = lines("picky@0.1.0", "fail", BEARS_ONE);
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
    let mut host = Tally::start("on_reject = \"dead-letter\"\nconfig = { trap_at = 3 }");
    host.send(&[1]);
    host.swap(&["tally-2@0.1.0", "--watch", "1000", "--max-traps", "2"]).ok();
    host.send(&[2, 3]);
    let retry = |host: &Tally| host.folder.weir(&["dead-letters", "retry", "--all"]);
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
    let mut host = Tally::start("config = { bad_migration = true }");
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
    let mut host = Tally::start("on_reject = \"skip\"\nconfig = { trap_at = 3 }");
    host.send(&[1, 1]);
    host.swap(&["tally-2@0.1.0", "--watch", "1000"]).ok();
    host.send(&[1, 1]);
    assert_eq!(host.runs(), "tally@0.1.0");
    let status = host.folder.weir(&["status"]).ok().stdout;
    let why = "operator `tally` (tally-2@0.1.0, ";
    says(
        &status,
        &[
            why,
            "goes wrong on 2 rows of batch ",
            ", more than the 0 on which it may: trapped",
            "the row: {\"key\":\"k\"",
        ],
    );
    assert_eq!(host.stop().1, [(2, 2), (4, 4)]);
}

#[test]
fn given_states_of_a_component_that_was_swapped_in_when_the_pipeline_changes_then_the_error_names_it() {
    let mut host = Tally::start("");
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

#[test]
fn given_a_swapped_component_that_stops_the_host_when_it_starts_with_drop_swaps_then_the_pipeline_file_counts() {
    let mut host = lines("patient@0.1.0", "fail", LAST);
    host.swap(&["picky@0.1.0", "--watch", "0"]).ok();
    say(&mut host, "fine");
    post(&host.url, None, "reject me\n".to_owned());
    let Tally { folder, mut live, pipeline, url } = host;
    let way_out = ["with picky@0.1.0 in `tally` swapped in", "--drop-swaps", "asked for it"];
    live.finish().refused(&way_out);
    folder.start(&pipeline).finish().refused(&way_out);

    let live = Live::start(folder.command(&["run", "--drop-swaps", "p.toml"])).started();
    let mut host = Tally { folder, live, url, pipeline };
    host.live.rows_in(1);
    assert_eq!(host.runs(), "patient@0.1.0");
    let mut host = host.restart();
    assert_eq!(host.runs(), "patient@0.1.0");
    host.swap(&["--back"]).refused(&["nothing to go back to"]);
    say(&mut host, "reject me");
    host.live.terminate();
    host.live.finish().ok();
    assert_eq!(host.folder.batches("out").column("line"), ["fine", "reject me", "reject me"]);
    says(&host.folder.weir(&["verify"]).ok().stdout, &["differing 0"]);
}

#[test]
fn given_a_rollback_that_a_query_does_not_bear_when_the_query_is_mended_then_the_stream_goes_on() {
    let mut host = lines("patient@0.1.0", "skip", BEARS_NO_OTHERS);
    host.swap(&["picky@0.1.0", "--watch", "1000"]).ok();
    say(&mut host, "reject me");
    say(&mut host, "fine");
    // With it the swap is rolled back, and then the first line comes through.
    post(&host.url, None, "poison\n".to_owned());
    let Tally { folder, mut live, pipeline, url } = host;
    let why = ["operator `fine`", "ivide by zero"];
    live.finish().refused(&why);
    folder.start(&pipeline).finish().refused(&why);

    let mut live = folder.start(&pipeline.replace("1 / (case line when 'reject me' then 0 else 1 end)", "1")).started();
    post(&url, None, "last\n".to_owned());
    live.rows_in(2);
    live.terminate();
    live.finish().ok();
    assert_eq!(folder.batches("out").column("line"), ["fine", "last"]);
    assert_eq!(folder.batches("ones").column("count").last().unwrap().as_i64(), Some(3));
}

#[test]
fn given_a_watched_swap_when_a_changed_pipeline_is_refused_then_nothing_has_changed() {
    let mut host = lines("patient@0.1.0", "skip", LAST);
    host.swap(&["picky@0.1.0", "--watch", "1000"]).ok();
    say(&mut host, "fine");
    let Tally { folder, live, pipeline, url } = host;
    live.kill();
    let wider =
        "[operators.wider]\nsql = \"select line, 1 as one from lines\"\ninputs = [\"lines\"]\n[operators.tally]";
    let changed = pipeline.replace("[operators.tally]", wider).replacen(
        "inputs = [\"lines\"]\n        on_reject",
        "inputs = [\"wider\"]\n        on_reject",
        1,
    );
    folder.start(&changed).finish().refused(&["cannot keep the past batches of `tally`", "nothing was changed"]);
    let wrong = Live::start(folder.command(&["run", "p.toml", "--give-up", "nope"])).finish();
    wrong.refused(&["there is nothing to give up of `nope`"]);

    let live = folder.start(&pipeline).started();
    let mut host = Tally { folder, live, url, pipeline };
    assert_eq!(host.runs(), "picky@0.1.0");
    say(&mut host, "poison");
    assert_eq!(host.runs(), "patient@0.1.0");
}
