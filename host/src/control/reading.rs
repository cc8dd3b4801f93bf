//! What the server answers of a host's data: queries, states, and what there is to ask.
//!
//! Every one of these is a `POST`: a page that got itself the host's address by a trick with names sends an `Origin` with
//! those, and is refused.

use std::fmt::Display;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;

use super::server::{Host, refuse};
use super::{AS_OF, GetRequest, MORE, ROWS, ScanRequest};
use crate::query::{Answer, AnswerFormat, Question, ReadError, Scan};
use crate::time::BatchTime;

pub(super) async fn sql(State(host): State<Arc<Host>>, Json(question): Json<Question>) -> Response {
    let format = question.format;
    match host.reader.sql(question).await {
        Ok(answer) => rows(format, answer),
        Err(error) => refused(&error),
    }
}

pub(super) async fn tables(State(host): State<Arc<Host>>) -> Response {
    match tokio::task::spawn_blocking(move || host.reader.tables()).await {
        Ok(listing) => Json(listing).into_response(),
        Err(_) => refused(&ReadError::Broke),
    }
}

pub(super) async fn get(State(host): State<Arc<Host>>, Json(request): Json<GetRequest>) -> Response {
    let get = move || host.reader.get(&request.operator, &request.key);
    match tokio::task::spawn_blocking(get).await.unwrap_or(Err(ReadError::Broke)) {
        Ok(found) => Json(found).into_response(),
        Err(error) => refused(&error),
    }
}

pub(super) async fn scan(State(host): State<Arc<Host>>, Json(request): Json<ScanRequest>) -> Response {
    let scan = match host.reader.scan(&request.operator, request.limit.map(|limit| limit.get())).await {
        Ok(scan) => scan,
        Err(error) => return refused(&error),
    };
    let as_of = scan.as_of;
    // An error ends the body before its end, which the reader sees.
    let next = |mut scan: Scan| async move {
        let lines = scan.next().await?;
        Ok::<_, ReadError>(lines.map(|lines: Bytes| (lines, scan)))
    };
    let body = Body::from_stream(stream::try_unfold(scan, next));
    told(body.into_response(), AnswerFormat::Json, as_of)
}

fn rows(format: AnswerFormat, answer: Answer) -> Response {
    let mut response = told(answer.text.into_response(), format, answer.as_of);
    set(&mut response, ROWS, answer.rows);
    set(&mut response, MORE, answer.more);
    response
}

fn told(mut response: Response, format: AnswerFormat, as_of: Option<BatchTime>) -> Response {
    let kind = match format {
        AnswerFormat::Table => "text/plain; charset=utf-8",
        AnswerFormat::Json => "application/x-ndjson",
        AnswerFormat::Csv => "text/csv; charset=utf-8",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(as_of) = as_of {
        set(&mut response, AS_OF, as_of);
    }
    response
}

fn set(response: &mut Response, name: &'static str, value: impl Display) {
    // Numbers, words and times: all of them may be a header.
    if let Ok(value) = HeaderValue::try_from(value.to_string()) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

fn refused(error: &ReadError) -> Response {
    let status = match error {
        ReadError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ReadError::NotThere(_) => StatusCode::NOT_FOUND,
        ReadError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ReadError::TookTooLong(_) => StatusCode::REQUEST_TIMEOUT,
        ReadError::Broke => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refuse(status, &error.to_string())
}
