//! Guests that break every rule: the host names the culprit, shows nothing of its output, and stays within its means.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use serde_json::{Value, json};
use weir_tests::guests::{wasm, workspace};
use weir_tests::{Finished, Folder, each};

/// Rows with what some deeds need: a character of two bytes, and a column that is not text.
const ROWS: &str = "{\"line\":\"one\",\"n\":3}\n{\"line\":\"two é\",\"n\":3}\n{\"line\":\"three\",\"n\":3}\n";

/// What a host may have resident, whatever a guest with default limits does.
const MEMORY: u64 = 512 << 20;

/// What may be printed about a guest that went wrong, in bytes.
const MESSAGE: usize = 16 << 10;

/// What `evil` does wrong with rows, and what the host says of it.
const WITH_ROWS: [(&str, &str); 36] = [
    ("spin", "used up its fuel"),
    ("grab_memory", "wanted more memory than its limit of 64 MiB"),
    ("overflow_stack", "stack"),
    ("trap", "unreachable"),
    ("panic", "evil was asked to panic"),
    ("offsets_out_of_range", "offsets end at"),
    ("offsets_decrease", "offsets decrease"),
    ("offsets_negative", "offsets start at -1"),
    ("offsets_start_late", "offsets start at 1"),
    ("offsets_missing", "offsets for"),
    ("offsets_none", "0 offsets for"),
    ("data_left_over", "bytes of data"),
    ("not_utf8", "not UTF-8"),
    ("split_character", "not UTF-8"),
    ("extra_column", "2 columns"),
    ("no_column", "0 columns"),
    ("wrong_type", "int64 where"),
    ("long_column", "offsets for"),
    ("short_column", "offsets for"),
    ("short_validity", "of validity"),
    ("long_validity", "of validity"),
    ("null_in_non_nullable", "never null"),
    ("origin_out_of_range", "an output row comes from row"),
    ("origin_decreases", "origin decreases"),
    ("slices_out_of_range", "of an input column of"),
    ("slices_overflow", "its limit of 64 MiB"),
    ("slices_split_character", "inside a character"),
    ("slices_of_non_text", "not a text or binary column"),
    ("slices_of_nowhere", "column 99"),
    ("slices_uneven", "0 values"),
    ("reject_out_of_range", "rejected of a chunk of"),
    ("reject_twice", "rejected twice"),
    ("reject_at_length", "because because"),
    ("reject_flood", "its limit of 64 MiB"),
    ("huge_output", "its limit of 64 MiB"),
    ("many_rows", "its limit of 64 MiB"),
];

/// What `evil` does wrong before there are rows.
const IN_CONFIGURE: [(&str, &str); 8] = [
    ("spin_in_configure", "used up its fuel"),
    ("panic_in_configure", "evil was asked to panic in configure"),
    ("fail_in_configure", "gave up: evil was asked to fail in configure"),
    ("read_nowhere", "reads column 99"),
    ("keep_nowhere", "keeps column 99"),
    ("add_twice", "two columns named `out`"),
    ("add_what_is_kept", "two columns named `line`"),
    ("add_nameless", "names must not be empty"),
];

/// What `evil-aggregate` does wrong with rows or groups.
const WITH_GROUPS: [(&str, &str); 17] = [
    ("trap_in_create", "evil was asked to panic in create"),
    ("spin_in_create", "used up its fuel"),
    ("create_too_many", "`create` answered with"),
    ("create_too_few", "`create` answered with"),
    ("create_wrong_count", "1000000 rows"),
    ("create_wrong_type", "float64 where"),
    ("create_no_column", "0 columns"),
    ("reject_out_of_range", "rejected of a chunk of"),
    ("reject_twice", "rejected twice"),
    ("reject_all", "evil was asked to reject"),
    ("trap_in_merge", "evil was asked to panic in merge"),
    ("spin_in_merge", "used up its fuel"),
    ("merge_too_many", "`merge` answered with"),
    ("merge_nothing", "`merge` answered with"),
    ("merge_wrong_type", "float64 where"),
    ("trap_in_finish", "evil was asked to panic in finish"),
    ("finish_wrong_type", "float64 where"),
];

