//! Records that are no rows: the source's policy says what becomes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use serde_json::{Value, json};
use weir_tests::output::Row;
use weir_tests::{Folder, each};

/// A format, its file, and the ids of the rows that can be read; the others in order, and why they cannot.
#[derive(Debug, Clone)]
struct Case {
    format: &'static str,
    file: &'static [u8],
    ids: &'static [i64],
    bad: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 3] = [
    Case {
        format: "json",
        file: b"{\"id\": 1, \"name\": \"one\"}\n\
                {\"id\": 2, \"name\": \n\
                \n\
                {\"id\": 3}\n\
                nonsense\n\
                [4]\n\
                {\"id\": 5.5}\n\
                {\"id\": \"six\"}\n\
                {\"id\": 7} {\"id\": 8}\n\
                {\"id\": 9, \"name\": \"not \xC3\x28\"}\n\
                {\"id\": 10, \"more\": [1, {}]}\n\
                {\"id\": 99999999999999999999}\n\
                {\"id\": null}\n\
                {\"id\": 13, \"name\": true}",
        ids: &[1, 3, 10, -1, 13],
        bad: &[
            ("{\"id\": 2, \"name\": ", "not complete"),
            ("nonsense", ""),
            ("[4]", ""),
            ("{\"id\": 5.5}", "`id`"),
            ("{\"id\": \"six\"}", "`id`"),
            ("{\"id\": 7} {\"id\": 8}", "more than one"),
            ("{\"id\": 9, \"name\": \"not \u{fffd}(\"}", "not UTF-8"),
            ("{\"id\": 99999999999999999999}", "`id`"),
        ],
    },
    Case {
        format: "csv",
        file: b"id,name\r\n\
                1,one\r\n\
                2\r\n\
                3,\"three, and\nmore\"\n\
                4,four,and more\n\
                five,5\n\
                ,nobody\n\
                \n\
                7,not \xC3\x28\n\
                8,\"eight\"\"s\"\n\
                9,",
        ids: &[1, 3, -1, 8, 9],
        bad: &[
            ("2", "2 fields"),
            ("4,four,and more", "2 fields"),
            ("five,5", "`id`"),
            ("7,not \u{fffd}(", "not UTF-8"),
        ],
    },
    Case { format: "text", file: b"one\n\xff\xfe\n\nfour", ids: &[], bad: &[("\u{fffd}\u{fffd}", "not UTF-8")] },
];

fn pipeline(case: &Case, policy: &str, cut: (usize, usize)) -> String {
    let schema = if case.format == "text" { "" } else { "schema = { id = \"int64\", name = \"utf8\" }" };
    format!(
        r#"
        [batch]
        chunk_rows = {}
        partitions = {}
        block_size = "50 B"
        [sources.records]
        type = "file"
        path = "records"
        format = "{}"
        on_reject = "{policy}"
        {schema}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["records"]
        "#,
        cut.0, cut.1, case.format
    )
}

fn run(case: &Case, policy: &str, cut: (usize, usize)) -> (Folder, weir_tests::Finished) {
    let folder = Folder::new();
    folder.write("records", case.file);
    let finished = folder.run_once(&pipeline(case, policy, cut));
    (folder, finished)
}

/// The ids that came out, -1 for null.
fn ids(folder: &Folder) -> Vec<i64> {
    folder.batches("out").column("id").into_iter().map(|id| id.as_i64().unwrap_or(-1)).collect()
}

const CUTS: [(usize, usize); 4] = [(1, 1), (3, 3), (8192, 1), (8192, 3)];

#[test]
fn given_malformed_records_when_the_policy_is_fail_then_the_host_stops_and_shows_one() {
    each(CASES, |case| {
        for cut in CUTS {
            let (folder, finished) = run(&case, "fail", cut);
            let finished = finished.refused(&["source `records`", "the record: ", "[sources.records]", "dead-letter"]);
            let (_, shown) = finished.message().split_once("the record: ").expect("it is there");
            let bad: Vec<&str> = case.bad.iter().map(|(record, _)| *record).collect();
            assert!(bad.iter().any(|bad| shown.starts_with(bad)), "{shown}");
            assert!(cut.1 > 1 || shown.starts_with(bad[0]), "in one partition the first comes first, not {shown}");
            assert!(folder.tree("out").is_empty());
        }
    });
}

