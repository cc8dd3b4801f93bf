//! Operators with state that are asked for wrongly, go wrong themselves, or are replaced. What they give when all is well
//! is told by `vectors/state.toml` and the oracle.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use serde_json::{Value, json};
use weir_tests::guests::types_of;
use weir_tests::output::{Row, row, sorted};
use weir_tests::{Finished, Folder, each};

/// A tally of amounts, and a snapshot of it.
const TALLY: &str = r#"[sources.amounts]
type = "file"
path = "amounts.jsonl"
format = "json"
schema = { user = "utf8", count = "int64", value = "int64" }
[operators.tallied]
state = "tally@0.1.0"
inputs = ["amounts"]
key = ["user"]
[operators.known]
inputs = ["tallied"]
snapshot = { every = 2 }
[sinks.out]
type = "files"
path = "out"
inputs = ["tallied"]
[sinks.known_out]
type = "files"
path = "out/known"
inputs = ["known"]
"#;

#[test]
fn given_states_that_make_no_sense_when_checked_or_run_then_the_message_says_what_is_missing() {
    let folder = |pipeline: &str| {
        let folder = Folder::new();
        folder.write("amounts.jsonl", "{\"user\": \"ann\", \"value\": 1}\n");
        folder.write("p.toml", pipeline);
        folder
    };
    folder(TALLY).weir(&["check", "p.toml"]).ok();
    let (tally, key) = ("state = \"tally@0.1.0\"", "key = [\"user\"]\n");
    let with_key = |more: &str| format!("{key}{more}\n");
    let cases: Vec<(&str, String, &[&str])> = vec![
        // The key.
        (key, String::new(), &["p.toml:7:", "[operators.tallied] keeps a state for each key", "`key = [\"user\"]`"]),
        (key, "key = [\"usr\"]\n".into(), &["operator `tallied`", "key column `usr` is not among", "user utf8"]),
        (key, "key = [\"user\", \"user\"]\n".into(), &["`key` in [operators.tallied] names `user` twice"]),
        (
            key,
            "key = [\"user\", \"count\"]\n".into(),
            &["operator `tallied` answers with a column `count`, which is also a column of its key", "rename"],
        ),
        // The component.
        (tally, "state = \"words@0.1.0\"".into(), &["operator `tallied`", "words@0.1.0", "world `transform`"]),
        (
            tally,
            "aggregate = \"tally@0.1.0\"".into(),
            &["[operators.known] takes snapshots", "an operator with `state`"],
        ),
        (tally, "state = \"mood@0.1.0\"".into(), &["operator `tallied`", "mood@0.1.0", "`text`"]),
        (tally, "state = \"tally@9\"".into(), &["tally@9 is not registered", "there is tally@0.1.0"]),
        (tally, format!("{tally}\nsql = \"select 1\""), &["exactly one of", "`state` and `sql`"]),
        (key, with_key("config = { remove = 3 }"), &["operator `tallied`", "tally@0.1.0", "unknown field `remove`"]),
        ("value = \"int64\"", "value = \"utf8\"".into(), &["operator `tallied`", "tally@0.1.0", "`value`"]),
        // What goes with a state, and what does not.
        (key, with_key("touch = \"some\""), &["`some`", "`changed`", "`all`"]),
        (key, with_key("timeout = \"0s\""), &["`timeout` in [operators.tallied] must be at least 1ms"]),
        (key, with_key("initial = \"befor\""), &["`initial` in [operators.tallied] names `befor`, which is no table"]),
        (key, with_key("whole_partition = true"), &["`whole_partition` does not go with `state`"]),
        (tally, "touch = \"all\"\naggregate = \"count@0.1.0\"".into(), &["`touch` does not go with `aggregate`"]),
        (tally, "timeout = \"9s\"\naggregate = \"count@0.1.0\"".into(), &["`timeout` does not go with `aggregate`"]),
        // Snapshots.
        (
            "inputs = [\"tallied\"]\nsnapshot",
            "inputs = [\"amounts\"]\nsnapshot".into(),
            &["[operators.known] takes snapshots", "its one input must be an operator with `state`"],
        ),
        (
            "inputs = [\"tallied\"]\nsnapshot",
            "inputs = [\"tallied\", \"amounts\"]\nsnapshot".into(),
            &["[operators.known] takes snapshots", "its one input must be an operator with `state`"],
        ),
        ("every = 2", "every = 0".into(), &["p.toml:12:", "`every`"]),
        ("every = 2 }", "every = 2 }\nkey = [\"user\"]".into(), &["`key` does not go with `snapshot`"]),
        (
            "every = 2 }",
            "every = 2 }\nwindow = { length = \"5s\" }".into(),
            &["`window` does not go with `snapshot`", "in another operator"],
        ),
    ];
    each(cases, |(from, to, says)| {
        assert!(TALLY.contains(from), "{from}");
        let folder = folder(&TALLY.replacen(from, &to, 1));
        folder.weir(&["check", "p.toml"]).refused(says);
        folder.weir(&["run", "--once", "p.toml"]).refused(says);
        assert!(folder.tree("out").is_empty());
    });
}

