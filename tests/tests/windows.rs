//! Windows on batch time, as people get them wrong: told at check time, with the place and the way out. What windows give
//! when they are right is told by `vectors/windows.toml` and the oracle.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use weir_tests::{Folder, each};

/// Word counts over windows, and a join of two streams that slide alike.
const WINDOWS: &str = r#"[batch]
interval = "2s"
[sources.words]
type = "file"
path = "words.jsonl"
format = "json"
schema = { word = "utf8" }
[operators.recent]
inputs = ["words"]
window = { length = "12s", slide = "4s" }
[operators.counts]
aggregate = "count@0.1.0"
inputs = ["words"]
key = ["word"]
window = { length = "8s", slide = "4s" }
[operators.both]
sql = "SELECT recent.word, count FROM recent JOIN counts ON recent.word = counts.word"
inputs = ["recent", "counts"]
[operators.later]
inputs = ["both"]
window = { length = "8s" }
[sinks.out]
type = "files"
path = "out"
inputs = ["later"]
"#;

fn folder(pipeline: &str) -> Folder {
    let folder = Folder::new();
    folder.write("words.jsonl", "{\"word\": \"a\"}\n");
    folder.write("p.toml", pipeline);
    folder
}

#[test]
fn given_windows_that_fit_when_checked_then_the_pipeline_is_sound() {
    folder(WINDOWS).weir(&["check", "p.toml"]).ok();
}

#[test]
fn given_windows_that_do_not_fit_when_checked_or_run_then_the_message_names_the_key_and_what_would_fit() {
    let later = "[operators.later]\ninputs = [\"both\"]\n";
    let cases: [(&str, &str, &[&str]); 17] = [
        // Against the batch interval.
        (
            "length = \"12s\"",
            "length = \"11s\"",
            &["p.toml:10:", "[operators.recent.window]", "`length` of 11s", "no multiple of the batch interval, 2s"],
        ),
        (
            "slide = \"4s\" }\n[operators.counts]",
            "slide = \"3s\" }\n[operators.counts]",
            &["`slide` of 3s", "interval, 2s"],
        ),
        ("length = \"12s\"", "ago = \"1s\", length = \"12s\"", &["`ago` of 1s", "interval, 2s"]),
        ("length = \"12s\"", "length = \"0s\"", &["`length` of 0s", "interval, 2s"]),
        (
            "slide = \"4s\" }\n[operators.counts]",
            "slide = \"0s\" }\n[operators.counts]",
            &["`slide` of 0s", "interval, 2s"],
        ),
        ("length = \"12s\", ", "", &["[operators.recent.window] needs a `length`", "`length = \"30s\"`"]),
        ("length = \"12s\"", "length = \"12\"", &["p.toml:10:", "`12`", "write numbers with units"]),
        ("length = \"12s\"", "length = \"400 days\"", &["[operators.recent.window]", "the most is 1000000"]),
        ("length = \"12s\"", "lenght = \"12s\"", &["p.toml:10:", "`lenght`", "`length`"]),
        // Against another stream.
        (
            "window = { length = \"8s\", slide = \"4s\" }",
            "window = { length = \"8s\", slide = \"8s\" }",
            &[
                "operator `both`",
                "`recent`, which has rows every 4s",
                "`counts`, which has rows every 8s",
                "same `slide`",
            ],
        ),
        ("inputs = [\"recent\", \"counts\"]", "inputs = [\"words\", \"recent\", \"counts\"]", &["`words`", "every 2s"]),
        (
            "window = { length = \"8s\" }",
            "window = { length = \"6s\" }",
            &["`length` of [operators.later.window] is 6s", "`both` has rows every 4s only", "a multiple of that"],
        ),
        (
            "window = { length = \"8s\" }",
            "window = { length = \"8s\", slide = \"2s\" }",
            &["`slide` of [operators.later.window] is 2s", "`both` has rows every 4s only"],
        ),
        (
            "window = { length = \"8s\" }",
            "window = { length = \"8s\", ago = \"2s\" }",
            &["`ago` of [operators.later.window] is 2s", "`both` has rows every 4s only"],
        ),
        // Against what the operator is.
        (
            later,
            "[operators.later]\ninputs = [\"both\"]\nkey = [\"word\"]\n",
            &["`key` does not go with a `window` alone"],
        ),
        (
            "window = { length = \"8s\" }",
            "",
            &["[operators.later]", "exactly one of `transform`", "a `window`", "none"],
        ),
        (
            "window = { length = \"8s\" }",
            "window = { gap = \"8s\", on = \"batch_time\" }",
            &["[operators.later.window] is a session, which is on event time"],
        ),
    ];
    each(cases, |(from, to, says)| {
        assert!(WINDOWS.contains(from), "{from}");
        let folder = folder(&WINDOWS.replacen(from, to, 1));
        folder.weir(&["check", "p.toml"]).refused(says);
        folder.weir(&["run", "--once", "p.toml"]).refused(says);
        assert!(folder.tree("out").is_empty());
    });
}