const AGGREGATE_IN_CONFIGURE: [(&str, &str); 5] = [
    ("fail_in_configure", "gave up: evil was asked to fail in configure"),
    ("panic_in_configure", "evil was asked to panic in configure"),
    ("read_nowhere", "reads column 99"),
    ("accumulate_twice", "two columns named `count`"),
    ("answer_twice", "two columns named `count`"),
];

/// A pipeline with a suspect over [`ROWS`], in blocks of a row each, so that an aggregate has something to merge.
fn pipeline(operator: &str, config: &str) -> String {
    format!(
        r#"
        [batch]
        partitions = 1
        block_size = "1 B"
        [sources.rows]
        type = "file"
        path = "rows.jsonl"
        format = "json"
        schema = {{ line = "utf8", n = "int64" }}
        [operators.suspect]
        inputs = ["rows"]
        {operator}
        config = {{ {config} }}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["suspect"]
        "#
    )
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("rows.jsonl", ROWS);
    folder
}

#[track_caller]
fn nothing_shows(folder: &Folder, finished: &Finished) {
    assert!(folder.tree("out").is_empty(), "some of the output is visible");
    assert!(finished.peak_memory < MEMORY, "the host had {} MiB resident", finished.peak_memory >> 20);
    assert!(finished.stderr.len() < MESSAGE, "{} bytes were printed", finished.stderr.len());
}

/// A suspect stops the host, which says who it was and what it did.
fn stops(operator: &str, component: &str, deed: &str, says: &[&str]) {
    let folder = folder();
    let finished = folder.run_once(&pipeline(operator, &format!("do = \"{deed}\"")));
    let finished = finished.refused(&["operator `suspect`", component, "sha256:"]).refused(says);
    nothing_shows(&folder, &finished);
}

#[test]
fn given_a_transform_that_goes_wrong_with_rows_when_run_then_the_host_stops_and_says_how_to_go_on() {
    each(WITH_ROWS, |(deed, says)| {
        let go_on = "set `on_reject` of [operators.suspect] to \"skip\" or \"dead-letter\"";
        stops("transform = \"evil@0.1.0\"", "evil@0.1.0", deed, &[says, "the row: {\"line\":", go_on]);
    });
}

#[test]
fn given_a_transform_that_says_that_it_cannot_go_on_when_run_then_no_policy_helps_and_its_words_are_shown() {
    each(["fail", "skip", "dead-letter"], |policy| {
        let operator = format!("transform = \"evil@0.1.0\"\non_reject = \"{policy}\"");
        stops(&operator, "evil@0.1.0", "fail", &["gave up: evil was asked to fail"]);
    });
}

#[test]
fn given_a_transform_that_goes_wrong_in_configure_when_checked_or_run_then_nothing_starts() {
    each(IN_CONFIGURE, |(deed, says)| {
        stops("transform = \"evil@0.1.0\"", "evil@0.1.0", deed, &[says]);
        let folder = folder();
        folder.write("p.toml", pipeline("transform = \"evil@0.1.0\"", &format!("do = \"{deed}\"")));
        folder.weir(&["check", "p.toml"]).refused(&["operator `suspect`", "evil@0.1.0", says]);
    });
}

#[test]
fn given_an_aggregate_that_goes_wrong_when_run_then_the_host_stops_and_says_who() {
    let gives_up = [
        ("fail_in_create", "gave up: evil was asked to fail in create"),
        ("fail_in_finish", "gave up: evil was asked to fail in finish"),
    ];
    let cases = [&WITH_GROUPS[..], &gives_up, &AGGREGATE_IN_CONFIGURE].concat();
    each(
        cases.iter().flat_map(|(deed, says)| [("", deed, says), ("key = [\"n\"]", deed, says)]),
        |(key, deed, says)| {
            stops(&format!("aggregate = \"evil-aggregate@0.1.0\"\n{key}"), "evil-aggregate@0.1.0", deed, &[says]);
        },
    );
}

/// A suspect under policy `skip` loses its rows, and the host goes on.
fn loses_all(operator: &str, deed: &str) {
    let folder = folder();
    let operator = format!("{operator}\non_reject = \"skip\"");
    let finished = folder.run_once(&pipeline(&operator, &format!("do = \"{deed}\""))).ok();
    assert_eq!(folder.batches("out").rows().count(), 0, "{deed}");
    assert!(finished.peak_memory < MEMORY, "{deed}: the host had {} MiB resident", finished.peak_memory >> 20);
}

