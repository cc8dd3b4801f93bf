//! Time as an operator knows it: timestamps in rows and the batch time. There is no clock.

use std::cell::Cell;
use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A point in time, in microseconds since the Unix epoch, UTC.
///
/// ```
/// use std::time::Duration;
/// use weir_guest::Timestamp;
///
/// let at = Timestamp::from_millis(1_700_000_000_000);
/// assert_eq!(at.as_micros(), 1_700_000_000_000_000);
/// assert_eq!(at + Duration::from_micros(1), Timestamp::from_micros(1_700_000_000_000_001));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since the Unix epoch; what is out of range becomes the nearest timestamp that is in it.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// So much later; whole microseconds, and at most the latest timestamp.
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Microseconds since the Unix epoch, as a number.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}µs", self.0)
    }
}

thread_local! {
    static BATCH_TIME: Cell<Timestamp> = const { Cell::new(Timestamp(0)) };
}

/// The end of the interval of the batch that is being worked on: the only "now" that an operator has, and the same
/// whenever the batch is computed again.
///
/// Known to transforms and to operators with state while they take rows; the Unix epoch in `configure`, in aggregates,
/// in migrations and outside a host. A test sets it with [`set_batch_time`], [`testing::Transform::at`](crate::testing::Transform::at)
/// or [`testing::State::batch`](crate::testing::State::batch).
///
/// ```
/// use weir_guest::{Timestamp, batch_time, set_batch_time};
///
/// fn is_late(at: Timestamp) -> bool {
///     batch_time().as_millis() - at.as_millis() > 60_000
/// }
///
/// set_batch_time(Timestamp::from_millis(100_000));
/// assert!(is_late(Timestamp::from_millis(10_000)));
/// ```
pub fn batch_time() -> Timestamp {
    BATCH_TIME.get()
}

/// Sets the batch time of this thread. The host's calls do this; call it yourself in tests only.
pub fn set_batch_time(to: Timestamp) {
    BATCH_TIME.set(to);
}
