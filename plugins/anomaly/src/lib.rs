//! Readings that are far from what their sensor says otherwise: how far, by the standard deviation of its readings so far.
//!
//! Reads `at` and `value`, and of the key nothing: it says which sensor it is. A reading is held against the mean and the
//! standard deviation of those before it, in which older ones fade, see [`stats`]; its score is `(value - mean) /
//! deviation`, and it is an anomaly if that is farther from 0 than the threshold. Then it counts like any other, so that a
//! sensor whose world has changed is normal again after a while.
//!
//! Answers with a row for each anomaly: `at` and `value`, the `mean` and `deviation` that it was held against, and `score`.
//!
//! Config:
//!
//! - `threshold`: 3 by default.
//! - `decay`: what a reading counts after the next one, from above 0 to 1; 0.99 by default, with which the last hundred or
//!   so make up most of the mean. With 1 all count the same for ever.
//! - `warmup`: how many readings must have come before one is judged; 10 by default.
//! - `least_deviation`: what a deviation is at least, so that a sensor that has always said the same may say something
//!   slightly else; 0 by default.

pub mod stats;

use serde::Deserialize;
use weir_guest::state::{Group, Next, State, Turn};
use weir_guest::{Record, Timestamp};

use stats::Stats;

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default = "threshold")]
    threshold: f64,
    #[serde(default = "decay")]
    decay: f64,
    #[serde(default = "warmup")]
    warmup: u32,
    #[serde(default)]
    least_deviation: f64,
}

fn threshold() -> f64 {
    3.0
}

fn decay() -> f64 {
    0.99
}

fn warmup() -> u32 {
    10
}

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Anomalies {
    threshold: f64,
    decay: f64,
    warmup: u32,
    least_deviation: f64,
}

impl TryFrom<Settings> for Anomalies {
    type Error = String;

    fn try_from(settings: Settings) -> Result<Self, Self::Error> {
        let Settings { threshold, decay, warmup, least_deviation } = settings;
        if threshold <= 0.0 {
            return Err(format!("`threshold` is {threshold}; it must be more than 0"));
        }
        if decay <= 0.0 || decay > 1.0 {
            return Err(format!("`decay` is {decay}; it must be more than 0 and at most 1"));
        }
        if warmup < 2 {
            return Err(format!("`warmup` is {warmup}; two readings are the least that have a deviation"));
        }
        if least_deviation < 0.0 {
            return Err(format!("`least_deviation` is {least_deviation}; no deviation is less than 0"));
        }
        Ok(Self { threshold, decay, warmup, least_deviation })
    }
}

/// What a sensor says.
#[derive(Record, Debug)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// What.
    pub value: f64,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Anomaly {
    /// When it was read.
    pub at: Timestamp,
    /// What was read.
    pub value: f64,
    /// The mean of the readings before.
    pub mean: f64,
    /// Their standard deviation, or the least that there is.
    pub deviation: f64,
    /// How many deviations the value is above the mean; below it, less than 0.
    pub score: f64,
}

impl Anomalies {
    /// What is wrong with a reading, if anything is.
    fn judge(&self, stats: &Stats, Reading { at, value }: Reading) -> Option<Anomaly> {
        let deviation = stats.deviation().max(self.least_deviation);
        // Without any deviation every other value is infinitely far; the same value is no number of times as far.
        let score = (value - stats.mean) / deviation;
        let far = stats.readings >= self.warmup.into() && score.abs() > self.threshold;
        far.then_some(Anomaly { at, value, mean: stats.mean, deviation, score })
    }
}

#[weir_guest::state]
impl State for Anomalies {
    type Key<'a> = ();
    type Input<'a> = Reading;
    type State = Stats;
    type Output<'a> = Anomaly;

