//! Lines over TCP: a receiver that connects, or one that listens.
//!
//! What is received is sealed into blocks as it comes; when the block store is full the receiver stops reading, and TCP
//! slows the sender. Each connection is framed by lines. A last line without newline counts as a record when the peer
//! closes the connection, not when it breaks. A line longer than [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES) is
//! refused with a warning. What was sent while the receiver was away is lost: a socket cannot be re-read.

mod backoff;
mod connect;
mod framer;
mod listen;
mod receiver;

pub(super) use listen::bind;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use self::receiver::Receiver;
use super::{Mode, Moved, Source, SourceContext, SourceCut};
use crate::pipeline::Format;
use crate::time::BatchTime;
use crate::units::Rate;

/// Which end of the connection this is, and the `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// Connect to it.
    Connect(String),
    /// Accept connections on it.
    Listen(String),
}

impl Address {
    /// Checks that exactly one is given, and that it has a port.
    pub(super) fn of(connect: Option<&str>, listen: Option<&str>) -> Result<Self> {
        let address = match (connect, listen) {
            (Some(connect), None) => Self::Connect(connect.to_owned()),
            (None, Some(listen)) => Self::Listen(listen.to_owned()),
            _ => bail!("a socket has either `connect` or `listen`, and not both"),
        };
        let (Self::Connect(text) | Self::Listen(text)) = &address;
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(address),
            _ => bail!("`{text}` is not an address: write host:port, as in localhost:9999"),
        }
    }
}

/// A socket and the tasks that receive from it.
#[derive(Debug)]
pub(super) struct SocketSource {
    receiver: Arc<Receiver>,
    mode: Mode,
    /// Ends in [`Mode::Once`], and when the source is stopped.
    receiving: JoinHandle<Result<()>>,
    sealing: Option<JoinHandle<()>>,
    stopping: bool,
    ended: bool,
}

impl SocketSource {
    /// Starts to receive. A listening socket is bound when this returns; connections are made in the background.
    pub(super) fn open(
        name: &str,
        address: &Address,
        format: Format,
        max_rate: Option<Rate>,
        context: &SourceContext,
    ) -> Result<Self> {
        match (address, context.mode) {
            (Address::Connect(address), _) => Ok(Self::connect(name, address.clone(), format, max_rate, context)),
            (Address::Listen(address), Mode::Live) => {
                let listener = listen::bind(address, &context.runtime)?;
                Ok(Self::listen(name, listener, format, max_rate, context))
            }
            (Address::Listen(address), Mode::Once) => bail!(
                "a socket that listens (here on {address}) has no end, so it cannot be run to its end: \
                 use `connect`, or run the pipeline live"
            ),
        }
    }

    fn connect(name: &str, address: String, format: Format, max_rate: Option<Rate>, context: &SourceContext) -> Self {
        // A run to the end must not depend on the wall clock, and a throttle would do nothing but delay it.
        let max_rate = max_rate.filter(|_| context.mode == Mode::Live);
        let receiver = Arc::new(Receiver::new(name, format, max_rate, context));
        let receiving = match context.mode {
            Mode::Live => context.runtime.spawn(connect::keep_connected(Arc::clone(&receiver), address)),
            Mode::Once => context.runtime.spawn(connect::read_to_end(Arc::clone(&receiver), address)),
        };
        Self::receive(receiver, receiving, context)
    }

    fn listen(
        name: &str,
        listener: TcpListener,
        format: Format,
        max_rate: Option<Rate>,
        context: &SourceContext,
    ) -> Self {
        let receiver = Arc::new(Receiver::new(name, format, max_rate, context));
        let receiving = context.runtime.spawn(listen::accept(listener, Arc::clone(&receiver)));
        Self::receive(receiver, receiving, context)
    }

    fn receive(receiver: Arc<Receiver>, receiving: JoinHandle<Result<()>>, context: &SourceContext) -> Self {
        let sealing = (context.mode == Mode::Live).then(|| {
            let every = context.block_interval.max(Duration::from_millis(1));
            context.runtime.spawn(seal_regularly(Arc::clone(&receiver), every))
        });
        Self { receiver, mode: context.mode, receiving, sealing, stopping: false, ended: false }
    }
}

async fn seal_regularly(receiver: Arc<Receiver>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        receiver.builder.seal();
    }
}

#[async_trait]
impl Source for SocketSource {
    async fn ready(&mut self) -> Result<()> {
        if (self.mode == Mode::Live && !self.stopping) || self.ended {
            return Ok(());
        }
        tokio::select! {
            biased;
            end = &mut self.receiving => {
                self.ended = true;
                end.with_context(|| format!("source `{}` stopped receiving", self.receiver.name))?
            }
            () = self.receiver.builder.until_stalled() => Ok(()),
        }
    }

    fn cut(&mut self, _batch: BatchTime, _limit: Option<u64>) -> Result<SourceCut> {
        Ok(SourceCut { blocks: self.receiver.builder.take(), moved: Moved::Nowhere })
    }

    fn set_rate(&mut self, rows_per_second: f64) {
        if self.mode == Mode::Live {
            self.receiver.throttle.set_rate(rows_per_second);
        }
    }

    fn refused(&self) -> u64 {
        self.receiver.refused()
    }

    fn ended(&self) -> bool {
        self.ended && self.receiver.builder.is_empty()
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.receiver.stop();
    }
}

impl Drop for SocketSource {
    fn drop(&mut self) {
        self.receiving.abort();
        if let Some(sealing) = &self.sealing {
            sealing.abort();
        }
    }
}

#[cfg(test)]
mod tests;
