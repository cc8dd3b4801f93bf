//! The pipeline file's types: the one description of its keys, which serde reads, the JSON Schema publishes and the
//! reader of the file goes by.
//!
//! A doc comment here is what an editor shows for the key, and its first sentence is what the reader says about the key
//! when it is missing. What a type cannot say (exactly one of, at least one, a name that exists) is for the check.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rows::ColumnType;
use crate::units::{Period, Rate, Size};

/// What a source, table, operator or sink may be called: SQL can name it without quotes.
const NAME: &str = "^[a-z_][a-z0-9_]*$";

/// A component, by name and version or by digest; [`crate::operator::Reference`] is the authority.
const COMPONENT: &str = "^([a-z0-9][a-z0-9_-]*@[0-9A-Za-z][0-9A-Za-z.+-]*|sha256:[0-9a-f]{64})$";

/// A pipeline: sources, operators and sinks, joined by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The pipeline's name; by default the name of the folder that holds a `pipeline.toml`, else the file's name.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: Option<String>,
    /// How the stream is cut into batches.
    #[serde(default)]
    pub batch: BatchSpec,
    /// Where rows come from, a table `[sources.NAME]` for each source.
    #[schemars(extend("propertyNames" = {"pattern": NAME}, "minProperties" = 1))]
    pub sources: IndexMap<String, SourceSpec>,
    /// Data at rest that SQL operators can join, a table `[tables.NAME]` for each.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": NAME}))]
    pub tables: IndexMap<String, TableSpec>,
    /// What is done with the rows, a table `[operators.NAME]` for each operator.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": NAME}))]
    pub operators: IndexMap<String, OperatorSpec>,
    /// Where results go, a table `[sinks.NAME]` for each sink.
    #[schemars(extend("propertyNames" = {"pattern": NAME}, "minProperties" = 1))]
    pub sinks: IndexMap<String, SinkSpec>,
}

/// How the stream is cut into batches.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSpec {
    /// The batch interval, in whole milliseconds. Default "1s".
    pub interval: Period,
    /// How often a receiver seals a block. Default "200ms", or the interval if that is shorter.
    pub block_interval: Period,
    /// A block is sealed early at this size. Default "4 MiB".
    pub block_size: Size,
    /// How much received data may wait in memory, in all; receivers stop reading at this. Default "256 MiB".
    pub block_memory: Size,
    /// How many partitions a stream has. Default: one for each core.
    pub partitions: Option<NonZeroUsize>,
    /// Rows that cross into an operator in one call. Default 8192.
    pub chunk_rows: NonZeroUsize,
    /// The rate controller that slows sources when batches take longer than the interval.
    pub backpressure: BackpressureSpec,
}

impl Default for BatchSpec {
    fn default() -> Self {
        Self {
            interval: Period(Duration::from_secs(1)),
            block_interval: Period(Duration::from_millis(200)),
            block_size: Size(4 << 20),
            block_memory: Size(256 << 20),
            partitions: None,
            chunk_rows: NonZeroUsize::new(8192).unwrap_or(NonZeroUsize::MIN),
            backpressure: BackpressureSpec::default(),
        }
    }
}

/// The PID rate controller, as in Spark Streaming.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackpressureSpec {
    /// Default true.
    pub enabled: bool,
    /// Weight of the last batch's error. Default 1.0.
    pub proportional: f64,
    /// Weight of the accumulated error. Default 0.2.
    pub integral: f64,
    /// Weight of the error's change. Default 0.0.
    pub derivative: f64,
    /// Never slower than this. Default "100/s".
    pub min_rate: Rate,
    /// The rate before the first batch is measured. Default: as fast as the source gives.
    pub initial_rate: Option<Rate>,
}

impl Default for BackpressureSpec {
    fn default() -> Self {
        Self {
            enabled: true,
            proportional: 1.0,
            integral: 0.2,
            derivative: 0.0,
            min_rate: Rate(100.0),
            initial_rate: None,
        }
    }
}

/// A source of rows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum SourceSpec {
    /// A file, or the files of a folder in the order of their names.
    File {
        /// The file or folder; relative to the pipeline file.
        path: PathBuf,
        /// For a folder: keep looking for files that appear (move them in by rename). Default false.
        #[serde(default)]
        watch: bool,
        /// Replay at this many rows a second. Default: all that there is, at once.
        #[serde(default)]
        rate: Option<Rate>,
        /// How bytes become rows. Default "text".
        #[serde(default)]
        format: Format,
        /// Column names and types; by default inferred from the first rows.
        #[serde(default)]
        schema: Option<IndexMap<String, ColumnType>>,
        /// What happens to a record that cannot be read.
        #[serde(default)]
        on_reject: OnReject,
    },
    /// Lines over TCP. Exactly one of `connect` and `listen`.
    #[schemars(extend("oneOf" = [{"required": ["connect"]}, {"required": ["listen"]}]))]
    Socket {
        /// Connect to this `host:port`, again and again when it goes away.
        #[serde(default)]
        connect: Option<String>,
        /// Accept connections on this `host:port`.
        #[serde(default)]
        listen: Option<String>,
        /// How bytes become rows. Default "text".
        #[serde(default)]
        format: Format,
        /// Column names and types; needed unless the format is text.
        #[serde(default)]
        schema: Option<IndexMap<String, ColumnType>>,
        /// Never faster than this many rows a second.
        #[serde(default)]
        max_rate: Option<Rate>,
        /// What happens to a record that cannot be read.
        #[serde(default)]
        on_reject: OnReject,
    },
    /// Made-up rows, for trials and load tests: row n is always the same.
    Generator {
        /// Rows a second.
        rate: Rate,
        /// Stop after this many rows. Default: never.
        #[serde(default)]
        count: Option<u64>,
        /// Another seed gives other rows. Default 0.
        #[serde(default)]
        seed: u64,
        /// The columns, a table `columns.NAME` for each, whose `kind` says how it is made.
        columns: IndexMap<String, GeneratedColumn>,
    },
}

