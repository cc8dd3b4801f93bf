//! Fault points: places between two writes at which a host can be made to die, for tests of what it leaves behind, and one
//! at which it can be made to break its promise of purity, for tests of who finds that out.
//!
//! Only a build with the feature `fault-points` has them. There each point that is passed is counted, and at the one whose
//! number is in `WEIR_DIE_AT`, from 1, the process kills itself with SIGKILL: nothing is flushed, no handler runs, other
//! threads stop where they are. With `WEIR_LEAK_CLOCK=1`, operators are told what the machine's clock says for the batch
//! time. With `WEIR_SHORT_LOG=1`, the batch log is shortened as often as it can be. In every other build a point is nothing,
//! and the variables are not read.

use crate::time::BatchTime;

#[cfg(feature = "fault-points")]
pub(crate) use armed::{batch_time, halfway, point, short_log};

/// The host may die here.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}

/// The host may die here with only half of something done.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) fn halfway(_name: &str, _half: impl FnOnce()) {}

/// The batch time that an operator is told.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) fn batch_time(batch: BatchTime) -> BatchTime {
    batch
}

/// Whether the batch log is shortened as often as it can be.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) fn short_log() -> bool {
    false
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::BatchTime;

    static PASSED: AtomicU64 = AtomicU64::new(0);
    static LAST: LazyLock<Option<u64>> = LazyLock::new(|| std::env::var("WEIR_DIE_AT").ok()?.parse().ok());
    static LEAKS: LazyLock<bool> = LazyLock::new(|| std::env::var("WEIR_LEAK_CLOCK").is_ok_and(|leaks| leaks == "1"));

    pub(crate) fn short_log() -> bool {
        std::env::var("WEIR_SHORT_LOG").is_ok_and(|short| short == "1")
    }

    pub(crate) fn batch_time(batch: BatchTime) -> BatchTime {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        if *LEAKS { BatchTime::from_millis(now()) } else { batch }
    }

    pub(crate) fn point(name: &str) {
        halfway(name, || {});
    }

    pub(crate) fn halfway(name: &str, half: impl FnOnce()) {
        let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        if *LAST == Some(number) {
            half();
            eprintln!("dying at fault point {number}, {name}");
            die();
        }
    }

    fn die() -> ! {
        // SAFETY: neither call takes a pointer; what happens to this process is what is wanted.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        // The signal is on its way.
        loop {
            std::thread::park();
        }
    }
}
