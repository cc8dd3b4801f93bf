//! A running driver, seen from outside: what can be asked of it.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::log::Running;
use super::status::Status;
use crate::state::Store;
use crate::time::BatchTime;

/// What can be asked of a running driver.
#[derive(Debug)]
pub enum Request {
    /// Stop receiving, process what was received, and end.
    Stop,
    /// Put another component, found fitting, in an operator's place.
    Swap {
        /// The operator and its new component; none: the one before.
        to: Target,
        /// Gets what ran and what runs from now on.
        reply: oneshot::Sender<Result<Swapped, String>>,
    },
}

/// Which component an operator is to run.
#[derive(Debug)]
pub enum Target {
    /// This one.
    Component(Running),
    /// The one that ran before the last swap of this operator.
    Back(String),
}

/// A swap that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swapped {
    /// What ran until now.
    pub from: Running,
    /// What runs from the next batch on.
    pub to: Running,
    /// The first batch that it runs.
    pub first_batch: BatchTime,
}

/// A running driver, seen from outside.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) status: Arc<RwLock<Status>>,
    pub(super) store: Arc<Store>,
}

impl Handle {
    /// What outlives batches, for reading.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What the driver is doing.
    pub fn status(&self) -> Status {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops receiving, processes what was received, and ends.
    pub async fn stop(&self) {
        // A driver that is gone has stopped.
        let _ = self.requests.send(Request::Stop).await;
    }

    /// Swaps between two batches.
    pub async fn swap(&self, to: Target) -> Result<Swapped> {
        let (reply, answer) = oneshot::channel();
        let gone = || anyhow!("the host is stopping");
        self.requests.send(Request::Swap { to, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }
}
