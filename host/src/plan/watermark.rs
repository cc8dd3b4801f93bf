//! The watermarks of the batch at hand, which are known once all of a source's rows are read.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::event_time::EventTime;
use crate::event_time::Watermark;

/// What the tasks of a batch know of its watermarks.
#[derive(Debug, Default)]
pub(super) struct Watermarks {
    /// The latest event time in each partition that is read, by source.
    read: Mutex<BTreeMap<String, BTreeMap<usize, u64>>>,
    known: watch::Sender<BTreeMap<String, Watermark>>,
}

impl Watermarks {
    /// A partition of a source, one of `partitions`, has been read to its end.
    pub(super) fn read(&self, source: &EventTime, partition: usize, partitions: usize, latest: u64) {
        let latest = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            let read = read.entry(source.source.clone()).or_default();
            read.insert(partition, latest);
            if read.len() < partitions {
                return;
            }
            read.values().copied().max().unwrap_or(0)
        };
        let watermark =
            if source.ended { Watermark::END } else { source.before.max(Watermark::behind(latest, source.delay)) };
        self.known.send_modify(|known| {
            known.insert(source.source.clone(), watermark);
        });
    }

    /// Waits until the watermark where these sources meet is known.
    pub(super) async fn least(&self, sources: &[String]) -> Watermark {
        let mut known = self.known.subscribe();
        let least = |known: &BTreeMap<String, Watermark>| {
            let each: Option<Vec<Watermark>> = sources.iter().map(|source| known.get(source).copied()).collect();
            each.map(|each| each.into_iter().min().unwrap_or_default())
        };
        // The sender lives as long as `self`, so waiting cannot fail.
        let all = known.wait_for(|known| least(known).is_some()).await;
        all.ok().and_then(|known| least(&known)).unwrap_or_default()
    }

    /// The watermarks of the sources that have been read.
    pub(super) fn known(&self) -> BTreeMap<String, Watermark> {
        self.known.borrow().clone()
    }
}
