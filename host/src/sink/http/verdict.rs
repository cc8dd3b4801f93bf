//! What an answer means: taken, to be sent again, or refused.

use std::io::Read;
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use chrono::DateTime;
use ureq::http::header::{LOCATION, RETRY_AFTER};
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Body, Error};

use crate::sink::SinkError;

/// How much of an answer is told.
const TOLD_BYTES: u64 = 300;
/// How much of an answer is read to its end, so that the connection can be used again.
const READ_BYTES: u64 = 64 << 10;

/// What the receiver says.
pub(super) fn of_answer(answer: Response<Body>) -> Result<(), SinkError> {
    let (head, body) = answer.into_parts();
    let mut body = body.into_reader();
    let mut text = Vec::new();
    // An answer that breaks off has said what counts in its first line.
    let _ = body.by_ref().take(TOLD_BYTES).read_to_end(&mut text);
    let _ = std::io::copy(&mut body.take(READ_BYTES), &mut std::io::sink());
    let told = told(head.status, &text);
    match head.status.as_u16() {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => {
            Err(SinkError::Unavailable { reason: told, retry_after: retry_after(&head.headers, SystemTime::now()) })
        }
        300..=399 => {
            let to = head
                .headers
                .get(LOCATION)
                .and_then(|to| to.to_str().ok())
                .unwrap_or("an address that it does not tell");
            Err(SinkError::Fatal(anyhow!(
                "{told}; rows do not follow a redirect: set `url` to {to}, if that is the place"
            )))
        }
        _ => Err(SinkError::Fatal(anyhow!("the receiver refuses the rows: {told}"))),
    }
}

/// There was no answer.
pub(super) fn of_error(error: Error) -> SinkError {
    if passes(&error) { SinkError::unavailable(error.to_string()) } else { SinkError::Fatal(anyhow!(error)) }
}

/// Whether the same request may be answered another time.
pub(in crate::sink) fn passes(error: &Error) -> bool {
    // What is sent is the same whenever it is sent, and so is where to.
    !matches!(
        error,
        Error::BadUri(_) | Error::Http(_) | Error::InvalidProxyUrl | Error::RequireHttpsOnly(_) | Error::TlsRequired
    )
}

fn told(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {text}") }
}

/// `Retry-After`, RFC 9110, section 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = SystemTime::from(DateTime::parse_from_rfc2822(text).ok()?);
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;

    #[test]
    fn given_a_retry_after_when_read_then_seconds_and_dates_are_waited_for() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_450);
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn given_any_status_when_judged_then_what_passes_is_tried_again_and_the_rest_ends_the_run() {
        for (status, passes) in [
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (409, false),
            (413, false),
            (422, false),
            (425, true),
            (429, true),
            (500, true),
            (503, true),
            (301, false),
        ] {
            let answer = Response::builder().status(status).body(Body::builder().data("because\n of it")).unwrap();
            let error = of_answer(answer).unwrap_err();
            assert_eq!(matches!(error, SinkError::Unavailable { .. }), passes, "{status}: {error}");
            assert!(error.to_string().contains(&format!("it answers {status}")), "{error}");
            assert!(error.to_string().contains("because of it"), "{error}");
        }
        for status in [200, 201, 202, 204] {
            of_answer(Response::builder().status(status).body(Body::builder().data("")).unwrap()).unwrap();
        }
    }
}
