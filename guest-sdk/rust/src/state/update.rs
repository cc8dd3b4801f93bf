//! A [`State`] over columns: what the component exports, as plain functions.

use serde::de::DeserializeOwned;

use super::next::Nexts;
use super::{Next, Shape, State, Touched, Turn, Updated};
use crate::bindings::rows::Field;
use crate::config;
use crate::emitter::in_order;
use crate::group::{Group, ranges};
use crate::record::{Reader, Record, fields};
use crate::reject::Reject;
use crate::rows::Rows;
use crate::schema::{announce, resolve, resolve_key};

/// An operator with state, ready for calls.
#[derive(Debug)]
pub struct Operator<S> {
    pub(super) state: S,
    /// Which of the key's columns it reads, in the order of its fields: all of them cross.
    key: Vec<u32>,
}

/// Makes an operator for a config, as JSON, a key and an input; says what it reads, keeps and answers with.
///
/// # Errors
/// Why it cannot work with them.
pub fn configure<S: State + DeserializeOwned>(
    config: &str,
    keys: &[Field],
    input: &[Field],
) -> Result<(Operator<S>, Shape), String> {
    let state = config::parse::<S>(config)?;
    let shape = Shape {
        reads: Some(resolve(fields::<S::Input<'_>>(), input)?),
        state: announce(fields::<S::State>()),
        version: S::VERSION,
        output: announce(fields::<S::Output<'_>>()),
    };
    Ok((Operator { state, key: resolve_key(fields::<S::Key<'_>>(), keys)? }, shape))
}

/// Calls the operator with each key.
///
/// # Errors
/// What is wrong with the groups or columns.
pub fn update<'a, S: State>(operator: &Operator<S>, touched: &'a Touched) -> Result<Updated, String> {
    let keys = S::Key::<'a>::columns(&mut Reader::selecting(&touched.keys, operator.key.clone()))?;
    let states = Rows::<S::State>::new(&touched.previous)?;
    let mut rows = Group::<S::Input<'a>>::new(&touched.input)?;
    let mut turn = Turn::<S::Output<'a>>::new(touched.causes.len());
    let mut nexts = Nexts::<S::State>::new(touched.causes.len());
    let groups = ranges(&touched.groups, touched.input.rows())?;
    for ((index, range), cause) in groups.enumerate().zip(&touched.causes) {
        rows.start(range);
        turn.start(index, *cause);
        let next = match S::Key::get(&keys, index) {
            Ok(key) => {
                let state = touched.has_state(index).then(|| states.get(index)).transpose();
                let state = state.map_err(|null| format!("a state's {null}"))?;
                operator.state.update(key, state, &mut rows, &mut turn)
            }
            Err(null) => {
                rows.reject_all(&Reject::from(format!("the key's {null}")));
                Next::Unchanged
            }
        };
        nexts.push(next, turn.timer());
    }
    let (next, fates, timers) = nexts.finish()?;
    let (output, output_from) = turn.finish()?;
    Ok(Updated { next, fates, timers, output, output_from, rejects: in_order(rows.into_rejects()) })
}