    fn update<'a>(
        &self,
        (): (),
        before: Option<Stats>,
        readings: &mut Group<'a, Reading>,
        turn: &mut Turn<'a, Anomaly>,
    ) -> Next<Stats> {
        let before = before.unwrap_or_default();
        let mut stats = before;
        while let Some(reading) = readings.next() {
            let value = reading.value;
            if !value.is_finite() {
                readings.reject(format!("column `value` is {value}"));
                continue;
            }
            if let Some(anomaly) = self.judge(&stats, reading) {
                turn.emit(anomaly);
            }
            stats.add(value, self.decay);
        }
        if stats.readings == before.readings { Next::Unchanged } else { Next::Keep(stats) }
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::testing;

    use super::*;

    #[derive(Record)]
    struct Sensor<'a> {
        sensor: &'a str,
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn readings(values: &[f64]) -> Vec<Reading> {
        values.iter().zip(0..).map(|(&value, millis)| Reading { at: at(millis), value }).collect()
    }

    fn sensor(sensor: &str) -> Sensor<'_> {
        Sensor { sensor }
    }

    const CONFIG: &str = r#"{"threshold": 3, "decay": 1, "warmup": 4}"#;

    #[test]
    fn a_reading_is_held_against_those_before_it() -> Result<(), String> {
        let mut run = testing::state::<Anomalies>().config(CONFIG);
        // Too early to tell, then not far enough, then far.
        let answer =
            run.batch(at(1), [(sensor("a"), readings(&[1.0, 99.0])), (sensor("b"), readings(&[9.0, 11.0]))])?;
        assert_eq!(answer.rows::<Anomaly>()?, []);
        let answer = run.batch(at(2), [(sensor("b"), readings(&[9.0, 11.0, 12.5]))])?;
        assert_eq!(answer.rows::<Anomaly>()?, []);
        let before = run.states()?.rows::<Stats>()?[1];
        let answer = run.batch(at(3), [(sensor("b"), readings(&[12.0, 0.0]))])?;
        let anomalies = answer.rows::<Anomaly>()?;
        assert_eq!(answer.columns(), ["sensor", "at", "value", "mean", "deviation", "score"]);
        assert_eq!(anomalies.len(), 1);
        assert_eq!((anomalies[0].at, anomalies[0].value), (at(1), 0.0));
        let mut expected = before;
        expected.add(12.0, 1.0);
        assert_eq!((anomalies[0].mean, anomalies[0].deviation), (expected.mean, expected.deviation()));
        assert_eq!(anomalies[0].score, -expected.mean / expected.deviation());
        Ok(())
    }

    #[test]
    fn a_sensor_that_has_always_said_the_same_may_not_say_anything_else() -> Result<(), String> {
        let values = readings(&[5.0, 5.0, 5.0, 5.0, 5.0, 5.25]);
        for (least, score) in [("0", Some(f64::INFINITY)), ("0.05", Some(5.0)), ("0.1", None)] {
            let config = format!(r#"{{"warmup": 4, "least_deviation": {least}}}"#);
            let rows = values.iter().map(|r| Reading { at: r.at, value: r.value }).collect::<Vec<_>>();
            let answer = testing::state::<Anomalies>().config(config).batch(at(1), [(sensor("a"), rows)])?;
            let scores: Vec<_> = answer.rows::<Anomaly>()?.iter().map(|anomaly| anomaly.score).collect();
            assert_eq!(scores, Vec::from_iter(score), "at least {least}");
        }
        Ok(())
    }

    #[test]
    fn a_world_that_has_changed_is_normal_after_a_while() -> Result<(), String> {
        let mut run = testing::state::<Anomalies>().config(r#"{"decay": 0.8, "warmup": 4}"#);
        let values: Vec<f64> = (0..40).map(|i| if i < 20 { 0.0 } else { 50.0 } + f64::from(i % 2)).collect();
        let answer = run.batch(at(1), [(sensor("a"), readings(&values))])?;
        let found: Vec<_> = answer.rows::<Anomaly>()?.iter().map(|anomaly| anomaly.at.as_millis()).collect();
        assert_eq!(found, [20]);
        Ok(())
    }

    #[test]
    fn what_is_no_number_is_rejected_and_does_not_count() -> Result<(), String> {
        let mut run = testing::state::<Anomalies>().config(CONFIG);
        let answer = run.batch(at(1), [(sensor("a"), readings(&[1.0, f64::NAN, f64::INFINITY]))])?;
        let rejects: Vec<_> = answer.rejects().iter().map(|(row, why)| (*row, why.as_str())).collect();
        assert_eq!(rejects, [(1, "column `value` is NaN"), (2, "column `value` is inf")]);
        assert_eq!(run.states()?.rows::<Stats>()?, [Stats { mean: 1.0, squares: 0.0, weight: 1.0, readings: 1 }]);
        Ok(())
    }

    #[test]
    fn a_config_that_is_not_valid_says_why() {
        for (config, why) in [
            (r#"{"threshold": 0}"#, "`threshold` is 0; it must be more than 0"),
            (r#"{"decay": 0}"#, "`decay` is 0; it must be more than 0 and at most 1"),
            (r#"{"warmup": 1}"#, "`warmup` is 1; two readings are the least that have a deviation"),
            (r#"{"least_deviation": -1}"#, "`least_deviation` is -1; no deviation is less than 0"),
        ] {
            let answer = testing::state::<Anomalies>().config(config).batch(at(1), [(sensor("a"), readings(&[]))]);
            assert_eq!(answer.map(|_| ()), Err(format!("the operator's config is not valid: {why}")));
        }
    }
}
