//! What Spark's documentation promises of its streams, as data: `vectors/*.toml`, by topic.
//!
//! A vector has the batches of its inputs, operators over them, and the rows of each output batch by batch, which must be
//! those, and in the same bytes however the work is cut. A batch is written as its rows, JSON objects one after the other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use weir_tests::guests::workspace;
use weir_tests::output::{Batches, Row, Tree, sorted};
use weir_tests::{Folder, each};

/// Partitions, threads and rows of a call.
const CUTS: [(usize, usize, usize); 2] = [(1, 1, 8192), (3, 2, 2)];

/// A line that is no row, which the sources skip: it takes the place of a row in the pace of its source.
const PADDING: &str = "no row";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    vector: Vec<Vector>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    /// What Spark's documentation says, in a sentence.
    promise: String,
    /// When the first batch begins.
    #[serde(default = "epoch")]
    start: String,
    /// When it ends, in seconds; every batch is a second long.
    #[serde(default = "one")]
    first: u64,
    /// Whether the order of the rows in a batch is promised, too.
    #[serde(default)]
    ordered: bool,
    input: BTreeMap<String, Input>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    tables: Value,
    #[serde(default)]
    operators: Value,
    /// The rows of each stream, batch by batch.
    output: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    schema: BTreeMap<String, String>,
    #[serde(default)]
    event_time: Option<Value>,
    batches: Vec<String>,
}

fn epoch() -> String {
    "1970-01-01T00:00:00Z".to_owned()
}

fn one() -> u64 {
    1
}

/// The rows of a batch.
fn rows(batch: &str) -> Vec<Row> {
    let rows = serde_json::Deserializer::from_str(batch).into_iter::<Row>();
    rows.map(|row| row.unwrap_or_else(|e| panic!("not rows ({e}): {batch}"))).collect()
}

impl Vector {
    fn batches(&self) -> usize {
        self.input.values().map(|input| input.batches.len()).max().expect("a vector has input")
    }

    fn pipeline(&self, (partitions, _, chunk_rows): (usize, usize, usize)) -> String {
        let sources: Map<_, _> = self.input.iter().map(|(name, input)| (name.clone(), input.source(name))).collect();
        let sink = |stream: &String| json!({"type": "files", "path": format!("out/{stream}"), "inputs": [stream]});
        let sinks: Map<_, _> = self.output.keys().map(|stream| (format!("{stream}_out"), sink(stream))).collect();
        let mut pipeline = json!({
            "name": "p",
            "batch": {"interval": "1s", "partitions": partitions, "chunk_rows": chunk_rows},
            "sources": sources,
            "sinks": sinks,
        });
        for (key, given) in [("tables", &self.tables), ("operators", &self.operators)] {
            if given.is_object() {
                pipeline[key] = given.clone();
            }
        }
        toml::to_string(&pipeline).expect("a pipeline without nulls can be written as TOML")
    }

    fn run(&self, cut: (usize, usize, usize)) -> Tree {
        let folder = Folder::new();
        for (name, input) in &self.input {
            folder.write(&format!("{name}.jsonl"), input.file(self.batches()));
        }
        self.files.iter().for_each(|(name, contents)| folder.write(name, contents));
        folder.write("p.toml", self.pipeline(cut));
        let threads = cut.1.to_string();
        folder.weir(&["run", "--once", "--start", &self.start, "--threads", &threads, "p.toml"]).ok();
        folder.tree("out")
    }
}

impl Input {
    fn most_rows(&self) -> usize {
        self.batches.iter().map(|batch| rows(batch).len()).max().unwrap_or(0).max(1)
    }

    fn source(&self, name: &str) -> Value {
        let mut source = json!({
            "type": "file",
            "path": format!("{name}.jsonl"),
            "format": "json",
            "schema": self.schema,
            // A batch is a second long, and has as many records as the largest.
            "rate": format!("{}/s", self.most_rows()),
            "on_reject": "skip",
        });
        if let Some(event_time) = &self.event_time {
            source["event_time"] = event_time.clone();
        }
        source
    }

    /// So many batches, all of the same number of records.
    fn file(&self, batches: usize) -> String {
        let mut file = String::new();
        for batch in 0..batches {
            let rows = self.batches.get(batch).map(|batch| rows(batch)).unwrap_or_default();
            let lines = rows.into_iter().map(|row| Value::Object(row).to_string());
            for line in lines.chain(std::iter::repeat(PADDING.to_owned())).take(self.most_rows()) {
                file.push_str(&line);
                file.push('\n');
            }
        }
        file
    }
}

/// The rows that a stream has in each batch in which it has any.
fn expected(vector: &Vector, batches: &[String]) -> Vec<(u64, Vec<Row>)> {
    assert_eq!(batches.len(), vector.batches(), "a batch of output for each batch of input");
    let timed = (vector.first..).zip(batches).map(|(second, batch)| (second * 1000, rows(batch)));
    timed.filter(|(_, rows)| !rows.is_empty()).collect()
}

fn found(vector: &Vector, tree: &Tree, stream: &str) -> Vec<(u64, Vec<Row>)> {
    let of_stream =
        tree.0.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(stream).ok()?.to_owned(), bytes.clone())));
    let batches = Batches::of(&Tree(of_stream.collect()));
    batches.0.into_iter().map(|(time, rows)| (time, canonical(vector, rows))).collect()
}

fn canonical(vector: &Vector, rows: Vec<Row>) -> Vec<Row> {
    if vector.ordered { rows } else { sorted(rows) }
}

fn check(vector: &Vector) {
    let first = vector.run(CUTS[0]);
    for (stream, batches) in &vector.output {
        let expected: Vec<_> =
            expected(vector, batches).into_iter().map(|(t, rows)| (t, canonical(vector, rows))).collect();
        assert_eq!(found(vector, &first, stream), expected, "{}: {}\nstream `{stream}`", vector.name, vector.promise);
    }
    for cut in &CUTS[1..] {
        assert!(vector.run(*cut) == first, "{}: other bytes with {cut:?}", vector.name);
    }
}

/// Checks the vectors of a topic.
fn topic(name: &str) {
    let file = workspace().join("tests/vectors").join(name).with_extension("toml");
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let topic: Topic = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let names: Vec<&str> = topic.vector.iter().map(|vector| vector.name.as_str()).collect();
    let vector = |name: &str| topic.vector.iter().find(|vector| vector.name == name).expect("it has this name");
    each(names, |name| check(vector(name)));
}

#[test]
fn given_what_spark_documents_of_batches_when_it_is_run_here_then_it_holds() {
    topic("batches");
}

#[test]
fn given_what_spark_documents_of_windows_when_it_is_run_here_then_it_holds() {
    topic("windows");
}

#[test]
fn given_what_structured_streaming_documents_of_event_time_when_it_is_run_here_then_it_holds() {
    topic("event_time");
}

#[test]
fn given_what_spark_documents_of_states_when_it_is_run_here_then_it_holds() {
    topic("state");
}

#[test]
fn given_what_spark_documents_of_joins_when_it_is_run_here_then_it_holds() {
    topic("joins");
}

#[test]
fn given_what_spark_documents_of_partitions_when_it_is_run_here_then_it_holds() {
    topic("partitions");
}

#[test]
fn given_what_sql_says_of_keys_when_it_is_run_here_then_it_holds() {
    topic("keys");
}
