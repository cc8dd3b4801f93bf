//! The end that listens.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

use super::backoff::Backoff;
use super::receiver::Receiver;

/// How many connections are read at the same time; each may hold a line of up to 1 MiB. Others wait to be accepted.
const MAX_CONNECTIONS: usize = 256;

/// Binds the address at once, so that a port in use is an error of the start.
pub(in crate::source) fn bind(address: &str, runtime: &Handle) -> Result<TcpListener> {
    let _entered = runtime.enter();
    let listen = || -> std::io::Result<TcpListener> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    listen().with_context(|| format!("cannot listen on {address}"))
}

/// Receives from whoever connects, until the receiver is stopped.
pub(super) async fn accept(listener: TcpListener, receiver: Arc<Receiver>) -> Result<()> {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    let mut backoff = Backoff::new();
    loop {
        let permit = tokio::select! {
            () = receiver.stopped() => None,
            permit = Arc::clone(&free).acquire_owned() => Some(permit?),
        };
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = receiver.stopped() => {
                while connections.join_next().await.is_some() {}
                return Ok(());
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, peer)) => {
                backoff.reset();
                let receiver = Arc::clone(&receiver);
                connections.spawn(async move {
                    serve(&receiver, connection, &peer.to_string()).await;
                    drop(permit);
                });
            }
            // As when the process has too many files open: it passes, and the listener must outlive it.
            Err(error) => {
                let (source, wait) = (&receiver.name, backoff.wait());
                warn!(source, "cannot accept a connection ({error}); again in {}", humantime::format_duration(wait));
                sleep(wait).await;
            }
        }
    }
}

async fn serve(receiver: &Receiver, connection: TcpStream, peer: &str) {
    let source = &receiver.name;
    info!(source, "{peer} connected");
    match receiver.receive(peer, connection).await {
        Ok(()) => info!(source, "{peer} closed the connection"),
        Err(error) => warn!(source, "the connection of {peer} broke: {error}"),
    }
}
