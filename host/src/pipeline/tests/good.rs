//! Pipelines that load, and what they load as.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use super::{loaded, parse};
use crate::pipeline::{Format, LoadError, OnReject, OnSinkReject, OperatorKind, Pipeline, SinkSpec, SourceSpec};
use crate::rows::ColumnType;
use crate::units::{Period, Rate, Size};

/// Every kind of source, operator and sink.
pub(super) const FULL: &str = r#"
name = "everything"

[batch]
interval = "500ms"
block_size = "1 MiB"
partitions = 4

[batch.backpressure]
proportional = 2
min_rate = "10/s"

[sources.events]
type = "file"
path = "data/events"
watch = true
format = "json"
schema = { user = "utf8", amount = "int64", at = "timestamp" }
on_reject = "dead-letter"
max_rejects = "0.5%"

[sources.lines]
type = "socket"
connect = "localhost:9999"

[sources.noise]
type = "generator"
rate = "1_000/s"
columns.n = { kind = "sequence" }
columns.size = { kind = "integer", min = -1, max = 1 }
columns.ratio = { kind = "float", min = 0, max = 1.5 }
columns.colour = { kind = "choice", of = ["red", "green"] }
columns.text = { kind = "words", length = 100 }

[tables.users]
path = "/srv/users.csv"
format = "csv"

[operators.tags]
transform = "hashtags@1.0.0"
inputs = ["lines", "noise"]
config = { lower = true, pattern = '#\w+ costs $1', depth = [1, { a = 2.5 }], since = 2026-01-01 }
on_reject = "skip"
max_rejects = 100
limits = { memory = "16 MiB", fuel = 1_000_000 }

[operators.counts]
aggregate = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
inputs = ["tags"]
key = ["tag"]
partitions = 2

[operators.spent]
sql = "SELECT country, sum(amount) AS spent FROM events JOIN users USING (user) GROUP BY country"
inputs = ["events", "users"]

[sinks.screen]
type = "stdout"
inputs = ["counts", "spent"]

[sinks.archive]
type = "files"
path = "out"
format = "parquet"
inputs = ["spent"]

[sinks.database]
type = "postgres"
url = "postgres://weir:${FOUR}@db.example.org/shop"
table = "sales.spent"
key = ["country"]
inputs = ["spent"]

[sinks.service]
type = "http"
url = "http://${HOST}:8080/rows"
headers = { Authorization = "Bearer ${FOUR}" }
max_rows = 500
inputs = ["spent"]

[sinks.told]
type = "component"
component = "webhook@0.1.0"
config = { url = "http://${HOST}:8080/rows", headers = { Authorization = "Bearer ${FOUR}" } }
allow = ["http://${HOST}:8080", "http://localhost"]
limits.memory = "16 MiB"
inputs = ["spent"]
"#;

#[test]
fn a_file_with_everything_loads() {
    let loaded = loaded(FULL);
    let pipeline = &loaded.pipeline;
    assert_eq!(loaded.name, "everything");
    assert_eq!(loaded.warnings, []);
    assert_eq!(pipeline.batch.interval, Period(Duration::from_millis(500)));
    assert_eq!(pipeline.batch.block_size, Size(1 << 20));
    assert_eq!(pipeline.batch.partitions, NonZeroUsize::new(4));
    assert_eq!(pipeline.batch.backpressure.proportional, 2.0);
    assert_eq!(pipeline.batch.backpressure.integral, 0.2);

    let SourceSpec::File { watch, format, schema: Some(schema), on_reject, .. } = &pipeline.sources["events"] else {
        panic!("events is a file source with a schema");
    };
    assert_eq!((*watch, *format, *on_reject), (true, Format::Json, OnReject::DeadLetter));
    let budgets = [pipeline.sources["events"].max_rejects(), pipeline.operators["tags"].max_rejects];
    assert_eq!(
        budgets.map(|budget| budget.map(|budget| budget.to_string())),
        [Some("0.5%".into()), Some("100".into())]
    );
    let columns: Vec<_> = schema.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    let expected = [("user", ColumnType::Utf8), ("amount", ColumnType::Int64), ("at", ColumnType::Timestamp)];
    assert_eq!(columns, expected, "columns keep the file's order");

    let SourceSpec::Generator { rate, columns, .. } = &pipeline.sources["noise"] else {
        panic!("noise is a generator");
    };
    assert_eq!(*rate, Rate(1000.0));
    assert_eq!(columns.keys().collect::<Vec<_>>(), ["n", "size", "ratio", "colour", "text"]);

    let tags = &pipeline.operators["tags"];
    assert_eq!(tags.kind(), Some(OperatorKind::Transform("hashtags@1.0.0")));
    assert_eq!(tags.limits.memory, Size(16 << 20));
    assert_eq!(tags.limits.output, Size(64 << 20));
    let config = serde_json::json!({
        "lower": true, "pattern": r"#\w+ costs $1", "depth": [1, { "a": 2.5 }], "since": "2026-01-01",
    });
    assert_eq!(tags.config.clone().map(serde_json::Value::Object), Some(config));
}

