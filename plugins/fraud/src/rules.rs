//! The rules, one by one: what each sees in a transaction, given what it knows of those before.

use serde::Deserialize;
use weir_guest::Timestamp;

use crate::span::Span;
use crate::{Card, Transaction};

/// More transactions in a short time than a person makes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Velocity {
    /// So many are too many.
    pub(crate) count: usize,
    /// From the first of them to the last, at most.
    pub(crate) within: Span,
}

/// An amount far above what is spent with the card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Amount {
    /// So many times the mean of those before are too much.
    pub(crate) factor: f64,
    /// How many transactions there must have been before.
    #[serde(default = "after")]
    pub(crate) after: u32,
}

fn after() -> u32 {
    5
}

/// Another country than a moment ago.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Country {
    /// Nobody gets from one to another in less.
    pub(crate) within: Span,
}

impl Velocity {
    /// Counts the transaction itself. `recent` are the times of those before, of which the last `count - 1` are enough.
    pub(crate) fn judge(&self, recent: &[i64], at: Timestamp) -> Option<String> {
        let near = recent.iter().filter(|&&time| self.within.covers(time, at.as_micros())).count() + 1;
        (near >= self.count).then(|| format!("{near} transactions within {:?}", self.within.0))
    }
}

impl Amount {
    pub(crate) fn judge(&self, card: &Card, amount: f64) -> Option<String> {
        let mean = card.spent / card.transactions as f64;
        let far = card.transactions >= self.after.into() && amount > self.factor * mean;
        far.then(|| format!("{amount} where {mean:.2} is the mean of {} transactions", card.transactions))
    }
}

impl Country {
    pub(crate) fn judge(&self, card: &Card, transaction: &Transaction<'_>) -> Option<String> {
        let Transaction { at, country, .. } = transaction;
        let moved = card.transactions > 0
            && card.country != *country
            && self.within.covers(card.last.as_micros(), at.as_micros());
        moved.then(|| {
            let apart = at.as_micros().abs_diff(card.last.as_micros());
            format!("in {country} {:?} from one in {}", std::time::Duration::from_micros(apart), card.country)
        })
    }
}

impl Span {
    /// Whether two times, in microseconds, are no farther apart. Rows may come in any order.
    fn covers(self, one: i64, other: i64) -> bool {
        u128::from(one.abs_diff(other)) <= self.0.as_micros()
    }
}
