//! What `tally` does, with a state that also has the largest value: it can take the place of `tally`, whose states it
//! migrates. The config has it fail where such a component can: at a state that it migrates, at a row that it takes.

include!("../../tally.rs");

use weir_guest::Migrate;

/// What is kept of a key.
#[derive(Record, Debug, Default, Clone, PartialEq)]
pub struct Total {
    /// How many rows there were.
    pub count: i64,
    /// Their sum, which wraps around.
    pub total: i64,
    /// The largest value since version 2 took over; none if there was none.
    pub largest: Option<i64>,
}

impl Total {
    fn take(&mut self, value: Option<i64>, tally: &Tally) {
        self.count += 1;
        assert_ne!(Some(self.count), tally.trap_at, "a row that `trap_at` is about");
        while Some(self.count) == tally.spin_at {
            std::hint::black_box(&self.count);
        }
        self.total = self.total.wrapping_add(value.unwrap_or(0));
        self.largest = self.largest.max(value);
    }
}

#[weir_guest::state(migrates = [1])]
impl State for Tally {
    type Key<'a> = ();
    type Input<'a> = Amount;
    type State = Total;
    type Output<'a> = Report<'a>;

    const VERSION: u32 = 2;

    fn update<'a>(
        &self,
        (): (),
        previous: Option<Total>,
        rows: &mut Group<'a, Amount>,
        turn: &mut Turn<'a, Report<'a>>,
    ) -> Next<Total> {
        self.answer(previous, rows, turn)
    }
}

/// A state of `tally`.
#[derive(Record, Debug)]
pub struct TotalOnly {
    /// How many rows there were.
    pub count: i64,
    /// Their sum.
    pub total: i64,
}

impl Migrate<1> for Tally {
    type Old = TotalOnly;

    fn migrate(&self, old: TotalOnly) -> Result<Total, String> {
        assert!(!self.bad_migration, "a state that `bad_migration` is about");
        Ok(Total { count: old.count, total: old.total, largest: None })
    }
}

#[cfg(test)]
mod migrating {
    use super::*;
    use weir_guest::{Timestamp, testing};

    #[derive(Record)]
    struct Key<'a> {
        key: &'a str,
    }

    fn key_with<const N: usize>(values: [Option<i64>; N]) -> [(Key<'static>, [Amount; N]); 1] {
        [(Key { key: "a" }, values.map(|value| Amount { value }))]
    }

    #[test]
    fn a_migrated_state_has_no_largest_value() -> Result<(), String> {
        let old = [(3, 7), (1, i64::MIN)];
        let answer = testing::state::<Tally>().migrate(1, old.map(|(count, total)| TotalOnly { count, total }))?;
        let expected = old.map(|(count, total)| Total { count, total, largest: None });
        assert_eq!(answer.rows::<Total>()?, expected);
        Ok(())
    }

    #[test]
    fn the_largest_value_is_kept_beside_the_total() -> Result<(), String> {
        let mut run = testing::state::<Tally>();
        let kept = |run: &testing::State<Tally>| run.states()?.rows::<Total>();
        run.batch(Timestamp::from_millis(1), key_with([None]))?;
        assert_eq!(kept(&run)?, [Total { count: 1, total: 0, largest: None }]);
        run.batch(Timestamp::from_millis(2), key_with([Some(-5), Some(-2), None]))?;
        assert_eq!(kept(&run)?, [Total { count: 4, total: -7, largest: Some(-2) }]);
        Ok(())
    }

    #[test]
    #[should_panic = "`bad_migration`"]
    fn a_bad_migration_panics() {
        let run = testing::state::<Tally>().config(r#"{"bad_migration": true}"#);
        let _ = run.migrate(1, [TotalOnly { count: 1, total: 1 }]);
    }

    #[test]
    #[should_panic = "`trap_at`"]
    fn the_row_to_trap_at_is_counted_over_batches() {
        let mut run = testing::state::<Tally>().config(r#"{"trap_at": 3}"#);
        let first = run.batch(Timestamp::from_millis(1), key_with([Some(1), Some(2)]));
        assert!(first.is_ok(), "{first:?}");
        let _ = run.batch(Timestamp::from_millis(2), key_with([Some(3)]));
    }
}
