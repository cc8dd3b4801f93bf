//! Dead letters: listed, and sent through again, each exactly once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use weir_tests::output::{Row, row, sorted};
use weir_tests::{Event, Folder, Live, Receiver};

/// An address that nobody listens on.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").to_string()
}

/// Lines posted over HTTP, those of a request in one batch, through an operator that does not take all of them.
fn pipeline(address: &str, suspect: &str) -> String {
    format!(
        r#"
        name = "p"
        batch = {{ interval = "100ms", partitions = 3 }}
        checkpoint = {{ interval = "1h" }}
        [sources.lines]
        type = "http"
        listen = "{address}"
        [operators.suspect]
        transform = "picky@0.1.0"
        inputs = ["lines"]
        on_reject = "dead-letter"
        {suspect}
        [operators.words]
        transform = "words@0.1.0"
        inputs = ["suspect"]
        [operators.counts]
        aggregate = "count@0.1.0"
        inputs = ["words"]
        key = ["word"]
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["suspect"]
        [sinks.counted]
        type = "files"
        path = "counted"
        inputs = ["counts"]
        "#
    )
}

/// A host that has rejected two of four lines, and a third for good.
fn rejecting(folder: &Folder, address: &str, suspect: &str) -> Live {
    let mut host = folder.start(&pipeline(address, suspect)).started();
    send(&mut host, address, &["fine", "reject me 1", "also fine", "reject me 2", "poison"]);
    host
}

fn send(host: &mut Live, address: &str, lines: &[&str]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    ureq::post(format!("http://{address}/")).send(text).expect("the host takes rows");
    host.rows_in(lines.len() as u64);
}

/// Waits until letters were sent through again, of this operator; with which batch.
fn resent(host: &mut Live, operator: &str) -> String {
    let is = |event: &Event| event.is("dead letters were sent through again") && event.fields["operator"] == operator;
    let event = host.wait_for("dead letters to be sent through again", is);
    event.fields["batch"].as_str().expect("a time").to_owned()
}

fn lines(folder: &Folder) -> Vec<String> {
    let output = folder.batches("out");
    let mut lines: Vec<_> = output.column("line").into_iter().map(|line| line.as_str().unwrap().to_owned()).collect();
    lines.sort();
    lines
}

/// The rows of all letters.
fn letters(folder: &Folder) -> Vec<Row> {
    folder.dead_letters("p").rows().cloned().collect()
}

fn rows_of(letters: &[Row]) -> Vec<&Value> {
    letters.iter().map(|letter| &letter["row"]).collect()
}

fn stop(mut host: Live) -> Live {
    host.terminate();
    host.finish().ok();
    host
}

fn verified(folder: &Folder) {
    let verified = folder.weir(&["verify"]).ok().stdout;
    assert!(verified.trim_end().ends_with(" differing 0"), "{verified}");
}

