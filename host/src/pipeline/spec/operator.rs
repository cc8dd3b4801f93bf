//! `[operators.NAME]`: what is done with the rows.

use std::num::{NonZeroU32, NonZeroUsize};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OnReject;
use crate::units::{Budget, Period, Size};

/// A component, by name and version or by digest; [`crate::operator::Reference`] is the authority.
pub(super) const COMPONENT: &str = "^([a-z0-9][a-z0-9_-]*@[0-9A-Za-z][0-9A-Za-z.+-]*|sha256:[0-9a-f]{64})$";

/// An operator: exactly one of `transform`, `aggregate`, `state`, `sql`, `sample`, `repartition` and `snapshot`; or
/// nothing but a `window`, which is then a stream of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = one_kind()))]
pub struct OperatorSpec {
    /// A component of the world `transform`, as `name@version` or `sha256:digest`.
    #[serde(default)]
    #[schemars(regex(pattern = COMPONENT))]
    pub transform: Option<String>,
    /// A component of the world `aggregate`, as `name@version` or `sha256:digest`.
    #[serde(default)]
    #[schemars(regex(pattern = COMPONENT))]
    pub aggregate: Option<String>,
    /// A component of the world `state`, as `name@version` or `sha256:digest`: keeps a state for each `key`.
    #[serde(default)]
    #[schemars(regex(pattern = COMPONENT))]
    pub state: Option<String>,
    /// A query over the inputs, and over any of the tables, by their names.
    #[serde(default)]
    pub sql: Option<String>,
    /// A part of the rows, chosen at random but the same in every run.
    #[serde(default)]
    pub sample: Option<SampleSpec>,
    /// The same rows in exactly this many partitions, of the same size give or take a row.
    #[serde(default)]
    pub repartition: Option<NonZeroUsize>,
    /// All keys of the one input, a `state` operator, with their states after the batch.
    #[serde(default)]
    pub snapshot: Option<SnapshotSpec>,
    /// Sources and operators whose rows come in. Several inputs are put one after the other, but for a query, which
    /// names each.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub inputs: Vec<String>,
    /// Lets each input in through a window: the rows of its last batches instead of the rows of one.
    #[serde(default)]
    pub window: Option<WindowSpec>,
    /// Rows with the same values in these columns meet in one partition; an aggregate answers for each such key.
    /// Only for components: a query says GROUP BY or JOIN.
    #[serde(default)]
    pub key: Vec<String>,
    /// Calls a transform once for each partition, with all its rows, instead of once for each chunk of them. Default
    /// false.
    #[serde(default)]
    pub whole_partition: bool,
    /// Which keys a `state` operator is called with. Default "changed".
    #[serde(default)]
    pub touch: Touch,
    /// Of a `state` operator: a key without rows for this long is called a last time and forgotten. Default: never.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// Of a `state` operator: a table with the columns of key and state, which every key in it starts with.
    #[serde(default)]
    pub initial: Option<String>,
    /// What happens to rows that come after their event-time window was emitted. Default "discard".
    #[serde(default)]
    pub late: Late,
    /// For how long the rows of past batches are kept, for `weir sql`. Default: that of `[batch]`.
    #[serde(default)]
    pub remember: Option<Period>,
    /// Passed to the component's `configure`, as JSON.
    #[serde(default)]
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    /// How many partitions the rows have after the shuffle by `key`. Default: the batch's.
    #[serde(default)]
    pub partitions: Option<NonZeroUsize>,
    /// What happens to a row that the operator rejects or fails on.
    #[serde(default)]
    pub on_reject: OnReject,
    /// How many rows of a batch may be rejected, or which share of the rows in, as in "1%". Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejects: Option<Budget>,
    /// What one task or call of the component may use.
    #[serde(default)]
    pub limits: LimitsSpec,
}

fn one_kind() -> serde_json::Value {
    let has = |key: &&str| serde_json::json!({ "required": [key] });
    let window = serde_json::json!({ "required": ["window"], "not": { "anyOf": OperatorSpec::KINDS.iter().map(has).collect::<Vec<_>>() } });
    OperatorSpec::KINDS.iter().map(has).chain([window]).collect()
}