#[test]
fn paths_are_relative_to_the_file() {
    let pipeline = loaded(FULL).pipeline;
    let SourceSpec::File { path, .. } = &pipeline.sources["events"] else { panic!("events is a file source") };
    assert_eq!(path, Path::new("jobs/counts/data/events"));
    assert_eq!(pipeline.tables["users"].path, Path::new("/srv/users.csv"));
    let SinkSpec::Files { path, .. } = &pipeline.sinks["archive"] else { panic!("archive is a files sink") };
    assert_eq!(path, Path::new("jobs/counts/out"));
}

#[test]
fn checkpoints_lie_where_the_file_says() {
    for (location, expected) in [
        ("", None),
        ("checkpoint.location = '../kept'", Some("jobs/counts/../kept")),
        ("checkpoint.location = 'file:///srv/kept'", Some("/srv/kept")),
        ("checkpoint.location = 's3://bucket/${FOUR}/'", Some("s3://bucket/4")),
    ] {
        let found = loaded(&format!("{location}\n{SHORT}")).pipeline.checkpoint.location;
        assert_eq!(found.map(|place| place.to_string()).as_deref(), expected);
    }
}

#[test]
fn sinks_over_a_network_have_defaults_and_take_secrets_from_the_environment() {
    let pipeline = loaded(FULL).pipeline;
    let SinkSpec::Postgres { url, key, create, .. } = &pipeline.sinks["database"] else {
        panic!("database is a table")
    };
    assert_eq!((url.as_str(), *create), ("postgres://weir:4@db.example.org/shop", true));
    assert_eq!(key, &["country"]);
    let SinkSpec::Http { headers, timeout, max_rows, max_bytes, .. } = &pipeline.sinks["service"] else {
        panic!("service is reached over HTTP");
    };
    assert_eq!(headers["Authorization"], "Bearer 4");
    assert_eq!((timeout.0, max_rows.get(), *max_bytes), (Duration::from_secs(30), 500, Size(1 << 20)));
    let SinkSpec::Component { config, allow, timeout, max_rows, on_reject, limits, .. } = &pipeline.sinks["told"]
    else {
        panic!("told is a component");
    };
    let config = config.clone().map(serde_json::Value::Object);
    let expected = serde_json::json!({"url": "http://example.org:8080/rows", "headers": {"Authorization": "Bearer 4"}});
    assert_eq!(config, Some(expected));
    let allow: Vec<_> = allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["http://example.org:8080", "http://localhost"]);
    assert_eq!((timeout.0, max_rows.get(), *on_reject), (Duration::from_secs(30), 1000, OnSinkReject::Fail));
    assert_eq!((limits.memory, limits.output), (Size(16 << 20), Size(64 << 20)));
}

const SHORT: &str = r#"
sources.a = { type = "file", path = "a.txt" }
sinks.out = { type = "stdout", inputs = ["a"] }
"#;

#[test]
fn whatever_has_a_default_can_be_left_out() {
    let loaded = loaded(SHORT);
    assert_eq!(loaded.name, "counts", "the folder's name");
    assert_eq!(loaded.pipeline.name.as_deref(), Some("counts"));
    assert_eq!(loaded.pipeline.batch.block_interval, Period(Duration::from_millis(200)));
}

#[test]
fn a_short_interval_shortens_the_blocks_that_nobody_set() {
    let loaded = loaded(&format!("batch.interval = '50ms'\n{SHORT}"));
    assert_eq!(loaded.pipeline.batch.block_interval, Period(Duration::from_millis(50)));
}

