//! What can be done wrong.

use serde::Deserialize;

/// The config: what to do, and to whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What to do.
    pub(crate) r#do: Deed,
    /// Only to chunks with a row that has this in its first text column; by default to all.
    #[serde(default)]
    pub(crate) line: Option<String>,
    /// How much, where a deed has an amount: bytes, rows or lines.
    #[serde(default)]
    pub(crate) amount: Option<usize>,
}

/// What to do; in the config in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    /// Behave.
    Nothing,

    /// Never return.
    Spin,
    /// Allocate until there is no more, then trap.
    GrabMemory,
    /// Recurse `amount` deep (2^30): the engine sees its stack overflow.
    OverflowStack,
    /// The same with frames in linear memory: an access out of bounds, below the memory's start.
    OverflowMemoryStack,
    /// Trap without a word.
    Trap,
    /// Panic with a message.
    Panic,
    /// Answer that it cannot go on.
    Fail,
    /// Log `amount` lines of 1 KiB (100,000), then behave.
    FloodLog,
    /// Log as many, then panic with a message.
    FloodLogAndPanic,
    /// Answer with the number of calls so far: a result that depends on how rows were chunked.
    Remember,

    /// `configure` never returns.
    SpinInConfigure,
    /// `configure` panics.
    PanicInConfigure,
    /// `configure` answers that it cannot.
    FailInConfigure,
    /// The shape reads column 99.
    ReadNowhere,
    /// The shape keeps column 99.
    KeepNowhere,
    /// The shape reads each column twice; behaves otherwise.
    ReadTwice,
    /// The shape adds two columns of one name.
    AddTwice,
    /// The shape adds a column that it also keeps.
    AddWhatIsKept,
    /// The shape adds a column without a name.
    AddNameless,

    /// Offsets point beyond the data.
    OffsetsOutOfRange,
    /// Offsets decrease.
    OffsetsDecrease,
    /// Offsets are negative.
    OffsetsNegative,
    /// Offsets start at 1.
    OffsetsStartLate,
    /// There is an offset too few.
    OffsetsMissing,
    /// There is no offset at all.
    OffsetsNone,
    /// Data goes on after the last offset.
    DataLeftOver,
    /// Text that is not UTF-8.
    NotUtf8,
    /// Text that is UTF-8 as a whole, with values that begin inside a character.
    SplitCharacter,
    /// A column too many.
    ExtraColumn,
    /// No column.
    NoColumn,
    /// Integers where text was announced.
    WrongType,
    /// A row too many, against the origin.
    LongColumn,
    /// A row too few, against the origin.
    ShortColumn,
    /// A bitmap without a byte.
    ShortValidity,
    /// A bitmap with a byte too many.
    LongValidity,
    /// A null in a column announced as never null.
    NullInNonNullable,

    /// An output row from a row that is not there.
    OriginOutOfRange,
    /// Origins that go back.
    OriginDecreases,
    /// Slices beyond the end of the input.
    SlicesOutOfRange,
    /// Slices whose end overflows 32 bits.
    SlicesOverflow,
    /// Slices that cut a character: needs one that is not ASCII in the first text column.
    SlicesSplitCharacter,
    /// Text cut from a column that is not text: needs one.
    SlicesOfNonText,
    /// Slices of column 99.
    SlicesOfNowhere,
    /// Fewer lengths than starts.
    SlicesUneven,
    /// `amount` rows (1,000,000), each the whole first text column: little in the guest, much in the host.
    SlicesAmplify,

    /// Reject a row that is not there.
    RejectOutOfRange,
    /// Reject each row twice.
    RejectTwice,
    /// Reject each row with a reason of `amount` bytes (1 MiB).
    RejectAtLength,
    /// `amount` rejects (10,000,000) of row 0.
    RejectFlood,
    /// A value of `amount` bytes (512 MiB).
    HugeOutput,
    /// `amount` output rows (100,000,000).
    ManyRows,
}
