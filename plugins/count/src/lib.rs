//! Counts the rows of a key. Reads no column, so nothing crosses into the sandbox and a group costs the same however
//! many rows it has.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::aggregate::{Aggregate, Group, Reject, Remains};

/// The operator.
#[derive(Debug, Deserialize)]
pub struct Count;

/// How many rows there are.
#[derive(Record, Debug, Clone, PartialEq)]
pub struct Counted {
    /// The number of rows.
    pub count: i64,
}

#[weir_guest::aggregate]
impl Aggregate for Count {
    type Input<'a> = ();
    type Accumulator = Counted;
    type Output = Counted;

    fn create(&self, (): ()) -> Result<Counted, Reject> {
        Ok(Counted { count: 1 })
    }

    fn create_group<'a>(&self, group: &mut Group<'a, ()>) -> Option<Counted> {
        Some(Counted { count: group.len() as i64 })
    }

    fn merge(&self, total: &mut Counted, part: Counted) {
        total.count += part.count;
    }

    fn retract(&self, total: &mut Counted, part: Counted) -> Remains {
        total.count -= part.count;
        if total.count == 0 { Remains::Nothing } else { Remains::Something }
    }

    fn finish(&self, total: Counted) -> Counted {
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    #[test]
    fn rows_are_counted_without_being_read() -> Result<(), String> {
        let answer = testing::aggregate::<Count>().run([vec![(); 5], vec![(); 1]])?;
        assert_eq!(answer.rows::<Counted>()?, [Counted { count: 5 }, Counted { count: 1 }]);
        Ok(())
    }

    #[test]
    fn a_key_whose_rows_have_all_left_the_window_is_dropped() -> Result<(), String> {
        let answer = testing::aggregate::<Count>().run_window([vec![(); 5], vec![(); 1]], [vec![(); 2], vec![]])?;
        assert_eq!(answer.rows::<Counted>()?, [Counted { count: 2 }]);
        Ok(())
    }
}
