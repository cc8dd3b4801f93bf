//! A sink that breaks every rule, one at a time: the config's `do` says which. What it sends goes to the config's `url`.

use std::hint::black_box;

use serde::Deserialize;
use weir_guest::Chunk;
use weir_guest::bindings::rows::{Field, Reject};
use weir_guest::http::{Request, Response};
use weir_guest::sink::{self, Failure, Operator, Part, Shape};

/// The sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evil {
    r#do: Deed,
    url: String,
}

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// Panics.
    Panic,
    /// Never returns.
    Spin,
    /// Allocates until there is no more.
    Grab,
    /// Rejects each second row.
    Reject,
    /// Rejects a row that is not there.
    RejectNone,
    /// Reads a column that is not there.
    ReadNone,
    /// Sends while it is configured.
    SendEarly,
    /// Says that the request is for another host.
    OtherHost,
    /// Breaks out of a header.
    SplitHeader,
    /// Uses a method of its own.
    OtherMethod,
    /// Follows a redirect by itself.
    Follow,
    /// Sends a body that is larger than the limit.
    SendMuch,
}

impl Evil {
    fn post(&self) -> Request {
        Request::post(&self.url).body("rows")
    }

    fn follow(&self) -> Result<Response, Failure> {
        let answer = self.post().send()?;
        match answer.header("location") {
            Some(to) => Ok(Request::post(to).body("rows").send()?),
            None => Ok(answer),
        }
    }
}

impl Operator for Evil {
    fn configure(config: &str, _input: &[Field]) -> Result<(Self, Shape), String> {
        let sink: Self = sink::config(config)?;
        if sink.r#do == Deed::SendEarly {
            sink.post().send().map_err(|error| format!("{error:?}"))?;
        }
        let reads = (sink.r#do == Deed::ReadNone).then(|| vec![1000]);
        Ok((sink, Shape { reads }))
    }

    fn write(&self, _part: Part, rows: &Chunk) -> Result<Vec<Reject>, Failure> {
        let rows = rows.rows() as u32;
        let reject = |row| Reject { row, reason: format!("row {row} is odd") };
        match self.r#do {
            Deed::Panic => panic!("no rows today"),
            Deed::Spin => loop {
                black_box(rows);
            },
            Deed::Grab => {
                let mut grabbed: Vec<Vec<u8>> = Vec::new();
                loop {
                    grabbed.push(black_box(vec![1; 1 << 20]));
                }
            }
            Deed::Reject => {
                self.post().send()?.accepted()?;
                return Ok((0..rows).filter(|row| row % 2 == 1).map(reject).collect());
            }
            Deed::RejectNone => return Ok(vec![reject(rows)]),
            Deed::OtherHost => self.post().header("host", "elsewhere.example").send()?,
            Deed::SplitHeader => self.post().header("X", "a\r\nHost: elsewhere.example").send()?,
            Deed::OtherMethod => Request { method: "CONNECT".to_owned(), ..self.post() }.send()?,
            Deed::SendMuch => self.post().body(vec![b'x'; 3 << 20]).send()?,
            Deed::Follow => self.follow()?,
            Deed::ReadNone | Deed::SendEarly => self.post().send()?,
        }
        .accepted()?;
        Ok(Vec::new())
    }
}

weir_guest::export_sink!(Evil);
