//! Adds up the counts of a key over all batches: behind the aggregate `count`, how many rows a key has had so far.
//!
//! Reads `count`, and of the key nothing, so that it can be any. A key with rows has one row in the answer, with its `count`
//! so far; one that falls silent for the pipeline's `timeout` is forgotten without a word.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::state::{Cause, Group, Next, State, Turn};

/// The operator.
#[derive(Debug, Deserialize)]
pub struct RunningCount;

/// How many rows there are: of a batch in what is read, of all so far in what is remembered and answered.
#[derive(Record, Debug, Default, PartialEq)]
pub struct Counted {
    /// The number of rows.
    pub count: i64,
}

#[weir_guest::state]
impl State for RunningCount {
    type Key<'a> = ();
    type Input<'a> = Counted;
    type State = Counted;
    type Output<'a> = Counted;

    fn update<'a>(
        &self,
        (): (),
        before: Option<Counted>,
        counts: &mut Group<'a, Counted>,
        turn: &mut Turn<'a, Counted>,
    ) -> Next<Counted> {
        match turn.cause() {
            Cause::Idle => return Next::Remove,
            Cause::Rows => {}
            Cause::Timer | Cause::All => return Next::Unchanged,
        }
        let count = counts.fold(before.unwrap_or_default().count, |sum, counted| sum + counted.count);
        turn.emit(Counted { count });
        Next::Keep(Counted { count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::{Timestamp, testing};

    #[derive(Record, Debug, PartialEq)]
    struct Of<'a> {
        key: &'a str,
        count: i64,
    }

    #[derive(Record)]
    struct Key<'a> {
        key: &'a str,
    }

    fn counts<'a>(key: &'a str, counts: &[i64]) -> (Key<'a>, Vec<Counted>) {
        (Key { key }, counts.iter().map(|&count| Counted { count }).collect())
    }

    #[test]
    fn counts_are_added_up_over_batches() -> Result<(), String> {
        let mut run = testing::state::<RunningCount>();
        let first = run.batch(Timestamp::from_millis(1), [counts("a", &[2, 3]), counts("b", &[1])])?;
        assert_eq!(first.rows::<Of>()?, [Of { key: "a", count: 5 }, Of { key: "b", count: 1 }]);
        let second = run.batch(Timestamp::from_millis(2), [counts("a", &[1])])?;
        assert_eq!(second.rows::<Of>()?, [Of { key: "a", count: 6 }]);
        Ok(())
    }
}
