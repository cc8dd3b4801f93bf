//! The least value of the column `value` for each key. A column of another name is renamed before, with `sql`:
//! `SELECT user, amount AS value FROM orders`.
//!
//! Nulls do not count; a key that has nothing else has null, as in SQL. There is no way back from a min to what it
//! would be without one of its rows, so the windows of this aggregate are merged.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::aggregate::{Aggregate, Reject};

/// The operator.
#[derive(Debug, Deserialize)]
pub struct Min;

/// A row to be compared.
#[derive(Record, Debug)]
pub struct Amount {
    /// How much; null for nothing.
    pub value: Option<i64>,
}

/// The answer, and what rows are folded into.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Least {
    /// The least value of the key's rows; null if they have none.
    pub min: Option<i64>,
}

#[weir_guest::aggregate]
impl Aggregate for Min {
    type Input<'a> = Amount;
    type Accumulator = Least;
    type Output = Least;

    fn create(&self, row: Amount) -> Result<Least, Reject> {
        Ok(Least { min: row.value })
    }

    fn merge(&self, total: &mut Least, part: Least) {
        total.min = total.min.into_iter().chain(part.min).min();
    }

    fn finish(&self, total: Least) -> Least {
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    fn amounts<const N: usize>(values: [Option<i64>; N]) -> Vec<Amount> {
        values.map(|value| Amount { value }).into()
    }

    #[test]
    fn nulls_do_not_count() -> Result<(), String> {
        for part in 1..=5 {
            let groups = [
                amounts([Some(3), None, Some(-7), Some(5), None]),
                amounts([None, Some(i64::MAX)]),
                amounts([Some(i64::MIN), None]),
                amounts([None, None, None]),
            ];
            let answer = testing::aggregate::<Min>().part(part).run(groups)?;
            let expected = [Some(-7), Some(i64::MAX), Some(i64::MIN), None].map(|min| Least { min });
            assert_eq!(answer.rows::<Least>()?, expected);
        }
        Ok(())
    }
}
