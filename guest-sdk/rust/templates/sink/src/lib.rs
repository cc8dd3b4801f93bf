//! Tells somebody of hot sensors: a line each, posted to an address.

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::http::Request;
use weir_guest::sink::{Failure, Group, Part, Sink};

/// The sink, and its `config` in the pipeline file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarms {
    /// Where to. The pipeline must grant it: `allow = ["http://HOST:PORT"]`.
    #[serde(default = "local")]
    url: String,
}

fn local() -> String {
    "http://localhost:8080/alarms".to_owned()
}

/// What is read of a row. Other columns do not cross into the sandbox.
#[derive(Record)]
pub struct Reading<'a> {
    /// Which one.
    pub sensor: &'a str,
    /// What it measured.
    pub value: f64,
}

#[weir_guest::sink]
impl Sink for Alarms {
    type Input<'a> = Reading<'a>;

    fn write<'a>(&self, part: Part, rows: &mut Group<'a, Reading<'a>>) -> Result<(), Failure> {
        let mut text = String::new();
        while let Some(row) = rows.next() {
            if row.value.is_nan() {
                rows.reject("not a number");
                continue;
            }
            text += &format!("{}: {}\n", row.sensor, row.value);
        }
        if text.is_empty() {
            return Ok(());
        }
        // The same rows come under the same part, so the receiver can tell when it has them already.
        Request::post(&self.url).header("Idempotency-Key", part).body(text).send()?.accepted()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::http::Response;
    use weir_guest::testing;

    use super::*;

    #[test]
    fn readings_are_posted_and_a_busy_receiver_is_tried_again() -> Result<(), String> {
        let readings = || [("roof", 70.5), ("cellar", f64::NAN)].map(|(sensor, value)| Reading { sensor, value });
        let delivered = testing::sink::<Alarms>().run(readings())?;
        assert_eq!(delivered.end(), &Ok(()));
        assert_eq!(delivered.requests()[0].body, b"roof: 70.5\n");
        assert_eq!(delivered.rejects(), [(1, "not a number".to_owned())]);

        let none = testing::sink::<Alarms>().run([Reading { sensor: "cellar", value: f64::NAN }])?;
        assert_eq!((none.end(), none.requests().len()), (&Ok(()), 0));

        let busy = testing::sink::<Alarms>().answering(|_| Ok(Response::new(503, "later"))).run(readings())?;
        assert_eq!(busy.end(), &Err(Failure::retry("it answers 503: later")));
        Ok(())
    }
}