/// Rows of three keys, one of which has two.
const ROWS: &str = "{\"line\":\"one\",\"n\":1}\n{\"line\":\"two\",\"n\":2}\n{\"line\":\"three\",\"n\":1}\n{\"line\":\"four\",\"n\":3}\n";

/// What a host may have resident, whatever a guest with default limits does.
const MEMORY: u64 = 512 << 20;

/// What `evil-state` does wrong with keys and rows, and what the host says of it.
const WITH_KEYS: [(&str, &str); 21] = [
    ("panic", "evil was asked to panic"),
    ("spin", "used up its fuel"),
    ("grab_memory", "wanted more memory than its limit of 64 MiB"),
    ("too_few_fates", "fates for"),
    ("too_many_fates", "fates for"),
    ("too_few_timers", "timers for"),
    ("too_many_timers", "timers for"),
    ("next_too_few", "`update` answered with"),
    ("next_too_many", "`update` answered with"),
    ("next_wrong_count", "1000000 rows"),
    ("next_wrong_type", "float64 where"),
    ("next_no_column", "0 columns"),
    ("next_null", "never null"),
    ("next_null_removed", "never null"),
    ("output_from_decreases", "output-from decreases"),
    ("output_from_out_of_range", "an output row comes from key"),
    ("output_from_too_few", "`update` answered with"),
    ("output_from_too_many", "`update` answered with"),
    ("output_wrong_type", "float64 where"),
    ("output_flood", "its limit of 64 MiB"),
    ("reject_out_of_range", "rejected of a chunk of"),
];

/// What it rejects, though the states that it answers with say otherwise.
const REJECTS: [(&str, &str); 3] = [
    ("reject_twice", "rejected twice"),
    ("reject_all", "evil was asked to reject"),
    ("reject_backwards", "evil was asked to reject"),
];

/// What it does wrong before there are keys.
const IN_CONFIGURE: [(&str, &str); 7] = [
    ("fail_in_configure", "gave up: evil was asked to fail in configure"),
    ("panic_in_configure", "evil was asked to panic in configure"),
    ("spin_in_configure", "used up its fuel"),
    ("read_nowhere", "reads column 99"),
    ("keep_twice", "two columns named `count`"),
    ("answer_twice", "two columns named `count`"),
    ("answer_key", "column `n`, which is also a column of its key"),
];

fn suspect(more: &str) -> String {
    format!(
        r#"
        [batch]
        partitions = 1
        [sources.rows]
        type = "file"
        path = "rows.jsonl"
        format = "json"
        schema = {{ line = "utf8", n = "int64" }}
        [operators.suspect]
        state = "evil-state@0.1.0"
        inputs = ["rows"]
        key = ["n"]
        {more}
        [operators.known]
        inputs = ["suspect"]
        snapshot = {{}}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["suspect"]
        [sinks.known_out]
        type = "files"
        path = "known"
        inputs = ["known"]
        "#
    )
}

fn run_suspect(more: &str) -> (Folder, Finished) {
    let folder = Folder::new();
    folder.write("rows.jsonl", ROWS);
    let finished = folder.run_once(&suspect(more));
    assert!(finished.peak_memory < MEMORY, "the host had {} MiB resident", finished.peak_memory >> 20);
    assert!(finished.stderr.len() < 16 << 10, "{} bytes were printed", finished.stderr.len());
    (folder, finished)
}

#[test]
fn given_a_state_operator_that_goes_wrong_when_run_then_the_host_stops_and_says_who_and_shows_nothing() {
    let gives_up = [("fail", "gave up: evil was asked to fail")];
    each([&WITH_KEYS[..], &REJECTS, &IN_CONFIGURE, &gives_up].concat(), |(how, says)| {
        let (folder, finished) = run_suspect(&format!("config = {{ how = \"{how}\" }}"));
        let finished = finished.refused(&["operator `suspect`", says]);
        let named = how == "answer_key" || finished.message().contains("evil-state@0.1.0");
        assert!(named, "the component is not named: {}", finished.message());
        assert!(folder.tree("out").is_empty() && folder.tree("known").is_empty(), "some of the output is visible");
    });
}

#[test]
fn given_a_state_operator_that_goes_wrong_with_rows_when_the_policy_is_fail_then_a_row_and_the_way_on_are_told() {
    each(WITH_KEYS.iter().chain(&REJECTS), |(how, says)| {
        let (_, finished) = run_suspect(&format!("config = {{ how = \"{how}\" }}"));
        let go_on = "set `on_reject` of [operators.suspect] to \"skip\" or \"dead-letter\"";
        finished.refused(&[says, "the row: {\"line\":", go_on]);
    });
}