#[test]
fn given_malformed_records_when_the_policy_is_skip_then_the_others_come_out() {
    each(CASES, |case| {
        for cut in CUTS {
            let (folder, finished) = run(&case, "skip", cut);
            finished.ok();
            if case.format == "text" {
                let lines = ["one", "", "four"].map(Value::from);
                assert_eq!(folder.batches("out").column("line"), lines.iter().collect::<Vec<_>>());
            } else {
                assert_eq!(ids(&folder), case.ids);
            }
            assert_eq!(folder.dead_letters("p").rows().count(), 0);
        }
    });
}

#[test]
fn given_malformed_records_when_the_policy_is_dead_letter_then_each_is_kept_as_it_was_with_the_reason() {
    each(CASES, |case| {
        let mut files = Vec::new();
        for cut in CUTS {
            let (folder, finished) = run(&case, "dead-letter", cut);
            finished.ok();
            let letters: Vec<Row> = folder.dead_letters("p").rows().cloned().collect();
            assert_eq!(letters.len(), case.bad.len(), "{letters:?}");
            for (letter, (record, reason)) in letters.iter().zip(case.bad) {
                assert_eq!(letter["row"], json!(record));
                assert_eq!(letter["operator"], "records");
                assert!(!letter.contains_key("component") && !letter.contains_key("digest"), "a source has none");
                let said = letter["reason"].as_str().expect("text");
                assert!(said.contains(reason), "{record}: {said}");
            }
            files.push(folder.read("data/pipelines/p/once/dead-letters/1000.jsonl"));
        }
        assert!(
            files.iter().all(|file| *file == files[0]),
            "how records were cut shows in the dead letters:\n{files:#?}"
        );
    });
}

#[test]
fn given_a_record_over_a_mebibyte_when_read_then_it_is_rejected_and_its_letter_is_short() {
    let long = "x".repeat((1 << 20) + 1);
    each(["text", "json", "csv"], |format| {
        let file = match format {
            "text" => format!("one\n{long}\nthree\n"),
            "json" => format!("{{\"id\": 1}}\n{{\"id\": 2, \"name\": \"{long}\"}}\n{{\"id\": 3}}\n"),
            _ => format!("id,name\n1,one\n2,{long}\n3,three\n"),
        };
        let case = Case { format, file: b"", ids: &[], bad: &[] };
        let folder = Folder::new();
        folder.write("records", file);
        folder.run_once(&pipeline(&case, "dead-letter", (8192, 3))).ok();
        assert_eq!(folder.batches("out").rows().count(), 2);
        let letters = folder.dead_letters("p");
        assert!(letters.column("reason")[0].as_str().is_some_and(|reason| reason.contains("1 MiB")));
        assert!(letters.column("row")[0].as_str().is_some_and(|record| !record.is_empty() && record.len() < 10_000));
        folder.run_once(&pipeline(&case, "fail", (8192, 3))).refused(&["source `records`", "1 MiB"]);
    });
}

#[test]
fn given_malformed_records_of_a_table_when_run_then_the_host_does_not_start_and_names_the_record() {
    let folder = Folder::new();
    folder.write("records", "{\"id\": 1}\nnonsense\n");
    folder.write("lines.txt", "one\n");
    let pipeline = r#"
        [sources.lines]
        type = "file"
        path = "lines.txt"
        [tables.known]
        path = "records"
        format = "json"
        schema = { id = "int64" }
        [operators.joined]
        sql = "SELECT line, id FROM lines, known"
        inputs = ["lines"]
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["joined"]
    "#;
    folder.run_once(pipeline).refused(&["table `known`", "record 2", "nonsense"]);
}

#[test]
fn given_input_that_cannot_be_read_at_all_when_run_then_the_message_says_what_to_do() {
    let check = |files: &[(&str, &str)], source: &str, says: &[&str]| {
        let folder = Folder::new();
        files.iter().for_each(|(name, contents)| folder.write(name, contents));
        let pipeline = format!(
            "[sources.records]\ntype = \"file\"\n{source}\n[sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"records\"]\n"
        );
        folder.run_once(&pipeline).refused(&["source `records`"]).refused(says);
    };
    check(&[], "path = \"none.txt\"", &["no file or folder", "none.txt"]);
    check(&[("empty.jsonl", "")], "path = \"empty.jsonl\"\nformat = \"json\"", &["empty.jsonl", "`schema`"]);
    check(
        &[("lists.jsonl", "{\"a\": [1]}\n")],
        "path = \"lists.jsonl\"\nformat = \"json\"",
        &["`a` holds a list", "`schema`"],
    );
    let twice = [("in/a.csv", "x,y\n1,2\n"), ("in/b.csv", "y,x\n1,2\n")];
    check(&twice, "path = \"in\"\nformat = \"csv\"", &["b.csv", "`y,x`", "`x,y`", "in the same order"]);
}
