// The operator of tally and tally-2. What each has for itself is `Total`, what is kept of a key, which takes a value in with
// `take`, and the `State` that calls `answer`.

use std::time::Duration;

use serde::Deserialize;
use weir_guest::state::{Cause, Group, Next, State, Turn};
use weir_guest::{Record, batch_time};

/// The operator.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Forgets a key that has had so many rows.
    remove_at: Option<i64>,
    /// Asks to be called again so many milliseconds after the batch, if the key had rows.
    wake: Option<u64>,
    /// Has nothing to say about keys that it is called with only because it is called with all.
    #[serde(default)]
    quiet: bool,
    /// Rejects negative values.
    #[serde(default)]
    reject_negative: bool,
    /// Panics at a key's row that is its n-th of all; only `tally-2` does.
    pub trap_at: Option<i64>,
    /// Never comes back from a key's row that is its n-th of all; only `tally-2` does.
    pub spin_at: Option<i64>,
    /// Panics at every state of an earlier version; only `tally-2` does.
    #[serde(default)]
    pub bad_migration: bool,
}

/// A row.
#[derive(Record, Debug)]
pub struct Amount {
    /// How much; null for nothing.
    pub value: Option<i64>,
}

/// The answer to each call that has something to say.
#[derive(Record, Debug, PartialEq)]
pub struct Report<'a> {
    /// `rows`, `idle`, `timer` or `all`.
    pub cause: &'a str,
    /// How many rows were taken in this call.
    pub seen: i64,
    /// How many rows there were.
    pub count: i64,
    /// Their sum.
    pub total: i64,
}

impl Tally {
    fn answer<'a>(
        &self,
        previous: Option<Total>,
        rows: &mut Group<'a, Amount>,
        turn: &mut Turn<'a, Report<'a>>,
    ) -> Next<Total> {
        if self.quiet && rows.is_empty() && turn.cause() == Cause::All {
            return Next::Unchanged;
        }
        let known = previous.is_some();
        let mut sum = previous.unwrap_or_default();
        let mut seen = 0;
        while let Some(row) = rows.next() {
            if self.reject_negative && row.value.is_some_and(|value| value < 0) {
                rows.reject("negative");
                continue;
            }
            sum.take(row.value, self);
            seen += 1;
        }
        if seen == 0 && !known {
            return Next::Unchanged;
        }
        turn.emit(Report { cause: label(turn.cause()), seen, count: sum.count, total: sum.total });
        if self.remove_at.is_some_and(|most| sum.count >= most) {
            return Next::Remove;
        }
        if let Some(wake) = self.wake
            && seen > 0
        {
            turn.wake_at(batch_time() + Duration::from_millis(wake));
        }
        Next::Keep(sum)
    }
}

fn label(cause: Cause) -> &'static str {
    match cause {
        Cause::Rows => "rows",
        Cause::Idle => "idle",
        Cause::Timer => "timer",
        Cause::All => "all",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::Timestamp;
    use weir_guest::testing::{self, Answer};

    #[derive(Record)]
    struct Key<'a> {
        key: &'a str,
    }

    fn amounts<'a>(key: &'a str, values: &[i64]) -> (Key<'a>, Vec<Amount>) {
        (Key { key }, values.iter().map(|&value| Amount { value: Some(value) }).collect())
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// What was reported, as (cause, seen, count, total).
    fn reports(answer: &Answer) -> Result<Vec<(&str, i64, i64, i64)>, String> {
        Ok(answer
            .rows::<Report>()?
            .iter()
            .map(|report| (report.cause, report.seen, report.count, report.total))
            .collect())
    }

    fn tally(config: &str) -> testing::State<Tally> {
        testing::state::<Tally>().config(config)
    }

    #[test]
    fn a_key_is_forgotten_when_it_has_had_its_rows() -> Result<(), String> {
        let mut run = tally(r#"{"remove_at": 3}"#);
        let answer = run.batch(at(1), [amounts("a", &[1, 2]), amounts("b", &[1, i64::MAX, 1])])?;
        assert_eq!(reports(&answer)?, [("rows", 2, 2, 3), ("rows", 3, 3, i64::MIN + 1)]);
        let states = run.states()?;
        let kept: Vec<_> = states.rows::<Total>()?.iter().map(|kept| (kept.count, kept.total)).collect();
        assert_eq!(kept, [(2, 3)]);
        Ok(())
    }

    #[test]
    fn a_timer_rings_once_after_rows() -> Result<(), String> {
        let mut run = tally(r#"{"wake": 20}"#);
        run.batch(at(10), [amounts("a", &[1])])?;
        assert_eq!(reports(&run.batch_without_rows(at(29))?)?, []);
        assert_eq!(reports(&run.batch_without_rows(at(30))?)?, [("timer", 0, 1, 1)]);
        assert_eq!(reports(&run.batch_without_rows(at(60))?)?, []);
        Ok(())
    }

    #[test]
    fn quiet_it_has_nothing_to_say_but_to_rows() -> Result<(), String> {
        for (config, all) in
            [("{}", vec![("rows", 1, 1, 2), ("all", 0, 1, 1)]), (r#"{"quiet": true}"#, vec![("rows", 1, 1, 2)])]
        {
            let mut run = tally(config).touch_all();
            run.batch(at(1), [amounts("a", &[1])])?;
            assert_eq!(reports(&run.batch(at(2), [amounts("b", &[2])])?)?, all);
            assert_eq!(run.states()?.len(), 2);
        }
        Ok(())
    }

    #[test]
    fn what_is_rejected_leaves_no_trace() -> Result<(), String> {
        let mut run = tally(r#"{"reject_negative": true}"#);
        let answer = run.batch(at(1), [amounts("a", &[-1, 5, -2]), amounts("b", &[-3])])?;
        assert_eq!(reports(&answer)?, [("rows", 1, 1, 5)]);
        assert_eq!(answer.rejects(), [0, 2, 3].map(|row| (row, "negative".to_owned())));
        assert_eq!(run.states()?.len(), 1);
        Ok(())
    }
}
