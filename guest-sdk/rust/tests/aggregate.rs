//! What an aggregate's glue promises, checked against folds over plain vectors.

use proptest::prelude::*;
use serde::Deserialize;
use weir_guest::aggregate::{Aggregate, Reject, Remains};
use weir_guest::{Record, testing};

#[derive(Record, Debug, Clone)]
struct Sale {
    item: Option<String>,
    price: i64,
}

#[derive(Record)]
struct Named<'a> {
    item: &'a str,
    price: i64,
}

#[derive(Record, Debug, Clone, PartialEq)]
struct Taken {
    items: String,
    total: i64,
    count: i64,
}

/// Strings items together and adds up prices, up to a limit for each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Till {
    limit: i64,
}

#[weir_guest::aggregate]
impl Aggregate for Till {
    type Input<'a> = Named<'a>;
    type Accumulator = Taken;
    type Output = Taken;

    fn create(&self, row: Named<'_>) -> Result<Taken, Reject> {
        if row.price > self.limit {
            return Err("too dear".into());
        }
        Ok(Taken { items: row.item.to_owned(), total: row.price, count: 1 })
    }

    fn merge(&self, total: &mut Taken, part: Taken) {
        total.items.push_str(&part.items);
        total.total += part.total;
        total.count += part.count;
    }

    fn retract(&self, total: &mut Taken, part: Taken) -> Remains {
        total.items.drain(..part.items.len());
        total.total -= part.total;
        total.count -= part.count;
        if total.count == 0 { Remains::Nothing } else { Remains::Something }
    }

    fn finish(&self, total: Taken) -> Taken {
        total
    }
}

fn groups() -> impl Strategy<Value = Vec<Vec<Sale>>> {
    let sale = (prop::option::of("[a-zé]{0,3}"), 0..20_i64).prop_map(|(item, price)| Sale { item, price });
    prop::collection::vec(prop::collection::vec(sale, 0..9), 4)
}

/// One row for each group that has a row to take.
fn expected(groups: &[Vec<Sale>], limit: i64) -> Vec<Taken> {
    let taken = |group: &Vec<Sale>| {
        let sales: Vec<_> = group.iter().filter(|s| s.price <= limit && s.item.is_some()).collect();
        (!sales.is_empty()).then(|| Taken {
            items: sales.iter().filter_map(|sale| sale.item.as_deref()).collect(),
            total: sales.iter().map(|sale| sale.price).sum(),
            count: sales.len() as i64,
        })
    };
    groups.iter().filter_map(taken).collect()
}

fn till(limit: i64) -> testing::Aggregate<Till> {
    testing::aggregate::<Till>().config(format!(r#"{{"limit": {limit}}}"#))
}

proptest! {
    #[test]
    fn groups_fold_the_same_however_they_are_cut(groups in groups(), limit in 0..20_i64, part in 1..10_usize) {
        let answer = till(limit).part(part).run(groups.clone()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(answer.rows::<Taken>().map_err(TestCaseError::fail)?, expected(&groups, limit));
        let rejects: Vec<_> = groups.concat().iter().enumerate().filter_map(|(row, sale)| match sale {
            Sale { item: None, .. } => Some((row, "column `item` is null".to_owned())),
            Sale { price, .. } if *price > limit => Some((row, "too dear".to_owned())),
            _ => None,
        }).collect();
        prop_assert_eq!(answer.rejects(), rejects);
    }

    #[test]
    fn what_is_retracted_was_never_there(gone in groups(), groups in groups(), limit in 0..20_i64) {
        let answer = till(limit).run_window(gone, groups.clone()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(answer.rows::<Taken>().map_err(TestCaseError::fail)?, expected(&groups, limit));
    }
}

/// Has no inverse.
#[derive(Deserialize)]
struct Dearest;

#[derive(Record, Debug, PartialEq)]
struct Price {
    price: i64,
}

#[weir_guest::aggregate]
impl Aggregate for Dearest {
    type Input<'a> = Price;
    type Accumulator = Price;
    type Output = Price;

    fn create(&self, row: Price) -> Result<Price, Reject> {
        Ok(row)
    }

    fn merge(&self, total: &mut Price, part: Price) {
        total.price = total.price.max(part.price);
    }

    fn finish(&self, total: Price) -> Price {
        total
    }
}

#[test]
fn without_retract_the_host_is_told_and_refused() {
    use weir_guest::bindings::rows::{DataType, Field};
    let input = [Field { name: "price".to_owned(), data_type: DataType::Int64, nullable: true }];
    let shape = weir_guest::aggregate::fold::configure::<Dearest>("", &input).map(|(_, shape)| shape);
    assert_eq!(shape.map(|shape| (shape.retracts, shape.reads)), Ok((false, Some(vec![0]))));
    let window = testing::aggregate::<Dearest>().run_window([[Price { price: 3 }]], [[Price { price: 2 }]]);
    assert_eq!(window.map(|_| ()), Err("the operator has no `retract`".to_owned()));
}
