//! Requests over HTTP, of a [`sink`](mod@crate::sink) to the origins that its pipeline grants it.
//!
//! ```
//! use weir_guest::http::Request;
//! use weir_guest::sink::Failure;
//!
//! fn post(url: &str, body: &str) -> Result<(), Failure> {
//!     // Denied, or no request: fatal. No answer: retry. A status is looked at by `accepted`.
//!     Request::post(url).header("Content-Type", "text/plain").body(body).send()?.accepted()?;
//!     Ok(())
//! }
//! # assert!(matches!(post("http://localhost/", "x"), Err(Failure::Fatal(_))));
//! ```
//!
//! Outside a host nothing is sent: a test runs its sink with [`testing::sink`](fn@crate::testing::sink), and answers itself.

use std::borrow::Cow;
use std::fmt::Display;

pub use crate::bindings::http::{Request, Response, SendError as Error};
use crate::sink::Failure;

/// How much of a refusal's text is told.
const TOLD: usize = 300;

impl Request {
    /// A request without headers and body; `method` as in `POST`.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// `PUT`.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// `DELETE`.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// With one more header. The host sets those that say where and how the body is sent, as `Host` and `Content-Length`.
    pub fn header(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// With a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and waits for the answer, whatever its status. A redirect is not followed.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn send(self) -> Result<Response, Error> {
        send(&self)
    }
}

impl Response {
    /// An answer without headers; for tests.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The answer, if the receiver has taken what was sent.
    ///
    /// # Errors
    /// 408, 425, 429 and 500 to 599 pass: [`Failure::Retry`]. All else does not.
    pub fn accepted(self) -> Result<Self, Failure> {
        match self.status {
            200..=299 => Ok(self),
            408 | 425 | 429 | 500..=599 => Err(Failure::Retry(self.told())),
            300..=399 => {
                let to = self.header("location").unwrap_or("an address that it does not tell");
                Err(Failure::Fatal(format!("{}, and so sends on to {to}; nothing follows it there", self.told())))
            }
            _ => Err(Failure::Fatal(format!("the receiver refuses: {}", self.told()))),
        }
    }

    fn told(&self) -> String {
        let text = self.text();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let told: String = words.chars().take(TOLD).collect();
        if told.is_empty() {
            format!("it answers {}", self.status)
        } else {
            format!("it answers {}: {told}", self.status)
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn send(request: &Request) -> Result<Response, Error> {
    crate::bindings::http::send(request)
}

#[cfg(not(target_arch = "wasm32"))]
fn send(request: &Request) -> Result<Response, Error> {
    native::ANSWERS.with_borrow_mut(|answers| match answers {
        Some(answer) => answer(request),
        None => Err(Error::Denied("nothing is sent outside a host; run the sink with `testing::sink`".to_owned())),
    })
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native {
    use std::cell::RefCell;

    use super::{Error, Request, Response};

    /// Answers requests.
    pub(crate) type Answers = Box<dyn FnMut(&Request) -> Result<Response, Error>>;

    thread_local! {
        pub(super) static ANSWERS: RefCell<Option<Answers>> = const { RefCell::new(None) };
    }

    /// Runs `f`, with all that it sends on this thread answered so.
    pub(crate) fn answering<T>(answers: Answers, f: impl FnOnce() -> T) -> T {
        ANSWERS.set(Some(answers));
        let result = f();
        ANSWERS.take();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_the_rest_is_not() {
        for (status, passes) in [
            (301, false),
            (400, false),
            (404, false),
            (408, true),
            (425, true),
            (429, true),
            (500, true),
            (503, true),
            (100, false),
        ] {
            let failure = Response::new(status, "because\n of it").accepted().expect_err("it is not taken");
            assert_eq!(matches!(failure, Failure::Retry(_)), passes, "{failure:?}");
            let (Failure::Retry(text) | Failure::Fatal(text)) = failure;
            assert!(text.contains(&format!("it answers {status}: because of it")), "{text}");
        }
        for status in [200, 202, 204] {
            assert!(Response::new(status, "").accepted().is_ok(), "{status}");
        }
    }
}
