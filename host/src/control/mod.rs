//! The control API of a running host: HTTP with JSON, on loopback unless told otherwise.
//!
//! `GET /v1/status` answers with a [`Status`]; `POST /v1/swap` takes a [`SwapRequest`] and answers with a [`Swapped`], or
//! with an [`ErrorBody`] that says why not.

mod client;
mod server;

pub use client::Client;
pub use server::serve;

use serde::{Deserialize, Serialize};

pub use crate::driver::{Status, Swapped};

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
