//! The command's half: talks to a running host.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::{
    AS_OF, Delivering, ErrorBody, Found, GetRequest, Listing, MORE, Question, ROWS, RedirectRequest, Resent,
    ScanRequest, Status, SwapRequest, Swapped, Wanted,
};
use crate::data_dir::{DataDir, HostFile};

/// How long an answer may take that hangs on nothing but the host; one to a query, after the query's own time. What has to
/// compile, try or read something takes as long as it takes: a host that is gone is known by its connection's end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows as text.
pub struct Rows {
    /// The batch that was committed last.
    pub as_of: Option<String>,
    /// How many rows there are, where that is known beforehand.
    pub count: Option<u64>,
    /// Whether there were more than the limit.
    pub more: bool,
    /// The text.
    pub text: Box<dyn Read>,
}

/// A running host, found through the data folder.
#[derive(Debug)]
pub struct Client {
    host: HostFile,
    agent: Agent,
}

impl Client {
    /// The host of this pipeline, or the only one that runs with the data folder.
    pub fn find(data: &DataDir, pipeline: Option<&str>) -> Result<Self> {
        // A host that was killed leaves its announcement behind.
        let (hosts, dead): (Vec<HostFile>, Vec<HostFile>) = data.hosts()?.into_iter().partition(answers);
        let at = data.root().display();
        let found: Vec<&HostFile> = hosts.iter().filter(|h| pipeline.is_none_or(|p| p == h.pipeline)).collect();
        match (&found[..], pipeline) {
            ([host], _) => Ok(Self::of(HostFile::clone(host))),
            ([], _) if let Some(dead) = dead.iter().find(|h| pipeline.is_none_or(|p| p == h.pipeline)) => bail!(
                "the host of pipeline `{}` (process {}) does not answer at {}: it is gone; start it again with `weir run`",
                dead.pipeline,
                dead.pid,
                dead.address
            ),
            ([], None) => bail!(
                "no host runs with the data folder {at}; start one with `weir run FILE`, or give the --data-dir that it was started with"
            ),
            ([], Some(pipeline)) => bail!("no host runs the pipeline `{pipeline}` with the data folder {at}"),
            (many, _) => {
                let names: Vec<&str> = many.iter().map(|h| h.pipeline.as_str()).collect();
                bail!("several hosts run with the data folder {at}: choose one with --pipeline: {}", names.join(", "))
            }
        }
    }

    fn of(host: HostFile) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self { host, agent: config.build().into() }
    }

    /// What the host is doing.
    pub fn status(&self) -> Result<Status> {
        let answer = self.agent.get(self.url("status")).call();
        self.read(answer)
    }

    /// Swaps a component. Waits until it is compiled, and tried if it is to be, as long as that takes.
    pub fn swap(&self, request: &SwapRequest) -> Result<Swapped> {
        let swap = self.agent.post(self.url("swap")).config().timeout_global(None).build();
        let answer = swap.send_json(request);
        if let Err(error) = &answer {
            let pending = match (request.trial, &request.component) {
                (Some(_), Some(component)) => format!("the trial of {component} has come to no end"),
                (None, Some(component)) => format!("the swap to {component} was not answered"),
                (_, None) => "the swap back was not answered".to_owned(),
            };
            bail!(
                "the host of pipeline `{}` (process {}) is gone, and {pending}: nothing was swapped, unless just before; \
                 `weir status` says what runs when the host is started again ({error})",
                self.host.pipeline,
                self.host.pid
            );
        }
        self.read(answer)
    }

    /// Sends dead letters through again.
    pub fn retry(&self, wanted: &Wanted) -> Result<Resent> {
        // As long as it takes to read them.
        let request = self.agent.post(self.url("dead-letters/retry")).config().timeout_global(None).build();
        self.read(request.send_json(wanted))
    }

    /// Swaps a sink's component. Waits until it is compiled.
    pub fn redirect(&self, request: &RedirectRequest) -> Result<Delivering> {
        let redirect = self.agent.post(self.url("sinks/swap")).config().timeout_global(None).build();
        self.read(redirect.send_json(request))
    }

    /// What can be asked.
    pub fn tables(&self) -> Result<Listing> {
        let answer = self.agent.post(self.url("tables")).send_empty();
        self.read(answer)
    }

    /// Asks a query.
    pub fn sql(&self, question: &Question) -> Result<Rows> {
        let request = self.agent.post(self.url("sql")).config();
        let request = request.timeout_global(Some(question.timeout.0.saturating_add(PATIENCE))).build();
        self.rows(request.send_json(question))
    }

    /// The state of a key.
    pub fn get(&self, request: &GetRequest) -> Result<Found> {
        let answer = self.agent.post(self.url("state/get")).send_json(request);
        self.read(answer)
    }

    /// The states of all keys, as lines that come as they are read.
    pub fn scan(&self, request: &ScanRequest) -> Result<Rows> {
        // As long as it takes, if it only begins.
        let scan = self.agent.post(self.url("state/scan")).config();
        let scan = scan.timeout_global(None).timeout_recv_response(Some(PATIENCE)).build();
        self.rows(scan.send_json(request))
    }

    fn rows(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Rows> {
        let answer = self.accepted(answer)?;
        let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (as_of, count) = (header(AS_OF), header(ROWS).and_then(|count| count.parse().ok()));
        let more = header(MORE).is_some_and(|more| more == "true");
        Ok(Rows { as_of, count, more, text: Box::new(answer.into_body().into_reader()) })
    }

    fn url(&self, verb: &str) -> String {
        format!("http://{}/v1/{verb}", self.host.address)
    }

    fn read<T: DeserializeOwned>(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<T> {
        let mut answer = self.accepted(answer)?;
        answer.body_mut().read_json().context("the host's answer cannot be read: is it of another version?")
    }

    /// The answer, if it is not a refusal.
    fn accepted(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>> {
        let mut answer = answer.with_context(|| {
            format!(
                "the host of pipeline `{}` (process {}) does not answer at {}; is it still running?",
                self.host.pipeline, self.host.pid, self.host.address
            )
        })?;
        if !answer.status().is_success() {
            let body: ErrorBody = answer.body_mut().read_json().context("the host answered with an unknown error")?;
            bail!("{}", body.error);
        }
        Ok(answer)
    }
}

/// Whether somebody listens where the host said that it does.
fn answers(host: &HostFile) -> bool {
    TcpStream::connect_timeout(&host.address, Duration::from_secs(1)).is_ok()
}
