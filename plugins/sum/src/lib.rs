//! Adds up the column `value` for each key. A column of another name is renamed before, with `sql`:
//! `SELECT user, amount AS value FROM orders`.
//!
//! A null counts as nothing, as in SQL. A sum that does not fit 64 bits wraps around, so that taking out what was added
//! always gives what was there before.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::aggregate::{Aggregate, Reject, Remains};

/// The operator.
#[derive(Debug, Deserialize)]
pub struct Sum;

/// A row to be added.
#[derive(Record, Debug)]
pub struct Amount {
    /// How much; null for nothing.
    pub value: Option<i64>,
}

/// What rows add up to.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Total {
    /// The sum.
    pub sum: i64,
    /// How many rows are in it, to know when none is left.
    pub rows: i64,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Answer {
    /// The sum of the key's rows.
    pub sum: i64,
}

#[weir_guest::aggregate]
impl Aggregate for Sum {
    type Input<'a> = Amount;
    type Accumulator = Total;
    type Output = Answer;

    fn create(&self, row: Amount) -> Result<Total, Reject> {
        Ok(Total { sum: row.value.unwrap_or(0), rows: 1 })
    }

    fn merge(&self, total: &mut Total, part: Total) {
        total.sum = total.sum.wrapping_add(part.sum);
        total.rows += part.rows;
    }

    fn retract(&self, total: &mut Total, part: Total) -> Remains {
        total.sum = total.sum.wrapping_sub(part.sum);
        total.rows -= part.rows;
        if total.rows == 0 { Remains::Nothing } else { Remains::Something }
    }

    fn finish(&self, total: Total) -> Answer {
        Answer { sum: total.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    fn amounts(values: &[Option<i64>]) -> Vec<Amount> {
        values.iter().map(|&value| Amount { value }).collect()
    }

    #[test]
    fn nulls_count_as_nothing() -> Result<(), String> {
        let groups = [amounts(&[Some(1), None, Some(5)]), amounts(&[None])];
        let answer = testing::aggregate::<Sum>().run(groups)?;
        assert_eq!(answer.rows::<Answer>()?, [Answer { sum: 6 }, Answer { sum: 0 }]);
        Ok(())
    }

    #[test]
    fn what_wraps_around_comes_back() -> Result<(), String> {
        let answer = testing::aggregate::<Sum>().run_window([amounts(&[Some(i64::MAX)])], [amounts(&[Some(3)])])?;
        assert_eq!(answer.rows::<Answer>()?, [Answer { sum: 3 }]);
        Ok(())
    }

    #[test]
    fn a_sum_of_nothing_is_not_a_key_without_rows() -> Result<(), String> {
        let answer = testing::aggregate::<Sum>()
            .run_window([amounts(&[Some(1)]), amounts(&[Some(1)])], [amounts(&[Some(2), Some(-2)]), amounts(&[])])?;
        assert_eq!(answer.rows::<Answer>()?, [Answer { sum: 0 }]);
        Ok(())
    }
}
