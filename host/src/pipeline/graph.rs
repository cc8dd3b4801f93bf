//! The pipeline as a graph: which operators run, in which order, and who reads what.
//!
//! A *stream* is the output of a source or of an operator. Only what somebody can come to see runs: what reaches a sink,
//! keeps a state, or is remembered by its own wish; the rest is unused.

use std::collections::{BTreeSet, HashSet};

use indexmap::IndexMap;

use super::Pipeline;

/// Who reads a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Consumer {
    /// The operator of this name.
    Operator(String),
    /// The sink of this name.
    Sink(String),
}

/// The part of a pipeline that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    operators: Vec<String>,
    consumers: IndexMap<String, Vec<Consumer>>,
    unused: Vec<String>,
}

/// Operators that feed each other in a loop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "operators feed each other in a loop: {}; within a batch an operator cannot read what follows from its own output",
    path(.operators)
)]
pub struct Loop {
    /// The operators in the order in which rows would flow, beginning with the one that stands first in the file.
    pub operators: Vec<String>,
}

fn path(operators: &[String]) -> String {
    operators.iter().chain(operators.first()).map(String::as_str).collect::<Vec<_>>().join(" -> ")
}

impl Graph {
    /// The graph of a pipeline. Inputs that are tables, or that name nothing, are no part of it.
    ///
    /// # Errors
    ///
    /// The first loop among the operators.
    pub fn new(pipeline: &Pipeline) -> Result<Self, Loop> {
        if let Some(first) = loops(pipeline).into_iter().next() {
            return Err(first);
        }
        let reachable = reachable(pipeline);
        let used = |name: &String| reachable.contains(name.as_str());
        let mut consumers: IndexMap<String, Vec<Consumer>> = IndexMap::new();
        for stream in pipeline.sources.keys().chain(pipeline.operators.keys()).filter(|name| used(name)) {
            consumers.insert(stream.clone(), Vec::new());
        }
        let mut reads = |inputs: &[String], consumer: Consumer| {
            for input in inputs {
                if let Some(readers) = consumers.get_mut(input) {
                    readers.push(consumer.clone());
                }
            }
        };
        for (name, operator) in pipeline.operators.iter().filter(|(name, _)| used(name)) {
            reads(&operator.inputs, Consumer::Operator(name.clone()));
        }
        for (name, sink) in &pipeline.sinks {
            reads(sink.inputs(), Consumer::Sink(name.clone()));
        }
        let everything = pipeline.sources.keys().chain(pipeline.operators.keys());
        Ok(Self {
            operators: order(pipeline).into_iter().filter(used).collect(),
            consumers,
            unused: everything.filter(|name| !used(name)).cloned().collect(),
        })
    }

    /// The operators that run, each after all that it reads; in the order of the file where that leaves a choice.
    pub fn operators(&self) -> impl Iterator<Item = &str> {
        self.operators.iter().map(String::as_str)
    }

    /// Who reads a stream: operators, then sinks, in the order of the file. Nobody reads an unused one.
    pub fn consumers(&self, stream: &str) -> &[Consumer] {
        self.consumers.get(stream).map_or(&[], Vec::as_slice)
    }

    /// The streams that run: sources, then operators, in the order of the file.
    pub fn streams(&self) -> impl Iterator<Item = &str> {
        self.consumers.keys().map(String::as_str)
    }

    /// The streams with more than one consumer, which are worth computing once and keeping for the batch.
    pub fn shared(&self) -> impl Iterator<Item = &str> {
        self.consumers.iter().filter(|(_, readers)| readers.len() > 1).map(|(stream, _)| stream.as_str())
    }

    /// The sources and operators that do not run.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.unused.iter().map(String::as_str)
    }
}

impl Pipeline {
    /// The sources from which rows reach these streams, in file order.
    pub fn sources_of(&self, streams: &[String]) -> Vec<&str> {
        let mut reached = HashSet::new();
        let mut ahead: Vec<&str> = streams.iter().map(String::as_str).collect();
        while let Some(stream) = ahead.pop() {
            if reached.insert(stream)
                && let Some(operator) = self.operators.get(stream)
            {
                ahead.extend(operator.inputs.iter().map(String::as_str));
            }
        }
        self.sources.keys().map(String::as_str).filter(|source| reached.contains(source)).collect()
    }
}

