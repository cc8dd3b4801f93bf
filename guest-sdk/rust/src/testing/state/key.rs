//! A key's values, in an order.

use std::cmp::Ordering;
use std::fmt;

use super::Cell;

/// A key's values. Zero has two signs and what is not a number has many forms, but each is one key.
#[derive(Debug, Clone)]
pub(super) struct Key(Vec<Cell>);

impl Key {
    pub(super) fn new(mut cells: Vec<Cell>) -> Self {
        for cell in &mut cells {
            if let Cell::Float64(value) = cell {
                *value = if value.is_nan() { f64::NAN } else { *value + 0.0 };
            }
        }
        Self(cells)
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.0
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().zip(&other.0).map(|(a, b)| compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Values of a column, nulls first.
fn compare(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Boolean(a), Cell::Boolean(b)) => a.cmp(b),
        (Cell::Int64(a), Cell::Int64(b)) | (Cell::Timestamp(a), Cell::Timestamp(b)) => a.cmp(b),
        (Cell::Float64(a), Cell::Float64(b)) => a.total_cmp(b),
        (Cell::Utf8(a), Cell::Utf8(b)) => a.cmp(b),
        (Cell::Binary(a), Cell::Binary(b)) => a.cmp(b),
        _ => (*b == Cell::Null).cmp(&(*a == Cell::Null)),
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

/// The values, for a message.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
