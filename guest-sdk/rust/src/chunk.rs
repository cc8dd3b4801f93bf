//! The rows of one call, columns in Arrow's layout, checked once so that reading them need not check again.

use crate::bindings::rows::{Batch, Column, DataType, Values, VarLen};

/// Rows that are sound: every column has a value for each row, offsets are in order and in range, text is UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    rows: usize,
    columns: Vec<Column>,
}

impl Chunk {
    /// Takes rows from anywhere.
    ///
    /// # Errors
    /// What is unsound about them.
    pub fn new(batch: Batch) -> Result<Self, String> {
        let rows = batch.row_count as usize;
        for (index, column) in batch.columns.iter().enumerate() {
            check(column, rows).map_err(|e| format!("column {index}: {e}"))?;
        }
        Ok(Self { rows, columns: batch.columns })
    }

    /// Takes rows from the host without a check.
    ///
    /// # Safety
    /// They must keep the rules of `weir:operator/rows`, as [`Chunk::new`] checks them.
    pub unsafe fn new_unchecked(batch: Batch) -> Self {
        Self { rows: batch.row_count as usize, columns: batch.columns }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns that crossed.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// The type of a column's values; none for slices, which no input has.
pub(crate) fn data_type(values: &Values) -> Option<DataType> {
    match values {
        Values::Boolean(_) => Some(DataType::Boolean),
        Values::Int64(_) => Some(DataType::Int64),
        Values::Float64(_) => Some(DataType::Float64),
        Values::Timestamp(_) => Some(DataType::Timestamp),
        Values::Utf8(_) => Some(DataType::Utf8),
        Values::Binary(_) => Some(DataType::Binary),
        Values::Slices(_) => None,
    }
}

fn check(column: &Column, rows: usize) -> Result<(), String> {
    let counted = |what: &str, found: usize, wanted: usize| {
        if found == wanted { Ok(()) } else { Err(format!("{found} {what} for {rows} rows")) }
    };
    if let Some(validity) = &column.validity {
        counted("bytes of validity", validity.len(), rows.div_ceil(8))?;
    }
    match &column.values {
        Values::Boolean(bits) => counted("bytes of bits", bits.len(), rows.div_ceil(8)),
        Values::Int64(values) | Values::Timestamp(values) => counted("values", values.len(), rows),
        Values::Float64(values) => counted("values", values.len(), rows),
        Values::Binary(bytes) => check_offsets(bytes, rows),
        Values::Utf8(text) => {
            check_offsets(text, rows)?;
            let data = std::str::from_utf8(&text.data).map_err(|e| format!("not UTF-8: {e}"))?;
            match text.offsets.iter().find(|&&at| !usize::try_from(at).is_ok_and(|at| data.is_char_boundary(at))) {
                Some(at) => Err(format!("not UTF-8: offset {at} is inside a character")),
                None => Ok(()),
            }
        }
        Values::Slices(_) => Err("slices, which no input has".to_owned()),
    }
}

fn check_offsets(values: &VarLen, rows: usize) -> Result<(), String> {
    let VarLen { offsets, data } = values;
    if offsets.len() != rows + 1 {
        return Err(format!("{} offsets for {rows} rows; there must be one more than rows", offsets.len()));
    }
    if offsets[0] != 0 {
        return Err(format!("offsets start at {} instead of 0", offsets[0]));
    }
    if let Some(row) = offsets.windows(2).position(|w| w[1] < w[0]) {
        return Err(format!("offsets decrease at row {row}"));
    }
    if usize::try_from(offsets[rows]).ok() != Some(data.len()) {
        return Err(format!("offsets end at {} but there are {} bytes of data", offsets[rows], data.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(offsets: &[i32], data: &[u8]) -> Values {
        Values::Utf8(VarLen { offsets: offsets.to_vec(), data: data.to_vec() })
    }

    #[track_caller]
    fn refused(rows: u32, values: Values, why: &str) {
        let column = Column { values, validity: None };
        let error = Chunk::new(Batch { row_count: rows, columns: vec![column] }).expect_err("unsound");
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn unsound_rows_are_refused() {
        refused(2, Values::Int64(vec![1]), "1 values for 2 rows");
        refused(9, Values::Boolean(vec![1]), "1 bytes of bits for 9 rows");
        refused(1, text(&[0], b""), "1 offsets for 1 rows");
        refused(1, text(&[1, 2], b"ab"), "start at 1");
        refused(2, text(&[0, 2, 1], b"a"), "decrease at row 1");
        refused(1, text(&[0, 3], b"ab"), "end at 3");
        refused(1, text(&[0, 1], b"\xFF"), "not UTF-8");
        refused(2, text(&[0, 1, 2], "é".as_bytes()), "inside a character");
    }

    #[test]
    fn a_batch_without_columns_has_rows_still() {
        assert_eq!(Chunk::new(Batch { row_count: 7, columns: vec![] }).map(|c| c.rows()), Ok(7));
    }
}
