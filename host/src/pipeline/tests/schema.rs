//! The published JSON Schema: it is the kept file, and it takes what the reader takes.

use serde_json::Value;

use super::good::FULL;
use super::parse;
use crate::pipeline::json_schema;

/// Pipelines that the published schema knows to be wrong as well.
const REFUSED_BY_SCHEMA: [&str; 14] = [
    "",
    "sources = {}\nsinks = {}",
    "sources.a = { type = 'file', path = 'a' }\nsinks.o = { type = 'stdout', inputs = [] }",
    "sources.a = { type = 'file', path = 'a' }\nsinks.o = { type = 'stdout', inputs = ['a', 'a'] }",
    "sources.A = { type = 'file', path = 'a' }\nsinks.o = { type = 'stdout', inputs = ['A'] }",
    "sources.a = { type = 'kafka' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "sources.a = { type = 'file', path = 'a', format = 'xml' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "sources.a = { type = 'file', path = 'a', watched = true }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "sources.a = { type = 'file', path = 'a', watch = 'yes' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "sources.a = { type = 'socket' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "batch.interval = '5'\nsources.a = { type = 'file', path = 'a' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "batch.partitions = 0\nsources.a = { type = 'file', path = 'a' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "operators.x = { inputs = ['a'] }\n\
     sources.a = { type = 'file', path = 'a' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
    "operators.x = { inputs = ['a'], transform = 'x' }\n\
     sources.a = { type = 'file', path = 'a' }\nsinks.o = { type = 'stdout', inputs = ['a'] }",
];

fn schema() -> Value {
    serde_json::from_str(&json_schema()).expect("the schema is JSON")
}

fn as_json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Value>(text).expect("the text is TOML")).expect("TOML fits JSON")
}

#[test]
fn the_kept_schema_is_the_generated_one() {
    let kept = include_str!("../../../pipeline.schema.json");
    assert_eq!(
        kept,
        json_schema(),
        "host/pipeline.schema.json is out of date: run `weir schema > host/pipeline.schema.json`"
    );
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[test]
fn the_schema_takes_good_pipelines() {
    let substituted = "
        batch = { partitions = '${N}', interval = '${I:-1s}' }
        sources.a = { type = 'file', path = 'a', watch = '${W}', format = '${F}' }
        sinks.out = { type = 'stdout', inputs = ['a'] }
    ";
    // A date has no place in JSON.
    for text in [&*FULL.replace("since = 2026-01-01", "since = '2026'"), substituted] {
        let validator = jsonschema::validator_for(&schema()).expect("the schema compiles");
        let errors: Vec<_> = validator.iter_errors(&as_json(text)).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{text}");
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema compiles");
    for text in REFUSED_BY_SCHEMA {
        assert!(!validator.is_valid(&as_json(text)), "the schema takes {text}");
        assert!(parse(text).is_err(), "the reader takes {text}");
    }
}
