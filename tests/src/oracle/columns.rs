//! Which columns each stream has: what makes operators fit together.

use super::pipeline::{Format, Operator, Source, What};
use super::source::JSON_COLUMNS;

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Utf8,
    /// A 64-bit integer.
    Int64,
    /// True or false.
    Boolean,
}

impl Kind {
    /// As pipeline files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Int64 => "int64",
            Self::Boolean => "boolean",
        }
    }
}

/// A column of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Whether there may be nulls.
    pub nullable: bool,
}

impl Column {
    /// A column.
    pub fn new(name: &str, kind: Kind, nullable: bool) -> Self {
        Self { name: name.to_owned(), kind, nullable }
    }
}

/// The columns of a source.
pub fn of_source(source: &Source) -> Vec<Column> {
    match source.format {
        Format::Text => vec![Column::new("line", Kind::Utf8, false)],
        Format::Json => JSON_COLUMNS.iter().map(|(name, kind)| Column::new(name, *kind, true)).collect(),
    }
}

/// The columns of an operator's output, when its inputs have these; none where it does not fit them.
pub fn of_operator(operator: &Operator, inputs: &[&[Column]]) -> Option<Vec<Column>> {
    let first = *inputs.first()?;
    if let What::Query(query) = &operator.what {
        return query.columns(inputs);
    }
    if inputs.iter().any(|columns| *columns != first) {
        return None;
    }
    let has = |name: &str, kind: Kind| first.iter().any(|column| column.name == name && column.kind == kind);
    let key: Vec<Column> = first.iter().filter(|column| operator.key.contains(&column.name)).cloned().collect();
    if key.len() != operator.key.len() {
        return None;
    }
    // The key's columns come in the order in which the operator names them.
    let key = || operator.key.iter().filter_map(|name| key.iter().find(|column| column.name == *name).cloned());
    let folded = |name: &str| key().chain([Column::new(name, Kind::Int64, false)]).collect();
    match &operator.what {
        What::Words => has("line", Kind::Utf8).then(|| vec![Column::new("word", Kind::Utf8, false)]),
        What::Hashtags => has("text", Kind::Utf8).then(|| vec![Column::new("tag", Kind::Utf8, false)]),
        What::Grep(_) | What::Picky => has("line", Kind::Utf8).then(|| first.to_vec()),
        What::Count => (!operator.key.iter().any(|name| name == "count")).then(|| folded("count")),
        What::Sum => {
            (has("value", Kind::Int64) && !operator.key.iter().any(|name| name == "sum")).then(|| folded("sum"))
        }
        What::Query(_) => None,
    }
}