#[test]
fn given_a_run_over_all_input_when_its_letters_are_listed_then_each_has_a_line_and_the_next_run_has_others() {
    let folder = Folder::new();
    let long = format!("reject me {}", "x".repeat(400));
    folder.write("lines.txt", format!("fine\nreject me\n{long}\n"));
    let text = "[sources.lines]\ntype = \"file\"\npath = \"lines.txt\"\n[operators.suspect]\ntransform = \"picky@0.1.0\"\n\
                inputs = [\"lines\"]\non_reject = \"dead-letter\"\n\
                [sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"suspect\"]\n";
    folder.weir(&["dead-letters", "list"]).refused(&["no pipeline was run with the data folder"]);
    folder.run_once(text).ok();

    let listed = folder.weir(&["dead-letters", "list", "--once"]).ok().stdout;
    let told: Vec<&str> = listed.lines().collect();
    assert_eq!(
        told[0],
        "1970-01-01T00:00:01.000Z  suspect  picky@0.1.0  `reject me` asked for it  {\"line\":\"reject me\"}"
    );
    let reason = format!("  `{long}` asked for it  {{\"line\":\"reject me xxx");
    assert!(told[1].contains(&reason) && told[1].ends_with("xxx…"), "{}", told[1]);
    assert_eq!(told[2..], ["2 dead letters"]);

    let listed = folder.weir(&["dead-letters", "list", "--once", "--format", "json", "--pipeline", "p"]).ok();
    let rows: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|letter| &letter["row"]["line"]).collect::<Vec<_>>(), ["reject me", &long]);
    assert_eq!((&rows[0]["batch_time"], &rows[0]["operator"]), (&json!(1000), &json!("suspect")));
    let elsewhere = "no dead letters of live runs; the last run with --once has some: list them with --once\n";
    for (none, told) in [(&["--once", "--operator", "lines"][..], "no dead letters\n"), (&[], elsewhere)] {
        let listed = folder.weir(&[&["dead-letters", "list"], none].concat()).ok().stdout;
        assert_eq!(listed, told, "{none:?}");
    }
    folder.weir(&["dead-letters", "list", "--pipeline", "q"]).refused(&["no pipeline `q` was run"]);
    folder.weir(&["dead-letters", "retry", "--all"]).refused(&[
        "of its last run with --once alone",
        "run it once more",
        "no host runs with the data folder",
    ]);

    folder.write("lines.txt", "fine\n");
    folder.run_once(text).ok();
    assert_eq!(folder.weir(&["dead-letters", "list", "--once"]).ok().stdout, "no dead letters\n");
    assert_eq!(folder.weir(&["dead-letters", "list"]).ok().stdout, "no dead letters\n");
    folder.weir(&["dead-letters", "retry", "--all"]).refused(&["error: no host runs with the data folder"]);
}

#[test]
fn given_letters_when_retried_after_a_fixed_component_was_swapped_in_then_rows_come_once_and_others_are_letters_again()
{
    let (folder, address) = (Folder::new(), free_address());
    let mut host = rejecting(&folder, &address, "");
    assert_eq!(letters(&folder).len(), 3);
    folder.weir(&["swap", "suspect", "patient@0.1.0"]).ok();

    let answer = folder.weir(&["dead-letters", "retry", "--operator", "suspect"]).ok().stdout;
    assert!(answer.starts_with("3 dead letters of `suspect` go with batch "), "{answer}");
    let promised = answer.trim_end().rsplit(' ').next().unwrap().to_owned();
    // They are taken, whether the batch has run by now or not.
    let again = folder.weir(&["dead-letters", "retry", "--all"]);
    assert_eq!(resent(&mut host, "suspect"), promised);
    let listed = folder.weir(&["dead-letters", "list"]).ok().stdout;
    assert!(
        listed.contains("patient@0.1.0  `poison` is still poison") && listed.ends_with("\n1 dead letter\n"),
        "{listed}"
    );
    let told: Vec<&str> = listed.lines().collect();
    // Asked twice, the letter that came again may have gone with a later batch, and come again.
    if again.status.success() {
        assert!(again.stdout.starts_with("1 dead letter of `suspect` goes with batch "), "{}", again.stdout);
    } else {
        again.refused(&["there are no dead letters that could be sent through again"]);
        assert!(told[0].starts_with(&promised), "{listed}");
    }
    send(&mut host, &address, &["reject me 3"]);
    verified(&folder);
    stop(host);

    assert_eq!(lines(&folder), ["also fine", "fine", "reject me 1", "reject me 2", "reject me 3"]);
    let counted = folder.batches("counted");
    let me: i64 = counted.rows().filter(|row| row["word"] == "me").map(|row| row["count"].as_i64().unwrap()).sum();
    assert_eq!(me, 3, "what follows the operator has its rows");
    assert_eq!(rows_of(&letters(&folder)), [&json!({"line": "poison"})]);
}

#[test]
fn given_letters_when_retried_and_nothing_was_mended_then_they_are_letters_of_the_batch_they_went_with() {
    let (folder, address) = (Folder::new(), free_address());
    let mut host = rejecting(&folder, &address, "max_rejects = \"60%\"");
    let before = letters(&folder);
    let first = before[0]["batch_time"].to_string();
    folder
        .weir(&["dead-letters", "retry", "--batch", "1000"])
        .refused(&["no dead letters of batch 1970-01-01T00:00:01.000Z", "weir dead-letters list"]);
    folder.weir(&["dead-letters", "retry", "--batch", &first]).ok();
    // That all of them are rejected again is not held against the batch.
    resent(&mut host, "suspect");
    let after = letters(&folder);
    assert_eq!(rows_of(&after), rows_of(&before));
    let batches: Vec<u64> = folder.dead_letters("p").0.into_keys().collect();
    assert!(batches.len() == 1 && batches[0].to_string() > first, "{batches:?}");
    assert_eq!(folder.status()["meters"]["suspect"]["rejected"], 6);
    verified(&folder);
    stop(host);
    assert_eq!(lines(&folder), ["also fine", "fine"]);
}