/// The rows of a stretch of time.
///
/// On batch time: the rows of the last batches, within `length`; there from the start, with the rows that there are. On
/// event time: the rows that happened within it, once the watermark has passed its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// How long a window is: on batch time, a multiple of the batch interval. Every window but a session has one.
    #[serde(default)]
    pub length: Option<Period>,
    /// How far one window is from the next; windows end at multiples of it. On batch time a multiple of the batch
    /// interval, by default the interval; on event time by default the length.
    #[serde(default)]
    pub slide: Option<Period>,
    /// On batch time: how long before the batch the window ends. A multiple of the batch interval. Default "0s".
    #[serde(default)]
    pub ago: Option<Period>,
    /// A session of a key, on event time: rows at most this far apart are in one, which ends this long after its last row.
    #[serde(default)]
    pub gap: Option<Period>,
    /// Which time counts. Default "batch_time", but for sessions.
    #[serde(default)]
    pub on: Option<WindowTime>,
}

/// Which time a window is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowTime {
    /// When rows came in.
    BatchTime,
    /// When rows happened, as the `event_time` column of their source says.
    EventTime,
}

impl WindowSpec {
    /// Which time it is on: a session is always on event time.
    pub fn time(&self) -> WindowTime {
        let default = if self.gap.is_some() { WindowTime::EventTime } else { WindowTime::BatchTime };
        self.on.unwrap_or(default)
    }
}

/// Which rows a sample keeps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleSpec {
    /// How likely a row is to be kept, from 0 to 1.
    pub fraction: f64,
    /// Another seed keeps other rows. Default 0.
    #[serde(default)]
    pub seed: u64,
}

/// When a snapshot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotSpec {
    /// In every so many batches: in those whose time is a multiple of so many intervals. Default 1.
    #[serde(default = "each")]
    pub every: NonZeroU32,
}

fn each() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// Which keys a `state` operator is called with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Touch {
    /// Those that have rows in the batch, or a timer or timeout that is due.
    #[default]
    Changed,
    /// Every key that is known, in every batch.
    All,
}

/// What happens to rows that come after their window was emitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Late {
    /// They are counted and dropped.
    #[default]
    Discard,
    /// They are counted, and kept in the host's dead letters.
    DeadLetter,
}

/// The one thing that an operator is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OperatorKind<'a> {
    /// A component of the world `transform`, as the file names it.
    Transform(&'a str),
    /// A component of the world `aggregate`, as the file names it.
    Aggregate(&'a str),
    /// A component of the world `state`, as the file names it.
    State(&'a str),
    /// A query.
    Sql(&'a str),
    /// Some of the rows.
    Sample(SampleSpec),
    /// The rows in so many partitions.
    Repartition(NonZeroUsize),
    /// All keys of a state.
    Snapshot(SnapshotSpec),
    /// The rows of a window.
    Window,
}

impl OperatorSpec {
    /// The keys that say what an operator is.
    pub(in crate::pipeline) const KINDS: [&str; 7] =
        ["transform", "aggregate", "state", "sql", "sample", "repartition", "snapshot"];

    /// What the operator is; nothing when the file says none or more than one, which the check refuses.
    pub fn kind(&self) -> Option<OperatorKind<'_>> {
        let kinds = [
            self.transform.as_deref().map(OperatorKind::Transform),
            self.aggregate.as_deref().map(OperatorKind::Aggregate),
            self.state.as_deref().map(OperatorKind::State),
            self.sql.as_deref().map(OperatorKind::Sql),
            self.sample.map(OperatorKind::Sample),
            self.repartition.map(OperatorKind::Repartition),
            self.snapshot.map(OperatorKind::Snapshot),
        ];
        let mut kinds = kinds.into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (None, _) => self.window.map(|_| OperatorKind::Window),
            (kind, None) => kind,
            (Some(_), Some(_)) => None,
        }
    }

    /// Which of the keys that say what an operator is are there.
    pub(in crate::pipeline) fn kinds(&self) -> impl Iterator<Item = &'static str> {
        let there = [
            self.transform.is_some(),
            self.aggregate.is_some(),
            self.state.is_some(),
            self.sql.is_some(),
            self.sample.is_some(),
            self.repartition.is_some(),
            self.snapshot.is_some(),
        ];
        Self::KINDS.into_iter().zip(there).filter_map(|(key, there)| there.then_some(key))
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
