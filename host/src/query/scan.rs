//! All keys of an operator as lines of JSON, made as they are taken.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::ReadError;
use super::seat::Seats;
use super::state_rows::{StateRows, json_lines};
use crate::state::Keyed;
use crate::time::BatchTime;

/// Pieces that are made ahead of who takes them.
const AHEAD: usize = 2;

/// A reader that takes nothing for so long is given up: what it reads has to be held for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines that come.
#[derive(Debug)]
pub struct Scan {
    /// The batch that was committed last.
    pub as_of: Option<BatchTime>,
    lines: mpsc::Receiver<Part>,
}

#[derive(Debug)]
enum Part {
    Lines(Bytes),
    /// Without it at its end, a scan was broken off.
    End,
    Failed(String),
}

impl Scan {
    /// The next lines; none after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self.lines.recv().await {
            Some(Part::Lines(lines)) => Ok(Some(lines)),
            Some(Part::End) => Ok(None),
            Some(Part::Failed(error)) => Err(ReadError::Refused(error)),
            None => Err(ReadError::Broke),
        }
    }
}

/// Starts a scan in a seat.
pub(super) fn start(
    seats: &Seats,
    as_of: Option<BatchTime>,
    keyed: Arc<Keyed>,
    limit: Option<usize>,
) -> Result<Scan, ReadError> {
    let (sender, lines) = mpsc::channel(AHEAD);
    let running = seats.run(async move {
        let last = match send(&sender, keyed, limit).await {
            Ok(true) => Part::End,
            Ok(false) => return Ok(()),
            Err(error) => Part::Failed(format!("{error:#}")),
        };
        // Who took the last piece in time takes this one too, or has gone.
        let _ = tokio::time::timeout(PATIENCE, sender.send(last)).await;
        Ok(())
    })?;
    // The scan ends when its lines are not taken any more; until then somebody must wait for it.
    tokio::spawn(running);
    Ok(Scan { as_of, lines })
}

/// Sends lines until the end; false if they are not taken any more.
async fn send(sender: &mpsc::Sender<Part>, keyed: Arc<Keyed>, limit: Option<usize>) -> anyhow::Result<bool> {
    let mut left = limit.unwrap_or(usize::MAX);
    let pieces = StateRows::new(&keyed, true, true)?;
    drop(keyed);
    for piece in pieces {
        if left == 0 {
            break;
        }
        let piece = piece?.first(left);
        left -= piece.count;
        let lines = Part::Lines(json_lines(&piece)?.into());
        if !matches!(tokio::time::timeout(PATIENCE, sender.send(lines)).await, Ok(Ok(()))) {
            return Ok(false);
        }
    }
    Ok(true)
}
