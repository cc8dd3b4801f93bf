//! The pipelines that the oracle knows, and how they are written as a pipeline file.

use std::fmt;

use serde_json::{Map, Value, json};

use super::query::{KNOWN, Query};

/// A pipeline. Operators are in an order in which they can run.
#[derive(Clone)]
pub struct Pipeline {
    /// The batch interval in milliseconds.
    pub interval: u64,
    /// When a block is sealed, in bytes.
    pub block_size: u64,
    /// Where rows come from.
    pub sources: Vec<Source>,
    /// What is done with them.
    pub operators: Vec<Operator>,
    /// Where they go.
    pub sinks: Vec<Sink>,
}

/// What must not show in the result: into how many pieces the work is cut, and how many hands there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Partitions of a stream.
    pub partitions: usize,
    /// Threads that operators run on.
    pub threads: usize,
    /// Rows of a call.
    pub chunk_rows: usize,
}

/// A file, with all that is in it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// How bytes become rows.
    pub format: Format,
    /// The file's contents.
    pub file: String,
    /// Rows a second; none for all at once.
    pub rate: Option<u64>,
    /// What becomes of records that are no rows.
    pub policy: Policy,
}

/// How bytes become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line is a row.
    Text,
    /// A line is an object, with the columns of [`super::source::JSON_COLUMNS`].
    Json,
}

/// What becomes of a row that cannot be taken. Stopping is not the oracle's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It is dropped.
    Skip,
    /// It is kept.
    DeadLetter,
}

/// An operator.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// Whose rows come in.
    pub inputs: Vec<String>,
    /// The columns by which rows are shuffled or folded.
    pub key: Vec<String>,
    /// How many partitions the rows have after the shuffle.
    pub partitions: Option<usize>,
    /// What becomes of rows that it cannot take.
    pub policy: Policy,
    /// What it is.
    pub what: What,
}

/// The operators that the oracle has an implementation of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The plugin `words`.
    Words,
    /// The plugin `hashtags`.
    Hashtags,
    /// The plugin `grep`, with its pattern.
    Grep(String),
    /// The test guest `picky`.
    Picky,
    /// The plugin `count`.
    Count,
    /// The plugin `sum`.
    Sum,
    /// SQL.
    Query(Query),
}

/// A files sink, which writes JSON.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Its name, and its folder's.
    pub name: String,
    /// Whose rows are written.
    pub inputs: Vec<String>,
}

impl Pipeline {
    /// The pipeline file, for work that is cut in one way.
    pub fn to_toml(&self, cut: Cut) -> String {
        let sources: Map<_, _> = self.sources.iter().map(|source| (source.name.clone(), source.to_json())).collect();
        let operators: Map<_, _> = self.operators.iter().map(|o| (o.name.clone(), o.to_json())).collect();
        let sinks: Map<_, _> = self.sinks.iter().map(|sink| (sink.name.clone(), sink.to_json())).collect();
        let schema = json!({"word": "utf8", "value": "int64"});
        let file = json!({
            "name": "p",
            "batch": {
                "interval": format!("{}ms", self.interval),
                "block_size": format!("{} B", self.block_size),
                "partitions": cut.partitions,
                "chunk_rows": cut.chunk_rows,
            },
            "sources": sources,
            "tables": {"known": {"path": "known.jsonl", "format": "json", "schema": schema}},
            "operators": operators,
            "sinks": sinks,
        });
        toml::to_string(&file).expect("a pipeline without nulls can be written as TOML")
    }

    /// The files that the pipeline reads, by name.
    pub fn files(&self) -> Vec<(String, String)> {
        let known: String =
            KNOWN.iter().map(|(word, value)| format!("{}\n", json!({"word": word, "value": value}))).collect();
        let sources = self.sources.iter().map(|source| (source.path(), source.file.clone()));
        sources.chain([("known.jsonl".to_owned(), known)]).collect()
    }
}

/// As the file that a person could run.
impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.to_toml(Cut { partitions: 1, threads: 1, chunk_rows: 8192 }))?;
        self.files().iter().try_for_each(|(name, contents)| writeln!(f, "-- {name}: {contents:?}"))
    }
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::DeadLetter => "dead-letter",
        }
    }
}

impl Source {
    fn path(&self) -> String {
        format!("{}.input", self.name)
    }

    fn to_json(&self) -> Value {
        let mut spec = json!({"type": "file", "path": self.path(), "on_reject": self.policy.name()});
        if let Some(rate) = self.rate {
            spec["rate"] = format!("{rate}/s").into();
        }
        if self.format == Format::Json {
            spec["format"] = "json".into();
            let columns = super::source::JSON_COLUMNS.iter().map(|(name, kind)| (name.to_string(), kind.name().into()));
            spec["schema"] = Value::Object(columns.collect());
        }
        spec
    }
}

impl Operator {
    fn to_json(&self) -> Value {
        let mut spec = json!({"inputs": self.inputs});
        let (kind, component) = match &self.what {
            What::Words => ("transform", "words@0.1.0"),
            What::Hashtags => ("transform", "hashtags@0.1.0"),
            What::Grep(_) => ("transform", "grep@0.1.0"),
            What::Picky => ("transform", "picky@0.1.0"),
            What::Count => ("aggregate", "count@0.1.0"),
            What::Sum => ("aggregate", "sum@0.1.0"),
            What::Query(query) => {
                spec["sql"] = query.sql(&self.inputs).into();
                return spec;
            }
        };
        spec[kind] = component.into();
        spec["on_reject"] = self.policy.name().into();
        spec["key"] = self.key.clone().into();
        if let What::Grep(pattern) = &self.what {
            spec["config"] = json!({ "pattern": pattern });
        }
        if let Some(partitions) = self.partitions {
            spec["partitions"] = partitions.into();
        }
        spec
    }
}

impl Sink {
    fn to_json(&self) -> Value {
        json!({"type": "files", "path": format!("out/{}", self.name), "inputs": self.inputs})
    }
}
