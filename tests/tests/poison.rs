//! Rows that an operator cannot take: what becomes of them is the pipeline's choice, and how rows were chunked or
//! partitioned does not show.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use serde_json::{Value, json};
use weir_tests::output::{Row, row, sorted};
use weir_tests::{Folder, each};

/// Rows of a call, and partitions: none of it may show.
const CUTS: [(usize, usize); 8] = [(1, 1), (7, 1), (64, 1), (8192, 1), (1, 3), (7, 3), (64, 3), (8192, 3)];

/// Lines with what `picky` panics on and what it rejects among them.
fn lines() -> Vec<String> {
    let line = |n| match n {
        0 | 37 | 38 | 39 | 99 => format!("poison {n}"),
        5 | 40 | 77 => format!("reject me {n}"),
        _ => format!("line {n}"),
    };
    (0..100).map(line).collect()
}

fn is_bad(line: &str) -> bool {
    line.starts_with("poison") || line.starts_with("reject me")
}

/// A pipeline of one suspect over text in some thirty blocks.
fn pipeline(cut: (usize, usize), operator: &str) -> String {
    format!(
        r#"
        [batch]
        chunk_rows = {}
        partitions = {}
        block_size = "30 B"
        [sources.lines]
        type = "file"
        path = "lines.txt"
        [operators.suspect]
        inputs = ["lines"]
        {operator}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["suspect"]
        "#,
        cut.0, cut.1
    )
}

