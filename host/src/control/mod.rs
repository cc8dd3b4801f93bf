//! The control API of a running host: HTTP with JSON, on loopback unless told otherwise.
//!
//! `GET /v1/status` answers with a [`Status`]; `POST /v1/swap` takes a [`SwapRequest`] and answers with a [`Swapped`], or
//! with an [`ErrorBody`] that says why not.
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

pub use crate::driver::{Status, Swapped};
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapRequest {
    /// The operator.
    pub operator: String,
    /// `name@version` or `sha256:…`; none for the one before.
    pub component: Option<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For people.
    pub error: String,
}
