//! How far each source has come in event time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event_time::Watermark;

/// The watermark of each source, as of the last commit.
#[derive(Debug, Default)]
pub struct Watermarks {
    sources: Mutex<BTreeMap<String, Watermark>>,
}

impl Watermarks {
    /// The watermark of one source.
    pub fn get(&self, source: &str) -> Watermark {
        self.lock().get(source).copied().unwrap_or_default()
    }

    /// The watermark where these sources meet: that of the one that is furthest behind.
    pub fn least(&self, sources: &[String]) -> Watermark {
        sources.iter().map(|source| self.get(source)).min().unwrap_or_default()
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<String, Watermark> {
        self.lock().clone()
    }

    /// Moves watermarks on. They never go back.
    pub(super) fn advance(&self, to: BTreeMap<String, Watermark>) {
        let mut sources = self.lock();
        for (source, watermark) in to {
            let now = sources.entry(source).or_default();
            *now = watermark.max(*now);
        }
    }

    /// The same watermarks, which move on their own from now on.
    pub(super) fn fork(&self) -> Self {
        Self { sources: Mutex::new(self.all()) }
    }

    /// Goes back to those of a fork, the one way in which they do.
    pub(super) fn go_back(&self, fork: &Self) {
        *self.lock() = fork.all();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Watermark>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
