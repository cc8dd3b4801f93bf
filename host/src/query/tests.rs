//! A reader over a store that is filled by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};

use super::catalog::Stream;
use super::*;
use crate::driver::Typed;
use crate::operator::{Components, Engine};
use crate::pipeline::Pipeline;
use crate::plan::segment::attach_constant;
use crate::plan::{KEY_GROUPS, Operators};
use crate::state::{Change, Delta, Kept, KeyedSpec, Past, Staged};
use crate::table::Contents;

/// 2023-11-14T22:13:20Z.
const NOW: u64 = 1_700_000_000_000;

/// Streams `clicks` (kept) and `lost` (not kept), a table `users`, and the states of `moods`, whose key is
/// `user utf8?, x float64`.
fn reader(memory: &str) -> Reader {
    let stream = |kept| Stream { columns: clicks(&[], &[]).schema(), place: "operators", kept };
    let catalog = Catalog {
        streams: [("clicks".to_owned(), stream(true)), ("lost".to_owned(), stream(false))].into(),
        tables: [("users".to_owned(), users([30, 40]).schema().clone())].into(),
        states: vec!["moods".to_owned()],
    };
    let store = Arc::new(Store::default());
    store.keyed.open("moods", spec(), KEY_GROUPS);
    store.keyed.open("clicks.totals", spec(), KEY_GROUPS);
    Reader::new(store, catalog, memory.parse().unwrap()).unwrap()
}

fn users(ages: [i64; 2]) -> Contents {
    let users = batch(&[("user", text(&["ann", "bob"])), ("age", numbers(&ages))]);
    Contents::new(users.schema(), vec![users]).unwrap()
}

fn spec() -> KeyedSpec {
    let key = Schema::new(vec![Field::new("user", DataType::Utf8, true), Field::new("x", DataType::Float64, false)]);
    let state =
        Schema::new(vec![Field::new("n", DataType::Int64, false), Field::new("last_rows", DataType::Utf8, true)]);
    KeyedSpec { key: Arc::new(key), state: Arc::new(state), version: 1, timeout: None }
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().cloned()).unwrap()
}

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn clicks(users: &[&str], ns: &[i64]) -> RecordBatch {
    batch(&[("user", text(users)), ("n", numbers(ns))])
}

fn kept(stream: &str, rows: RecordBatch) -> Kept {
    let runs = vec![(0, 0, 0..rows.num_rows())];
    let past = Past { rows: vec![attach_constant(rows, 0).unwrap()], runs, segments: 1 };
    Kept { stream: stream.to_owned(), past, forget: None }
}

/// Sets n of these keys.
fn states(now: u64, keys: &[(Option<&str>, f64, i64)]) -> Delta {
    let spec = spec();
    let users: ArrayRef = Arc::new(StringArray::from_iter(keys.iter().map(|(user, _, _)| *user)));
    let xs: ArrayRef = Arc::new(Float64Array::from_iter_values(keys.iter().map(|(_, x, _)| *x)));
    let given = RecordBatch::try_new(spec.key, vec![users, xs]).unwrap();
    let bytes = crate::state::RowBytes::new(spec.state).unwrap();
    let last: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; keys.len()]));
    let encoded = bytes.encode(&[numbers(&keys.iter().map(|(_, _, n)| *n).collect::<Vec<_>>()), last]).unwrap();
    let mut groups: std::collections::BTreeMap<u32, Vec<_>> = Default::default();
    for ((group, key), state) in locate(&given).unwrap().into_iter().zip(encoded.iter()) {
        let change = Change { state: state.data().into(), last: now, timer: 0 };
        groups.entry(group).or_default().push((key, Some(change)));
    }
    Delta { operator: "moods".to_owned(), now, groups: groups.into_iter().collect() }
}

/// Two batches of clicks, and states of three keys.
fn filled() -> Reader {
    let reader = reader("64 MiB");
    let first = Staged {
        deltas: vec![states(NOW, &[(Some("ann"), 0.0, 1), (Some("bob"), 1.5, 2)])],
        kept: vec![kept("clicks", clicks(&["ann", "bob"], &[1, 2]))],
        tables: [("users".to_owned(), Arc::new(users([29, 39])))].into(),
        ..Staged::default()
    };
    reader.store.commit(BatchTime::from_millis(NOW), first);
    let second = Staged {
        deltas: vec![states(NOW + 1000, &[(None, f64::NAN, 3)])],
        kept: vec![kept("clicks", clicks(&["ann"], &[3]))],
        tables: [("users".to_owned(), Arc::new(users([30, 40])))].into(),
        ..Staged::default()
    };
    reader.store.commit(BatchTime::from_millis(NOW + 1000), second);
    reader
}