/// How a column of made-up rows is made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum GeneratedColumn {
    /// int64: the row's number, from 0.
    Sequence,
    /// int64: evenly spread over `min ..= max`.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// float64: evenly spread over `min .. max`.
    Float {
        /// The smallest.
        min: f64,
        /// Just past the largest.
        max: f64,
    },
    /// utf8: one of these.
    Choice {
        /// The candidates.
        of: Vec<String>,
    },
    /// utf8: a line of words whose frequencies follow Zipf's law, a tenth of them hashtags, padded with spaces.
    Words {
        /// Bytes a line.
        length: NonZeroUsize,
        /// How many different words. Default 10000.
        #[serde(default)]
        vocabulary: Option<NonZeroUsize>,
    },
}

/// How bytes become rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A line is a row of one column, `line utf8`.
    #[default]
    Text,
    /// A line is a JSON object.
    Json,
    /// RFC 4180, with a header line in files (not on sockets).
    Csv,
}

/// What happens to a row that an operator or a format cannot take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnReject {
    /// The job stops and names the row.
    #[default]
    Fail,
    /// The row is counted and dropped.
    Skip,
    /// The row is kept, with operator, digest and reason, in the host's dead letters.
    DeadLetter,
}

/// Data at rest, read when the host starts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// The file; relative to the pipeline file.
    pub path: PathBuf,
    /// How bytes become rows.
    pub format: Format,
    /// Column names and types; by default inferred from the first rows.
    #[serde(default)]
    pub schema: Option<IndexMap<String, ColumnType>>,
}

/// An operator: exactly one of `transform`, `aggregate` and `sql`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["transform"]}, {"required": ["aggregate"]}, {"required": ["sql"]}]))]
pub struct OperatorSpec {
    /// A component of the world `transform`, as `name@version` or `sha256:digest`.
    #[serde(default)]
    #[schemars(regex(pattern = COMPONENT))]
    pub transform: Option<String>,
    /// A component of the world `aggregate`, as `name@version` or `sha256:digest`.
    #[serde(default)]
    #[schemars(regex(pattern = COMPONENT))]
    pub aggregate: Option<String>,
    /// A query over the inputs, and over any of the tables, by their names.
    #[serde(default)]
    pub sql: Option<String>,
    /// Sources and operators whose rows come in. Several inputs of a component are put one after the other.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub inputs: Vec<String>,
    /// Rows with the same values in these columns meet in one partition; an aggregate answers for each such key.
    /// Only for components: a query says GROUP BY or JOIN.
    #[serde(default)]
    pub key: Vec<String>,
    /// Passed to the component's `configure`, as JSON.
    #[serde(default)]
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    /// How many partitions the rows have after the shuffle by `key`. Default: the batch's.
    #[serde(default)]
    pub partitions: Option<NonZeroUsize>,
    /// What happens to a row that the operator rejects or fails on.
    #[serde(default)]
    pub on_reject: OnReject,
    /// What one task or call of the component may use.
    #[serde(default)]
    pub limits: LimitsSpec,
}

/// The one thing that an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorKind<'a> {
    /// A component of the world `transform`, as the file names it.
    Transform(&'a str),
    /// A component of the world `aggregate`, as the file names it.
    Aggregate(&'a str),
    /// A query.
    Sql(&'a str),
}

impl OperatorSpec {
    /// What the operator is; nothing when the file says none or more than one, which the check refuses.
    pub fn kind(&self) -> Option<OperatorKind<'_>> {
        match (&self.transform, &self.aggregate, &self.sql) {
            (Some(component), None, None) => Some(OperatorKind::Transform(component)),
            (None, Some(component), None) => Some(OperatorKind::Aggregate(component)),
            (None, None, Some(query)) => Some(OperatorKind::Sql(query)),
            _ => None,
        }
    }
}

/// What a component may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSpec {
    /// Linear memory of an instance. Default "64 MiB".
    pub memory: Size,
    /// Fuel of one call, about one unit an instruction. Default 1,000,000,000: about half a second.
    pub fuel: u64,
    /// Bytes that one call may answer with. Default "64 MiB".
    pub output: Size,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        Self { memory: Size(64 << 20), fuel: 1_000_000_000, output: Size(64 << 20) }
    }
}

/// A destination of rows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum SinkSpec {
    /// Prints each batch.
    Stdout {
        /// Sources and operators whose rows are printed.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        inputs: Vec<String>,
        /// How. Default "table".
        #[serde(default)]
        format: StdoutFormat,
    },
    /// A folder a batch, `batch_time=MILLIS`, which appears whole or not at all.
    Files {
        /// Sources and operators whose rows are written.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        inputs: Vec<String>,
        /// The folder; relative to the pipeline file. Made if it is not there.
        path: PathBuf,
        /// How rows are written. Default "json".
        #[serde(default)]
        format: FileFormat,
    },
}

impl SinkSpec {
    /// Sources and operators whose rows go into the sink.
    pub fn inputs(&self) -> &[String] {
        match self {
            Self::Stdout { inputs, .. } | Self::Files { inputs, .. } => inputs,
        }
    }
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StdoutFormat {
    /// A table, for people.
    #[default]
    Table,
    /// An object a line.
    Json,
}

/// How rows are written to files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// An object a line.
    #[default]
    Json,
    /// RFC 4180 with a header line.
    Csv,
    /// Apache Parquet, snappy.
    Parquet,
}
