//! The lowest and the highest value of a key.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::aggregate::{Aggregate, Reject};

/// The operator, and its `config` in the pipeline file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extremes {
    /// Values above it are rejected.
    #[serde(default)]
    limit: Option<f64>,
}

/// What is read of a row. Other columns, the key's too, do not cross into the sandbox.
#[derive(Record)]
pub struct Reading {
    /// What was measured.
    pub value: f64,
}

/// What rows are folded into; here also the answer, before which the host puts the key.
#[derive(Record, Debug, PartialEq)]
pub struct Range {
    /// The lowest value.
    pub lowest: f64,
    /// The highest value.
    pub highest: f64,
}

#[weir_guest::aggregate]
impl Aggregate for Extremes {
    type Input<'a> = Reading;
    type Accumulator = Range;
    type Output = Range;

    fn create(&self, row: Reading) -> Result<Range, Reject> {
        match self.limit {
            Some(limit) if row.value > limit => Err(format!("{} is above {limit}", row.value).into()),
            _ => Ok(Range { lowest: row.value, highest: row.value }),
        }
    }

    fn merge(&self, total: &mut Range, part: Range) {
        total.lowest = total.lowest.min(part.lowest);
        total.highest = total.highest.max(part.highest);
    }

    fn finish(&self, total: Range) -> Range {
        total
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::testing;

    use super::*;

    #[test]
    fn a_key_has_its_extremes_and_what_is_above_the_limit_is_rejected() -> Result<(), String> {
        let readings = [20.5, 19.0, 900.0].map(|value| Reading { value });
        let answer = testing::aggregate::<Extremes>().config(r#"{"limit": 100}"#).run([readings])?;
        assert_eq!(answer.rows::<Range>()?, [Range { lowest: 19.0, highest: 20.5 }]);
        assert_eq!(answer.rejects(), [(2, "900 is above 100".to_owned())]);
        Ok(())
    }
}