fn question(query: &str) -> Question {
    Question {
        query: query.to_owned(),
        format: AnswerFormat::Json,
        limit: Question::default_limit(),
        timeout: Question::default_timeout(),
    }
}

async fn ask(reader: &Reader, query: &str) -> Vec<Value> {
    let answer = reader.sql(question(query)).await.unwrap_or_else(|e| panic!("{query}: {e}"));
    assert_eq!(answer.as_of, Some(BatchTime::from_millis(NOW + 1000)));
    let lines = std::str::from_utf8(&answer.text).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn refused(reader: &Reader, query: &str) -> String {
    reader.sql(question(query)).await.map(|answer| answer.rows).expect_err(query).to_string()
}

#[tokio::test]
async fn past_batches_tables_and_states_are_tables() {
    let reader = filled();
    let check = async |query: &str, expected: Value| assert_eq!(json!(ask(&reader, query).await), expected, "{query}");
    check(
        "select * from clicks order by n limit 1",
        json!([{ "batch_time": "2023-11-14T22:13:20Z", "user": "ann", "n": 1 }]),
    )
    .await;
    check("select user, age from users join clicks using (user) where n = 2", json!([{ "user": "bob", "age": 40 }]))
        .await;
    check("select user, x, n from state.moods where user = 'bob'", json!([{ "user": "bob", "x": 1.5, "n": 2 }])).await;
    check("select count(*) as keys from state.moods", json!([{ "keys": 3 }])).await;
    // A state's own column keeps its name.
    check(
        "select last_rows, __last_rows from state.moods where n = 3",
        json!([{ "last_rows": null, "__last_rows": "2023-11-14T22:13:21Z" }]),
    )
    .await;
    check("select now() as now", json!([{ "now": "2023-11-14T22:13:21Z" }])).await;
    check("select sum(n) as n from clicks where batch_time > now() - interval '1 second'", json!([{ "n": 3 }])).await;
    check("select n from clicks where batch_time < now() and user = 'bob'", json!([{ "n": 2 }])).await;
    check("with lost as (select 1 as a) select a from lost", json!([{ "a": 1 }])).await;
}

#[tokio::test]
async fn what_is_not_there_is_named_with_the_way_to_it() {
    let reader = filled();
    let check = async |query: &str, error: &str| assert_eq!(refused(&reader, query).await, error);
    check(
        "select * from lost",
        "nothing is kept of stream `lost`: set `remember = \"10m\"` on [operators.lost] or [batch]",
    )
    .await;
    let listed = "what can be asked is listed by `weir sql --tables`";
    check("select * from nowhere", &format!("table 'nowhere' not found: {listed}")).await;
    check("select * from state.clicks", &format!("table 'state.clicks' not found: {listed}")).await;
    check("select * from \"clicks.totals\"", &format!("table 'clicks.totals' not found: {listed}")).await;
    check("select a from clicks", "No field named a.\nValid fields are clicks.batch_time, clicks.user, clicks.n.")
        .await;
    check("selec", "this is not SQL: Expected: an SQL statement, found: selec at Line: 1, Column: 1").await;
    check("show tables", "what can be asked, with its columns, is listed by `weir sql --tables`").await;
}

#[tokio::test]
async fn nothing_but_questions_is_taken() {
    let reader = filled();
    for query in [
        "create table t as select 1",
        "create external table t stored as csv location '/etc/passwd'",
        "insert into users values ('eve', 1)",
        "delete from users",
        "drop table users",
        "set datafusion.execution.batch_size = 1",
        "copy users to '/tmp/out.csv'",
        "explain analyze select * from users",
        "explain insert into users values ('eve', 1)",
        "prepare p as select 1",
    ] {
        let error = refused(&reader, query).await;
        assert!(error.starts_with("only a query (`select …`, or `explain select …`) can be asked"), "{query}: {error}");
    }
    for query in ["select * from '/etc/passwd'", "select * from read_csv('/etc/passwd')", "select 1; select 2", ""] {
        refused(&reader, query).await;
    }
    assert_eq!(ask(&reader, "explain select * from users").await.len(), 2);
}

#[tokio::test]
async fn an_answer_has_its_limit_and_says_that_there_was_more() {
    let reader = filled();
    for (limit, more) in [(2, true), (3, false)] {
        let limit = NonZeroUsize::new(limit).unwrap();
        let format = AnswerFormat::Csv;
        let answer =
            reader.sql(Question { limit, format, ..question("select n from clicks order by n") }).await.unwrap();
        assert_eq!((answer.rows, answer.more), (limit.get(), more));
        assert!(answer.text.starts_with(b"n\n1\n2\n"));
    }
    let none = Question { format: AnswerFormat::Csv, ..question("select n from clicks where n > 9") };
    assert_eq!(reader.sql(none).await.unwrap().text, b"n\n");
}

#[tokio::test]
async fn a_query_has_its_time_and_its_memory() {
    let reader = reader("1 MiB");
    let endless = "select sum(value % 7) from generate_series(1, 1000000000000)";
    let timeout = Period(Duration::from_millis(20));
    let late = reader.sql(Question { timeout, ..question(endless) }).await;
    assert!(matches!(late, Err(ReadError::TookTooLong(_))), "{:?}", late.map(|answer| answer.rows));
    let reader = Reader { runtime: sql::runtime("64 MiB".parse().unwrap()).unwrap(), ..reader };
    // More than may run at once: each ends in its time, and leaves its seat.
    let both = "generate_series(1, 100000) a, generate_series(1, 100000) b";
    for endless in [
        format!("select sum(a.value + b.value) from {both}"),
        format!("select count(*) from {both} where a.value * b.value = -1"),
        format!("select count(*) from {both} where a.value % 2 = b.value % 2 and a.value + b.value = -1"),
        format!("select sum(a.value + b.value) from {both} where a.value % 2 = b.value % 2"),
        format!("select count(*) from {both} where a.value * b.value < 0 and a.value < b.value"),
    ] {
        let late = reader.sql(Question { timeout, ..question(&endless) }).await;
        assert!(matches!(late, Err(ReadError::TookTooLong(_))), "{endless}: {:?}", late.map(|answer| answer.rows));
    }
    let reader = Reader { runtime: sql::runtime("1 MiB".parse().unwrap()).unwrap(), ..reader };
    let large = "select value % 500000 as v, count(*) as n from generate_series(1, 1000000) group by 1 order by 2, 1";
    let error = refused(&reader, large).await;
    assert!(error.starts_with("the query needs more memory than queries may use, 1 MiB"), "{error}");
    assert_eq!(reader.runtime.memory_pool.reserved(), 0);
}

#[test]
fn a_state_is_found_by_its_key() {
    let reader = filled();
    let texts = |texts: &[&str]| GivenKey::Texts(texts.iter().map(|&text| text.to_owned()).collect());
    let found = reader.get("moods", &texts(&["bob", "1.5"])).unwrap();
    assert_eq!(
        json!(found),
        json!({
            "key": { "user": "bob", "x": 1.5 },
            "state": { "n": 2, "last_rows": null },
            "last": "2023-11-14T22:13:20Z",
            "timer": null,
            "as_of": "2023-11-14T22:13:21.000Z",
        })
    );
    let state = |key: GivenKey| reader.get("moods", &key).unwrap().state["n"].clone();
    assert_eq!(state(GivenKey::Json(json!({ "x": 1.5, "user": "bob" }))), 2);
    // Every zero is one key, and so is everything that is no number.
    assert_eq!(state(texts(&["ann", "-0"])), 1);
    assert_eq!(state(GivenKey::Json(json!([null, "NaN"]))), 3);
}

#[test]
fn a_key_that_is_wrong_is_told_what_a_key_is() {
    let reader = filled();
    let check = |operator: &str, key: Value, error: &str| {
        let key = GivenKey::Json(key);
        assert_eq!(reader.get(operator, &key).expect_err("no such key").to_string(), error);
    };
    let is = "the key of operator `moods` is user utf8?, x float64";
    check("moods", json!("ann"), &format!("{is}: give 2 values, not 1"));
    check("moods", json!(["ann", "one"]), &format!("{is}: \"one\" is no float64, which `x` is"));
    check("moods", json!(["ann", null]), &format!("{is}: `x` is never null"));
    check("moods", json!({ "user": "ann" }), &format!("{is}: the column `x` is missing"));
    check("moods", json!({ "user": "ann", "x": 1, "y": 2 }), &format!("{is}: there is no column `y` in it"));
    check("clicks.totals", json!([]), "there is no operator `clicks.totals` that keeps state; there is moods");
    check(
        "moods",
        json!(["eve", 1]),
        "operator `moods` has no state for the key {\"user\":\"eve\",\"x\":1.0} as of batch 2023-11-14T22:13:21.000Z",
    );
}

async fn scanned(reader: &Reader, limit: Option<usize>) -> Vec<Value> {
    let mut scan = reader.scan("moods", limit).await.unwrap();
    assert_eq!(scan.as_of, Some(BatchTime::from_millis(NOW + 1000)));
    let mut text = Vec::new();
    while let Some(lines) = scan.next().await.unwrap() {
        text.extend_from_slice(&lines);
    }
    std::str::from_utf8(&text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_scan_has_every_key_in_a_fixed_order() {
    let reader = filled();
    let all = scanned(&reader, None).await;
    let mut ns: Vec<i64> = all.iter().map(|line| line["state"]["n"].as_i64().unwrap()).collect();
    ns.sort_unstable();
    assert_eq!(ns, [1, 2, 3]);
    assert_eq!(scanned(&reader, Some(2)).await, all[..2]);
    let keys: Vec<String> = (0..20_000).map(|i| format!("user-{i}")).collect();
    let keys: Vec<_> = keys.iter().map(|key| (Some(key.as_str()), 0.0, 0)).collect();
    let many = Staged { deltas: vec![states(NOW, &keys)], ..Staged::default() };
    reader.store.commit(BatchTime::from_millis(NOW + 1000), many);
    assert_eq!(scanned(&reader, None).await.len(), 20_003);
    assert_eq!(ask(&reader, "select n from state.moods limit 10").await.len(), 10);
}

#[tokio::test]
async fn a_query_sees_one_commit_while_others_are_made() {
    let reader = Arc::new(filled());
    let committing = reader.clone();
    // Each commit puts the same number into a state and into the last batch of clicks.
    let writer = std::thread::spawn(move || {
        for n in 10..200 {
            let past =
                Kept { forget: Some(BatchTime::from_millis(NOW + 1000)), ..kept("clicks", clicks(&["ann"], &[n])) };
            let staged =
                Staged { deltas: vec![states(NOW, &[(Some("ann"), 0.0, n)])], kept: vec![past], ..Staged::default() };
            committing.store.commit(BatchTime::from_millis(NOW + 2000), staged);
        }
    });
    for _ in 0..30 {
        let both = "select m.n as state, c.n as past from state.moods m, clicks c where m.user = 'ann' \
                    and c.batch_time = (select max(batch_time) from clicks)";
        let answer = reader.sql(question(both)).await.unwrap();
        let row: Value = serde_json::from_slice(&answer.text).unwrap();
        // The first commits of all were of other numbers.
        assert!(row["state"] == row["past"] || (&row["state"], &row["past"]) == (&json!(1), &json!(3)), "{row}");
    }
    writer.join().unwrap();
}

#[test]
fn what_can_be_asked_is_listed_without_what_is_weirs_own() {
    let listing = filled().tables();
    let shown: Vec<String> = listing
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Stream { name, batches, .. } => format!("{name} {batches:?}"),
            Entry::Table { name, .. } => name.clone(),
            Entry::State { name, keys, .. } => format!("{name} {keys}"),
        })
        .collect();
    assert_eq!(shown, ["clicks Some(2)", "lost None", "users", "state.moods 3"]);
}

#[tokio::test]
async fn a_pipelines_names_are_its_streams_as_far_as_they_are_kept() {
    let pipeline = r#"
name = "numbers"
[sources.numbers]
type = "generator"
rate = "3/s"
columns = { n = { kind = "sequence" } }
[operators.marked]
sql = "select n, now() as batch_time from numbers"
inputs = ["numbers"]
remember = "10s"
[sinks.out]
type = "stdout"
inputs = ["marked"]
"#;
    let scratch = tempfile::tempdir().unwrap();
    let data = crate::data_dir::DataDir::at(scratch.path());
    let components = Components::new(Engine::fast().unwrap(), data.registry(), data.cache());
    let loaded = Pipeline::parse(pipeline, Path::new("numbers.toml"), &|_| None).unwrap();
    let typed = Typed::new(loaded, &Operators::new(components)).await.unwrap();
    let reader = Reader::new(Arc::default(), Catalog::of(&typed), "1 MiB".parse().unwrap()).unwrap();
    let text = serde_json::to_value(reader.tables()).unwrap();
    assert_eq!(text["entries"][0]["batches"], Value::Null);
    assert_eq!(
        (&text["entries"][1]["batches"], &text["entries"][1]["columns"][0]["name"]),
        (&json!(0), &json!("__batch_time"))
    );
    assert_eq!(
        refused(&reader, "select * from numbers").await,
        "nothing is kept of stream `numbers`: set `remember = \"10m\"` on [sources.numbers] or [batch]"
    );
    let answer = reader.sql(question("select count(*) as n from marked")).await.unwrap();
    assert_eq!((answer.as_of, answer.text.as_slice()), (None, &b"{\"n\":0}\n"[..]));
}
