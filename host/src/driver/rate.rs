//! The rate controller: Spark Streaming's `PIDRateEstimator`, which sets the rows per second that sources may give so
//! that a batch takes no longer than the interval.
//!
//! The controlled value is the rate; the error is the rate that was last allowed less the rate at which rows were in
//! fact processed. The accumulated error is told from the delay that has built up: the rows that would have been
//! processed in that time. The first batch only gives the estimator something to compare with.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::pipeline::BackpressureSpec;
use crate::units::Rate;

/// What a finished batch tells the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// When the batch was done, on a clock that does not go back.
    pub finished: Duration,
    /// Rows that came in with it.
    pub rows: u64,
    /// How long it ran.
    pub processing: Duration,
    /// How long it waited for the batches before it.
    pub scheduling: Duration,
}

/// The PID controller; its weights are per second.
#[derive(Debug, Clone)]
pub struct PidRateEstimator {
    interval: Duration,
    proportional: f64,
    integral: f64,
    derivative: f64,
    min_rate: f64,
    latest: Option<Latest>,
}

#[derive(Debug, Clone, Copy)]
struct Latest {
    finished: Duration,
    rate: f64,
    error: f64,
}

impl PidRateEstimator {
    /// A controller for batches of `interval`. Fails on weights below zero, or a least rate that is not above zero.
    pub fn new(interval: Duration, spec: &BackpressureSpec) -> Result<Self> {
        let weights =
            [("proportional", spec.proportional), ("integral", spec.integral), ("derivative", spec.derivative)];
        for (name, weight) in weights {
            if !(weight.is_finite() && weight >= 0.0) {
                bail!("`{name}` of the backpressure is {weight}, and must be 0 or more");
            }
        }
        if !(spec.min_rate.0.is_finite() && spec.min_rate.0 > 0.0) {
            bail!("`min_rate` of the backpressure is {}, and must be above 0", spec.min_rate.0);
        }
        if interval.is_zero() {
            bail!("the batch interval is 0, and must be above 0");
        }
        Ok(Self {
            interval,
            proportional: spec.proportional,
            integral: spec.integral,
            derivative: spec.derivative,
            min_rate: spec.min_rate.0,
            latest: None,
        })
    }

