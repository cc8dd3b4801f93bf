//! One request, from its head to its answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::{BodyDataStream, HttpBody};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::Rules;
use super::body::records;
use super::collector::Submission;
use super::connections::Bounded;
use super::refusal::Refusal;
use super::requests::Requests;
use crate::block::{BlockStore, RequestKey, Reservation};
use crate::source::SourceContext;
use crate::source::throttle::Throttle;

const KEY_HEADER: &str = "idempotency-key";
/// The longest idempotency key, in bytes.
pub(super) const LONGEST_KEY: usize = 255;
/// A body may pause for so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of a body that is refused, so much is still read: a client that writes and does not listen would not see the answer.
const DISCARDED: u64 = 64 << 20;
/// And for so long.
const DISCARDING: Duration = Duration::from_secs(10);

/// Where rows are posted.
#[derive(Debug)]
pub(super) struct Endpoint {
    rules: Rules,
    store: BlockStore,
    pub(super) throttle: Throttle,
    requests: Arc<Requests>,
    /// After so long there may be room again.
    interval: Duration,
    /// Gone when the source is stopped.
    submit: Mutex<Option<mpsc::Sender<Submission>>>,
    stopped: watch::Sender<bool>,
}

/// Serves until told that all is drained, and then until each connection has read its answer.
pub(super) async fn serve(listener: TcpListener, endpoint: Arc<Endpoint>, drained: oneshot::Receiver<()>) {
    let app = Router::new().fallback(answer).with_state(endpoint);
    let drained = async {
        // A sender that is gone means the same.
        let _ = drained.await;
    };
    // Never an error: the listener tries again for ever.
    let _ = axum::serve(Bounded::new(listener), app).with_graceful_shutdown(drained).await;
}

async fn answer(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let length = HttpBody::size_hint(&body).exact();
    let mut body = body.into_data_stream();
    match endpoint.take(&head, length, &mut body).await {
        Ok(rows) => Json(json!({ "rows": rows })).into_response(),
        Err(refusal) => {
            discard(&head.headers, body).await;
            refusal.answer(&endpoint.rules, endpoint.interval)
        }
    }
}

/// Reads what is left of a refused body, within limits.
async fn discard(headers: &HeaderMap, mut body: BodyDataStream) {
    if headers.contains_key(header::EXPECT) {
        // The client waits for a word before it sends, and that word is the refusal.
        return;
    }
    let all = async {
        let mut left = DISCARDED;
        while let Some(Ok(piece)) = body.next().await {
            match left.checked_sub(piece.len() as u64) {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    // What is still not read then closes the connection.
    let _ = timeout(DISCARDING, all).await;
}

impl Endpoint {
    pub(super) fn new(name: &str, rules: Rules, submit: mpsc::Sender<Submission>, context: &SourceContext) -> Self {
        Self {
            throttle: Throttle::new(rules.max_rate),
            rules,
            store: context.store.clone(),
            requests: Requests::new(context.store.taken_requests(name)),
            interval: context.interval,
            submit: Mutex::new(Some(submit)),
            stopped: watch::Sender::new(false),
        }
    }

    /// Takes no more requests. Those whose bodies have come are still answered.
    pub(super) fn stop(&self) {
        self.submit.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.stopped.send_replace(true);
    }

    /// Takes a request's rows; how many they are, once they are on disk.
    async fn take(&self, head: &Parts, length: Option<u64>, body: &mut BodyDataStream) -> Result<u64, Refusal> {
        let key = self.check(head)?;
        let (body, memory) = self.read(length, body).await?;
        let records = records(body, &self.rules).map_err(Refusal::BadBody)?;
        let claim = match key.map(|key| self.requests.claim(key)) {
            Some(claim) => match claim.await {
                Ok(claim) => Some(claim),
                Err(rows) => return Ok(rows),
            },
            None => None,
        };
        let submit = self.submit.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Refusal::Stopping)?;
        let rows = records.rows;
        self.throttle.charge(rows);
        let (reply, kept) = oneshot::channel();
        submit.send(Submission { records, memory, claim, reply }).await.map_err(|_gone| Refusal::Stopping)?;
        drop(submit);
        kept.await.map_err(|_gone| Refusal::Stopping)?.map_err(|_told| Refusal::NotKept)?;
        Ok(rows)
    }

    /// Looks at all that can be known before the body comes.
    fn check(&self, head: &Parts) -> Result<Option<RequestKey>, Refusal> {
        if head.uri.path() != self.rules.path {
            return Err(Refusal::NotFound);
        }
        if head.method != Method::POST {
            return Err(Refusal::NotPost);
        }
        let text = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        if let Some(encoding) = text(header::CONTENT_ENCODING).filter(|e| !e.eq_ignore_ascii_case("identity")) {
            return Err(Refusal::Encoded(encoding.into_owned()));
        }
        if let Some(multipart) = text(header::CONTENT_TYPE).filter(|t| t.to_ascii_lowercase().starts_with("multipart/"))
        {
            return Err(Refusal::Encoded(multipart.into_owned()));
        }
        let key = match head.headers.get(KEY_HEADER).map(HeaderValue::as_bytes) {
            Some(key) if key.is_empty() || key.len() > LONGEST_KEY => return Err(Refusal::BadKey),
            key => key.map(RequestKey::of),
        };
        if *self.stopped.borrow() {
            return Err(Refusal::Stopping);
        }
        self.throttle.check().map_err(Refusal::TooFast)?;
        Ok(key)
    }

    /// Reads a body into memory that is reserved for it and a newline.
    async fn read(&self, length: Option<u64>, body: &mut BodyDataStream) -> Result<(Vec<u8>, Reservation), Refusal> {
        let most = usize::try_from(self.rules.max_body).unwrap_or(usize::MAX);
        let expected = usize::try_from(length.unwrap_or(0)).unwrap_or(usize::MAX);
        if expected > most {
            return Err(Refusal::TooLarge);
        }
        let mut reserved = expected + 1;
        let mut memory = self.store.try_reserve(reserved).ok_or(Refusal::Full)?;
        let mut bytes = Vec::with_capacity(reserved);
        let mut stopped = self.stopped.subscribe();
        loop {
            let piece = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return Err(Refusal::Stopping),
                piece = timeout(PATIENCE, body.next()) => piece,
            };
            let piece = match piece {
                Ok(Some(Ok(piece))) => piece,
                Ok(Some(Err(error))) => return Err(Refusal::Broken(error.to_string())),
                Ok(None) => return Ok((bytes, memory)),
                Err(_elapsed) => {
                    return Err(Refusal::Broken(format!("nothing came for {} seconds", PATIENCE.as_secs())));
                }
            };
            let needed = bytes.len() + piece.len();
            if needed > most {
                return Err(Refusal::TooLarge);
            }
            if let Some(more) = (needed + 1).checked_sub(reserved).filter(|more| *more > 0) {
                memory.merge(self.store.try_reserve(more).ok_or(Refusal::Full)?);
                reserved += more;
            }
            bytes.extend_from_slice(&piece);
        }
    }
}
