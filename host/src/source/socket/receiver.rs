//! What the connections of a source share, and how one connection is read.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;
use tracing::warn;

use super::framer::{Framer, Lines};
use crate::block::BlockBuilder;
use crate::pipeline::Format;
use crate::source::format::framing::blank_is_row;
use crate::source::throttle::Throttle;
use crate::source::{MAX_RECORD_BYTES, SourceContext};
use crate::units::Rate;

/// How much is read from a connection at once.
const READ_BYTES: usize = 64 << 10;

/// Where the lines of all connections go.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) name: String,
    pub(super) builder: BlockBuilder,
    pub(super) throttle: Throttle,
    keep_blank: bool,
    refused: AtomicU64,
    received: AtomicU64,
    stopped: watch::Sender<bool>,
}

impl Receiver {
    pub(super) fn new(name: &str, format: Format, max_rate: Option<Rate>, context: &SourceContext) -> Self {
        Self {
            name: name.to_owned(),
            builder: BlockBuilder::new(context.store.clone(), name, context.block_size),
            throttle: Throttle::new(max_rate),
            keep_blank: blank_is_row(format),
            refused: AtomicU64::new(0),
            received: AtomicU64::new(0),
            stopped: watch::Sender::new(false),
        }
    }

    /// Reads no more; what was read still goes into blocks.
    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Resolves when nothing more is to be read.
    pub(super) async fn stopped(&self) {
        // The sender is in `self`, so it cannot go away.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Lines that were too long.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lines that came in.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Receives from one connection until the peer closes it, or until the receiver is stopped: then a line that has
    /// not come to its end is no record.
    pub(super) async fn receive(&self, peer: &str, mut connection: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut framer = Framer::new(self.keep_blank);
        let mut lines = Lines::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = tokio::select! {
                biased;
                () = self.stopped() => return Ok(()),
                read = connection.read(&mut buffer) => read?,
            };
            if read == 0 {
                break;
            }
            framer.feed(&buffer[..read], &mut lines);
            self.deliver(peer, &mut lines).await;
        }
        framer.finish(&mut lines);
        self.deliver(peer, &mut lines).await;
        Ok(())
    }

    /// Puts lines into blocks, as fast as the rate and the memory allow. Nothing is read meanwhile.
    async fn deliver(&self, peer: &str, lines: &mut Lines) {
        let refused = lines.take_refused();
        if refused > 0 {
            self.refused.fetch_add(refused, Ordering::Relaxed);
            let limit = MAX_RECORD_BYTES;
            warn!(source = self.name, peer, "{refused} line(s) refused: longer than {limit} bytes");
        }
        while lines.rows() > 0 {
            let rows = tokio::select! {
                biased;
                () = self.stopped() => lines.rows(),
                rows = self.throttle.acquire(lines.rows()) => rows,
            };
            self.builder.push(&lines.take(rows)).await;
            self.received.fetch_add(rows, Ordering::Relaxed);
        }
    }
}
