//! What a sink's glue promises: each row once, in parts that name it, and no row that cannot be read.

use proptest::prelude::*;
use serde::Deserialize;
use weir_guest::http::{Error, Request, Response};
use weir_guest::sink::{Failure, Group, Part, Sink};
use weir_guest::{Record, Timestamp, batch_time, testing};

#[derive(Record, Debug, Clone)]
struct Sale {
    item: Option<String>,
    price: i64,
    place: String,
}

#[derive(Record)]
struct Named<'a> {
    price: i64,
    item: &'a str,
}

/// Sends the names of what costs no more than a limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Till {
    limit: i64,
}

#[weir_guest::sink]
impl Sink for Till {
    type Input<'a> = Named<'a>;

    fn write<'a>(&self, part: Part, rows: &mut Group<'a, Named<'a>>) -> Result<(), Failure> {
        assert_eq!(batch_time().as_millis(), part.batch_time as i64);
        let mut names = String::new();
        while let Some(row) = rows.next() {
            if row.price > self.limit {
                rows.reject("too dear");
            } else {
                names += row.item;
            }
        }
        Request::post("http://localhost/").header("Part", part).body(names).send()?.accepted()?;
        Ok(())
    }
}

fn till(limit: i64, chunk: usize) -> testing::Sink<Till> {
    let config = format!(r#"{{"limit": {limit}}}"#);
    testing::sink::<Till>().config(config).chunk(chunk).at(Timestamp::from_millis(5000))
}

proptest! {
    #[test]
    fn each_row_is_sent_or_rejected_however_rows_are_cut(
        sales in prop::collection::vec((prop::option::of("[a-zé]{0,3}"), 0..20_i64), 0..30),
        limit in 0..20_i64,
        chunk in 1..10_usize,
    ) {
        let sales: Vec<_> = sales.into_iter().map(|(item, price)| Sale { item, price, place: "x".into() }).collect();
        let delivered = till(limit, chunk).run(sales.clone()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(delivered.end(), &Ok(()));
        let sent: Vec<_> = delivered.requests().iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
        let expected = sales.iter().filter(|sale| sale.price <= limit).filter_map(|sale| sale.item.as_deref());
        prop_assert_eq!(sent.concat(), expected.collect::<String>());
        let parts: Vec<_> = delivered.requests().iter().map(|request| request.headers[0].1.clone()).collect();
        let firsts = (0..sales.len()).step_by(chunk);
        let last = |first: usize| (first + chunk).min(sales.len()) - 1;
        let expected: Vec<_> = firsts.map(|first| format!("test/test/5000/0/{first}-{}", last(first))).collect();
        prop_assert_eq!(parts, expected);
        let rejects: Vec<_> = sales.iter().enumerate().filter_map(|(row, sale)| match sale {
            Sale { item: None, .. } => Some((row, "column `item` is null".to_owned())),
            Sale { price, .. } if *price > limit => Some((row, "too dear".to_owned())),
            _ => None,
        }).collect();
        prop_assert_eq!(delivered.rejects(), rejects);
    }
}

#[test]
fn after_a_failure_there_is_no_other_call() -> Result<(), String> {
    let sales = || (0..4).map(|price| Sale { item: Some("tea".into()), price, place: "x".into() });
    let mut answers = vec![Err(Error::Unanswered("gone".into())), Ok(Response::new(200, ""))];
    let delivered = till(9, 1).answering(move |_| answers.pop().unwrap_or(Ok(Response::new(200, "")))).run(sales())?;
    assert_eq!(delivered.end(), &Err(Failure::retry("gone")));
    assert_eq!(delivered.requests().len(), 2);
    Ok(())
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let refused = till(9, 1).run([Price { price: 1 }]).map(|_| ());
    let says = "the input has no column `item` (utf8), which the operator reads; it has `price` (int64)";
    assert_eq!(refused, Err(says.to_owned()));
}

#[derive(Record)]
struct Price {
    price: i64,
}
