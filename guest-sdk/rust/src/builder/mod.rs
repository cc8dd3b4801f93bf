//! Output columns as they grow, a value at a time, without an allocation for each.

mod var_len;

use crate::bindings::rows::{Column, Values};
use crate::bitmap::Bits;
pub(crate) use var_len::{Kind, Sources, VarLenBuilder};

/// What there is to know before the first value of an output column.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    pub(crate) rows: usize,
    pub(crate) sources: Sources<'a>,
}

/// A column on its way out.
pub trait Builder {
    /// Appends some value that nobody will read.
    fn push_blank(&mut self);

    /// The column.
    ///
    /// # Errors
    /// Why it cannot be answered with.
    fn finish(self) -> Result<Column, String>;
}

fn without_nulls(values: Values) -> Column {
    Column { values, validity: None }
}

/// Builds a column of truth values.
#[derive(Debug)]
pub struct BoolBuilder(Bits);

impl BoolBuilder {
    pub(crate) fn new(plan: Plan<'_>) -> Self {
        Self(Bits::with_capacity(plan.rows))
    }

    #[inline]
    pub(crate) fn push(&mut self, value: bool) {
        self.0.push(value);
    }
}

impl Builder for BoolBuilder {
    fn push_blank(&mut self) {
        self.push(false);
    }

    fn finish(self) -> Result<Column, String> {
        Ok(without_nulls(Values::Boolean(self.0.into_bytes())))
    }
}

/// Builds a column of numbers or timestamps.
#[derive(Debug)]
pub struct NumberBuilder<T> {
    values: Vec<T>,
    wrap: fn(Vec<T>) -> Values,
}

impl<T> NumberBuilder<T> {
    pub(crate) fn new(plan: Plan<'_>, wrap: fn(Vec<T>) -> Values) -> Self {
        Self { values: Vec::with_capacity(plan.rows), wrap }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        self.values.push(value);
    }
}

impl<T: Default> Builder for NumberBuilder<T> {
    fn push_blank(&mut self) {
        self.push(T::default());
    }

    fn finish(self) -> Result<Column, String> {
        Ok(without_nulls((self.wrap)(self.values)))
    }
}

/// Builds a column that may have nulls; there is no bitmap until the first of them.
#[derive(Debug)]
pub struct NullableBuilder<B> {
    values: B,
    rows: usize,
    validity: Option<Bits>,
}

impl<B: Builder> NullableBuilder<B> {
    pub(crate) fn new(values: B) -> Self {
        Self { values, rows: 0, validity: None }
    }

    /// Appends the value that `push` puts in.
    #[inline]
    pub(crate) fn push_with(&mut self, push: impl FnOnce(&mut B)) {
        push(&mut self.values);
        if let Some(validity) = &mut self.validity {
            validity.push(true);
        }
        self.rows += 1;
    }

    #[inline]
    pub(crate) fn push_null(&mut self) {
        self.values.push_blank();
        self.validity.get_or_insert_with(|| Bits::ones(self.rows)).push(false);
        self.rows += 1;
    }
}

impl<B: Builder> Builder for NullableBuilder<B> {
    fn push_blank(&mut self) {
        self.push_null();
    }

    fn finish(self) -> Result<Column, String> {
        Ok(Column { validity: self.validity.map(Bits::into_bytes), ..self.values.finish()? })
    }
}
