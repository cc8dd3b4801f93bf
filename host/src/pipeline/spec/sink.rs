//! `[sinks.NAME]`: where results go.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LimitsSpec;
use super::operator::COMPONENT;
use crate::origin::Origin;
use crate::units::{Period, Size};

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
    /// A folder a batch, `batch_time=MILLIS`, which appears whole or not at all, with a `_manifest` of its files.
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
    /// A table in PostgreSQL. The rows of a batch go in one transaction, together with the batch's time, which is kept in
    /// the table `weir_commits` beside it: a batch that is run again is not written again.
    Postgres {
        /// Sources and operators whose rows are written.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        inputs: Vec<String>,
        /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, as libpq takes it; write the password as `${NAME}`. Without
        /// TLS, so far.
        url: String,
        /// The table, `NAME` or `SCHEMA.NAME`; upper and lower case count.
        table: String,
        /// A row takes the place of the row that has the same values in these columns; of one batch, the last one stays.
        /// The table must have a unique index over them. Default: every row is added.
        #[serde(default)]
        #[schemars(extend("uniqueItems" = true))]
        key: Vec<String>,
        /// Whether to make the table if it is not there, with `key` as its primary key. Default true.
        #[serde(default = "yes")]
        create: bool,
    },
    /// Rows sent over HTTP: `POST` requests of JSON lines. Requests have the header `Idempotency-Key:
    /// PIPELINE/SINK/BATCH_MILLIS/PART/FIRST-LAST`, by the numbers of its rows: the same whenever they are sent again.
    Http {
        /// Sources and operators whose rows are sent.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        inputs: Vec<String>,
        /// Where rows are sent, `http://HOST:PORT/PATH`. Without TLS, so far.
        url: String,
        /// More headers; write secrets as `${NAME}`.
        #[serde(default)]
        headers: IndexMap<String, String>,
        /// How long an answer may take before the request is sent again. Default "30s".
        #[serde(default = "default_timeout")]
        timeout: Period,
        /// The most rows in a request. Default 10000.
        #[serde(default = "default_max_rows")]
        max_rows: NonZeroUsize,
        /// The most bytes in a request, but for a row that has more by itself. Default "1 MiB".
        #[serde(default = "default_max_bytes")]
        max_bytes: Size,
    },
    /// A component of the world `sink`, which sends the rows over HTTP as it likes, to the origins that `allow` grants it.
    Component {
        /// Sources and operators whose rows are delivered.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        inputs: Vec<String>,
        /// The component, as `name@version` or `sha256:digest`.
        #[schemars(regex(pattern = COMPONENT))]
        component: String,
        /// Passed to the component's `configure`, as JSON; write secrets as `${NAME}`.
        #[serde(default)]
        config: Option<serde_json::Map<String, serde_json::Value>>,
        /// The origins to which it may send, each a scheme, a host and perhaps a port. Default: none.
        #[serde(default)]
        #[schemars(extend("uniqueItems" = true))]
        allow: Vec<Origin>,
        /// How long the answer to a request may take. Default "30s".
        #[serde(default = "default_timeout")]
        timeout: Period,
        /// The most rows in a call. Default 1000.
        #[serde(default = "default_call_rows")]
        max_rows: NonZeroUsize,
        /// What happens to a row that the component rejects. Default "fail".
        #[serde(default)]
        on_reject: OnSinkReject,
        /// What an instance or a call of the component may use.
        #[serde(default)]
        limits: LimitsSpec,
    },
}

/// What happens to a row that a sink rejects. There are no dead letters here: they are written before a sink has its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnSinkReject {
    /// The run stops.
    #[default]
    Fail,
    /// It is left out, with a warning.
    Skip,
}

fn yes() -> bool {
    true
}

fn default_timeout() -> Period {
    Period(Duration::from_secs(30))
}

fn default_max_rows() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(9_999)
}

fn default_call_rows() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(999)
}

fn default_max_bytes() -> Size {
    Size(1 << 20)
}

/// What a sink has of a batch that was run more than once, because the host died or the sink was down in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Its rows, once.
    ExactlyOnce,
    /// The rows of the last run, in place of those of the run before.
    Overwrite,
    /// Its rows, at least once. The receiver can tell by a key which ones it has.
    AtLeastOnceKeyed,
    /// Its rows, at least once. The component is told which ones it has, and may tell the receiver.
    AtLeastOnceNamed,
    /// Its rows, at least once.
    AtLeastOnce,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExactlyOnce => "exactly once",
            Self::Overwrite => "exactly once, by overwriting",
            Self::AtLeastOnceKeyed => "at least once, with an idempotency key",
            Self::AtLeastOnceNamed => "at least once, in calls that name their rows",
            Self::AtLeastOnce => "at least once",
        })
    }
}

impl SinkSpec {
    /// Its `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stdout { .. } => "stdout",
            Self::Files { .. } => "files",
            Self::Postgres { .. } => "postgres",
            Self::Http { .. } => "http",
            Self::Component { .. } => "component",
        }
    }

    /// What becomes of a batch that is run again.
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Stdout { .. } => Delivery::AtLeastOnce,
            Self::Files { .. } => Delivery::Overwrite,
            Self::Postgres { .. } => Delivery::ExactlyOnce,
            Self::Http { .. } => Delivery::AtLeastOnceKeyed,
            Self::Component { .. } => Delivery::AtLeastOnceNamed,
        }
    }

    /// Sources and operators whose rows go into the sink.
    pub fn inputs(&self) -> &[String] {
        match self {
            Self::Stdout { inputs, .. }
            | Self::Files { inputs, .. }
            | Self::Postgres { inputs, .. }
            | Self::Http { inputs, .. }
            | Self::Component { inputs, .. } => inputs,
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
