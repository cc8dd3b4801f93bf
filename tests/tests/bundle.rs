//! What an operator was given in a past batch, in a file: run elsewhere, it gives the same rows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::fs;

use serde_json::{Value, json};
use weir_tests::guests::wasm;
use weir_tests::{Finished, Folder};

/// A transform, a windowed aggregate and a state over 600 rows in six batches.
const PIPELINE: &str = r#"
    name = "p"
    [sources.posts]
    type = "file"
    path = "posts.jsonl"
    format = "json"
    rate = "100/s"
    [operators.lines]
    sql = "select text as line from posts"
    inputs = ["posts"]
    [operators.words]
    transform = "words@0.1.0"
    inputs = ["lines"]
    [operators.recent]
    aggregate = "count@0.1.0"
    inputs = ["words"]
    key = ["word"]
    window = { length = "3s", slide = "1s" }
    [operators.moods]
    state = "mood@0.1.0"
    inputs = ["posts"]
    key = ["user"]
    [sinks.recent_out]
    type = "files"
    path = "recent"
    inputs = ["recent"]
    [sinks.moods_out]
    type = "files"
    path = "moods"
    inputs = ["moods"]
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    let users = ["ann", "bob", "cyd"];
    let row = |n: usize| json!({"user": users[n % 3], "text": format!("to be {} not :)", n % 17)});
    folder.write("posts.jsonl", (0..600).map(|n| format!("{}\n", row(n))).collect::<String>());
    folder.run_once(PIPELINE).ok();
    folder
}

/// The rows that a command printed.
fn printed(finished: &Finished) -> Vec<Value> {
    finished.stdout.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
}

/// The rows that a batch gave a sink.
fn given(folder: &Folder, sink: &str, batch: u64) -> Vec<Value> {
    let batches = folder.batches(sink);
    batches.0[&batch].iter().map(|row| Value::Object(row.clone())).collect()
}

#[test]
fn given_a_past_batch_when_bundled_and_run_in_another_folder_then_the_same_rows_come_out() {
    let folder = folder();
    let elsewhere = Folder::empty();
    for (operator, sink) in [("words", None), ("moods", Some("moods")), ("recent", None)] {
        let file = elsewhere.path(&format!("{operator}.bundle"));
        let file = file.to_str().expect("a path of text");
        folder.weir(&["bundle", "4000", operator, "--once", "--to", file]).ok();
        folder.weir(&["bundle", "4000", operator, "--once", "--to", file]).refused(&["is there already", "--to"]);
        let finished = elsewhere.weir(&["plugin", "test", file]).ok();
        // A window's aggregate gives the rows of the window, of which a bundle has those of the batch.
        assert_eq!(
            finished.stderr.contains("the same rows as in batch 1970-01-01T00:00:04.000Z"),
            operator != "recent"
        );
        assert!(!printed(&finished).is_empty());
        if let Some(sink) = sink {
            assert_eq!(printed(&finished), given(&folder, sink, 4000));
            assert!(finished.stdout.starts_with("{\"user\":"), "columns in their order: {}", finished.stdout);
        }
    }
}

#[test]
fn given_a_batch_that_has_failed_when_bundled_then_it_fails_elsewhere_too_and_a_mended_component_does_not() {
    let folder = Folder::new();
    let line = |n| if n == 7 { "reject me\n".to_owned() } else { format!("line {n}\n") };
    folder.write("lines.txt", (0..10).map(line).collect::<String>());
    let pipeline = "name = \"p\"\n[sources.lines]\ntype = \"file\"\npath = \"lines.txt\"\n\
                    [operators.suspect]\ntransform = \"picky@0.1.0\"\ninputs = [\"lines\"]\n\
                    [sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"suspect\"]\n";
    folder.run_once(pipeline).refused(&["`reject me` asked for it"]);
    folder.weir(&["bundle", "1000", "suspect", "--once", "--to", "bad"]).ok();
    folder.weir(&["plugin", "test", "bad"]).refused(&["operator `suspect` (picky@0.1.0", "`reject me` asked for it"]);
    let patient = wasm("patient");
    let finished = folder.weir(&["plugin", "test", patient.to_str().unwrap(), "--input", "bad"]).ok();
    assert_eq!(printed(&finished).len(), 10, "{}", finished.stderr);
    let evil = wasm("evil");
    let evil = evil.to_str().unwrap();
    let named = format!("operator `suspect` ({evil}, ");
    folder.weir(&["plugin", "test", evil, "--input", "bad"]).refused(&[&named, "evil needs to know what to do"]);
    folder.weir(&["plugin", "test", "bad", "--max-fuel", "1"]).refused(&[]);
    let says = ["more than the 1 of --max-fuel"];
    folder.weir(&["plugin", "test", patient.to_str().unwrap(), "--input", "bad", "--max-fuel", "1"]).refused(&says);
}

#[test]
fn given_what_cannot_be_bundled_or_run_then_the_error_says_why() {
    let folder = folder();
    let bundle = |args: &[&str]| folder.weir(&[&["bundle"], args, &["--once", "--to", "b"]].concat());
    bundle(&["4000", "nobody"]).refused(&["no operator `nobody`", "words"]);
    bundle(&["4000", "lines"]).refused(&["operator `lines` is no component"]);
    bundle(&["4001", "words"]).refused(&["knows no batch"]);
    bundle(&["4000", "words"]).ok();
    let whole = fs::read(folder.path("b")).unwrap();
    let test = |args: &[&str]| folder.weir(&[&["plugin", "test", "b"], args].concat());
    test(&["--key", "word"]).refused(&["b says itself", "--max-fuel"]);
    test(&["--input", "posts.jsonl"]).refused(&["leave --input out"]);
    folder.write("b", &whole[..whole.len() - 1]);
    test(&[]).refused(&["b: it is damaged, or cut short"]);
    let other = [b"WEIRBND9", &whole[8..]].concat();
    folder.write("b", other);
    test(&[]).refused(&["b: it is no bundle of this version"]);
    folder.weir(&["plugin", "test", wasm("words").to_str().unwrap()]).refused(&["name the rows with --input"]);
}
