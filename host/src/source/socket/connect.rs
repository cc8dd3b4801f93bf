//! The end that connects.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tracing::{info, warn};

use super::backoff::Backoff;
use super::receiver::Receiver;
use crate::counted::counted;

/// Receives from `address`, connecting again whenever the connection ends, until the receiver is
/// stopped.
pub(super) async fn keep_connected(receiver: Arc<Receiver>, address: String) -> Result<()> {
    let mut backoff = Backoff::new();
    loop {
        let before = receiver.received();
        let ended = connect_and_receive(&receiver, &address).await;
        if receiver.is_stopped() {
            return Ok(());
        }
        if receiver.received() > before {
            backoff.reset();
        }
        let wait = backoff.wait();
        let (source, again) = (&receiver.name, humantime::format_duration(wait));
        match ended {
            Ok(()) => warn!(source, "{address} closed the connection; connecting again in {again}"),
            Err(error) => warn!(source, "{error:#}; connecting again in {again}"),
        }
        tokio::select! {
            () = receiver.stopped() => return Ok(()),
            () = sleep(wait) => {}
        }
    }
}

/// Receives from `address` until it closes the connection. Does not connect again, as lines could be missing then.
pub(super) async fn read_to_end(receiver: Arc<Receiver>, address: String) -> Result<()> {
    let ended = connect_and_receive(&receiver, &address).await;
    ended.with_context(|| format!("source `{}`, after {}", receiver.name, counted(receiver.received(), "row")))
}

async fn connect_and_receive(receiver: &Receiver, address: &str) -> Result<()> {
    let connection = tokio::select! {
        () = receiver.stopped() => return Ok(()),
        connection = TcpStream::connect(address) => connection.with_context(|| format!("cannot connect to {address}"))?,
    };
    info!(source = receiver.name, "connected to {address}");
    receiver.receive(address, connection).await.with_context(|| format!("the connection to {address} broke"))
}
