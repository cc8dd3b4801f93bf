//! Batch time: the one notion of time that operators, sinks and logs share.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The end of a batch's interval, in milliseconds since the Unix epoch; always a multiple of the batch interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BatchTime(u64);

impl BatchTime {
    /// The batch time at `millis` milliseconds since the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The end of the interval in which the instant `millis` (milliseconds since the epoch) lies; an instant on the
    /// boundary belongs to the interval that begins there.
    pub fn after(millis: u64, interval: Duration) -> Self {
        let step = interval_millis(interval);
        Self((millis / step + 1) * step)
    }

    /// The batch time one interval later.
    pub fn next(self, interval: Duration) -> Self {
        Self(self.0 + interval_millis(interval))
    }
}

fn interval_millis(interval: Duration) -> u64 {
    u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// RFC 3339 in UTC with milliseconds, as in `2026-01-31T12:00:00.500Z`.
impl fmt::Display for BatchTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = std::time::UNIX_EPOCH + Duration::from_millis(self.0);
        write!(f, "{}", humantime::format_rfc3339_millis(instant))
    }
}