#[test]
fn given_a_state_operator_that_always_goes_wrong_when_rows_may_be_skipped_then_the_host_goes_on_without_states() {
    // Fuel is used up at every step of the search.
    let limits = "limits = { fuel = 20000000 }";
    each(WITH_KEYS.iter().chain(&[REJECTS[0]]), |(how, _)| {
        let (folder, finished) =
            run_suspect(&format!("on_reject = \"skip\"\nconfig = {{ how = \"{how}\" }}\n{limits}"));
        finished.ok();
        assert!(folder.tree("out").is_empty() && folder.tree("known").is_empty(), "there is output or a state");
    });
    // That it cannot go on is about no row.
    let (_, finished) = run_suspect("on_reject = \"skip\"\nconfig = { how = \"fail\" }");
    finished.refused(&["operator `suspect`", "gave up: evil was asked to fail"]);
}

#[test]
fn given_a_state_operator_that_rejects_in_any_order_when_letters_are_kept_then_they_are_in_the_order_of_the_rows() {
    each(["reject_all", "reject_backwards"], |how| {
        let (folder, finished) = run_suspect(&format!("on_reject = \"dead-letter\"\nconfig = {{ how = \"{how}\" }}"));
        finished.ok();
        let letters = folder.dead_letters("p");
        let rows: Vec<Row> = letters.rows().map(|letter| row(letter["row"].clone())).collect();
        let given = ROWS.lines().map(|line| serde_json::from_str(line).expect("a row"));
        assert_eq!(sorted(rows), sorted(given.collect()));
        assert!(letters.column("reason").iter().all(|reason| **reason == "evil was asked to reject"));
    });
}

/// Partitions and rows of a call: none of it may show.
const CUTS: [(usize, usize); 6] = [(1, 1), (1, 7), (1, 8192), (3, 1), (3, 7), (5, 8192)];

/// Visits of four users in three batches of thirty rows, some of them poison; in the last batch all of one user's are.
fn visits() -> Vec<Row> {
    let visit = |n: usize| {
        let user = ["ann", "bob", "cyd", "dan"][n * n % 7 % 4];
        let poison = n % 11 == 3 || (n >= 60 && user == "bob");
        row(json!({"user": user, "line": if poison { "poison".to_owned() } else { format!("line {n}") }, "n": n}))
    };
    (0..90).map(visit).collect()
}

/// What came out by batch, the dead letters, and the bytes of both.
fn counted((partitions, chunk_rows): (usize, usize), policy: &str) -> (Folder, String) {
    let folder = Folder::new();
    folder
        .write("visits.jsonl", visits().into_iter().map(|row| format!("{}\n", Value::Object(row))).collect::<String>());
    folder
        .run_once(&format!(
            r#"
            [batch]
            partitions = {partitions}
            chunk_rows = {chunk_rows}
            block_size = "200 B"
            [sources.visits]
            type = "file"
            path = "visits.jsonl"
            format = "json"
            rate = "30/s"
            schema = {{ user = "utf8", line = "utf8", n = "int64" }}
            [operators.suspect]
            state = "evil-state@0.1.0"
            inputs = ["visits"]
            key = ["user"]
            on_reject = "{policy}"
            config = {{ how = "panic_on_poison" }}
            [sinks.out]
            type = "files"
            path = "out"
            inputs = ["suspect"]
            "#
        ))
        .ok();
    let bytes = format!("{:?}{:?}", folder.tree("out"), folder.tree("data/pipelines/p/once/dead-letters"));
    (folder, bytes)
}

#[test]
fn given_poison_rows_when_they_may_be_rejected_then_states_are_as_if_they_had_not_come_whatever_the_cut() {
    let healthy = |row: &&Row| row["line"] != "poison";
    let batches: Vec<Vec<Row>> = visits().chunks(30).map(<[Row]>::to_vec).collect();
    for policy in ["skip", "dead-letter"] {
        let runs: Vec<(Folder, String)> = CUTS.into_iter().map(|cut| counted(cut, policy)).collect();
        assert!(runs.iter().all(|(_, bytes)| *bytes == runs[0].1), "how rows were cut shows");
        let folder = &runs[0].0;
        let out = folder.batches("out");
        for (n, batch) in batches.iter().enumerate() {
            let so_far =
                |user: &str| batches[..=n].iter().flatten().filter(healthy).filter(|row| row["user"] == user).count();
            let here = |user: &&str| batch.iter().filter(healthy).any(|row| row["user"] == *user);
            let users = ["ann", "bob", "cyd", "dan"].into_iter().filter(here);
            let expected = users.map(|user| row(json!({"user": user, "count": so_far(user)}))).collect();
            assert_eq!(sorted(out.0[&(1000 * (n as u64 + 1))].clone()), sorted(expected), "batch {n}");
        }
        let letters = folder.dead_letters("p");
        let poison = visits().into_iter().filter(|row| !healthy(&row) && policy == "dead-letter").collect();
        assert_eq!(sorted(letters.rows().map(|letter| row(letter["row"].clone())).collect()), sorted(poison));
        for letter in letters.rows() {
            let reason = letter["reason"].as_str().expect("text");
            assert!(reason.starts_with("trapped: ") && reason.contains("evil was given poison"), "{reason}");
        }
    }
}

