//! Counts the rows of a key and adds up the column `value`, from batch to batch, and says why it was called. The config
//! has it do whatever an operator with state can do: forget a key, set a timer, leave a key alone, reject rows.

include!("../../tally.rs");

/// What is kept of a key.
#[derive(Record, Debug, Default, Clone, PartialEq)]
pub struct Total {
    /// How many rows there were.
    pub count: i64,
    /// Their sum, which wraps around.
    pub total: i64,
}

impl Total {
    fn take(&mut self, value: Option<i64>, _: &Tally) {
        self.count += 1;
        self.total = self.total.wrapping_add(value.unwrap_or(0));
    }
}

#[weir_guest::state]
impl State for Tally {
    type Key<'a> = ();
    type Input<'a> = Amount;
    type State = Total;
    type Output<'a> = Report<'a>;

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
