//! Idempotency: which requests are taken, and which are being taken right now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::block::{RequestKey, TakenRequest, TakenRequests};

/// The requests of a source that have keys.
#[derive(Debug)]
pub(super) struct Requests {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    taken: TakenRequests,
    /// Closed when the request is taken or given up.
    in_flight: HashMap<RequestKey, watch::Receiver<()>>,
}

/// What is known of a request.
#[derive(Debug)]
enum Known {
    /// Nothing: whoever has the claim may take it, and nobody else.
    New(Claim),
    /// It was taken, and had so many rows.
    Taken(u64),
    /// It is being taken.
    InFlight(watch::Receiver<()>),
}

/// The right to take a request. When it is dropped the next one who asks gets it.
#[derive(Debug)]
pub(super) struct Claim {
    requests: Arc<Requests>,
    pub(super) key: RequestKey,
    _in_flight: watch::Sender<()>,
}

impl Requests {
    /// Requests of which these were taken before.
    pub(super) fn new(taken: TakenRequests) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { taken, in_flight: HashMap::new() }) })
    }

    /// Gives the right to take a request; or how many rows it had, if it was taken. Waits while another has the right.
    pub(super) async fn claim(self: &Arc<Self>, key: RequestKey) -> Result<Claim, u64> {
        loop {
            match self.look(key) {
                Known::New(claim) => return Ok(claim),
                Known::Taken(rows) => return Err(rows),
                // Nothing is ever sent: the wait ends when the claim is dropped.
                Known::InFlight(mut over) => while over.changed().await.is_ok() {},
            }
        }
    }

    fn look(self: &Arc<Self>, key: RequestKey) -> Known {
        let mut state = self.state();
        if let Some(rows) = state.taken.rows(key) {
            return Known::Taken(rows);
        }
        if let Some(over) = state.in_flight.get(&key) {
            return Known::InFlight(over.clone());
        }
        let (sender, over) = watch::channel(());
        state.in_flight.insert(key, over);
        Known::New(Claim { requests: self.clone(), key, _in_flight: sender })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Says that the request was taken.
    pub(super) fn taken(self, request: TakenRequest) {
        self.requests.state().taken.add(request);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.requests.state().in_flight.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use futures::FutureExt;

    use super::*;

    #[test]
    fn given_a_request_in_flight_when_the_same_comes_then_it_waits_and_is_told_the_rows() {
        let requests = Requests::new(TakenRequests::default());
        let key = RequestKey::of(b"a");
        let claim = requests.claim(key).now_or_never().unwrap().unwrap();
        let mut same = Box::pin(requests.claim(key));
        assert!(same.as_mut().now_or_never().is_none());
        assert!(requests.claim(RequestKey::of(b"b")).now_or_never().unwrap().is_ok(), "another does not wait");

        claim.taken(TakenRequest { key, rows: 7, at: 0 });

        assert_eq!(same.now_or_never().unwrap().unwrap_err(), 7);
        assert!(requests.state().in_flight.is_empty());
    }

    #[test]
    fn given_a_request_that_was_given_up_when_the_same_waits_then_it_is_taken_instead() {
        let requests = Requests::new(TakenRequests::default());
        let key = RequestKey::of(b"a");
        let claim = requests.claim(key).now_or_never().unwrap().unwrap();
        let mut two = Box::pin(requests.claim(key));
        let mut three = Box::pin(requests.claim(key));
        assert!(two.as_mut().now_or_never().is_none() && three.as_mut().now_or_never().is_none());

        drop(claim);

        let _ours = two.now_or_never().unwrap().unwrap();
        assert!(three.now_or_never().is_none());
    }
}
