//! A store of checkpoints that dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::memory::InMemory;

use crate::checkpoint::{Judge, Location, SimulatedStore, Write};

/// A store in memory whose writes all fail once there were so many.
#[derive(Debug, Clone)]
pub(crate) struct DyingStore {
    objects: Arc<InMemory>,
    left: Arc<WritesLeft>,
}

#[derive(Debug)]
struct WritesLeft(AtomicUsize);

impl Judge for WritesLeft {
    fn allows(&self, _write: Write) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl DyingStore {
    pub(crate) fn after(writes: usize) -> Self {
        Self { objects: Arc::default(), left: Arc::new(WritesLeft(AtomicUsize::new(writes))) }
    }

    pub(crate) fn die_after(&self, writes: usize) {
        self.left.0.store(writes, Ordering::Relaxed);
    }

    pub(crate) fn revive(&self) {
        self.die_after(usize::MAX);
    }

    pub(crate) fn store(&self) -> SimulatedStore {
        SimulatedStore::of(self.objects.clone(), self.left.clone())
    }

    pub(crate) fn location(&self) -> Location {
        Location::of(Arc::new(self.store()))
    }
}
