//! The mean of the column `value` for each key. A column of another name is renamed before, with `sql`:
//! `SELECT user, amount AS value FROM orders`.
//!
//! Nulls do not count; a key that has nothing else has null, as in SQL. The sum is kept in 128 bits, in which it is exact
//! however many rows there are: so the mean is rounded once, and taking rows out gives what there was before them.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::aggregate::{Aggregate, Reject, Remains};

/// The operator.
#[derive(Debug, Deserialize)]
pub struct Mean;

/// A row to be counted in.
#[derive(Record, Debug)]
pub struct Amount {
    /// How much; null for nothing.
    pub value: Option<i64>,
}

/// What rows add up to.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Total {
    /// The upper 64 bits of the sum.
    pub sum_high: i64,
    /// The lower 64 bits of the sum, whatever sign they have as a number.
    pub sum_low: i64,
    /// How many values are in it.
    pub values: i64,
    /// How many rows are in it, to know when none is left.
    pub rows: i64,
}

impl Total {
    fn sum(&self) -> i128 {
        i128::from(self.sum_high) << 64 | i128::from(self.sum_low as u64)
    }

    fn set_sum(&mut self, sum: i128) {
        self.sum_high = (sum >> 64) as i64;
        self.sum_low = sum as i64;
    }
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Answer {
    /// The mean of the key's values; null if there are none.
    pub mean: Option<f64>,
}

#[weir_guest::aggregate]
impl Aggregate for Mean {
    type Input<'a> = Amount;
    type Accumulator = Total;
    type Output = Answer;

    fn create(&self, row: Amount) -> Result<Total, Reject> {
        let mut total = Total { sum_high: 0, sum_low: 0, values: row.value.is_some().into(), rows: 1 };
        total.set_sum(row.value.unwrap_or(0).into());
        Ok(total)
    }

    fn merge(&self, total: &mut Total, part: Total) {
        total.set_sum(total.sum() + part.sum());
        total.values += part.values;
        total.rows += part.rows;
    }

    fn retract(&self, total: &mut Total, part: Total) -> Remains {
        total.set_sum(total.sum() - part.sum());
        total.values -= part.values;
        total.rows -= part.rows;
        if total.rows == 0 { Remains::Nothing } else { Remains::Something }
    }

    fn finish(&self, total: Total) -> Answer {
        Answer { mean: (total.values > 0).then(|| total.sum() as f64 / total.values as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    fn amounts(values: &[Option<i64>]) -> Vec<Amount> {
        values.iter().map(|&value| Amount { value }).collect()
    }

    fn answers<const N: usize>(means: [Option<f64>; N]) -> [Answer; N] {
        means.map(|mean| Answer { mean })
    }

    #[test]
    fn nulls_do_not_count() -> Result<(), String> {
        let groups = [amounts(&[Some(1), None, Some(4)]), amounts(&[None, None]), amounts(&[Some(-3)])];
        let answer = testing::aggregate::<Mean>().run(groups)?;
        assert_eq!(answer.rows::<Answer>()?, answers([Some(2.5), None, Some(-3.0)]));
        Ok(())
    }

    #[test]
    fn a_sum_of_more_than_64_bits_is_exact() -> Result<(), String> {
        let groups =
            [amounts(&[Some(i64::MAX); 5]), amounts(&[Some(i64::MIN); 3]), amounts(&[Some(-1), Some(i64::MAX)])];
        let answer = testing::aggregate::<Mean>().run(groups)?;
        let half = (i64::MAX - 1) as f64 / 2.0;
        assert_eq!(answer.rows::<Answer>()?, answers([Some(i64::MAX as f64), Some(i64::MIN as f64), Some(half)]));
        Ok(())
    }

    #[test]
    fn what_is_taken_out_leaves_nothing_behind() -> Result<(), String> {
        let gone = [amounts(&[Some(i64::MAX), Some(i64::MAX)]), amounts(&[Some(7)]), amounts(&[Some(1)])];
        let left = [amounts(&[Some(1), Some(2)]), amounts(&[]), amounts(&[None])];
        let answer = testing::aggregate::<Mean>().run_window(gone, left)?;
        assert_eq!(answer.rows::<Answer>()?, answers([Some(1.5), None]));
        Ok(())
    }
}
