//! Adds up the floats of the column `value` for each key, one after the other: the bits of such a sum tell in which order,
//! and in which groups, a host folded the rows.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::aggregate::{Aggregate, Reject};

/// The operator.
#[derive(Debug, Deserialize)]
pub struct FloatSum;

/// A row to be added.
#[derive(Record, Debug)]
pub struct Amount {
    /// How much.
    pub value: f64,
}

/// What rows add up to.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Sum {
    /// The sum.
    pub sum: f64,
}

#[weir_guest::aggregate]
impl Aggregate for FloatSum {
    type Input<'a> = Amount;
    type Accumulator = Sum;
    type Output = Sum;

    fn create(&self, row: Amount) -> Result<Sum, Reject> {
        Ok(Sum { sum: row.value })
    }

    fn merge(&self, total: &mut Sum, part: Sum) {
        total.sum += part.sum;
    }

    fn finish(&self, total: Sum) -> Sum {
        total
    }
}
