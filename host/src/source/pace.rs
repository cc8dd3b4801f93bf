//! The pace of a replay: how many rows are due by a batch, by arithmetic on batch times alone.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::time::BatchTime;
use crate::units::Rate;

/// A constant rate, counted from the start of the first batch that is cut.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    rows_per_second: f64,
    interval: Duration,
    first: Option<BatchTime>,
}

impl Pace {
    /// A pace of `rate`, with batches of `interval`.
    pub(super) fn new(rate: Rate, interval: Duration) -> Result<Self> {
        if !(rate.0.is_finite() && rate.0 > 0.0) {
            bail!("the rate {} is not a number of rows above 0", rate.0);
        }
        Ok(Self { rows_per_second: rate.0, interval, first: None })
    }

    /// The first batch, once there was one.
    pub(super) fn first(&self) -> Option<BatchTime> {
        self.first
    }

    /// Goes on counting from this batch.
    pub(super) fn resume(&mut self, first: Option<BatchTime>) {
        self.first = first;
    }

    /// How many rows are due by the end of `batch`, from the start of the first batch that this was asked about.
    ///
    /// Counted from the start every time, so no fraction of a row is lost or gained over many batches.
    pub(super) fn due(&mut self, batch: BatchTime) -> u64 {
        let first = *self.first.get_or_insert(batch);
        let since_first = Duration::from_millis(batch.as_millis().saturating_sub(first.as_millis()));
        let rows = self.rows_per_second * (self.interval + since_first).as_secs_f64();
        // A product that should be whole may lie just below, as with a rate of 49 and 1/49 of a second.
        (rows * (1.0 + 4.0 * f64::EPSILON)).floor() as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;

    fn dues(rate: f64, interval_millis: u64, batches: u64) -> Vec<u64> {
        let interval = Duration::from_millis(interval_millis);
        let mut pace = Pace::new(Rate(rate), interval).unwrap();
        let mut batch = BatchTime::after(1_700_000_000_000, interval);
        (0..batches)
            .map(|_| {
                let due = pace.due(batch);
                batch = batch.next(interval);
                due
            })
            .collect()
    }

    #[test]
    fn given_a_rate_when_batches_follow_then_fractions_carry_over() {
        assert_eq!(dues(10.0, 1000, 3), [10, 20, 30]);
        assert_eq!(dues(2.5, 1000, 4), [2, 5, 7, 10]);
        assert_eq!(dues(1.0 / 3.0, 1000, 7), [0, 0, 1, 1, 1, 2, 2]);
        assert_eq!(dues(1000.0 / 60.0, 1000, 60).last(), Some(&1000));
        assert_eq!(dues(0.1, 200, 50).last(), Some(&1));
    }

    #[test]
    fn given_a_batch_that_was_left_out_when_the_next_is_cut_then_all_that_is_due_comes() {
        let mut pace = Pace::new(Rate(10.0), Duration::from_secs(1)).unwrap();
        assert_eq!(pace.due(BatchTime::from_millis(5_000)), 10);
        assert_eq!(pace.due(BatchTime::from_millis(8_000)), 40);
    }

    #[test]
    fn given_a_rate_that_is_none_when_opened_then_it_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::new(Rate(rate), Duration::from_secs(1)).is_err());
        }
    }
}