/// The names of all streams that somebody can come to see: from which a sink, a state or a kept stream follows.
fn reachable(pipeline: &Pipeline) -> HashSet<&str> {
    let mut reached = HashSet::new();
    let mut ahead: Vec<&str> = pipeline.sinks.values().flat_map(|sink| sink.inputs()).map(String::as_str).collect();
    let seen =
        pipeline.operators.iter().filter(|(_, operator)| operator.state.is_some() || operator.remember.is_some());
    ahead.extend(seen.map(|(name, _)| name.as_str()));
    let kept = pipeline.sources.iter().filter(|(_, source)| source.remember().is_some());
    ahead.extend(kept.map(|(name, _)| name.as_str()));
    while let Some(stream) = ahead.pop() {
        if reached.insert(stream)
            && let Some(operator) = pipeline.operators.get(stream)
        {
            ahead.extend(operator.inputs.iter().map(String::as_str));
        }
    }
    reached
}

/// Kahn's algorithm, taking of all that are ready the operator that stands first in the file. Operators in a loop, and
/// whatever follows from one, are left out.
fn order(pipeline: &Pipeline) -> Vec<String> {
    let mut awaited: Vec<usize> = Vec::with_capacity(pipeline.operators.len());
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); pipeline.operators.len()];
    for (index, operator) in pipeline.operators.values().enumerate() {
        let inputs: HashSet<usize> =
            operator.inputs.iter().filter_map(|input| pipeline.operators.get_index_of(input)).collect();
        awaited.push(inputs.len());
        inputs.into_iter().for_each(|input| followers[input].push(index));
    }
    let mut ready: BTreeSet<usize> = (0..awaited.len()).filter(|index| awaited[*index] == 0).collect();
    let mut order = Vec::with_capacity(awaited.len());
    while let Some(next) = ready.pop_first() {
        order.extend(pipeline.operators.get_index(next).map(|(name, _)| name.clone()));
        for follower in std::mem::take(&mut followers[next]) {
            awaited[follower] -= 1;
            if awaited[follower] == 0 {
                ready.insert(follower);
            }
        }
    }
    order
}

/// The loops among the operators: enough of them that, with one input of each taken away, none remain.
pub(super) fn loops(pipeline: &Pipeline) -> Vec<Loop> {
    let done: HashSet<String> = order(pipeline).into_iter().collect();
    let mut left: Vec<&str> =
        pipeline.operators.keys().map(String::as_str).filter(|name| !done.contains(*name)).collect();
    let mut loops = Vec::new();
    while let Some(&start) = left.first() {
        // Each operator that is left reads another that is left, or is in no further loop.
        let upstream = |name: &str| {
            let inputs = pipeline.operators.get(name).map_or(&[][..], |operator| &operator.inputs);
            inputs.iter().map(String::as_str).find(|input| left.contains(input))
        };
        let mut walk = vec![start];
        let mut next = upstream(start);
        while let Some(name) = next.filter(|name| !walk.contains(name)) {
            walk.push(name);
            next = upstream(name);
        }
        match next.and_then(|again| walk.iter().position(|name| *name == again)) {
            Some(begin) => {
                let round = walk.split_off(begin);
                left.retain(|name| !round.contains(name));
                loops.push(Loop { operators: in_flow_order(pipeline, round) });
            }
            // A dead end: it only follows from a loop that is reported.
            None => left.retain(|name| !walk.contains(name)),
        }
    }
    loops
}

/// Turns a walk against the flow into one along it, from the operator that stands first in the file.
fn in_flow_order(pipeline: &Pipeline, mut round: Vec<&str>) -> Vec<String> {
    round.reverse();
    let first = (0..round.len()).min_by_key(|i| pipeline.operators.get_index_of(round[*i])).unwrap_or(0);
    round.rotate_left(first);
    round.into_iter().map(str::to_owned).collect()
}