#[test]
fn given_a_host_killed_before_its_letters_were_removed_when_it_starts_again_then_they_are_gone_and_no_row_is_doubled() {
    let (folder, address) = (Folder::new(), free_address());
    let mut host = rejecting(&folder, &address, "");
    let batch = letters(&folder)[0]["batch_time"].to_string();
    let file = format!("data/pipelines/p/dead-letters/{batch}.jsonl");
    let text = folder.read(&file);
    folder.weir(&["swap", "suspect", "patient@0.1.0"]).ok();
    folder.weir(&["dead-letters", "retry", "--all"]).ok();
    resent(&mut host, "suspect");
    host.kill();
    // As if it had been killed after the commit, and before this.
    folder.write(&file, &text);

    let mut host = folder.start(&pipeline(&address, "")).started();
    host.batch();
    assert_eq!(rows_of(&letters(&folder)), [&json!({"line": "poison"})], "only what was rejected again");
    folder.weir(&["dead-letters", "retry", "--batch", &batch]).refused(&["there are no dead letters of batch"]);
    verified(&folder);
    stop(host);
    assert_eq!(lines(&folder), ["also fine", "fine", "reject me 1", "reject me 2"]);
}

#[test]
fn given_a_batch_with_letters_that_cannot_commit_when_the_host_is_killed_then_the_next_commits_them_once() {
    let (folder, address) = (Folder::new(), free_address());
    let up = Arc::new(AtomicBool::new(true));
    let is_up = up.clone();
    let receiver = Receiver::answering(move |_| {
        let head = if is_up.load(Ordering::SeqCst) { "204 No Content" } else { "503 Down" };
        (head.to_owned(), String::new())
    });
    let text = pipeline(&address, "").replace(
        "[sinks.counted]\n        type = \"files\"\n        path = \"counted\"\n        inputs = [\"counts\"]",
        &format!("[sinks.told]\ntype = \"http\"\nurl = \"{}\"\ninputs = [\"suspect\"]", receiver.url("/")),
    );
    let mut host = folder.start(&text).started();
    send(&mut host, &address, &["fine", "reject me 1"]);
    folder.weir(&["swap", "suspect", "patient@0.1.0"]).ok();
    up.store(false, Ordering::SeqCst);
    folder.weir(&["dead-letters", "retry", "--all"]).ok();
    host.wait_for("a batch that waits for its sink", |event| event.line.contains("told") && event.line.contains("503"));
    assert_eq!(rows_of(&letters(&folder)), [&json!({"line": "reject me 1"})], "they stay until the batch commits");
    folder.weir(&["dead-letters", "retry", "--all"]).refused(&["do not go with a batch already"]);
    host.kill();
    up.store(true, Ordering::SeqCst);

    let mut host = folder.start(&text).started();
    resent(&mut host, "suspect");
    verified(&folder);
    stop(host);
    assert_eq!(lines(&folder), ["fine", "reject me 1"]);
    assert_eq!(letters(&folder), [] as [Row; 0]);
}

/// Visits posted over HTTP, some of which are no JSON, or have no number.
fn visits(address: &str, schema: &str, more: &str) -> String {
    format!(
        r#"
        name = "p"
        batch = {{ interval = "100ms", partitions = 2 }}
        checkpoint = {{ interval = "1h" }}
        [sources.visits]
        type = "http"
        listen = "{address}"
        format = "json"
        schema = {schema}
        on_reject = "dead-letter"
        {more}
        "#
    )
}

