//! A running host read from outside: `weir sql`, `weir state`. Every answer is as of one committed batch.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use serde_json::{Value, json};
use weir_tests::{Folder, Live, each};

/// Ten users, each with a row in every ten; what is kept of the stream is all of it.
const PIPELINE: &str = r#"
    name = "p"
    [batch]
    interval = "100ms"
    partitions = 3
    [sources.rows]
    type = "generator"
    rate = "5000/s"
    columns.n = { kind = "sequence" }
    columns.value = { kind = "integer", min = 1, max = 1 }
    columns.name = { kind = "choice", of = ["ann", "bob"] }
    remember = "1h"
    [operators.keyed]
    sql = "SELECT n % 10 AS user, name, value FROM rows"
    inputs = ["rows"]
    [operators.totals]
    state = "tally@0.1.0"
    inputs = ["keyed"]
    key = ["user"]
    [operators.pairs]
    state = "tally@0.1.0"
    inputs = ["keyed"]
    key = ["user", "name"]
    [tables.users]
    path = "users.csv"
    format = "csv"
    [operators.named]
    sql = "SELECT u.nick, t.count FROM totals t JOIN users u ON t.user = u.id"
    inputs = ["totals"]
    [sinks.out]
    type = "files"
    path = "out"
    inputs = ["named"]
"#;

/// A folder, and a host that has committed rows.
fn running() -> (Folder, Live) {
    let folder = Folder::new();
    folder.write("users.csv", "id,nick\n0,zero\n7,seven\n");
    let mut host = folder.start(PIPELINE).started();
    host.rows_in(1000);
    (folder, host)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn ask(folder: &Folder, query: &str) -> Vec<Value> {
    lines(&folder.weir(&["sql", "--format", "json", query]).ok().stdout)
}

#[test]
fn given_batches_that_go_on_when_asked_then_states_and_past_rows_are_of_one_batch() {
    let (folder, mut host) = running();
    for _ in 0..10 {
        host.batch();
        let query = "SELECT (SELECT sum(count) FROM state.totals) AS kept, (SELECT max(n) + 1 FROM rows) AS seen, \
                     (SELECT max(batch_time) FROM rows) = now() AS newest, (SELECT count(*) FROM users) AS users";
        let answer = &ask(&folder, query)[0];
        assert_eq!(answer["kept"], answer["seen"]);
        assert!(answer["seen"].as_u64().unwrap() >= 1000, "{answer}");
        assert_eq!((&answer["newest"], &answer["users"]), (&json!(true), &json!(2)));
    }
}

#[test]
fn given_a_key_when_its_state_is_asked_for_then_that_is_what_a_scan_has() {
    let (folder, _host) = running();
    let one = lines(&folder.weir(&["state", "get", "totals", "7"]).ok().stdout).remove(0);
    assert_eq!(one["key"], json!({"user": 7}));
    assert_eq!(one["state"]["count"], one["state"]["total"]);
    assert_eq!(one["timer"], Value::Null);
    let pair = lines(&folder.weir(&["state", "get", "pairs", "7", "ann"]).ok().stdout).remove(0);
    assert_eq!(pair["key"], json!({"user": 7, "name": "ann"}));
    let same = lines(&folder.weir(&["state", "get", "pairs", "--json", r#"{"name": "ann", "user": 7}"#]).ok().stdout);
    assert_eq!(same[0]["key"], pair["key"]);

    let scan = lines(&folder.weir(&["state", "scan", "totals"]).ok().stdout);
    let mut users: Vec<u64> = scan.iter().map(|line| line["key"]["user"].as_u64().unwrap()).collect();
    users.sort_unstable();
    assert_eq!(users, (0..10).collect::<Vec<_>>());
    // Every tenth row is of a user, so one commit gives each as many, give or take one.
    let counts: Vec<u64> = scan.iter().map(|line| line["state"]["count"].as_u64().unwrap()).collect();
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    assert_eq!(lines(&folder.weir(&["state", "scan", "totals", "--limit", "3"]).ok().stdout).len(), 3);
}

#[test]
fn given_what_cannot_be_answered_when_asked_then_the_message_says_why_and_the_batches_go_on() {
    let (folder, mut host) = running();
    let cases: [(&[&str], &[&str]); 11] = [
        (&["sql", "select nothing from rows"], &["nothing"]),
        (&["sql", "select * from lines"], &["lines", "weir sql --tables"]),
        (&["sql", "select * from named"], &["nothing is kept of stream `named`", "remember"]),
        (&["sql", "drop table rows"], &["select"]),
        (&["sql", "copy (select 1) to 'x.csv'"], &["select"]),
        (&["sql", "create external table t stored as csv location '/etc/passwd'"], &["select"]),
        (&["state", "get", "totals", "77"], &["operator `totals` has no state for the key", "as of batch"]),
        (&["state", "get", "totals", "ann"], &["user", "int64"]),
        (&["state", "get", "pairs", "7"], &["user", "name"]),
        (&["state", "get", "named", "7"], &["`named`", "totals"]),
        (&["state", "scan", "nobody"], &["`nobody`", "totals"]),
    ];
    each(cases, |(command, says)| drop(folder.weir(command).refused(says)));
    assert!(!folder.path("x.csv").exists());
    let long = "select count(*) from (select a.n + b.n as s from rows a, rows b) ab join rows c on ab.s + c.n < 0";
    folder.weir(&["sql", "--timeout", "200ms", long]).refused(&["took longer than 200ms", "--timeout"]);
    host.batch();
    host.terminate();
    host.finish().ok();
    folder.weir(&["sql", "select 1"]).refused(&["no host"]);
}
