//! What a sink sends while it is tried: printed, and sent on only where the user says so.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use crate::operator::{Http, HttpError, HttpRequest, HttpResponse};
use crate::sink::{Granted, sound};

/// Prints requests.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Sends what is granted and denies the rest. None: nothing is sent, and all is taken to have gone well.
    granted: Option<Granted>,
    requests: AtomicU64,
}

impl Outbox {
    pub(super) fn new(granted: Option<Granted>) -> Self {
        Self { granted, requests: AtomicU64::new(0) }
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Http for Outbox {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        sound(request.clone())?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let unprinted = |error| HttpError::Invalid(format!("the request cannot be printed: {error:#}"));
        print(&request).map_err(unprinted)?;
        match &self.granted {
            Some(granted) => granted.send(request),
            None => Ok(HttpResponse { status: 200, headers: Vec::new(), body: Vec::new() }),
        }
    }
}

/// Method and address on a line, a line for each header, then the body after an empty line, and another one.
fn print(request: &HttpRequest) -> Result<()> {
    outln!("{} {}", request.method, request.url)?;
    request.headers.iter().try_for_each(|(name, value)| outln!("{name}: {value}"))?;
    outln!()?;
    match std::str::from_utf8(&request.body) {
        Ok(text) if text.ends_with('\n') || text.is_empty() => outln!("{text}")?,
        Ok(text) => outln!("{text}\n")?,
        Err(_) => outln!("<{} bytes that are no text>\n", request.body.len())?,
    }
    Ok(())
}
