//! The pipelines that the oracle knows.

use std::fmt;

use super::query::Query;
use super::tally::Tally;

/// A pipeline. Operators are in an order in which they can run.
#[derive(Clone)]
pub struct Pipeline {
    /// The batch interval in milliseconds.
    pub interval: u64,
    /// When the first batch begins, in seconds since the epoch.
    pub start: u64,
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
    /// Lets each input in through a window.
    pub window: Option<Window>,
    /// The columns by which rows are shuffled or folded, or whose values have a state.
    pub key: Vec<String>,
    /// How many partitions the rows have after the shuffle.
    pub partitions: Option<usize>,
    /// Whether a transform is called with whole partitions.
    pub whole_partition: bool,
    /// What becomes of rows that it cannot take.
    pub policy: Policy,
    /// What it is.
    pub what: What,
}

/// A window on batch time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How long it is.
    pub length: u64,
    /// How far it moves at a time; none: as far as its input does.
    pub slide: Option<u64>,
    /// How long before the batch it ends.
    pub ago: u64,
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
    /// The test guest `float-sum`, which cannot take out of a sum what it put in.
    FloatSum,
    /// The test guest `tally`.
    Tally(Tally),
    /// All keys of a tally, in every so many batches.
    Snapshot(u64),
    /// SQL.
    Query(Query),
    /// A sample of all rows, or of none: which rows are in another is not the oracle's business.
    Sample(bool),
    /// So many partitions.
    Repartition(usize),
    /// Nothing but a window.
    Window,
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
    /// The operator of this name.
    pub fn operator(&self, name: &str) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.name == name)
    }
}

impl Operator {
    /// An operator without a name and without any of the settings that can be left out.
    pub fn new(what: What, inputs: Vec<String>) -> Self {
        Self {
            name: String::new(),
            inputs,
            window: None,
            key: Vec::new(),
            partitions: None,
            whole_partition: false,
            policy: Policy::Skip,
            what,
        }
    }
}

impl What {
    /// The kind of component that it is, and which.
    pub fn component(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Words => ("transform", "words@0.1.0"),
            Self::Hashtags => ("transform", "hashtags@0.1.0"),
            Self::Grep(_) => ("transform", "grep@0.1.0"),
            Self::Picky => ("transform", "picky@0.1.0"),
            Self::Count => ("aggregate", "count@0.1.0"),
            Self::Sum => ("aggregate", "sum@0.1.0"),
            Self::FloatSum => ("aggregate", "float-sum@0.1.0"),
            Self::Tally(_) => ("state", "tally@0.1.0"),
            _ => return None,
        })
    }

    /// Whether it is a component of this kind.
    pub fn is(&self, kind: &str) -> bool {
        self.component().is_some_and(|(of, _)| of == kind)
    }
}

/// As the file that a person could run.
impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.to_toml(Cut { partitions: 1, threads: 1, chunk_rows: 8192 }))?;
        writeln!(f, "-- it starts at {} s", self.start)?;
        self.files().iter().try_for_each(|(name, contents)| writeln!(f, "-- {name}: {contents:?}"))
    }
}
