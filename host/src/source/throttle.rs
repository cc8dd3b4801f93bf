//! The rate at which a receiver takes rows: a token bucket.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::units::Rate;

/// How much of a second's rows may come at once after a pause.
const BURST_SECONDS: f64 = 0.1;
/// The slowest rate, so that there is an end to every wait.
const SLOWEST: f64 = 0.001;
/// Rates change, so no wait is worked out for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Hands out rows to all connections of a source.
#[derive(Debug)]
pub(in crate::source) struct Throttle {
    bucket: Mutex<Bucket>,
    max_rate: Option<f64>,
    changed: Notify,
}

impl Throttle {
    /// No limit but `max_rate`, until one is set.
    pub(in crate::source) fn new(max_rate: Option<Rate>) -> Self {
        let max_rate = max_rate.map(|rate| rate.0);
        Self { bucket: Mutex::new(Bucket::new(max_rate, Instant::now())), max_rate, changed: Notify::new() }
    }

    /// Sets the rate, but never above the greatest.
    pub(in crate::source) fn set_rate(&self, rows_per_second: f64) {
        let rate = rows_per_second.min(self.max_rate.unwrap_or(f64::INFINITY));
        self.bucket().set_rate(rate, Instant::now());
        self.changed.notify_waiters();
    }

    /// Waits until a row may be taken; how many may, at most `wanted`.
    pub(in crate::source) async fn acquire(&self, wanted: u64) -> u64 {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // Listening starts before the look, or a change between the two would be missed.
            changed.as_mut().enable();
            let wait = match self.bucket().take(wanted, Instant::now()) {
                Ok(rows) => return rows,
                Err(wait) => wait.min(LONGEST_WAIT),
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = changed => {}
            }
        }
    }

    /// Whether a row may be taken now; else how long it is until then, at this rate.
    pub(in crate::source) fn check(&self) -> Result<(), Duration> {
        self.bucket().take(0, Instant::now()).map(drop)
    }

    /// Counts rows that were taken all at once, however many: those that come later wait the longer.
    pub(in crate::source) fn charge(&self, rows: u64) {
        self.bucket().charge(rows, Instant::now());
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bucket itself, which is told the time.
#[derive(Debug)]
struct Bucket {
    rate: Option<f64>,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(rate: Option<f64>, now: Instant) -> Self {
        Self { rate: rate.map(|rate| rate.max(SLOWEST)), tokens: 0.0, filled: now }
    }

    fn set_rate(&mut self, rate: f64, now: Instant) {
        self.fill(now);
        self.rate = Some(rate.max(SLOWEST));
    }

    /// Takes at most `wanted` rows, or tells how long it is until there is one.
    fn take(&mut self, wanted: u64, now: Instant) -> Result<u64, Duration> {
        self.fill(now);
        let Some(rate) = self.rate else { return Ok(wanted) };
        if self.tokens < 1.0 {
            let wait = Duration::try_from_secs_f64((1.0 - self.tokens) / rate);
            return Err(wait.unwrap_or(Duration::MAX));
        }
        let rows = wanted.min(self.tokens as u64);
        self.tokens -= rows as f64;
        Ok(rows)
    }

    /// Takes rows whether or not there are so many.
    fn charge(&mut self, rows: u64, now: Instant) {
        self.fill(now);
        if self.rate.is_some() {
            self.tokens -= rows as f64;
        }
    }

    fn fill(&mut self, now: Instant) {
        let Some(rate) = self.rate else {
            self.filled = now;
            return;
        };
        let most = (rate * BURST_SECONDS).max(1.0);
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * rate).min(most);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows taken in each of `seconds` seconds, by one who always asks for `wanted` and waits as told.
    fn taken(bucket: &mut Bucket, from: Instant, seconds: u64, wanted: u64) -> Vec<u64> {
        let mut now = from;
        let mut rows = vec![0; usize::try_from(seconds).unwrap_or(0)];
        loop {
            // The clock has a resolution, too.
            let wait = match bucket.take(wanted, now) {
                Ok(taken) => {
                    let second = (now - from).as_secs();
                    match rows.get_mut(usize::try_from(second).unwrap_or(usize::MAX)) {
                        Some(row) => *row += taken,
                        None => return rows,
                    }
                    Duration::ZERO
                }
                Err(wait) => wait,
            };
            now += wait + Duration::from_micros(1);
        }
    }

    #[test]
    fn given_a_rate_when_rows_are_taken_then_no_second_has_more_than_the_rate_and_a_burst() {
        let start = Instant::now();
        for rate in [1.0, 3.5, 100.0, 20_000.0] {
            let mut bucket = Bucket::new(Some(rate), start);
            let rows = taken(&mut bucket, start, 4, 1000);
            let (most, total) = (rate + (rate * BURST_SECONDS).max(1.0), rows.iter().sum::<u64>() as f64);
            assert!(rows.iter().all(|r| *r as f64 <= most), "{rate}/s: {rows:?}");
            assert!((total - 4.0 * rate).abs() <= 4.0f64.max(0.02 * rate), "{rate}/s: {rows:?}");
        }
    }

    #[test]
    fn given_no_rate_when_rows_are_taken_then_all_are_given_until_a_rate_is_set() {
        let start = Instant::now();
        let mut bucket = Bucket::new(None, start);
        assert_eq!(bucket.take(1_000_000, start), Ok(1_000_000));
        bucket.set_rate(10.0, start + Duration::from_secs(9));
        assert_eq!(bucket.take(5, start + Duration::from_secs(9)), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(5, start + Duration::from_millis(9_100)), Ok(1));
    }

    #[test]
    fn given_a_pause_when_rows_are_taken_then_only_a_burst_was_saved() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(1000.0), start);
        assert_eq!(bucket.take(5000, start + Duration::from_secs(60)), Ok(100));
    }

    #[test]
    fn given_rows_that_were_taken_all_at_once_when_more_are_wanted_then_they_wait_until_the_rate_is_kept() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Some(10.0), start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(bucket.take(0, at(1)), Ok(0));
        bucket.charge(21, at(1));
        assert_eq!(bucket.take(0, at(1)), Err(Duration::from_millis(2100)));
        assert_eq!(bucket.take(0, at(4)), Ok(0));
        let mut bucket = Bucket::new(None, start);
        bucket.charge(1 << 40, start);
        assert_eq!(bucket.take(5, start), Ok(5));
    }

    #[test]
    fn given_a_greatest_rate_when_a_higher_is_set_then_it_stays() {
        let throttle = Throttle::new(Some(Rate(10.0)));
        throttle.set_rate(50.0);
        assert_eq!(throttle.bucket().rate, Some(10.0));
        throttle.set_rate(f64::NAN);
        assert_eq!(throttle.bucket().rate, Some(10.0));
        throttle.set_rate(5.0);
        assert_eq!(throttle.bucket().rate, Some(5.0));
    }
}