#[test]
fn the_environment_is_filled_in_where_values_stand() {
    let loaded = loaded(
        r#"
        [batch]
        partitions = "${FOUR}"
        interval = "${INTERVAL:-2s}"
        [batch.backpressure]
        enabled = "${NO:-false}"
        integral = "${FOUR}"
        [sources.a]
        type = "${FILE}"
        path = "${SLY}"
        watch = "${YES}"
        [operators.x]
        sql = "SELECT $1, '$${HOST} ${HOST}' FROM a"
        inputs = ["a"]
        [operators.y]
        transform = "y@${FOUR}"
        inputs = ["x"]
        config = { hosts = ["${HOST}"], four = "${FOUR}" }
        [sinks.out]
        type = "stdout"
        inputs = ["y"]
        "#,
    );
    let pipeline = loaded.pipeline;
    assert_eq!(pipeline.batch.partitions, NonZeroUsize::new(4));
    assert_eq!(pipeline.batch.interval, Period(Duration::from_secs(2)));
    assert!(!pipeline.batch.backpressure.enabled);
    assert_eq!(pipeline.batch.backpressure.integral, 4.0);
    let SourceSpec::File { path, watch, .. } = &pipeline.sources["a"] else { panic!("a is a file source") };
    assert!(watch);
    assert_eq!(path, Path::new("jobs/counts/x\"\n[sinks.evil]\ntype = \"stdout\""), "a value cannot add keys");
    assert_eq!(pipeline.sinks.len(), 1);
    assert_eq!(pipeline.operators["x"].sql.as_deref(), Some("SELECT $1, '${HOST} example.org' FROM a"));
    assert_eq!(pipeline.operators["y"].transform.as_deref(), Some("y@4"));
    let config = serde_json::json!({ "hosts": ["example.org"], "four": "4" });
    assert_eq!(pipeline.operators["y"].config.clone().map(serde_json::Value::Object), Some(config));
}

#[test]
fn a_loaded_pipeline_can_be_written_out_and_read_again() {
    let pipeline = loaded(FULL).pipeline;
    let again = loaded(&toml::to_string(&pipeline).expect("a pipeline is TOML")).pipeline;
    assert_eq!(
        toml::Value::try_from(&again),
        toml::Value::try_from({
            let mut pipeline = pipeline;
            // What was resolved once is relative to the file again.
            pipeline.resolve_paths(Path::new("jobs/counts"));
            pipeline
        })
    );
}

#[test]
fn what_reaches_no_sink_is_a_warning() {
    let loaded = loaded(
        "[sources.a]\ntype = 'file'\npath = 'a'\n\
         [sources.b]\ntype = 'file'\npath = 'b'\n\
         [tables.t]\npath = 't'\nformat = 'csv'\n\
         [operators.x]\ntransform = 'x@1'\ninputs = ['b']\n\
         [sinks.out]\ntype = 'stdout'\ninputs = ['a']\n",
    );
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "jobs/counts/pipeline.toml:4:10: [sources.b] does not run, because nobody reads its rows",
            "jobs/counts/pipeline.toml:7:9: [tables.t] is not used, because no operator has a query",
            "jobs/counts/pipeline.toml:10:12: [operators.x] does not run, because nobody reads its rows",
        ]
    );
}

#[test]
fn a_file_is_loaded_with_its_own_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hourly.toml");
    std::fs::write(&file, SHORT).expect("a file");
    let loaded = Pipeline::load(&file).expect("it loads");
    assert_eq!(loaded.name, "hourly");
    let SourceSpec::File { path, .. } = &loaded.pipeline.sources["a"] else { panic!("a is a file source") };
    assert_eq!(*path, folder.path().join("a.txt"));

    let missing = folder.path().join("no.toml");
    let error = Pipeline::load(&missing).expect_err("there is no such file");
    assert!(matches!(&error, LoadError::Read { .. }));
    assert!(error.to_string().starts_with(&format!("cannot read the pipeline file `{}`: ", missing.display())));
}

#[test]
fn a_name_from_the_path_must_do() {
    let problems = Pipeline::parse(SHORT, Path::new("my counts.toml"), &|_| None).expect_err("a space in the name");
    assert_eq!(
        problems.to_string(),
        "my counts.toml:1:1: `my counts`, from the file's path, cannot be the pipeline's name: \
         write `name`, of letters, digits, `_` and `-`"
    );
    assert!(parse(&format!("name = 'fine'\n{SHORT}")).is_ok());
}
