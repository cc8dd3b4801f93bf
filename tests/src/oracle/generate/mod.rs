//! Pipelines and input of every kind.
//!
//! - `input`: files.
//! - `grow`: operators and sinks over them, from numbers.

mod grow;
mod input;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::pipeline::{Cut, Pipeline, Policy};

/// A pipeline, and two ways to cut its work.
pub fn case() -> impl Strategy<Value = (Pipeline, [Cut; 2])> {
    let numbers = vec(any::<grow::Numbers>(), 1..9);
    let shape = (select(vec![200_u64, 1000]), 0_u64..40, select(vec![1_u64, 40, 300, 4096]));
    let pipeline = (shape, vec(input::source(), 1..4), numbers).prop_map(|(shape, mut sources, numbers)| {
        let (interval, start, block_size) = shape;
        for (n, source) in sources.iter_mut().enumerate() {
            source.name = format!("source_{n}");
        }
        let bare = Pipeline { interval, start, block_size, sources, operators: Vec::new(), sinks: Vec::new() };
        grow::grow(bare, &numbers)
    });
    (pipeline, [cut(), cut()])
}

fn cut() -> impl Strategy<Value = Cut> {
    let sizes = (1_usize..=5, 1_usize..=3, prop_oneof![1_usize..=3, 4_usize..=50, Just(8192)]);
    sizes.prop_map(|(partitions, threads, chunk_rows)| Cut { partitions, threads, chunk_rows })
}

fn policy() -> impl Strategy<Value = Policy> {
    select(vec![Policy::Skip, Policy::DeadLetter])
}
