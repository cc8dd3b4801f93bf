//! A row whenever a sensor has moved away from what it last told.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::state::{Cause, Group, Next, State, Turn};

/// The operator, and its `config` in the pipeline file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moves {
    /// Smaller moves are not told.
    #[serde(default)]
    by: f64,
}

/// What is read of a row. Other columns do not cross into the sandbox; those of the key can be read as `Key`.
#[derive(Record)]
pub struct Reading {
    /// What was measured.
    pub value: f64,
}

/// What is kept of a key from batch to batch. Raise `VERSION` when it changes.
#[derive(Record, Debug, PartialEq)]
pub struct Told {
    /// The value that was told last.
    pub value: f64,
}

/// The answer, before which the host puts the key.
#[derive(Record, Debug, PartialEq)]
pub struct Move {
    /// The value that was told before; null for the first.
    pub before: Option<f64>,
    /// The value now.
    pub now: f64,
}

#[weir_guest::state]
impl State for Moves {
    type Key<'a> = ();
    type Input<'a> = Reading;
    type State = Told;
    type Output<'a> = Move;

    const VERSION: u32 = 1;

    fn update<'a>(
        &self,
        (): (),
        told: Option<Told>,
        readings: &mut Group<'a, Reading>,
        turn: &mut Turn<'a, Move>,
    ) -> Next<Told> {
        if turn.cause() == Cause::Idle {
            // No reading for the pipeline's `timeout`: the last call.
            return Next::Remove;
        }
        let before = told.map(|told| told.value);
        let mut last = before;
        while let Some(reading) = readings.next() {
            if !reading.value.is_finite() {
                readings.reject(format!("{} is no measurement", reading.value));
                continue;
            }
            if last.is_none_or(|last| (reading.value - last).abs() > self.by) {
                turn.emit(Move { before: last, now: reading.value });
                last = Some(reading.value);
            }
        }
        match last {
            Some(value) if last != before => Next::Keep(Told { value }),
            // What does not change costs the host nothing.
            _ => Next::Unchanged,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weir_guest::{Timestamp, testing};

    use super::*;

    #[derive(Record)]
    struct Sensor<'a> {
        sensor: &'a str,
    }

    #[test]
    fn a_move_is_told_across_batches_until_the_sensor_is_forgotten() -> Result<(), String> {
        let roof = |values: &[f64]| {
            (Sensor { sensor: "roof" }, values.iter().map(|&value| Reading { value }).collect::<Vec<_>>())
        };
        let at = Timestamp::from_millis;
        let mut run = testing::state::<Moves>().config(r#"{"by": 1}"#).timeout(Duration::from_secs(60));

        let answer = run.batch(at(1_000), [roof(&[20.0, 20.5, f64::NAN])])?;
        assert_eq!(answer.rows::<Move>()?, [Move { before: None, now: 20.0 }]);
        assert_eq!(answer.rejects(), [(2, "NaN is no measurement".to_owned())]);

        let answer = run.batch(at(2_000), [roof(&[21.5])])?;
        assert_eq!(answer.rows::<Move>()?, [Move { before: Some(20.0), now: 21.5 }]);
        assert_eq!(run.states()?.rows::<Told>()?, [Told { value: 21.5 }]);

        run.batch_without_rows(at(62_000))?;
        assert_eq!(run.states()?.len(), 0);
        Ok(())
    }
}
