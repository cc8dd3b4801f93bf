//! Posts rows to an address, whatever their columns: each call's as one request of JSON lines.
//!
//! The header `Idempotency-Key: PIPELINE/SINK/BATCH_MILLIS/PARTITION/FIRST-LAST` names the rows of a request, and is the
//! same whenever the same rows come again: a receiver that remembers it takes each row once. A receiver that is busy or broken (408, 425,
//! 429, 5xx) is tried again; one that refuses (any other status but 2xx) stops the run.

use std::collections::BTreeMap;

use serde::Deserialize;
use weir_guest::bindings::rows::{Field, Reject};
use weir_guest::http::Request;
use weir_guest::sink::{self, Failure, Operator, Part, Shape};
use weir_guest::{Chunk, json};

/// The sink.
#[derive(Debug)]
pub struct Webhook {
    config: Config,
    fields: Vec<Field>,
}

/// Its `config` in the pipeline file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where rows are posted: the pipeline must `allow` its origin.
    url: String,
    /// More headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl Operator for Webhook {
    fn configure(config: &str, input: &[Field]) -> Result<(Self, Shape), String> {
        let config = sink::config(config)?;
        Ok((Self { config, fields: input.to_vec() }, Shape { reads: None }))
    }

    fn write(&self, part: Part, rows: &Chunk) -> Result<Vec<Reject>, Failure> {
        let mut request = Request::post(&self.config.url)
            .header("Content-Type", "application/x-ndjson")
            .header("Idempotency-Key", part);
        for (name, value) in &self.config.headers {
            request = request.header(name, value);
        }
        request.body(json::lines(&self.fields, rows)).send()?.accepted()?;
        Ok(Vec::new())
    }
}

weir_guest::export_sink!(Webhook);

#[cfg(test)]
mod tests {
    use weir_guest::http::{Error, Response};
    use weir_guest::{Record, Timestamp, testing};

    use super::*;

    #[derive(Record)]
    struct Post<'a> {
        user: Option<&'a str>,
        likes: i64,
    }

    const CONFIG: &str = r#"{"url": "http://localhost/rows", "headers": {"Authorization": "Bearer abc"}}"#;

    fn posts() -> [Post<'static>; 3] {
        [(Some("ann"), 1), (None, 2), (Some("cid"), 3)].map(|(user, likes)| Post { user, likes })
    }

    #[test]
    fn each_call_is_a_request_that_names_its_rows() -> Result<(), String> {
        let sink = testing::sink::<Webhook>().config(CONFIG).at(Timestamp::from_millis(5000)).chunk(2);
        let delivered = sink.run(posts())?;
        assert_eq!(delivered.end(), &Ok(()));
        let request = |part: &str, rows: &str| {
            Request::post("http://localhost/rows")
                .header("Content-Type", "application/x-ndjson")
                .header("Idempotency-Key", part)
                .header("Authorization", "Bearer abc")
                .body(rows)
        };
        let expected = [
            request("test/test/5000/0/0-1", "{\"user\":\"ann\",\"likes\":1}\n{\"user\":null,\"likes\":2}\n"),
            request("test/test/5000/0/2-2", "{\"user\":\"cid\",\"likes\":3}\n"),
        ];
        assert_eq!(delivered.requests(), expected);
        Ok(())
    }

    #[test]
    fn a_receiver_that_is_busy_is_tried_again_and_one_that_refuses_is_not() -> Result<(), String> {
        type Answer = fn() -> Result<Response, Error>;
        let cases: [(Answer, Failure); 5] = [
            (|| Ok(Response::new(503, "later")), Failure::retry("it answers 503: later")),
            (|| Ok(Response::new(429, "")), Failure::retry("it answers 429")),
            (|| Err(Error::Unanswered("refused".into())), Failure::retry("refused")),
            (|| Ok(Response::new(404, "who?")), Failure::fatal("the receiver refuses: it answers 404: who?")),
            (|| Err(Error::Denied("no".into())), Failure::fatal("no")),
        ];
        for (answer, failure) in cases {
            let delivered = testing::sink::<Webhook>().config(CONFIG).answering(move |_| answer()).run(posts())?;
            assert_eq!(delivered.end(), &Err(failure));
            assert_eq!(delivered.requests().len(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_config_without_an_address_is_refused() {
        let refused = testing::sink::<Webhook>().run(posts()).map(|_| ());
        assert_eq!(refused, Err("the operator's config is not valid: missing field `url`".to_owned()));
    }
}