/// A module that is configured as `evil-state` is, but says that its state is of another version. It is never called.
fn of_version(version: u32) -> Vec<u8> {
    // At 8 the answer of `configure`: no error; all columns; a state of one field; the version; an output of the same.
    let text = format!(
        r#"
        (module
          (memory (export "memory") 1)
          (global $free (mut i32) (i32.const 1024))
          (data (i32.const 8) "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00")
          (data (i32.const 24) "\40\00\00\00" "\01\00\00\00" "\{version:02x}\00\00\00" "\40\00\00\00" "\01\00\00\00")
          (data (i32.const 64) "\50\00\00\00" "\05\00\00\00" "\01\00\00\00")
          (data (i32.const 80) "count")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $free)
            (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7)) (i32.const -8))))
          (func (export "weir:operator/state@0.1.0#configure") (param i32 i32 i32 i32 i32 i32) (result i32)
            (i32.const 8))
          (func (export "weir:operator/state@0.1.0#update")
            (param i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            unreachable))
        "#
    );
    let mut module = wat::parse_str(text).expect("it is sound");
    module.extend(types_of("evil-state"));
    module
}

#[test]
fn given_a_running_state_operator_when_a_swap_does_not_fit_then_it_is_refused_and_the_states_go_on() {
    let folder = Folder::new();
    for version in [1, 2] {
        let (file, version) = (format!("version-{version}.wasm"), version.to_string());
        folder.write(&file, of_version(version.parse().expect("a number")));
        folder.weir(&["plugin", "register", &file, "--name", "hollow", "--version", &version]).ok();
    }
    let mut host = folder
        .start(
            r#"
            [batch]
            interval = "200ms"
            [sources.rows]
            type = "generator"
            rate = "5000/s"
            columns.user = { kind = "choice", of = ["ann", "bob"] }
            [operators.counted]
            state = "evil-state@0.1.0"
            inputs = ["rows"]
            key = ["user"]
            config = { how = "nothing" }
            [sinks.out]
            type = "files"
            path = "out"
            inputs = ["counted"]
            "#,
        )
        .started();
    host.batch();
    let refused = |to: &str, says: &[&str]| drop(folder.weir(&["swap", "counted", to]).refused(says));
    refused("tally@0.1.0", &["operator `counted`", "tally@0.1.0", "unknown field `how`"]);
    refused("count@0.1.0", &["count@0.1.0", "world `aggregate`"]);
    refused("hollow@2", &["operator `counted`", "hollow@2", "does not fit", "version 2", "version 1"]);
    refused("evil-state@0.1.0", &["operator `counted` runs evil-state@0.1.0 (", ") already; nothing was changed"]);
    host.batch();
    host.batch();
    host.terminate();
    host.finish().ok();
    let rows: u64 = host.seen("batch committed").map(|event| event.number("rows_in")).sum();
    let last = |user: &str| {
        let counts = folder.batches("out");
        let counts: Vec<u64> = counts
            .rows()
            .filter(|row| row["user"] == user)
            .map(|row| row["count"].as_u64().expect("a number"))
            .collect();
        assert!(counts.is_sorted(), "a count goes back: {counts:?}");
        counts.last().copied().unwrap_or(0)
    };
    assert_eq!(last("ann") + last("bob"), rows);
}

#[test]
fn given_a_component_of_the_same_state_when_it_is_swapped_in_then_it_fits() {
    let folder = Folder::new();
    folder.write("one.wasm", of_version(1));
    folder.weir(&["plugin", "register", "one.wasm", "--name", "hollow", "--version", "1"]).ok();
    // No rows come, so it is never called.
    let mut host = folder
        .start(
            r#"
            [batch]
            interval = "100ms"
            [sources.rows]
            type = "socket"
            listen = "127.0.0.1:0"
            [operators.counted]
            state = "evil-state@0.1.0"
            inputs = ["rows"]
            key = ["line"]
            config = { how = "nothing" }
            [sinks.out]
            type = "files"
            path = "out"
            inputs = ["counted"]
            "#,
        )
        .started();
    folder.weir(&["swap", "counted", "hollow@1"]).ok();
    host.batch();
    host.terminate();
    host.finish().ok();
}
