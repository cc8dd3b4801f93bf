//! What can be done wrong.

use serde::Deserialize;

/// The config: what to do, and to whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What to do.
    pub(crate) how: Deed,
    /// In `update`, only to calls with a row that has this in a text column; by default to all.
    #[serde(default)]
    pub(crate) text: Option<String>,
}

/// What to do; in the config in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    /// Behave.
    Nothing,

    /// `configure` answers that it cannot.
    FailInConfigure,
    /// `configure` panics.
    PanicInConfigure,
    /// `configure` never returns.
    SpinInConfigure,
    /// The shape reads column 99.
    ReadNowhere,
    /// Two columns of one name in the state.
    KeepTwice,
    /// Two columns of one name in the output.
    AnswerTwice,
    /// A key's column in the output: needs a key.
    AnswerKey,

    /// Panic.
    Panic,
    /// Panic in calls with a row that has `poison` in a text column.
    PanicOnPoison,
    /// Answer that it cannot go on.
    Fail,
    /// Never return.
    Spin,
    /// Allocate until there is no more, then trap.
    GrabMemory,

    /// A fate less than there are keys.
    TooFewFates,
    /// A fate more than there are keys.
    TooManyFates,
    /// A timer less than there are keys.
    TooFewTimers,
    /// A timer more than there are keys.
    TooManyTimers,

    /// A state less than there are keys.
    NextTooFew,
    /// A state more than there are keys.
    NextTooMany,
    /// A row count that no column has.
    NextWrongCount,
    /// Doubles where integers were announced.
    NextWrongType,
    /// States without their column.
    NextNoColumn,
    /// A null in a state that was announced as never null.
    NextNull,
    /// The same, for keys that are removed: their states are ignored, but a column must be what was announced.
    NextNullRemoved,

    /// Output rows whose keys go back.
    OutputFromDecreases,
    /// An output row of a key that is not there.
    OutputFromOutOfRange,
    /// An output row without a key.
    OutputFromTooFew,
    /// A key for an output row that is not there.
    OutputFromTooMany,
    /// Doubles where integers were announced.
    OutputWrongType,
    /// 100,000,000 output rows, all of the first key.
    OutputFlood,

    /// Reject a row that is not there.
    RejectOutOfRange,
    /// Reject the first row twice: needs one.
    RejectTwice,
    /// Reject the rows in reverse, though they are in the states: no rule forbids it.
    RejectBackwards,
    /// Reject every row, though they are in the states: no host can tell.
    RejectAll,
}