    /// The rate to use from now on; `None` leaves it as it is: after the first batch, and after one that tells nothing
    /// because it had no rows, took no time or is not later than the last.
    pub fn compute(&mut self, batch: Measured) -> Option<Rate> {
        let later = self.latest.is_none_or(|latest| batch.finished > latest.finished);
        if !later || batch.rows == 0 || batch.processing.is_zero() {
            return None;
        }
        let processing_rate = batch.rows as f64 / batch.processing.as_secs_f64();
        let Some(latest) = self.latest else {
            self.latest = Some(Latest { finished: batch.finished, rate: processing_rate, error: 0.0 });
            return None;
        };

        let since_update = (batch.finished - latest.finished).as_secs_f64();
        let error = latest.rate - processing_rate;
        let historical_error = batch.scheduling.as_secs_f64() * processing_rate / self.interval.as_secs_f64();
        let error_change = (error - latest.error) / since_update;
        let rate =
            latest.rate - self.proportional * error - self.integral * historical_error - self.derivative * error_change;
        let rate = rate.max(self.min_rate);

        self.latest = Some(Latest { finished: batch.finished, rate, error });
        Some(Rate(rate))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;

    fn estimator(proportional: f64, integral: f64, derivative: f64, min_rate: f64) -> PidRateEstimator {
        let spec = BackpressureSpec {
            proportional,
            integral,
            derivative,
            min_rate: Rate(min_rate),
            ..BackpressureSpec::default()
        };
        PidRateEstimator::new(Duration::from_secs(1), &spec).unwrap()
    }

    /// A batch that was done `at` ms, of `rows`, that took `processing` ms after `scheduling` ms of waiting.
    fn batch(at: u64, rows: u64, processing: u64, scheduling: u64) -> Measured {
        Measured {
            finished: Duration::from_millis(at),
            rows,
            processing: Duration::from_millis(processing),
            scheduling: Duration::from_millis(scheduling),
        }
    }

    fn check(mut estimator: PidRateEstimator, batches: &[(Measured, Option<f64>)]) {
        for (i, (measured, expected)) in batches.iter().enumerate() {
            let rate = estimator.compute(*measured).map(|rate| rate.0);
            match (rate, expected) {
                (Some(rate), Some(expected)) => {
                    assert!((rate - expected).abs() < 1e-9, "batch {i}: {rate}, not {expected}")
                }
                (rate, expected) => assert_eq!(rate, *expected, "batch {i}"),
            }
        }
    }

    #[test]
    fn given_the_defaults_when_batches_run_then_rates_are_those_of_the_formula() {
        // Batch 1: 1000 rows in 500 ms, 2000/s, recorded.
        // Batch 2: 1000 rows in 1000 ms, 1000/s; error 2000 - 1000; historical 500 * 1000 / 1000 = 500;
        //          2000 - 1000 - 0.2 * 500 = 900.
        // Batch 3: 900 rows in 450 ms, 2000/s; error 900 - 2000; nothing waited; 900 + 1100 = 2000.
        check(
            estimator(1.0, 0.2, 0.0, 100.0),
            &[
                (batch(1_000, 1000, 500, 0), None),
                (batch(2_500, 1000, 1000, 500), Some(900.0)),
                (batch(3_000, 900, 450, 0), Some(2000.0)),
            ],
        );
    }

    #[test]
    fn given_all_three_weights_when_batches_run_then_each_has_its_part() {
        // Batch 2: 1000/s after 2000/s, 2 s later: error 1000, historical 1000, change 1000 / 2 = 500;
        //          2000 - 0.5 * 1000 - 0.1 * 1000 - 0.2 * 500 = 1300.
        // Batch 3: 1500/s, 1 s later: error -200, historical 0, change (-200 - 1000) / 1 = -1200;
        //          1300 + 100 + 240 = 1640.
        check(
            estimator(0.5, 0.1, 0.2, 10.0),
            &[
                (batch(1_000, 2000, 1000, 0), None),
                (batch(3_000, 2000, 2000, 1000), Some(1300.0)),
                (batch(4_000, 1500, 1000, 0), Some(1640.0)),
            ],
        );
    }

    #[test]
    fn given_a_long_delay_when_the_rate_would_fall_below_the_least_then_it_is_the_least() {
        check(
            estimator(1.0, 0.2, 0.0, 100.0),
            &[(batch(1_000, 1000, 1000, 0), None), (batch(2_000, 1000, 1000, 60_000), Some(100.0))],
        );
    }

    #[test]
    fn given_a_batch_that_tells_nothing_when_computed_then_the_state_does_not_change() {
        check(
            estimator(1.0, 0.0, 0.0, 100.0),
            &[
                (batch(1_000, 0, 1000, 0), None),
                (batch(1_000, 1000, 0, 0), None),
                (batch(1_000, 1000, 1000, 0), None),
                (batch(2_000, 0, 1000, 0), None),
                (batch(1_000, 500, 1000, 0), None),
                (batch(500, 500, 1000, 0), None),
                (batch(2_000, 500, 1000, 0), Some(500.0)),
            ],
        );
    }

    #[test]
    fn given_settings_that_make_no_sense_when_opened_then_the_error_names_them() {
        let refuse = |change: fn(&mut BackpressureSpec)| {
            let mut spec = BackpressureSpec::default();
            change(&mut spec);
            PidRateEstimator::new(Duration::from_secs(1), &spec).unwrap_err().to_string()
        };
        assert!(refuse(|s| s.integral = -0.1).contains("`integral`"));
        assert!(refuse(|s| s.min_rate = Rate(0.0)).contains("`min_rate`"));
    }
}
