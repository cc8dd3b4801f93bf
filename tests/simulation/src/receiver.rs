//! Clients who send requests until each is acknowledged, and the source that takes them as the HTTP source does: by key,
//! once, and acknowledged when it is on disk.

use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Result;
use async_trait::async_trait;
use weir::block::{Block, BlockData, BlockStore, RequestKey, TakenRequest, TakenRequests};
use weir::driver::OpenSource;
use weir::source::{Moved, Source, SourceContext, SourceCut};
use weir::time::BatchTime;

const USERS: u64 = 3;

/// Requests in order: how many rows each has, and whether it was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) requests: Vec<(u64, bool)>,
}

impl Inbox {
    /// All rows that were ever sent: user and number.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (String, u64)> {
        let rows: u64 = self.requests.iter().map(|(rows, _)| rows).sum();
        (0..rows).map(|n| (user(n), n))
    }
}

fn user(n: u64) -> String {
    format!("user {}", n % USERS)
}

/// The source of one life, as clients reach it.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    name: &'static str,
    open: Arc<Mutex<Option<Open>>>,
}

#[derive(Debug)]
struct Open {
    store: BlockStore,
    taken: TakenRequests,
    sealed: Vec<Block>,
    stopped: bool,
}

impl Receiver {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, open: Arc::default() }
    }

    pub(crate) fn opener(&self) -> OpenSource {
        let receiver = self.clone();
        Arc::new(move |context: &SourceContext| {
            let store = context.store.clone();
            let (taken, sealed) = (store.taken_requests(receiver.name), store.take_waiting(receiver.name));
            *receiver.open() = Some(Open { store, taken, sealed, stopped: false });
            Ok(Box::new(receiver.clone()) as Box<dyn Source>)
        })
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().expect("no panic while it is held")
    }

    /// Sends everything that was not acknowledged, and a new request of so many rows.
    pub(crate) async fn send(&self, inbox: &mut Inbox, rows: u64) {
        inbox.requests.push((rows, false));
        let mut first = 0;
        for (number, (rows, acknowledged)) in inbox.requests.iter_mut().enumerate() {
            if !*acknowledged {
                *acknowledged = self.request(number, first, *rows).await;
            }
            first += *rows;
        }
    }

    async fn request(&self, number: usize, first: u64, rows: u64) -> bool {
        let key = RequestKey::of(number.to_string().as_bytes());
        let row = |n: u64| format!("{{\"user\":\"{}\",\"text\":\"a great day\",\"n\":{n}}}\n", user(n));
        let bytes: String = (first..first + rows).map(row).collect();
        let (store, id) = {
            let mut open = self.open();
            let Some(Open { store, taken, sealed, .. }) = &mut *open else { return false };
            if taken.rows(key).is_some() {
                // Taken by an earlier run, so it is on disk.
                return true;
            }
            let request = TakenRequest { key, rows, at: number as u64 };
            let Some(memory) = store.try_reserve(bytes.len()) else { return false };
            let block = store.insert(&self.name.into(), bytes.into(), rows, vec![request], memory);
            let BlockData::Stored(id) = block.data else { return false };
            sealed.push(block);
            (store.clone(), id)
        };
        let durable = store.durable(&[id]).await.is_ok();
        if durable && let Some(open) = &mut *self.open() {
            open.taken.add(TakenRequest { key, rows, at: number as u64 });
        }
        durable
    }
}

#[async_trait]
impl Source for Receiver {
    fn cut(&mut self, _batch: BatchTime, _limit: Option<u64>) -> Result<SourceCut> {
        let blocks = self.open().as_mut().map(|open| std::mem::take(&mut open.sealed)).unwrap_or_default();
        Ok(SourceCut { blocks, moved: Moved::Nowhere })
    }

    fn ended(&self) -> bool {
        self.open().as_ref().is_none_or(|open| open.stopped && open.sealed.is_empty())
    }

    fn stop(&mut self) {
        if let Some(open) = &mut *self.open() {
            open.stopped = true;
        }
    }
}
