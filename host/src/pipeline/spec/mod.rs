//! The pipeline file's types: the one description of its keys, which serde reads, the JSON Schema publishes and the
//! reader of the file goes by.
//!
//! A doc comment here is what an editor shows for the key, and its first sentence is what the reader says about the key
//! when it is missing. What a type cannot say (exactly one of, at least one, a name that exists) is for the check.

mod operator;
mod sink;
mod source;
mod table;

use std::num::NonZeroUsize;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use operator::*;
pub use sink::*;
pub use source::*;
pub use table::*;

use crate::place::Place;
use crate::units::{Period, Rate, Size};

/// What a source, table, operator or sink may be called: SQL can name it without quotes.
const NAME: &str = "^[a-z_][a-z0-9_]*$";

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
    /// What is written down, so that a restart goes on where the host was.
    #[serde(default)]
    pub checkpoint: CheckpointSpec,
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
    /// How many partitions a stream has. Default: one for each core, and two in a batch that fills as many blocks.
    pub partitions: Option<NonZeroUsize>,
    /// Rows that cross into an operator in one call. Default 8192.
    pub chunk_rows: NonZeroUsize,
    /// For how long the rows of every stream are kept, for `weir sql`. Default: only what windows need.
    pub remember: Option<Period>,
    /// What becomes of batches whose time passed while no host ran. Default "run".
    pub missed: Missed,
    /// The rate controller that slows sources when batches take longer than the interval.
    pub backpressure: BackpressureSpec,
}

/// What becomes of batches whose time passed while no host ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// Each is run, as if the host had only been slow.
    #[default]
    Run,
    /// The first batch after the restart takes what they would have had.
    Coalesce,
}

/// What is written down of states, past rows and positions, and when. Of live runs; one with `--once` begins anew.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSpec {
    /// How long after a checkpoint the next is made. Default "10s".
    pub interval: Period,
    /// For how long past batches can be computed again, by `weir replay` and `weir verify`: so long checkpoints, received
    /// rows and versions of tables stay on disk. Default: as far back as the checkpoint before the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Period>,
    /// Where it is written: a folder, relative to the pipeline file, or a bucket, as in "s3://bucket/prefix". Credentials
    /// are taken from the environment. Default: a folder in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Place>,
}

impl Default for CheckpointSpec {
    fn default() -> Self {
        Self { interval: Period(Duration::from_secs(10)), keep: None, location: None }
    }
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
            remember: None,
            missed: Missed::default(),
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
