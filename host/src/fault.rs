//! Fault points: places between two writes at which a host can be made to die, for tests of what it leaves behind.
//!
//! Only a build with the feature `fault-points` has them. There each point that is passed is counted, and at the one whose
//! number is in `WEIR_DIE_AT`, from 1, the process kills itself with SIGKILL: nothing is flushed, no handler runs, other
//! threads stop where they are. In every other build a point is nothing, and the variable is not read.

#[cfg(feature = "fault-points")]
pub(crate) use armed::{halfway, point};

/// The host may die here.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}

/// The host may die here with only half of something done.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) fn halfway(_name: &str, _half: impl FnOnce()) {}

#[cfg(feature = "fault-points")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    static LAST: LazyLock<Option<u64>> = LazyLock::new(|| std::env::var("WEIR_DIE_AT").ok()?.parse().ok());

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
