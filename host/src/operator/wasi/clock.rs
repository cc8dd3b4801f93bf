//! Clocks that stand at the batch time. Sleeping takes no time: it moves both clocks to the instant that was waited for.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime::{Result, format_err};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostWallClock, async_trait};

use super::Host;
use crate::time::BatchTime;

/// What both clocks tell of how fine they are.
const RESOLUTION: Duration = Duration::from_millis(1);

/// The time of an instance.
pub(super) struct Clock(Mutex<Time>);

struct Time {
    /// Nanoseconds since the Unix epoch.
    now: u64,
    /// The earliest instant that somebody waits for.
    next: Option<u64>,
}

impl Clock {
    pub(super) fn at(batch: BatchTime) -> Self {
        // Go takes a clock that stands at 0 for one that is broken.
        Self(Mutex::new(Time { now: batch.as_millis().saturating_mul(1_000_000).max(1), next: None }))
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.time().now
    }

    /// Whether this instant has come; if not, somebody waits for it.
    fn has_come(&self, instant: u64) -> bool {
        let mut time = self.time();
        let come = instant <= time.now;
        if !come {
            time.next = Some(time.next.map_or(instant, |next| next.min(instant)));
        }
        come
    }

    /// Moves to the earliest instant that somebody waits for.
    pub(super) fn advance(&self) -> Result<()> {
        let mut time = self.time();
        let next = time.next.take().ok_or_else(|| format_err!("waits for what never comes"))?;
        time.now = time.now.max(next);
        Ok(())
    }

    /// Nobody waits any more.
    pub(super) fn forget(&self) {
        self.time().next = None;
    }
}

/// The wall clock.
pub(super) struct WallClock(pub(super) Arc<Clock>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.now())
    }
}

/// An instant that a guest may wait for.
struct Alarm {
    clock: Arc<Clock>,
    instant: u64,
}

#[async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        poll_fn(|_| if self.clock.has_come(self.instant) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

struct MonotonicClock<'a> {
    clock: &'a Arc<Clock>,
    table: &'a mut ResourceTable,
}

impl HasData for MonotonicClock<'static> {
    type Data<'a> = MonotonicClock<'a>;
}

impl monotonic_clock::Host for MonotonicClock<'_> {
    fn now(&mut self) -> Result<u64> {
        Ok(self.clock.now())
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(RESOLUTION.as_nanos() as u64)
    }

    fn subscribe_instant(&mut self, instant: u64) -> Result<Resource<DynPollable>> {
        let alarm = self.table.push(Alarm { clock: self.clock.clone(), instant })?;
        subscribe(self.table, alarm)
    }

    fn subscribe_duration(&mut self, duration: u64) -> Result<Resource<DynPollable>> {
        self.subscribe_instant(self.clock.now().saturating_add(duration))
    }
}

/// Offers the monotonic clock.
pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    monotonic_clock::add_to_linker::<Host, MonotonicClock<'static>>(linker, |host| {
        let wasi = host.wasi();
        MonotonicClock { clock: &wasi.clock, table: &mut wasi.table }
    })
}

#[cfg(test)]
mod tests {
    use super::{BatchTime, Clock};

    #[test]
    fn given_instants_that_are_waited_for_when_the_clock_advances_then_it_is_the_earliest() {
        let clock = Clock::at(BatchTime::from_millis(1000));
        let second = 1_000_000_000;
        assert!(clock.has_come(second) && clock.advance().is_err(), "nobody waits for what has come");
        assert!(!clock.has_come(3 * second) && !clock.has_come(2 * second));
        assert!(clock.advance().is_ok() && clock.now() == 2 * second);
        assert!(clock.has_come(2 * second) && !clock.has_come(3 * second));
        clock.forget();
        assert!(clock.advance().is_err() && clock.now() == 2 * second);
    }
}
