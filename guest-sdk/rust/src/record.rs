//! Rows as structs.

use std::fmt;

use crate::bindings::rows::Column;
use crate::builder::{Builder, Plan};
use crate::chunk::{Chunk, data_type};
use crate::schema::{FieldSpec, type_name};
use crate::value::{Value, sealed::Sound};

/// A row as a struct, each field a column: derive it with [`#[derive(Record)]`](derive@crate::Record).
///
/// `()` is the record without columns.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a record", note = "put `#[derive(Record)]` on the struct")]
pub trait Record<'a>: Sized {
    /// The columns, in the order of the fields.
    const FIELDS: &'static [FieldSpec];

    /// A struct with the record's fields, each of them a view of an input column.
    type Columns;

    #[doc(hidden)]
    type Builders;
    #[doc(hidden)]
    fn columns(reader: &mut Reader<'a>) -> Result<Self::Columns, String>;
    #[doc(hidden)]
    fn get(columns: &Self::Columns, row: usize) -> Result<Self, Null>;
    #[doc(hidden)]
    fn builders(plan: Plan<'a>) -> Self::Builders;
    #[doc(hidden)]
    fn push(self, builders: &mut Self::Builders);
    #[doc(hidden)]
    fn push_blank(builders: &mut Self::Builders);
    #[doc(hidden)]
    fn finish(builders: Self::Builders, out: &mut Finished) -> Result<(), String>;
}

/// Why a row cannot be read: a field that is no `Option` has a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Null {
    /// The column's name.
    pub column: &'static str,
}

impl fmt::Display for Null {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column `{}` is null", self.column)
    }
}

/// Hands out a chunk's columns one by one, in the order of a record's fields.
#[doc(hidden)]
#[derive(Debug)]
pub struct Reader<'a> {
    chunk: &'a Chunk,
    /// Which columns; by default all.
    order: Option<Vec<u32>>,
    next: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(chunk: &'a Chunk) -> Self {
        Self { chunk, order: None, next: 0 }
    }

    pub(crate) fn selecting(chunk: &'a Chunk, order: Vec<u32>) -> Self {
        Self { chunk, order: Some(order), next: 0 }
    }

    /// The next column.
    pub fn next<T: Value<'a>>(&mut self, name: &'static str) -> Result<T::Column, String> {
        let index = match &self.order {
            Some(order) => order.get(self.next).map(|&index| index as usize),
            None => Some(self.next),
        };
        let column = index.and_then(|index| self.chunk.columns().get(index));
        let column = column.ok_or_else(|| format!("column `{name}` did not cross"))?;
        self.next += 1;
        T::column(column, Sound(())).ok_or_else(|| {
            let found = data_type(&column.values).map_or("slices", type_name);
            format!("column `{name}` crossed as {found} instead of {}", type_name(T::DATA_TYPE))
        })
    }
}

/// Takes in finished columns in order.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Finished(Vec<Column>);

impl Finished {
    /// Adds the next column.
    pub fn add(&mut self, name: &'static str, builder: impl Builder) -> Result<(), String> {
        self.0.push(builder.finish().map_err(|e| format!("column `{name}`: {e}"))?);
        Ok(())
    }
}

/// The columns of a record whose lifetime does not matter.
pub(crate) fn fields<'a, R: Record<'a>>() -> &'static [FieldSpec] {
    R::FIELDS
}

/// Reads all of a chunk's columns as a record's.
pub(crate) fn columns<'a, R: Record<'a>>(chunk: &'a Chunk) -> Result<R::Columns, String> {
    R::columns(&mut Reader::new(chunk))
}

/// The columns that have been built.
pub(crate) fn finish<'a, R: Record<'a>>(builders: R::Builders) -> Result<Vec<Column>, String> {
    let mut finished = Finished(Vec::with_capacity(R::FIELDS.len()));
    R::finish(builders, &mut finished)?;
    Ok(finished.0)
}

impl<'a> Record<'a> for () {
    const FIELDS: &'static [FieldSpec] = &[];
    type Columns = ();
    type Builders = ();

    fn columns(_: &mut Reader<'a>) -> Result<(), String> {
        Ok(())
    }

    fn get((): &(), _: usize) -> Result<Self, Null> {
        Ok(())
    }

    fn builders(_: Plan<'a>) {}

    fn push(self, (): &mut ()) {}

    fn push_blank((): &mut ()) {}

    fn finish((): (), _: &mut Finished) -> Result<(), String> {
        Ok(())
    }
}
