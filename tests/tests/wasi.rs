//! Operators whose toolchain asks WASI for the time, for randomness, for files: what they are given follows from the task.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::collections::BTreeSet;

use weir_tests::guests::AMBIENT;
use weir_tests::{Folder, each};

/// A folder in which the guest is known as one toolchain makes it, with questions for it.
fn folder(version: &str, questions: &str) -> Folder {
    let folder = Folder::empty();
    let [first, second] = &*AMBIENT;
    let file = if version == "1.0.0" { first } else { second }.display().to_string();
    let registered = folder.weir(&["plugin", "register", &file, "--version", version]).ok().stdout;
    assert!(registered.starts_with(&format!("ambient@{version} registered: transform, ")), "{registered}");
    folder.write("lines.txt", questions);
    folder
}

/// A pipeline that asks the questions in `lines.txt`, so many a batch.
fn pipeline(version: &str, a_batch: usize, more: &str) -> String {
    format!(
        r#"
        name = "p"
        batch = {{ partitions = 3, chunk_rows = 2, block_size = "20 B" }}
        [sources.lines]
        type = "file"
        path = "lines.txt"
        rate = "{a_batch}/s"
        [operators.asked]
        transform = "ambient@{version}"
        inputs = ["lines"]
        {more}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["asked"]
        "#
    )
}

/// The answers to a question in each batch.
fn answers(folder: &Folder, question: &str) -> Vec<(u64, String)> {
    let batches = folder.batches("out").0.into_iter();
    let answers = batches.flat_map(|(time, rows)| rows.into_iter().map(move |row| (time, row)));
    let answers = answers.filter(|(_, row)| row["line"] == question);
    answers.map(|(time, row)| (time, row["answer"].as_str().expect("text").to_owned())).collect()
}

/// The guest by way of the adapter, and as a component from the start.
const VERSIONS: [&str; 2] = ["1.0.0", "2.0.0"];

#[test]
fn given_a_guest_that_asks_for_the_world_when_run_then_it_is_told_what_follows_from_its_batch() {
    let questions = ["clock", "elapsed", "environment", "file", "stdin", "print", "random"];
    each(VERSIONS, |version| {
        let folder = folder(version, &format!("{}\n", questions.join("\n")).repeat(3));
        folder.run_once(&pipeline(version, questions.len(), "")).ok();
        let batches = [1000, 2000, 3000];
        let all = |answer: &str| batches.map(|batch| (batch, answer.to_owned()));
        assert_eq!(answers(&folder, "clock"), batches.map(|batch| (batch, batch.to_string())));
        assert_eq!(answers(&folder, "elapsed"), all("0"));
        assert_eq!(answers(&folder, "environment"), all("0 0"));
        assert_eq!(answers(&folder, "stdin"), all("0"));
        assert_eq!(answers(&folder, "print"), all("printed"));
        for (batch, answer) in answers(&folder, "file") {
            assert_ne!(answer, "read", "batch {batch}");
        }
    });
}

#[test]
fn given_a_guest_that_asks_for_randomness_when_run_again_then_every_byte_is_the_same() {
    let run = |version: &str| {
        let folder = folder(version, &"random\nclock\nsleep\n".repeat(20));
        folder.run_once(&pipeline(version, 30, "")).ok();
        folder
    };
    each(VERSIONS, |version| {
        let (once, again) = (run(version), run(version));
        assert_eq!(once.tree("out").0, again.tree("out").0);
        assert!(once.weir(&["verify", "--once"]).ok().stdout.contains("differing 0"));
        // Not one number twice, whatever the batch or the partition.
        let random = answers(&once, "random");
        assert_eq!(random.len(), 20);
        assert_eq!(random.iter().map(|(_, number)| number).collect::<BTreeSet<_>>().len(), 20, "{random:?}");
        // An hour passes when it is slept through, and takes no time.
        let slept = answers(&once, "sleep");
        assert!(slept.iter().all(|(_, millis)| millis == "3600000"), "{slept:?}");
    });
}

#[test]
fn given_a_guest_that_exits_or_aborts_when_run_then_its_row_is_rejected_in_its_own_words() {
    each(VERSIONS, |version| {
        let folder = folder(version, "clock\nexit\nabort\npanic\nclock\n");
        folder.run_once(&pipeline(version, 5, "on_reject = \"dead-letter\"")).ok();
        assert_eq!(answers(&folder, "clock").len(), 2);
        let letters = folder.dead_letters("p");
        let reason = |question: &str| {
            let letter = letters.rows().find(|letter| letter["row"]["line"] == question).expect("it was rejected");
            letter["reason"].as_str().expect("text").to_owned()
        };
        assert_eq!(reason("exit"), "trapped: it called `exit`, with a failure");
        assert!(reason("panic").contains("asked to panic"), "{}", reason("panic"));
        let said =
            "Traceback (most recent call last):\n  somewhere\nValueError: what a language prints before it gives up";
        assert!(reason("abort").ends_with(said), "{}", reason("abort"));
    });
}

#[test]
fn given_a_guest_that_prints_when_run_then_what_it_printed_is_in_the_log_of_its_task() {
    let folder = folder("2.0.0", "print\n");
    let finished = folder.run_once(&pipeline("2.0.0", 1, "")).ok();
    for (level, line) in [("INFO", "printed to standard output"), ("ERROR", "printed to standard error")] {
        let logged = |told: &str| told.contains(line) && told.contains(level) && told.contains("asked");
        assert!(finished.stderr.lines().any(logged), "{}", finished.stderr);
    }
}

#[test]
fn given_a_component_that_imports_wasi_when_shown_then_it_says_so() {
    let shown = folder("2.0.0", "").weir(&["plugin", "show", "ambient@2.0.0"]).ok().stdout;
    assert!(shown.contains("world    transform, of weir:operator@0.1.0") && shown.contains("wasi     "), "{shown}");
}
