//! What came of a run.

use super::Table;
use crate::bindings::rows::Field;
use crate::log::Level;
use crate::record::Record;

/// What an operator made of its rows.
#[derive(Debug)]
pub struct Answer {
    pub(super) table: Table,
    pub(super) rejects: Vec<(usize, String)>,
    pub(super) log: Vec<(Level, String)>,
}

impl Answer {
    /// The output rows, read as records by column name.
    ///
    /// # Errors
    /// Which column is not there, has another type or a null.
    pub fn rows<'a, R: Record<'a>>(&'a self) -> Result<Vec<R>, String> {
        self.table.rows()
    }

    /// All output columns.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The names of the output columns in order.
    pub fn columns(&self) -> Vec<&str> {
        self.table.fields().iter().map(|field: &Field| field.name.as_str()).collect()
    }

    /// The input rows that were rejected, by their index in what was run, with the reasons.
    pub fn rejects(&self) -> &[(usize, String)] {
        &self.rejects
    }

    /// What the operator logged.
    pub fn log(&self) -> &[(Level, String)] {
        &self.log
    }
}