fn post(host: &mut Live, address: &str, rows: &[Value]) {
    let record = |row: &Value| row.as_str().map_or_else(|| row.to_string(), str::to_owned);
    let records: Vec<String> = rows.iter().map(record).collect();
    send(host, address, &records.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn given_records_that_cannot_be_read_when_retried_then_they_are_letters_again_until_the_source_can_read_them() {
    let (folder, address) = (Folder::new(), free_address());
    let sink = "[sinks.out]\ntype = \"files\"\npath = \"out\"\ninputs = [\"visits\"]";
    let mut host = folder.start(&visits(&address, "{ user = \"utf8\", n = \"int64\" }", sink)).started();
    let long = format!("{{\"user\": \"eve\", \"n\": \"{}\"}}", "9".repeat(100_000));
    let records = [json!({"user": "ann", "n": 1}), json!({"user": "bob", "n": "two"}), json!("no JSON"), json!(long)];
    post(&mut host, &address, &records);
    for _ in 0..2 {
        let answer = folder.weir(&["dead-letters", "retry", "--operator", "visits"]).ok().stdout;
        assert!(answer.starts_with("2 dead letters of `visits` go with batch "), "{answer}");
        assert!(answer.contains("1 dead letter cannot be sent through again, and stay"), "{answer}");
        resent(&mut host, "visits");
        let left = letters(&folder);
        let mut rows = rows_of(&left);
        assert_eq!(left.len(), 3);
        rows.retain(|row| row.as_str().unwrap().len() < 1000);
        assert_eq!(rows, [r#"{"n":"two","user":"bob"}"#, "no JSON"]);
    }
    verified(&folder);
    stop(host);

    let text = visits(&address, "{ user = \"utf8\", n = \"utf8\" }", &sink.replace("\"out\"\n", "\"texts\"\n"));
    let mut host = folder.start(&text).started();
    host.batch();
    folder.weir(&["dead-letters", "retry", "--all"]).ok();
    resent(&mut host, "visits");
    verified(&folder);
    stop(host);
    assert_eq!(folder.batches("texts").rows().cloned().collect::<Vec<_>>(), [row(json!({"user": "bob", "n": "two"}))]);
    assert_eq!(folder.batches("out").rows().cloned().collect::<Vec<_>>(), [row(json!({"user": "ann", "n": 1}))]);
    let listed = folder.weir(&["dead-letters", "list"]).ok().stdout;
    assert!(listed.ends_with("2 dead letters, 1 of them not to be sent through again\n"), "{listed}");
}

/// An aggregate that goes wrong on some rows, over a window.
fn windowed(address: &str, window: &str, poison: &str) -> String {
    let more = format!(
        r#"
        event_time = {{ column = "at" }}
        [operators.counts]
        aggregate = "evil-aggregate@0.1.0"
        inputs = ["visits"]
        key = ["user"]
        window = {window}
        on_reject = "dead-letter"
        config = {{ do = "trap_in_create", line = "{poison}" }}
        [sinks.out]
        type = "files"
        path = "out"
        inputs = ["counts"]
        "#
    );
    visits(address, "{ user = \"utf8\", line = \"utf8\", at = \"int64\" }", &more)
}

fn visit(line: &str, at: u64) -> Value {
    json!({"user": "ann", "line": line, "at": at * 1000})
}

#[test]
fn given_letters_of_event_windows_when_retried_then_each_joins_its_window_if_that_is_open_and_else_is_late() {
    let (folder, address) = (Folder::new(), free_address());
    let window = r#"{ on = "event_time", length = "10s", slide = "5s" }"#;
    let mut host = folder.start(&windowed(&address, window, "poison")).started();
    // In the windows from -5 to 5, from 0 to 10, and from 5 to 15.
    post(&mut host, &address, &[visit("fine", 2), visit("poison", 3), visit("poison", 7)]);
    stop(host);
    assert_eq!(letters(&folder).len(), 4, "one for each window");

    let mut host = folder.start(&windowed(&address, window, "nothing")).started();
    assert_eq!(letters(&folder).len(), 4);
    folder.weir(&["dead-letters", "retry", "--all"]).ok();
    resent(&mut host, "counts");
    // The first window is closed by the row at 7.
    let late = letters(&folder);
    assert_eq!(late.len(), 1);
    assert_eq!((&late[0]["row"]["at"], &late[0]["stays"]), (&json!(3000), &json!("time")));
    folder.weir(&["dead-letters", "retry", "--all"]).refused(&["1 stay: late rows"]);
    post(&mut host, &address, &[visit("fine", 60)]);
    verified(&folder);
    stop(host);

    let counts =
        folder.batches("out").rows().map(|row| (row["window_start"].clone(), row["count"].clone())).collect::<Vec<_>>();
    let at = |second: u64| json!(format!("1970-01-01T00:00:{second:02}Z"));
    assert_eq!(counts, [(json!("1969-12-31T23:59:55Z"), json!(1)), (at(0), json!(3)), (at(5), json!(1))]);
}

#[test]
fn given_letters_of_a_window_on_batch_time_when_retried_then_an_aggregate_takes_them_into_the_batch_and_a_transform_refuses()
 {
    let (folder, address) = (Folder::new(), free_address());
    let window = r#"{ length = "1h", slide = "100ms" }"#;
    let mut host = folder.start(&windowed(&address, window, "poison")).started();
    post(&mut host, &address, &[visit("fine", 2), visit("poison", 3)]);
    stop(host);
    let mut host = folder.start(&windowed(&address, window, "nothing")).started();
    host.batch();
    folder.weir(&["dead-letters", "retry", "--all"]).ok();
    resent(&mut host, "counts");
    // The batches that follow still have the row in their windows, once.
    (0..3).for_each(|_| drop(host.batch()));
    verified(&folder);
    stop(host);
    let counts: Vec<Value> = folder.batches("out").rows().map(|row| row["count"].clone()).collect();
    let twos = counts.iter().rposition(|count| *count == json!(1)).expect("one before") + 1;
    assert!(counts[twos..].len() >= 4 && counts[twos..].iter().all(|count| *count == json!(2)), "{counts:?}");
    assert_eq!(letters(&folder), [] as [Row; 0]);

    let (folder, address) = (Folder::new(), free_address());
    let mut host = folder.start(&pipeline(&address, "window = { length = \"200ms\" }")).started();
    send(&mut host, &address, &["reject me"]);
    folder.weir(&["dead-letters", "retry", "--all"]).refused(&["operator `suspect`", "come again in each batch"]);
    assert!(!letters(&folder).is_empty());
    stop(host);
}

#[test]
fn given_letters_that_do_not_fit_any_more_when_retried_then_the_answer_says_why_and_nothing_is_changed() {
    let (folder, address) = (Folder::new(), free_address());
    let host = rejecting(&folder, &address, "");
    stop(host);
    let before = folder.letter_files("p");
    let changed = |from: &str, to: &str| pipeline(&address, "").replacen(from, to, 1);
    let others = "[operators.longer]\nsql = \"select line, character_length(line) as n from lines\"\ninputs = [\"lines\"]\n\
                  [operators.suspect]";
    let wider = changed("[operators.suspect]", others).replacen(
        "inputs = [\"lines\"]\n        on_reject",
        "inputs = [\"longer\"]\non_reject",
        1,
    );
    let cases: [(String, &[&str]); 4] = [
        (
            wider,
            &[
                "nothing was changed: a dead letter of batch",
                "does not fit `suspect`",
                "it has no column `n`",
                "reject me 1",
            ],
        ),
        (
            changed("on_reject = \"dead-letter\"", "on_reject = \"skip\""),
            &["set `on_reject` of [operators.suspect] to \"dead-letter\""],
        ),
        (
            pipeline(&address, "").replace("suspect", "trusted"),
            &["no source or component `suspect`", "there is lines, trusted, words, counts"],
        ),
        (
            changed(
                "transform = \"picky@0.1.0\"\n        inputs = [\"lines\"]\n        on_reject = \"dead-letter\"",
                "sql = \"select line from lines\"\ninputs = [\"lines\"]",
            ),
            &["no source or component `suspect`"],
        ),
    ];
    for (text, says) in cases {
        let mut host = folder.start(&text).started();
        host.batch();
        folder.weir(&["dead-letters", "retry", "--all"]).refused(says);
        host.batch();
        stop(host);
        assert_eq!(folder.letter_files("p"), before);
    }
    assert_eq!(sorted(letters(&folder)).len(), 3);
}
