//! The server's half.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Delivering, ErrorBody, RedirectRequest, SwapRequest, Wanted, reading};
use crate::driver::{Care, Handle, Target};
use crate::operator::Reference;
use crate::plan::Operators;
use crate::query::Reader;

pub(super) struct Host {
    handle: Handle,
    pub(super) reader: Reader,
    operators: Arc<Operators>,
    /// Where rows wait for the commit of sinks.
    spool: PathBuf,
}

/// Serves until the listener fails or it is to stop: then what was asked is answered, and nothing else is taken.
pub async fn serve(
    listener: TcpListener,
    handle: Handle,
    operators: Arc<Operators>,
    reader: Reader,
    spool: PathBuf,
    stop: CancellationToken,
) -> Result<()> {
    let host = Arc::new(Host { handle, reader, operators, spool });
    let app = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/swap", post(swap))
        .route("/v1/sinks/swap", post(redirect))
        .route("/v1/dead-letters/retry", post(retry))
        .route("/v1/sql", post(reading::sql))
        .route("/v1/tables", post(reading::tables))
        .route("/v1/state/get", post(reading::get))
        .route("/v1/state/scan", post(reading::scan))
        .layer(middleware::from_fn(no_browsers))
        .with_state(host);
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
    serving.await.context("the control API stopped")
}

/// A page in a browser on this machine must not be able to steer the host: only requests without an `Origin` come in.
async fn no_browsers(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "requests from web pages are not taken");
    }
    next.run(request).await
}

async fn status(State(host): State<Arc<Host>>) -> Response {
    Json(host.handle.status()).into_response()
}

async fn swap(State(host): State<Arc<Host>>, Json(request): Json<SwapRequest>) -> Response {
    match try_swap(host, request).await {
        Ok(swapped) => Json(swapped).into_response(),
        Err(error) => refuse(StatusCode::CONFLICT, &format!("{error:#}")),
    }
}

async fn redirect(State(host): State<Arc<Host>>, Json(request): Json<RedirectRequest>) -> Response {
    match try_redirect(host, request).await {
        Ok(redirected) => Json(redirected).into_response(),
        Err(error) => refuse(StatusCode::CONFLICT, &format!("{error:#}")),
    }
}

async fn try_redirect(host: Arc<Host>, request: RedirectRequest) -> Result<Delivering> {
    let RedirectRequest { sink, component, allow } = request;
    let reference: Reference = component.parse()?;
    let shared = host.clone();
    let open = move || shared.handle.typed().other_sink(&sink, &reference, allow, &shared.operators, &shared.spool);
    host.handle.redirect(tokio::task::spawn_blocking(open).await??).await
}

async fn retry(State(host): State<Arc<Host>>, Json(wanted): Json<Wanted>) -> Response {
    match host.handle.retry(wanted).await {
        Ok(resent) => Json(resent).into_response(),
        Err(error) => refuse(StatusCode::CONFLICT, &format!("{error:#}")),
    }
}

async fn try_swap(host: Arc<Host>, request: SwapRequest) -> Result<super::Swapped> {
    let target = match request.component {
        None => Target::Back(request.operator),
        Some(component) => {
            let reference: Reference = component.parse()?;
            let (typed, operators) = (host.handle.typed(), host.operators.clone());
            // Compiles and configures the component; the stream runs on meanwhile.
            let fitting = move || typed.fitting(&request.operator, &reference, &operators);
            Target::Component(tokio::task::spawn_blocking(fitting).await??)
        }
    };
    host.handle.swap(target, Care { trial: request.trial, watch: request.watch }).await
}

pub(super) fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(ErrorBody { error: error.to_owned() })).into_response()
}
