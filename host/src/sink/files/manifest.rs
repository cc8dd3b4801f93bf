//! The manifest of a batch's folder, `_manifest`: which files belong to it, with how many rows and bytes.
//!
//! It comes with the folder, in the same rename. Whoever finds it in a copy can tell whether the copy is whole. Readers of
//! Hive's folders, Weir's own among them, leave out names that begin with `_`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::sink::Staged;
use crate::time::BatchTime;

pub(super) const MANIFEST: &str = "_manifest";

/// The files of a batch that are written and closed, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts(Arc<Mutex<BTreeMap<String, Staged>>>);

#[derive(Serialize)]
struct Manifest<'m> {
    batch_time: u64,
    files: Vec<Listed<'m>>,
}

#[derive(Serialize)]
struct Listed<'m> {
    name: &'m str,
    rows: u64,
    bytes: u64,
}

impl Parts {
    /// A file that is closed.
    pub(super) fn add(&self, name: String, staged: Staged) {
        self.lock().insert(name, staged);
    }

    /// Whether there is no file.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Writes the manifest into the batch's folder, and syncs it.
    pub(super) fn write(&self, batch: BatchTime, folder: &Path) -> Result<()> {
        let text = {
            let parts = self.lock();
            let files = parts.iter().map(|(name, Staged { rows, bytes })| Listed { name, rows: *rows, bytes: *bytes });
            serde_json::to_string(&Manifest { batch_time: batch.as_millis(), files: files.collect() })?
        };
        let path = folder.join(MANIFEST);
        let write = || {
            let mut file = File::create(&path)?;
            writeln!(file, "{text}")?;
            file.sync_all()
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    /// Each change under the lock is one call, so a panic elsewhere leaves the map whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Staged>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
