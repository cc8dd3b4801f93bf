//! A running driver, seen from outside: what can be asked of it.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::delivery::{Delivering, NewSink};
use super::log::Running;
use super::outage::Outages;
use super::retry::{Resent, Wanted};
use super::status::Status;
use super::trial::{TrialLimits, Trialled};
use super::typed::{Fitting, Typed};
use crate::state::Store;
use crate::time::BatchTime;

/// What can be asked of a running driver.
#[derive(Debug)]
pub enum Request {
    /// Stop receiving, process what was received, and end.
    Stop,
    /// Put another component in the place of a sink's.
    Redirect {
        /// The sink, opened.
        to: NewSink,
        /// Gets what delivered and what delivers from now on.
        reply: oneshot::Sender<Result<Delivering, String>>,
    },
    /// Put another component, found fitting, in an operator's place.
    Swap {
        /// The operator and its new component; none: the one before.
        to: Target,
        /// What is to be made sure of before, and after.
        care: Care,
        /// Gets what ran and what runs from now on.
        reply: oneshot::Sender<Result<Swapped, String>>,
    },
    /// Send dead letters through again.
    Retry {
        /// Which.
        wanted: Wanted,
        /// Gets what becomes of them.
        reply: oneshot::Sender<Result<Resent, String>>,
    },
}

/// Which component an operator is to run.
#[derive(Debug)]
pub enum Target {
    /// This one.
    Component(Fitting),
    /// The one that ran before the last swap of this operator.
    Back(String),
}

/// What is made sure of with a swap.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Care {
    /// The component runs beside the one before first, and is swapped in if it is good enough.
    pub trial: Option<TrialLimits>,
    /// How it is watched afterwards.
    pub watch: WatchLimits,
}

/// For how long a component that was swapped in is watched, and what takes it back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchLimits {
    /// For so many batches in which the operator has rows; it is not watched at all for none.
    pub batches: u32,
    /// Most rows on which it may go wrong in all of them; and in its trial, beyond those of the one before.
    pub max_traps: u64,
}

/// A swap that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Swapped {
    /// What ran until now.
    pub from: Running,
    /// What runs from the next batch on.
    pub to: Running,
    /// The first batch that it runs.
    pub first_batch: BatchTime,
    /// What its trial has shown, if it was tried.
    #[serde(default)]
    pub trial: Option<Trialled>,
}

/// A running driver, seen from outside.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) status: Arc<RwLock<Status>>,
    pub(super) outages: Arc<Outages>,
    pub(super) store: Arc<Store>,
    pub(super) typed: Arc<RwLock<Arc<Typed>>>,
}

impl Handle {
    /// What outlives batches, for reading.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The pipeline as it is now, with what was swapped in.
    pub fn typed(&self) -> Arc<Typed> {
        self.typed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the driver is doing.
    pub fn status(&self) -> Status {
        let status = self.status.read().unwrap_or_else(PoisonError::into_inner).clone();
        Status { waiting: self.outages.now(), ..status }
    }

    /// Stops receiving, processes what was received, and ends.
    pub async fn stop(&self) {
        // A driver that is gone has stopped.
        let _ = self.requests.send(Request::Stop).await;
    }

    /// Has another component deliver a sink's rows, from the next batch on that begins.
    pub async fn redirect(&self, to: NewSink) -> Result<Delivering> {
        let (reply, answer) = oneshot::channel();
        let gone = || anyhow!("the host is stopping");
        self.requests.send(Request::Redirect { to, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }

    /// Swaps between two batches; when this is dropped before a trial is over, nothing is swapped.
    pub async fn swap(&self, to: Target, care: Care) -> Result<Swapped> {
        let (reply, answer) = oneshot::channel();
        let gone = || anyhow!("the host is stopping");
        self.requests.send(Request::Swap { to, care, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }

    /// Sends dead letters through again, with the next batch.
    pub async fn retry(&self, wanted: Wanted) -> Result<Resent> {
        let (reply, answer) = oneshot::channel();
        let gone = || anyhow!("the host is stopping");
        self.requests.send(Request::Retry { wanted, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }
}