#[test]
fn given_guests_that_always_go_wrong_when_their_rows_may_be_skipped_then_the_host_goes_on_without_them() {
    each(WITH_ROWS.iter().filter(|(deed, _)| *deed != "slices_split_character"), |(deed, _)| {
        loses_all("transform = \"evil@0.1.0\"", deed);
    });
    each(WITH_GROUPS, |(deed, _)| loses_all("aggregate = \"evil-aggregate@0.1.0\"", deed));
}

/// What a suspect that means no harm answers with.
fn goes_well(operator: &str, config: &str, expected: Value) {
    let folder = folder();
    let finished = folder.run_once(&pipeline(operator, config)).ok();
    let rows: Vec<_> = folder.batches("out").rows().cloned().map(Value::Object).collect();
    assert_eq!(Value::Array(rows), expected);
    assert!(finished.peak_memory < MEMORY, "the host had {} MiB resident", finished.peak_memory >> 20);
}

#[test]
fn given_guests_that_keep_to_the_rules_when_run_then_their_rows_come_out() {
    let lines = json!([{"out": "one"}, {"out": "two é"}, {"out": "three"}]);
    for deed in ["nothing", "read_twice", "flood_log"] {
        goes_well("transform = \"evil@0.1.0\"", &format!("do = \"{deed}\""), lines.clone());
    }
    // An instance serves one task, and nothing of it outlives that.
    let calls = json!([{"out": "1"}, {"out": "2"}, {"out": "3"}]);
    goes_well("transform = \"evil@0.1.0\"", "do = \"remember\"", calls.clone());
    for deed in ["nothing", "trap_in_retract", "retract_short_bitmap", "retract_too_few"] {
        let count = json!([{"count": 3}]);
        goes_well("aggregate = \"evil-aggregate@0.1.0\"", &format!("do = \"{deed}\""), count);
    }
}

#[test]
fn given_an_operator_that_floods_its_log_when_run_then_the_log_is_cut_and_says_so() {
    let folder = folder();
    let finished = folder.run_once(&pipeline("transform = \"evil@0.1.0\"", "do = \"flood_log\"")).ok();
    // 64 KiB for each of at most three tasks, and as much again for what JSON adds.
    assert!(finished.stderr.len() < 400 << 10, "{} bytes were logged", finished.stderr.len());
    assert!(finished.stderr.contains("the log is cut here"));
}

#[test]
fn given_an_operator_that_floods_its_log_and_panics_when_run_then_its_last_word_is_told() {
    folder()
        .run_once(&pipeline("transform = \"evil@0.1.0\"", "do = \"flood_log_and_panic\", amount = 100"))
        .refused(&["evil's last word"]);
}

#[test]
fn given_an_operator_that_logs_and_traps_when_its_batch_fails_then_the_log_is_told_before_the_error() {
    let folder = folder();
    let finished = folder.run_once(&pipeline("transform = \"evil@0.1.0\"", "do = \"panic\"")).refused(&["evil@0.1.0"]);
    let told = finished.stderr.strip_suffix(finished.message()).expect("the message is the last");
    let logged =
        |line: &str| line.contains("\"ERROR\"") && line.contains("panicked at") && line.contains("\"suspect\"");
    assert!(told.lines().any(logged), "{told}");
}

#[test]
fn given_limits_in_the_pipeline_when_a_guest_goes_past_them_then_the_message_says_which() {
    let check = |config: &str, limits: &str, says: &str| {
        let folder = folder();
        folder.write("rows.jsonl", json!({"line": "x".repeat(4096), "n": 1}).to_string());
        let operator = format!("transform = \"evil@0.1.0\"\nlimits = {{ {limits} }}");
        let finished = folder.run_once(&pipeline(&operator, config)).refused(&["operator `suspect`", says]);
        assert!(folder.tree("out").is_empty());
        assert!(finished.peak_memory < 2 * MEMORY, "the host had {} MiB resident", finished.peak_memory >> 20);
    };
    check("do = \"spin\"", "fuel = 1000000", "used up its fuel of 1000000 for one call; raise `limits.fuel`");
    check("do = \"grab_memory\"", "memory = \"8 MiB\"", "its limit of 8 MiB; raise `limits.memory`");
    check("do = \"nothing\"", "output = \"1 KiB\"", "its limit of 1 KiB; raise `limits.output`");
    check("do = \"huge_output\"", "memory = \"1 GiB\"", "answered with more than its limit of 64 MiB");
    check("do = \"slices_amplify\"", "fuel = 2000000000", "answered with more than its limit of 64 MiB");
}

