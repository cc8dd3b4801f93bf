//! Sinks: rows to the outside, over HTTP.
//!
//! A sink may send to the origins that its pipeline grants, and nowhere else ([`http`]). Rows come to it
//! when their batch is committed, in calls that name them ([`Part`]): a batch that runs again, because the receiver was
//! down or the host had died, comes in the same calls.

pub mod deliver;
mod export;

pub use crate::bindings::sink::{DeliveryFailure as Failure, Part, Shape};
/// Reads a config, for an [`Operator`]; a [`Sink`] is its own.
#[doc(inline)]
pub use crate::config::parse as config;
pub use crate::group::Group;
pub use crate::reject::Reject;

use std::fmt;

use crate::bindings::rows::{self, Field};
use crate::chunk::Chunk;
use crate::http;
use crate::record::Record;

/// How to deliver rows: an implementation with [`#[sink]`](macro@crate::sink) on it is the crate's component. The type
/// itself is the sink's config, read by serde.
///
/// ```
/// use serde::Deserialize;
/// use weir_guest::http::Request;
/// use weir_guest::sink::{Failure, Group, Part, Sink};
/// use weir_guest::{Record, testing};
///
/// #[derive(Deserialize)]
/// struct Alarms {
///     url: String,
/// }
///
/// #[derive(Record)]
/// struct Alarm<'a> {
///     sensor: &'a str,
///     celsius: f64,
/// }
///
/// #[weir_guest::sink]
/// impl Sink for Alarms {
///     type Input<'a> = Alarm<'a>;
///
///     fn write<'a>(&self, part: Part, rows: &mut Group<'a, Alarm<'a>>) -> Result<(), Failure> {
///         let text: String = rows.map(|alarm| format!("{}: {} °C\n", alarm.sensor, alarm.celsius)).collect();
///         Request::post(&self.url).header("Idempotency-Key", part).body(text).send()?.accepted()?;
///         Ok(())
///     }
/// }
///
/// let delivered = testing::sink::<Alarms>()
///     .config(r#"{"url": "http://localhost/alarms"}"#)
///     .run([Alarm { sensor: "roof", celsius: 70.5 }])?;
/// assert_eq!(delivered.end(), &Ok(()));
/// assert_eq!(delivered.requests()[0].body, "roof: 70.5 °C\n".as_bytes());
/// # Ok::<(), String>(())
/// ```
pub trait Sink: Sized {
    /// What it reads of a row. Other columns do not cross.
    type Input<'a>: Record<'a>;

    /// Delivers the rows of a call, but for those that it rejects. One with a null in a field that is no `Option` is
    /// rejected by itself.
    ///
    /// # Errors
    /// Why none, or not all, of the rows are delivered. After [`Failure::Retry`] the same rows come again, later.
    fn write<'a>(&self, part: Part, rows: &mut Group<'a, Self::Input<'a>>) -> Result<(), Failure>;
}

/// A sink as the host calls it, over columns: for one that takes whatever columns there are. [`Sink`] is the way in for
/// all others.
pub trait Operator: Sized {
    /// Makes the sink for a config, as JSON, and the input's columns; says which of them it reads. Nothing can be sent
    /// here.
    ///
    /// # Errors
    /// Why it cannot work with them.
    fn configure(config: &str, input: &[Field]) -> Result<(Self, Shape), String>;

    /// Delivers rows; answers with those that it does not take.
    ///
    /// # Errors
    /// Why none, or not all, of the rows are delivered.
    fn write(&self, part: Part, chunk: &Chunk) -> Result<Vec<rows::Reject>, Failure>;
}

/// `PIPELINE/SINK/BATCH_MILLIS/PARTITION/FIRST-LAST`: the same whenever the same rows come again, and never that of others.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pipeline, sink, batch_time, partition, partitions: _, first_row, last_row } = self;
        write!(f, "{pipeline}/{sink}/{batch_time}/{partition}/{first_row}-{last_row}")
    }
}

impl Failure {
    /// Nothing is wrong with the rows: they are to come again later.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::Retry(reason.to_string())
    }

    /// Trying again is of no use.
    pub fn fatal(reason: impl fmt::Display) -> Self {
        Self::Fatal(reason.to_string())
    }
}

/// What was not answered may be answered later; what is denied, or no request, will not.
impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::Unanswered(text) => Self::Retry(text),
            http::Error::Denied(text) | http::Error::Invalid(text) => Self::Fatal(text),
        }
    }
}
