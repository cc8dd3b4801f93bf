//! The PageRank of each node of a graph, from its edges.
//!
//! Reads `source` and `target`, and of the key nothing: it says which graph it is, and may be a constant. All edges that
//! come in a batch are the graph, so it is put behind a window: those of the last hour, every minute. Each edge is a row,
//! and one that is there twice counts twice. Answers with a row for each node, in the order of their names: `node` and
//! `rank`, all of which add up to 1. See [`rank`] for the formula.
//!
//! It is an operator with state that keeps none: an aggregate has one row a key for an answer, and a state as many as it
//! likes. The ranks do not depend on the order of the edges, not even in their last bits.
//!
//! Config:
//!
//! - `damping`: the share of steps that follow an edge; 0.85 by default.
//! - `iterations`: the most rounds over all edges; 100 by default.
//! - `tolerance`: a round in which all ranks together move less is the last; 1e-6 by default.
//!
//! A round costs some ten instructions an edge: a large graph may need a higher `limits.fuel`.

pub mod rank;

use serde::Deserialize;
use weir_guest::Record;
use weir_guest::state::{Group, Next, State, Turn};

use rank::{Rules, ranks};

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default = "damping")]
    damping: f64,
    #[serde(default = "iterations")]
    iterations: u32,
    #[serde(default = "tolerance")]
    tolerance: f64,
}

fn damping() -> f64 {
    0.85
}

fn iterations() -> u32 {
    100
}

fn tolerance() -> f64 {
    1e-6
}

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct PageRank(Rules);

impl TryFrom<Settings> for PageRank {
    type Error = String;

    fn try_from(Settings { damping, iterations, tolerance }: Settings) -> Result<Self, Self::Error> {
        if !(0.0..1.0).contains(&damping) {
            return Err(format!("`damping` is {damping}; it must be at least 0 and less than 1"));
        }
        if iterations == 0 {
            return Err("`iterations` is 0; every node would have the same rank".to_owned());
        }
        if tolerance < 0.0 {
            return Err(format!("`tolerance` is {tolerance}; nothing moves less than 0"));
        }
        Ok(Self(Rules { damping, iterations, tolerance }))
    }
}

/// An edge of the graph.
#[derive(Record, Debug)]
pub struct Edge<'a> {
    /// The node that it leaves.
    pub source: &'a str,
    /// The node to which it leads.
    pub target: &'a str,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Ranked<'a> {
    /// The name of a node.
    pub node: &'a str,
    /// Its share of all visits.
    pub rank: f64,
}

#[weir_guest::state]
impl State for PageRank {
    type Key<'a> = ();
    type Input<'a> = Edge<'a>;
    type State = ();
    type Output<'a> = Ranked<'a>;

    fn update<'a>(
        &self,
        (): (),
        _: Option<()>,
        edges: &mut Group<'a, Edge<'a>>,
        turn: &mut Turn<'a, Ranked<'a>>,
    ) -> Next<()> {
        let edges: Vec<Edge<'a>> = edges.collect();
        let mut nodes: Vec<&'a str> = edges.iter().flat_map(|edge| [edge.source, edge.target]).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let number = |node: &str| nodes.partition_point(|&before| before < node);
        let mut numbered: Vec<_> = edges.iter().map(|edge| (number(edge.source), number(edge.target))).collect();
        numbered.sort_unstable();
        let ranks = ranks(nodes.len(), &numbered, &self.0);
        for (node, rank) in nodes.into_iter().zip(ranks) {
            turn.emit(Ranked { node, rank });
        }
        Next::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::{Timestamp, testing};

    use super::*;

    #[derive(Record)]
    struct Graph<'a> {
        graph: &'a str,
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn edges(edges: &[(&'static str, &'static str)]) -> Vec<Edge<'static>> {
        edges.iter().map(|&(source, target)| Edge { source, target }).collect()
    }

    #[test]
    fn each_batch_is_a_graph_and_each_key_another() -> Result<(), String> {
        let mut run = testing::state::<PageRank>();
        let ring = edges(&[("b", "c"), ("a", "b"), ("c", "a")]);
        let answer = run.batch(at(1), [(Graph { graph: "g" }, ring), (Graph { graph: "h" }, edges(&[("x", "x")]))])?;
        assert_eq!(answer.columns(), ["graph", "node", "rank"]);
        let ranked: Vec<_> = answer.rows::<Ranked>()?.iter().map(|r| (r.node, (r.rank * 300.0).round())).collect();
        assert_eq!(ranked, [("a", 100.0), ("b", 100.0), ("c", 100.0), ("x", 300.0)]);
        let answer = run.batch(at(2), [(Graph { graph: "g" }, edges(&[("d", "d")]))])?;
        assert_eq!(answer.rows::<Ranked>()?, [Ranked { node: "d", rank: 1.0 }]);
        assert_eq!(run.states()?.len(), 0);
        Ok(())
    }

    #[test]
    fn ranks_are_the_same_to_the_bit_in_whatever_order_edges_come() -> Result<(), String> {
        let mut all = edges(&[("a", "b"), ("c", "b"), ("d", "b"), ("b", "d"), ("d", "a"), ("e", "b"), ("c", "b")]);
        let ranked = |edges: &[Edge<'static>]| -> Result<Vec<(String, f64)>, String> {
            let rows = edges.iter().map(|edge| Edge { source: edge.source, target: edge.target });
            let answer =
                testing::state::<PageRank>().batch(at(1), [(Graph { graph: "g" }, rows.collect::<Vec<_>>())])?;
            Ok(answer.rows::<Ranked>()?.iter().map(|r| (r.node.to_owned(), r.rank)).collect())
        };
        let expected = ranked(&all)?;
        for _ in 0..all.len() {
            all.rotate_left(1);
            assert_eq!(ranked(&all)?, expected);
            all.swap(0, 3);
            assert_eq!(ranked(&all)?, expected);
        }
        Ok(())
    }

    #[test]
    fn a_config_that_is_not_valid_says_why() {
        for (config, why) in [
            (r#"{"damping": 1}"#, "`damping` is 1; it must be at least 0 and less than 1"),
            (r#"{"iterations": 0}"#, "`iterations` is 0; every node would have the same rank"),
            (r#"{"tolerance": -1}"#, "`tolerance` is -1; nothing moves less than 0"),
            (r#"{"nodes": 3}"#, "unknown field `nodes`, expected one of `damping`, `iterations`, `tolerance`"),
        ] {
            let answer = testing::state::<PageRank>().config(config).batch(at(1), [(Graph { graph: "g" }, edges(&[]))]);
            assert_eq!(answer.map(|_| ()), Err(format!("the operator's config is not valid: {why}")));
        }
    }
}
