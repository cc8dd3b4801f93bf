//! An [`Aggregate`] over columns: what the component exports, as plain functions.

use serde::de::DeserializeOwned;

use super::{Aggregate, Created, Group, Remains, Shape};
use crate::answer::Answer;
use crate::bindings::rows::{Batch, Field};
use crate::bitmap::Bits;
use crate::chunk::Chunk;
use crate::config;
use crate::emitter::in_order;
use crate::group::ranges;
use crate::record::{Record, fields};
use crate::rows::Rows;
use crate::schema::{announce, resolve};

/// Makes an aggregate for a config, as JSON, and an input; says what it reads, folds into and answers with.
///
/// # Errors
/// Why it cannot work with them.
pub fn configure<A: Aggregate + DeserializeOwned>(config: &str, input: &[Field]) -> Result<(A, Shape), String> {
    let aggregate = config::parse::<A>(config)?;
    let shape = Shape {
        reads: Some(resolve(fields::<A::Input<'_>>(), input)?),
        accumulator: announce(fields::<A::Accumulator>()),
        output: announce(fields::<A::Output>()),
        retracts: A::RETRACTS,
    };
    Ok((aggregate, shape))
}

/// Rows to an accumulator for each group.
///
/// # Errors
/// What is wrong with the groups or columns.
pub fn create<'a, A: Aggregate>(aggregate: &A, groups: &[u32], input: &'a Chunk) -> Result<Created, String> {
    let mut group = Group::<A::Input<'a>>::new(input)?;
    let mut out = Answer::<A::Accumulator>::new(groups.len().saturating_sub(1));
    for rows in ranges(groups, input.rows())? {
        group.start(rows);
        match aggregate.create_group(&mut group) {
            Some(accumulator) => out.push(accumulator),
            None => out.push_blank(),
        }
    }
    Ok(Created { accumulators: out.finish()?, rejects: in_order(group.into_rejects()) })
}

/// Accumulators of a key to one, for each group.
///
/// # Errors
/// What is wrong with the groups or columns.
pub fn merge<A: Aggregate>(aggregate: &A, groups: &[u32], accumulators: &Chunk) -> Result<Batch, String> {
    let parts = Rows::<A::Accumulator>::new(accumulators)?;
    let mut out = Answer::<A::Accumulator>::new(groups.len().saturating_sub(1));
    for mut rows in ranges(groups, accumulators.rows())? {
        let Some(first) = rows.next() else {
            out.push_blank();
            continue;
        };
        let mut total = part(&parts, first)?;
        for row in rows {
            aggregate.merge(&mut total, part(&parts, row)?);
        }
        out.push(total);
    }
    out.finish()
}

/// Totals without their parts, row by row, and a bitmap of those of which nothing remains.
///
/// # Errors
/// What is wrong with the columns.
pub fn retract<A: Aggregate>(aggregate: &A, total: &Chunk, parts: &Chunk) -> Result<(Batch, Vec<u8>), String> {
    if !A::RETRACTS {
        return Err("the operator has no `retract`".to_owned());
    }
    if total.rows() != parts.rows() {
        return Err(format!("{} parts to take out of {} totals", parts.rows(), total.rows()));
    }
    let (totals, parts) = (Rows::<A::Accumulator>::new(total)?, Rows::<A::Accumulator>::new(parts)?);
    let mut out = Answer::<A::Accumulator>::new(totals.len());
    let mut nothing = Bits::with_capacity(totals.len());
    for row in 0..totals.len() {
        let mut total = part(&totals, row)?;
        nothing.push(aggregate.retract(&mut total, part(&parts, row)?) == Remains::Nothing);
        out.push(total);
    }
    Ok((out.finish()?, nothing.into_bytes()))
}

/// Accumulators to output rows.
///
/// # Errors
/// What is wrong with the columns.
pub fn finish<A: Aggregate>(aggregate: &A, accumulators: &Chunk) -> Result<Batch, String> {
    let totals = Rows::<A::Accumulator>::new(accumulators)?;
    let mut out = Answer::<A::Output>::new(totals.len());
    for row in 0..totals.len() {
        out.push(aggregate.finish(part(&totals, row)?));
    }
    out.finish()
}

fn part<'a, R: Record<'a>>(rows: &Rows<'a, R>, row: usize) -> Result<R, String> {
    rows.get(row).map_err(|null| format!("an accumulator's {null}"))
}
