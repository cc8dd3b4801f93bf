//! A store of checkpoints that fails when it is told to, and when its host is dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use object_store::memory::InMemory;
use weir::checkpoint::{Judge, Location, SimulatedStore, Write};
use weir::storage::SimulatedDisk;

/// Objects in memory, for one life of a host.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    objects: Arc<InMemory>,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// The host's: when it has stopped, nothing is written here either.
    disk: SimulatedDisk,
    writes: AtomicUsize,
    /// Which write fails.
    fails_at: usize,
    /// Checkpoints that were begun, and those that came to their end or failed.
    begun: AtomicU64,
    failed: AtomicU64,
    done: AtomicU64,
}

impl Objects {
    pub(crate) fn new(objects: Arc<InMemory>, disk: SimulatedDisk, fails_at: usize) -> Self {
        let (writes, begun, failed, done) = Default::default();
        Self { objects, seen: Arc::new(Seen { disk, writes, fails_at, begun, failed, done }) }
    }

    pub(crate) fn location(&self) -> Location {
        Location::of(Arc::new(SimulatedStore::of(self.objects.clone(), self.seen.clone())))
    }

    /// Checkpoints that were begun, those that failed, and those that are named by a manifest.
    pub(crate) fn progress(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        (read(&self.seen.begun), read(&self.seen.failed), read(&self.seen.done))
    }
}

impl Judge for Seen {
    fn allows(&self, write: Write) -> bool {
        if write == Write::Begin {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let allowed = number != self.fails_at && !self.disk.has_stopped();
        // Without any other there is no checkpoint.
        if !allowed && !matches!(write, Write::Remove | Write::Copy) {
            self.failed.fetch_add(1, Ordering::SeqCst);
        }
        allowed
    }

    fn done(&self, write: Write) {
        if write == Write::Put {
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }
}
