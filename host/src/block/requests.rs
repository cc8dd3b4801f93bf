//! Requests that a source has taken, so that one that is sent again is not taken twice.
//!
//! Kept within a window: the last 100,000 of a source, and none that is a day older than the newest. Keys are kept as
//! digests, so that the window takes the same few megabytes whatever clients send.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How many requests of a source are remembered.
const MOST: usize = 100_000;
/// For how long: a day, in milliseconds.
const LONGEST: u64 = 24 * 3_600_000;

/// What a client calls a request: the first 128 bits of the SHA-256 of its idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestKey([u8; 16]);

impl RequestKey {
    /// The key that a client wrote as `text`.
    pub fn of(text: &[u8]) -> Self {
        let mut key = [0; 16];
        for (byte, digest) in key.iter_mut().zip(Sha256::digest(text)) {
            *byte = digest;
        }
        Self(key)
    }
}

/// A request whose rows were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenRequest {
    /// What the client calls it.
    pub key: RequestKey,
    /// How many rows it had.
    pub rows: u64,
    /// When it was taken, in milliseconds since the epoch.
    pub at: u64,
}

/// The requests that a source took last.
#[derive(Debug, Clone, Default)]
pub struct TakenRequests {
    rows: HashMap<RequestKey, u64>,
    /// The oldest first.
    order: VecDeque<TakenRequest>,
}

impl TakenRequests {
    /// Remembers a request; one that is known already stays as it is.
    pub fn add(&mut self, request: TakenRequest) {
        let too_old = |oldest: &TakenRequest| oldest.at.saturating_add(LONGEST) < request.at;
        while self.order.len() >= MOST || self.order.front().is_some_and(too_old) {
            let Some(oldest) = self.order.pop_front() else { break };
            self.rows.remove(&oldest.key);
        }
        if self.rows.contains_key(&request.key) {
            return;
        }
        self.rows.insert(request.key, request.rows);
        self.order.push_back(request);
    }

    /// How many rows the request had, if it is known.
    pub fn rows(&self, key: RequestKey) -> Option<u64> {
        self.rows.get(&key).copied()
    }

    /// All that are known, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &TakenRequest> {
        self.order.iter()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: usize, rows: u64, at: u64) -> TakenRequest {
        TakenRequest { key: RequestKey::of(key.to_string().as_bytes()), rows, at }
    }

    #[test]
    fn given_a_request_when_its_key_comes_again_then_the_first_one_counts() {
        let mut taken = TakenRequests::default();
        taken.add(request(1, 5, 10));
        taken.add(request(1, 9, 20));
        assert_eq!(taken.rows(RequestKey::of(b"1")), Some(5));
        assert_eq!(taken.rows(RequestKey::of(b"2")), None);
        assert_eq!(taken.iter().count(), 1);
    }

    #[test]
    fn given_more_requests_than_the_window_holds_when_added_then_the_oldest_are_forgotten() {
        let mut taken = TakenRequests::default();
        for key in 0..MOST + 2 {
            taken.add(request(key, 1, 0));
        }
        assert_eq!((taken.iter().count(), taken.rows.len()), (MOST, MOST));
        assert_eq!(taken.rows(RequestKey::of(b"1")), None);
        assert_eq!(taken.rows(RequestKey::of(b"2")), Some(1));
    }

    #[test]
    fn given_a_day_when_it_has_passed_then_a_request_is_forgotten_and_its_key_is_new_again() {
        let mut taken = TakenRequests::default();
        taken.add(request(1, 5, 0));
        taken.add(request(2, 6, LONGEST));
        assert_eq!(taken.rows(RequestKey::of(b"1")), Some(5));
        taken.add(request(1, 7, LONGEST + 1));
        assert_eq!(taken.rows(RequestKey::of(b"1")), Some(7));
        assert_eq!(taken.iter().map(|r| r.rows).collect::<Vec<_>>(), [6, 7]);
    }
}
