//! The clock that cuts the stream, behind a trait so that a test can drive it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::watch;

/// Tells the time in milliseconds since the Unix epoch, and waits for it.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Now.
    fn now(&self) -> u64;

    /// Returns once it is `millis` or later.
    async fn until(&self, millis: u64);

    /// Returns after so long.
    async fn pause(&self, length: Duration) {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        self.until(self.now().saturating_add(millis)).await;
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    async fn until(&self, millis: u64) {
        // In steps, since the machine's clock may be set while we wait.
        loop {
            let left = millis.saturating_sub(self.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left.min(1000))).await;
        }
    }

    /// Whether or not the clock is set meanwhile.
    async fn pause(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<watch::Sender<u64>>,
}

impl ManualClock {
    /// A clock that shows `millis`.
    pub fn at(millis: u64) -> Self {
        Self { now: Arc::new(watch::Sender::new(millis)) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> u64 {
        *self.now.borrow()
    }

    async fn until(&self, millis: u64) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.now.subscribe().wait_for(|now| *now >= millis).await;
    }
}
