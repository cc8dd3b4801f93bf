//! Why a request is not taken, and what its sender is told.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Rules;
use super::body::BadBody;
use super::server::LONGEST_KEY;
use crate::units::Size;

/// The longest that a sender is told to wait: rates change.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why a request is not answered 200.
#[derive(Debug)]
pub(super) enum Refusal {
    NotFound,
    NotPost,
    /// How it is encoded.
    Encoded(String),
    BadKey,
    TooLarge,
    BadBody(BadBody),
    /// It did not come to its end.
    Broken(String),
    /// Memory is full.
    Full,
    /// Rows come faster than they may; this is how long it is until the next.
    TooFast(Duration),
    Stopping,
    /// The rows are not on disk, and the host stops; its log says why.
    NotKept,
}

impl Refusal {
    /// The answer. `interval`: after so long there may be room again.
    pub(super) fn answer(&self, rules: &Rules, interval: Duration) -> Response {
        let status = match self {
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::NotPost => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Encoded(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::BadKey | Refusal::BadBody(_) => StatusCode::BAD_REQUEST,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Broken(_) => StatusCode::REQUEST_TIMEOUT,
            Refusal::Full | Refusal::TooFast(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Stopping | Refusal::NotKept => StatusCode::SERVICE_UNAVAILABLE,
        };
        let text = Text { refusal: self, rules }.to_string();
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        if let Refusal::NotPost = self {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        let wait = match self {
            Refusal::Full => Some(interval),
            Refusal::TooFast(wait) => Some(*wait),
            _ => None,
        };
        if let Some(wait) = wait {
            let seconds = wait.min(LONGEST_WAIT).as_secs_f64().ceil().max(1.0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds as u64));
        }
        response
    }
}

/// A refusal in words.
struct Text<'a> {
    refusal: &'a Refusal,
    rules: &'a Rules,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { path, max_body, .. } = self.rules;
        match self.refusal {
            Refusal::NotFound => writeln!(f, "there is nothing here: POST rows to {path}"),
            Refusal::NotPost => writeln!(f, "only POST is understood: POST rows to {path}"),
            Refusal::Encoded(how) => writeln!(f, "the body is {how}: send the rows as they are"),
            Refusal::BadKey => writeln!(f, "an Idempotency-Key has from 1 to {LONGEST_KEY} bytes"),
            Refusal::TooLarge => {
                let most = Size(*max_body);
                writeln!(f, "the body is larger than {most}: send the rows in several requests, or raise `max_body`")
            }
            Refusal::BadBody(error) => writeln!(f, "{error}"),
            Refusal::Broken(reason) => writeln!(f, "the body did not come to its end: {reason}"),
            Refusal::Full => writeln!(f, "the memory for received rows is full: send the rows again later"),
            Refusal::TooFast(_) => writeln!(f, "rows come faster than they are processed: send these again later"),
            Refusal::Stopping => writeln!(f, "the host is stopping: send the rows again when it is back"),
            Refusal::NotKept => {
                writeln!(f, "the rows cannot be written to the disk here: send them again when the host is mended")
            }
        }
    }
}
