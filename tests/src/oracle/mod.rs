//! The oracle: a second, naive implementation of pipelines, on one thread and over plain rows, that shares no code with
//! the host. Whatever the host makes of a pipeline and its input must be what the oracle makes of them.
//!
//! - [`pipeline`]: the pipelines that it knows; [`written`]: how they are written as a pipeline file.
//! - [`columns`]: which columns each stream has, to make pipelines that fit together.
//! - [`source`]: bytes to rows, and which of them belong to which batch.
//! - [`history`]: all batches so far, and what an operator sees of them.
//! - [`operator`], [`aggregate`], [`tally`], [`query`], [`join`]: rows to rows.
//! - [`generate`]: pipelines and input of every kind, for property tests.
//!
//! It keeps no state: what a batch comes to is found out from all batches before it, each time anew.
//!
//! Where the order of rows follows from the pipeline alone, the oracle says so, and it must be kept. After a shuffle by key
//! the host's order is the same in every run, but an implementation's choice: only what there is can be compared.

pub mod aggregate;
pub mod columns;
pub mod generate;
pub mod history;
pub mod join;
pub mod operator;
pub mod pipeline;
pub mod query;
pub mod source;
pub mod tally;
pub mod written;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::output::Row;
use history::{Batch, History};
use pipeline::Pipeline;

/// The rows of a stream in one batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stream {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether the order of the rows follows from the pipeline.
    pub ordered: bool,
}

/// A row that an operator or a source did not take, and was told to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The operator or source.
    pub operator: String,
    /// The row, or the record of a source.
    pub row: Value,
    /// Is in the reason.
    pub reason: String,
}

/// What a pipeline comes to. Batches in which there is nothing are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// By sink and batch time.
    pub sinks: BTreeMap<String, BTreeMap<u64, Stream>>,
    /// By batch time.
    pub letters: BTreeMap<u64, Vec<Letter>>,
}

/// Runs a pipeline over all its input, as `weir run --once` does.
pub fn interpret(pipeline: &Pipeline) -> Outcome {
    let sources: Vec<_> = pipeline.sources.iter().map(|source| source::batches(source, pipeline.interval)).collect();
    let batches = sources.iter().map(Vec::len).max().unwrap_or(0);
    // Batches end at multiples of the interval.
    let before = pipeline.start * 1000 / pipeline.interval;
    let mut history = History { pipeline, batches: Vec::new() };
    let mut outcome = Outcome::default();
    for batch in 0..batches {
        let time = pipeline.interval * (before + batch as u64 + 1);
        let mut letters = Vec::new();
        let mut streams: BTreeMap<String, Stream> = BTreeMap::new();
        for (source, batches) in pipeline.sources.iter().zip(&sources) {
            let records = batches.get(batch).map_or(&[][..], |records| records);
            streams.insert(source.name.clone(), source::rows(source, records, &mut letters));
        }
        history.batches.push(Batch { time, streams });
        for operator in &pipeline.operators {
            let rows = operator::run(&history, operator, time, &mut letters);
            history.add(&operator.name, rows);
        }
        for sink in &pipeline.sinks {
            let rows = operator::union(sink.inputs.iter().map(|input| history.rows(input, time)));
            if !rows.rows.is_empty() {
                outcome.sinks.entry(sink.name.clone()).or_default().insert(time, rows);
            }
        }
        if !letters.is_empty() {
            outcome.letters.insert(time, letters);
        }
    }
    outcome
}
