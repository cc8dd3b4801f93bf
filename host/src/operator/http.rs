//! The interface `http`: requests of a guest, which somebody outside of this room grants and sends.
//!
//! A call blocks the guest's thread and uses no fuel.

use std::fmt;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::instance::Host;
use super::version::InterfaceVersion;

/// A request of a guest's, of which nothing is checked.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
pub struct HttpRequest {
    /// As in `POST`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct HttpResponse {
    /// As in 200.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Perhaps not all of it.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub enum HttpError {
    /// The pipeline does not grant it.
    #[component(name = "denied")]
    Denied(String),
    /// It is no request.
    #[component(name = "invalid")]
    Invalid(String),
    /// Nobody answered; whether it has arrived is not known.
    #[component(name = "unanswered")]
    Unanswered(String),
}

/// Sends what guests want sent, if it is granted.
pub trait Http: Send + Sync + fmt::Debug {
    /// Sends a request and waits for the answer.
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// Offers `send`.
pub(super) fn link(linker: &mut Linker<Host>, version: InterfaceVersion) -> wasmtime::Result<()> {
    linker
        .instance(&version.interface("http"))?
        .func_wrap("send", |store: StoreContextMut<'_, Host>, (request,): (HttpRequest,)| {
            Ok((store.data().send(request),))
        })
}