#[test]
fn given_hostile_guests_when_tried_with_plugin_test_then_rejects_are_printed_and_counted() {
    let folder = folder();
    let test = |package: &str, deed: &str| {
        let (file, config) = (wasm(package), json!({ "do": deed }).to_string());
        let file = file.to_str().expect("a path is UTF-8");
        folder.weir(&["plugin", "test", file, "--input", "rows.jsonl", "--config", &config])
    };
    let keeps_to_rows = |(deed, _): &(&str, &str)| !["slices_split_character", "reject_at_length"].contains(deed);
    each(WITH_ROWS.into_iter().filter(keeps_to_rows), |(deed, says)| {
        let finished = test("evil", deed).ok();
        assert_eq!(finished.stdout, "");
        let (letters, sums) = finished.stderr.rsplit_once("\n3 rows in, 0 out, 3 rejected").expect("it ends with sums");
        assert!(sums.contains("fuel in"), "{sums}");
        // Among what the guest logged.
        let letters = letters.lines().filter(|line| line.starts_with('{'));
        let letters: Vec<Value> = letters.map(|line| serde_json::from_str(line).expect("a letter")).collect();
        let reasons: Vec<&str> = letters.iter().filter_map(|letter| letter["reason"].as_str()).collect();
        assert!(reasons.len() == 3 && reasons.iter().all(|reason| reason.contains(says)), "{reasons:?}");
    });
    each(WITH_GROUPS.iter().filter(|(deed, _)| !deed.contains("merge")), |(deed, says)| {
        let finished = test("evil-aggregate", deed).ok();
        assert_eq!(finished.stdout, "");
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    });
    each([("fail", "gave up: evil was asked to fail")].iter().chain(&IN_CONFIGURE), |(deed, says)| {
        test("evil", deed).refused(&[says]);
    });
    each(AGGREGATE_IN_CONFIGURE, |(deed, says)| {
        test("evil-aggregate", deed).refused(&[says]);
    });
}

/// Registration refuses a file and says why; nothing is registered.
#[track_caller]
fn not_registered(contents: &[u8], says: &[&str]) {
    let folder = Folder::empty();
    folder.write("suspect.wasm", contents);
    let args = ["plugin", "register", "suspect.wasm", "--name", "suspect", "--version", "1"];
    folder.weir(&args).refused(&["suspect.wasm"]).refused(says);
    folder.weir(&["plugin", "show", "suspect.wasm"]).refused(&["suspect.wasm"]).refused(says);
    let listed = folder.weir(&["plugin", "list"]).ok().stdout;
    assert!(listed.contains("no components are registered"), "{listed}");
}

#[test]
fn given_a_component_that_imports_a_socket_when_registered_then_it_is_refused_with_the_way_out() {
    let text = std::fs::read_to_string(workspace().join("tests/wat/wasi-importer.wat")).expect("it is there");
    let importer = wat::parse_str(text.replace("wasi:clocks/wall-clock@0.2.6", "wasi:sockets/tcp-create-socket@0.2.6"));
    let says = ["`wasi:sockets/tcp-create-socket@0.2.6`", "pure function", "--stub-wasi", "no package `net`"];
    not_registered(&importer.expect("it is sound"), &says);
}

#[test]
fn given_a_file_that_is_no_operator_when_registered_then_the_message_says_what_is_missing() {
    let words = std::fs::read(wasm("words")).expect("it was built");
    not_registered(b"fn main() {}\n", &["not a WebAssembly file", "weir plugin build"]);
    not_registered(b"", &["not a WebAssembly file"]);
    not_registered(&words[..words.len() / 2], &["not a valid WebAssembly file"]);
    let parsed = |text: &str| wat::parse_str(text).expect("it is sound");
    not_registered(&parsed("(component)"), &["exports none of the operator interfaces", "nothing"]);
    not_registered(&parsed("(module (memory (export \"memory\") 1))"), &["without a component type"]);
}
