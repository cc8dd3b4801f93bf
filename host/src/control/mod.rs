//! The control API of a running host: HTTP with JSON, on loopback unless told otherwise.
//!
//! `GET /v1/status` answers with a [`Status`]; `POST /v1/swap` takes a [`SwapRequest`] and answers with a [`Swapped`], or
//! with an [`ErrorBody`] that says why not; with a trial, when that is over. `POST /v1/sinks/swap` takes a [`RedirectRequest`] and
//! answers with a [`Delivering`]. `POST /v1/dead-letters/retry` takes a [`Wanted`] and
//! answers with a [`Resent`].
//!
//! Reading what the host keeps: `POST /v1/sql` takes a [`Question`] and answers with the rows as text, with the headers
//! `weir-as-of` (the last committed batch), `weir-rows` and `weir-more` (whether there were more than the limit);
//! `POST /v1/tables` answers with a [`Listing`]; `POST /v1/state/get` takes a [`GetRequest`] and answers with a [`Found`];
//! `POST /v1/state/scan` takes a [`ScanRequest`] and answers with lines of JSON, with `weir-as-of`.

mod client;
mod reading;
mod server;

pub use client::{Client, Rows};
pub use server::serve;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

pub use crate::driver::{
    Care, Delivering, Delivers, Outage, Redirected, Resent, RolledBack, Sent, Status, Swapped, TrialLimits, Trialled,
    Trying, WaitingBatch, Wanted, WatchLimits, Watching,
};
use crate::origin::Origin;
pub use crate::query::{Found, GivenKey, Listing, Question};

/// The header that names the batch that was committed last.
const AS_OF: &str = "weir-as-of";
/// The header that counts the rows of an answer.
const ROWS: &str = "weir-rows";
/// The header that says whether there were more rows than an answer may have.
const MORE: &str = "weir-more";

/// Asks for the state of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetRequest {
    /// The operator.
    pub operator: String,
    /// The key.
    pub key: GivenKey,
}

/// Asks for the states of all keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// The operator.
    pub operator: String,
    /// The first so many keys; none: all.
    #[serde(default)]
    pub limit: Option<NonZeroUsize>,
}

/// Asks for another component in an operator's place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapRequest {
    /// The operator.
    pub operator: String,
    /// `name@version` or `sha256:…`; none for the one before.
    pub component: Option<String>,
    /// To be tried first; none: swapped in at once.
    #[serde(default)]
    pub trial: Option<TrialLimits>,
    /// How it is watched afterwards.
    #[serde(default)]
    pub watch: WatchLimits,
}

/// Asks for another component in a sink's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectRequest {
    /// The sink.
    pub sink: String,
    /// `name@version` or `sha256:…`.
    pub component: String,
    /// The origins that it is granted; none: those that it has.
    #[serde(default)]
    pub allow: Option<Vec<Origin>>,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For people.
    pub error: String,
}
