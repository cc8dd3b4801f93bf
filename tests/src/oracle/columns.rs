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
    /// A double.
    Float64,
    /// True or false.
    Boolean,
}

impl Kind {
    /// As pipeline files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
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

    /// The same under another name.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The same, which may also be null.
    pub fn or_null(self, nullable: bool) -> Self {
        Self { nullable: self.nullable || nullable, ..self }
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
    // The key's columns come in the order in which the operator names them, and the operator's own after them.
    let with_key = |own: Vec<Column>| {
        let clash = own.iter().any(|column| operator.key.contains(&column.name));
        let key = operator.key.iter().filter_map(|name| key.iter().find(|column| column.name == *name).cloned());
        (!clash).then(|| key.chain(own).collect())
    };
    let number = |name: &str| Column::new(name, Kind::Int64, false);
    match &operator.what {
        What::Words => has("line", Kind::Utf8).then(|| vec![Column::new("word", Kind::Utf8, false)]),
        What::Hashtags => has("text", Kind::Utf8).then(|| vec![Column::new("tag", Kind::Utf8, false)]),
        What::Grep(_) | What::Picky => has("line", Kind::Utf8).then(|| first.to_vec()),
        What::Count => with_key(vec![number("count")]),
        What::Sum if has("value", Kind::Int64) => with_key(vec![number("sum")]),
        What::FloatSum if has("value", Kind::Float64) => with_key(vec![Column::new("sum", Kind::Float64, false)]),
        What::Tally(_) if has("value", Kind::Int64) && !operator.key.is_empty() => {
            let cause = Column::new("cause", Kind::Utf8, false);
            with_key(vec![cause, number("seen"), number("count"), number("total")])
        }
        What::Sample(_) | What::Repartition(_) | What::Window => Some(first.to_vec()),
        // A snapshot's columns are not its input's: see `of_snapshot`.
        What::Sum | What::FloatSum | What::Tally(_) | What::Snapshot(_) | What::Query(_) => None,
    }
}

/// The columns of a snapshot of a tally with these output columns.
pub fn of_snapshot(tally: &[Column]) -> Vec<Column> {
    tally.iter().filter(|column| column.name != "cause" && column.name != "seen").cloned().collect()
}
