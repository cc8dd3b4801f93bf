//! `[sources.NAME]`: where rows come from.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rows::ColumnType;
use crate::units::{Budget, Period, Rate, Size};

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
        /// Replay at this many rows a second. Default: all that there is, at once, or `max_files` a batch.
        #[serde(default)]
        rate: Option<Rate>,
        /// Most files of one batch; an empty one counts, and so does what is left of one. Default: no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_files: Option<NonZeroUsize>,
        /// How bytes become rows. Default "text".
        #[serde(default)]
        format: Format,
        /// Column names and types; by default inferred from the first rows.
        #[serde(default)]
        schema: Option<IndexMap<String, ColumnType>>,
        /// What happens to a record that cannot be read.
        #[serde(default)]
        on_reject: OnReject,
        /// How many records of a batch may be rejected, or which share of them, as in "1%". Default: no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_rejects: Option<Budget>,
        /// Which column says when a row happened. Needed for windows on event time.
        #[serde(default)]
        event_time: Option<EventTimeSpec>,
        /// For how long the rows of past batches are kept, for `weir sql`. Default: that of `[batch]`.
        #[serde(default)]
        remember: Option<Period>,
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
        /// How many records of a batch may be rejected, or which share of them, as in "1%". Default: no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_rejects: Option<Budget>,
        /// Which column says when a row happened. Needed for windows on event time.
        #[serde(default)]
        event_time: Option<EventTimeSpec>,
        /// For how long the rows of past batches are kept, for `weir sql`. Default: that of `[batch]`.
        #[serde(default)]
        remember: Option<Period>,
    },
    /// Rows that are posted over HTTP, and answered once they are on disk.
    Http {
        /// Accept requests on this `host:port`.
        listen: String,
        /// Where rows are posted. Default "/".
        #[serde(default = "root")]
        path: String,
        /// How a body becomes rows. Default "text".
        #[serde(default)]
        format: Format,
        /// Column names and types; needed unless the format is text.
        #[serde(default)]
        schema: Option<IndexMap<String, ColumnType>>,
        /// A larger body is refused. Default "16 MiB".
        #[serde(default = "max_body")]
        max_body: Size,
        /// Never faster than this many rows a second.
        #[serde(default)]
        max_rate: Option<Rate>,
        /// What happens to a record that cannot be read.
        #[serde(default)]
        on_reject: OnReject,
        /// How many records of a batch may be rejected, or which share of them, as in "1%". Default: no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_rejects: Option<Budget>,
        /// Which column says when a row happened. Needed for windows on event time.
        #[serde(default)]
        event_time: Option<EventTimeSpec>,
        /// For how long the rows of past batches are kept, for `weir sql`. Default: that of `[batch]`.
        #[serde(default)]
        remember: Option<Period>,
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
        /// Which column says when a row happened. Needed for windows on event time.
        #[serde(default)]
        event_time: Option<EventTimeSpec>,
        /// For how long the rows of past batches are kept, for `weir sql`. Default: that of `[batch]`.
        #[serde(default)]
        remember: Option<Period>,
    },
}

impl SourceSpec {
    /// Which column says when a row happened.
    pub fn event_time(&self) -> Option<&EventTimeSpec> {
        match self {
            Self::File { event_time, .. }
            | Self::Socket { event_time, .. }
            | Self::Http { event_time, .. }
            | Self::Generator { event_time, .. } => event_time.as_ref(),
        }
    }

    /// What becomes of records that cannot be read.
    pub fn on_reject(&self) -> OnReject {
        match self {
            Self::File { on_reject, .. } | Self::Socket { on_reject, .. } | Self::Http { on_reject, .. } => *on_reject,
            Self::Generator { .. } => OnReject::Fail,
        }
    }

    /// How many records of a batch may be rejected, where there is a limit.
    pub fn max_rejects(&self) -> Option<Budget> {
        match self {
            Self::File { max_rejects, .. } | Self::Socket { max_rejects, .. } | Self::Http { max_rejects, .. } => {
                *max_rejects
            }
            Self::Generator { .. } => None,
        }
    }

    /// For how long its rows are kept.
    pub fn remember(&self) -> Option<Period> {
        match self {
            Self::File { remember, .. }
            | Self::Socket { remember, .. }
            | Self::Http { remember, .. }
            | Self::Generator { remember, .. } => *remember,
        }
    }
}

fn root() -> String {
    "/".to_owned()
}

fn max_body() -> Size {
    Size(16 << 20)
}

/// When rows happened, and how long to wait for those that come late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTimeSpec {
    /// A column of type timestamp; or int64, milliseconds since the Unix epoch. Rows in which it is null are rejected.
    pub column: String,
    /// The watermark is this far behind the latest event time seen. Default "0s".
    #[serde(default = "no_delay")]
    pub delay: Period,
}

fn no_delay() -> Period {
    Period(Duration::ZERO)
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
    /// RFC 4180, with a header line in files and posted bodies (not on sockets).
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
