//! What can be done wrong.

use serde::Deserialize;

/// The config: what to do, and to whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What to do.
    pub(crate) r#do: Deed,
    /// In `create`, only to calls with a row that has this in a text column; by default to all.
    #[serde(default)]
    pub(crate) line: Option<String>,
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
    /// The shape reads column 99.
    ReadNowhere,
    /// Two columns of one name in the accumulator.
    AccumulateTwice,
    /// Two columns of one name in the output.
    AnswerTwice,

    /// Panic in `create`.
    TrapInCreate,
    /// Answer in `create` that it cannot go on.
    FailInCreate,
    /// Never return from `create`.
    SpinInCreate,
    /// An accumulator more than there are groups.
    CreateTooMany,
    /// An accumulator less than there are groups.
    CreateTooFew,
    /// A row count that no column has.
    CreateWrongCount,
    /// Doubles where integers were announced.
    CreateWrongType,
    /// An accumulator without its column.
    CreateNoColumn,
    /// Reject a row that is not there.
    RejectOutOfRange,
    /// Reject a row twice.
    RejectTwice,
    /// Reject every row.
    RejectAll,

    /// Panic in `merge`.
    TrapInMerge,
    /// Answer in `merge` that it cannot go on.
    FailInMerge,
    /// Never return from `merge`.
    SpinInMerge,
    /// An accumulator more than there are groups.
    MergeTooMany,
    /// Answer with what was to be merged.
    MergeNothing,
    /// Doubles where integers were announced.
    MergeWrongType,

    /// Panic in `retract`.
    TrapInRetract,
    /// No bitmap of what is back to nothing.
    RetractShortBitmap,
    /// A total less than was given.
    RetractTooFew,

    /// Panic in `finish`.
    TrapInFinish,
    /// Answer in `finish` that it cannot go on.
    FailInFinish,
    /// A row less than there are accumulators.
    FinishTooFew,
    /// Doubles where integers were announced.
    FinishWrongType,
}