fn folder_with(lines: &[String]) -> Folder {
    let folder = Folder::new();
    folder.write("lines.txt", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    folder
}

/// The digest of a registered component.
fn digest(folder: &Folder, name: &str) -> String {
    let listed = folder.weir(&["plugin", "list", "--digests"]).ok().stdout;
    let line = listed.lines().find(|line| line.starts_with(name)).expect("it is registered");
    line.split_whitespace().last().expect("the digest is the last column").to_owned()
}

#[test]
fn given_poison_rows_when_the_policy_is_fail_then_the_host_stops_and_names_the_row() {
    each(CUTS, |cut| {
        let folder = folder_with(&lines());
        let pipeline = pipeline(cut, "transform = \"picky@0.1.0\"");
        let finished =
            folder.run_once(&pipeline).refused(&["operator `suspect`", "picky@0.1.0", "the row: {\"line\":\""]);
        let message = finished.message();
        let (_, shown) = message.split_once("the row: ").expect("it is there");
        let shown: Row = serde_json::from_str(shown.lines().next().expect("a line")).expect("the row is JSON");
        let line = shown["line"].as_str().expect("text");
        assert!(is_bad(line), "a row that is not at fault is named: {line}");
        assert!(cut.1 > 1 || line == "poison 0", "in one partition the first bad row comes first, not {line}");
        assert!(message.contains(&format!("`{line}`")), "the operator's own words are missing: {message}");
        assert!(folder.tree("out").is_empty());
    });
}

#[test]
fn given_poison_rows_when_the_policy_is_skip_then_all_others_come_out_in_order() {
    each(CUTS, |cut| {
        let folder = folder_with(&lines());
        let finished = folder.run_once(&pipeline(cut, "transform = \"picky@0.1.0\"\non_reject = \"skip\"")).ok();
        let expected: Vec<Value> = lines().into_iter().filter(|line| !is_bad(line)).map(Value::from).collect();
        assert_eq!(folder.batches("out").column("line"), expected.iter().collect::<Vec<_>>());
        assert_eq!(folder.dead_letters("p").rows().count(), 0);
        assert!(finished.stderr.contains("\"rejected\":8"), "{}", finished.stderr);
    });
}

#[test]
fn given_poison_rows_when_the_policy_is_dead_letter_then_each_is_kept_with_all_that_is_known_of_it() {
    let mut files = Vec::new();
    for cut in CUTS {
        let folder = folder_with(&lines());
        let finished = folder.run_once(&pipeline(cut, "transform = \"picky@0.1.0\"\non_reject = \"dead-letter\"")).ok();
        assert!(finished.stderr.contains("8 rows were rejected"), "{}", finished.stderr);
        let good: Vec<Value> = lines().into_iter().filter(|line| !is_bad(line)).map(Value::from).collect();
        assert_eq!(folder.batches("out").column("line"), good.iter().collect::<Vec<_>>());

        let letters = folder.dead_letters("p");
        assert_eq!(letters.0.keys().collect::<Vec<_>>(), [&1000]);
        let digest = digest(&folder, "picky@");
        let expected: Vec<String> = lines().into_iter().filter(|line| is_bad(line)).collect();
        assert_eq!(letters.rows().count(), expected.len());
        for (letter, line) in letters.rows().zip(&expected) {
            assert_eq!(letter["row"], json!({ "line": line }), "the letters are in the order of the rows");
            assert_eq!(letter["operator"], "suspect");
            assert_eq!(letter["component"], "picky@0.1.0");
            assert_eq!(letter["digest"], digest);
            assert_eq!(letter["batch_time"], 1000);
            let reason = letter["reason"].as_str().expect("text");
            if line.starts_with("poison") {
                assert!(
                    reason.starts_with("trapped: ") && reason.contains(&format!("poisoned by `{line}`")),
                    "{reason}"
                );
            } else {
                assert_eq!(reason, format!("`{line}` asked for it"));
            }
        }
        files.push(folder.read("data/pipelines/p/once/dead-letters/1000.jsonl"));
    }
    assert!(files.iter().all(|file| *file == files[0]), "how rows were cut shows in the dead letters");
}

#[test]
fn given_a_budget_when_a_batch_rejects_as_much_then_it_commits_and_when_it_rejects_more_then_nothing_of_it_is_visible()
{
    let with = |policy: &str, budget: &str| {
        format!("transform = \"picky@0.1.0\"\non_reject = \"{policy}\"\nmax_rejects = {budget}")
    };
    each([((8192, 1), "skip"), ((7, 3), "skip"), ((64, 3), "dead-letter")], |(cut, policy)| {
        for enough in ["8", "\"8%\""] {
            let folder = folder_with(&lines());
            folder.run_once(&pipeline(cut, &with(policy, enough))).ok();
            assert_eq!(folder.batches("out").rows().count(), 92, "{enough}");
        }
        for (little, shown) in [("7", "7"), ("\"7.9999%\"", "7.9999%")] {
            let folder = folder_with(&lines());
            let digest = digest(&folder, "picky@");
            let short = &digest[.."sha256:".len() + 12];
            folder.run_once(&pipeline(cut, &with(policy, little))).refused(&[
                &format!(
                    "operator `suspect` (picky@0.1.0, {short}) rejected 8 of 100 rows of batch 1970-01-01T00:00:01.000Z, more \
                     than its `max_rejects` of {shown}; the first: trapped: "
                ),
                "poisoned by `poison 0`",
                "\n  the row: {\"line\":\"poison 0\"}\n",
                "name a version of the component that takes them, or raise `max_rejects` of [operators.suspect]",
            ]);
            assert!(folder.tree("out").is_empty());
            assert_eq!(folder.dead_letters("p").rows().count(), 0);
        }
    });
}

#[test]
fn given_a_source_with_a_budget_when_more_records_cannot_be_read_then_the_batch_fails_and_shows_the_first() {
    let pipeline = |budget: &str| {
        format!(
            r#"
            batch = {{ partitions = 3, block_size = "30 B" }}
            [sources.numbers]
            type = "file"
            path = "numbers.jsonl"
            format = "json"
            schema = {{ n = "int64" }}
            on_reject = "skip"
            max_rejects = {budget}
            [sinks.out]
            type = "files"
            path = "out"
            inputs = ["numbers"]
            "#
        )
    };
    let folder = Folder::new();
    let record = |n: usize| if n % 25 == 7 { format!("no number {n}\n") } else { format!("{{\"n\":{n}}}\n") };
    folder.write("numbers.jsonl", (0..100).map(record).collect::<String>());
    folder.run_once(&pipeline("3")).refused(&[
        "source `numbers` rejected 4 of 100 records of batch 1970-01-01T00:00:01.000Z, more than its `max_rejects` of 3; the \
         first: ",
        "\n  the row: no number 7\n",
        "To go on, raise `max_rejects` of [sources.numbers]",
    ]);
    assert!(folder.tree("out").is_empty());
    folder.run_once(&pipeline("\"4%\"")).ok();
    assert_eq!(folder.batches("out").rows().count(), 96);
}

#[test]
fn given_a_component_that_lies_about_one_line_when_run_then_that_line_alone_is_rejected() {
    let deeds = ["trap", "spin", "grab_memory", "overflow_stack", "offsets_decrease", "not_utf8", "wrong_type"];
    let more =
        ["long_column", "null_in_non_nullable", "origin_out_of_range", "slices_out_of_range", "reject_out_of_range"];
    each(deeds.iter().chain(&more).flat_map(|deed| [(7, 1), (64, 3)].map(|cut| (deed, cut))), |(deed, cut)| {
        let folder = folder_with(&lines());
        // A spin costs its fuel at every step of the search.
        let operator = format!(
            "transform = \"evil@0.1.0\"\non_reject = \"dead-letter\"\nlimits = {{ fuel = 20000000 }}\n\
             config = {{ do = \"{deed}\", line = \"poison 38\" }}"
        );
        folder.run_once(&pipeline(cut, &operator)).ok();
        let expected: Vec<Value> = lines().into_iter().filter(|line| line != "poison 38").map(Value::from).collect();
        assert_eq!(folder.batches("out").column("out"), expected.iter().collect::<Vec<_>>());
        assert_eq!(folder.dead_letters("p").column("row"), [&json!({"line": "poison 38"})]);
    });
}

/// Rows of four users, some of them with a line on which `evil-aggregate` goes wrong.
fn visits() -> Vec<Row> {
    let line = |n: usize| if n % 11 == 3 { "poison".to_owned() } else { format!("line {n}") };
    let user = |n: usize| ["ann", "bob", "cyd", "dan"][n * n % 4 + n % 3 % 2];
    (0..80).map(|n| row(json!({"user": user(n), "line": line(n), "n": n}))).collect()
}

fn visits_pipeline(cut: (usize, usize), operator: &str) -> String {
    format!(
        r#"
        [batch]
        chunk_rows = {}
        partitions = {}
        block_size = "200 B"
        [sources.visits]
        type = "file"
        path = "visits.jsonl"
        format = "json"
        schema = {{ user = "utf8", line = "utf8", n = "int64" }}
        [operators.suspect]
        aggregate = "evil-aggregate@0.1.0"
        inputs = ["visits"]
        {operator}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["suspect"]
        "#,
        cut.0, cut.1
    )
}

/// What came out, its bytes, and the bytes of the dead letters.
fn aggregated(cut: (usize, usize), operator: &str) -> (Vec<Row>, Vec<Row>, String) {
    let folder = Folder::new();
    let text: String = visits().into_iter().map(|row| format!("{}\n", Value::Object(row))).collect();
    folder.write("visits.jsonl", text);
    folder.run_once(&visits_pipeline(cut, operator)).ok();
    let letters = folder.dead_letters("p").rows().cloned().collect();
    let file = if folder.tree("data/pipelines/p/once/dead-letters").is_empty() {
        String::new()
    } else {
        folder.read("data/pipelines/p/once/dead-letters/1000.jsonl")
    };
    (folder.batches("out").rows().cloned().collect(), letters, file)
}

#[test]
fn given_poison_rows_of_some_keys_when_aggregated_then_the_other_rows_of_these_keys_count() {
    let deeds = ["trap_in_create", "create_too_many", "create_wrong_type", "create_no_column", "reject_out_of_range"];
    let healthy = || visits().into_iter().filter(|row| row["line"] != "poison");
    let count = |user: &str| healthy().filter(|row| row["user"] == user).count();
    let expected: Vec<Row> =
        ["ann", "bob", "cyd", "dan"].map(|user| row(json!({"user": user, "count": count(user)}))).into();
    let expected: Vec<Row> = expected.into_iter().filter(|row| row["count"] != 0).collect();
    let poison: Vec<Row> = visits().into_iter().filter(|row| row["line"] == "poison").collect();
    each(deeds, |deed| {
        let mut files = Vec::new();
        for cut in CUTS {
            let config = format!("key = [\"user\"]\nconfig = {{ do = \"{deed}\", line = \"poison\" }}");
            let (out, _, _) = aggregated(cut, &format!("{config}\non_reject = \"skip\""));
            assert_eq!(sorted(out), sorted(expected.clone()), "{cut:?}");
            let (out, letters, file) = aggregated(cut, &format!("{config}\non_reject = \"dead-letter\""));
            assert_eq!(sorted(out), sorted(expected.clone()), "{cut:?}");
            let rows = letters.iter().map(|letter| row(letter["row"].clone())).collect();
            assert_eq!(sorted(rows), sorted(poison.clone()), "{cut:?}");
            files.push(file);
        }
        assert!(files.iter().all(|file| *file == files[0]), "how rows were cut shows in the dead letters");
    });
}

#[test]
fn given_keys_that_cannot_be_merged_or_finished_when_aggregated_then_they_are_rejected_whatever_the_cut() {
    each(["trap_in_merge", "merge_nothing", "trap_in_finish", "finish_too_few"], |deed| {
        let mut results = Vec::new();
        for cut in CUTS {
            let operator = format!("key = [\"user\"]\non_reject = \"dead-letter\"\nconfig = {{ do = \"{deed}\" }}");
            results.push(aggregated(cut, &operator));
        }
        let (out, letters, _) = &results[0];
        assert!(out.is_empty(), "{out:?}");
        assert!(letters.iter().all(|letter| letter["row"]["user"].is_string()), "a letter names its key: {letters:?}");
        assert!(results.iter().all(|result| result == &results[0]), "how rows were cut shows in the dead letters");
    });
}
