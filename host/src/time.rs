//! Batch time: the one notion of time that operators, sinks and logs share.

use std::fmt;
use std::str::FromStr;
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

/// Reads what [`fmt::Display`] writes, and milliseconds since the epoch.
impl FromStr for BatchTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(millis) = text.parse() {
            return Ok(Self(millis));
        }
        let instant = humantime::parse_rfc3339_weak(text)
            .map_err(|e| format!("{e}; write it as 2026-01-31T12:00:00.500Z, or in milliseconds since 1970"))?;
        let since = instant.duration_since(std::time::UNIX_EPOCH).map_err(|_| "it lies before 1970".to_owned())?;
        Ok(Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// How long something took, as logs have it: in milliseconds.
pub(crate) fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
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
