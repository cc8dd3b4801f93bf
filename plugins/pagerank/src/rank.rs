//! PageRank by power iteration (Page, Brin, Motwani, Winograd: The PageRank Citation Ranking, 1999).

/// When to stop, and how often a surfer follows a link.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The share of steps that follow an edge; the others begin anew at any node.
    pub damping: f64,
    /// The most rounds.
    pub iterations: u32,
    /// A round that moves less than this, over all nodes, is the last.
    pub tolerance: f64,
}

/// The rank of each of `nodes` nodes, all together 1. An edge that is there twice is followed twice as often; from a node
/// that no edge leaves, a surfer goes on at any node.
///
/// ```text
/// rank'(v) = (1 - d) / N + d (sum of rank(u) / out(u) over edges u -> v  +  sum of rank(u) over u without out / N)
/// ```
///
/// The order of the edges decides the last bits: give them in one that means something.
pub fn ranks(nodes: usize, edges: &[(usize, usize)], rules: &Rules) -> Vec<f64> {
    let all = nodes as f64;
    let mut out = vec![0.0; nodes];
    edges.iter().for_each(|&(from, _)| out[from] += 1.0);
    let mut ranks = vec![1.0 / all; nodes];
    for _ in 0..rules.iterations {
        let stranded: f64 = ranks.iter().zip(&out).filter(|&(_, &out)| out == 0.0).map(|(rank, _)| rank).sum();
        let everywhere = (1.0 - rules.damping + rules.damping * stranded) / all;
        let mut next = vec![everywhere; nodes];
        for &(from, to) in edges {
            next[to] += rules.damping * ranks[from] / out[from];
        }
        let moved: f64 = next.iter().zip(&ranks).map(|(next, rank)| (next - rank).abs()).sum();
        ranks = next;
        if moved < rules.tolerance {
            break;
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { damping: 0.85, iterations: 1000, tolerance: 1e-14 };

    /// Solves the equations of the ranks as they stand, by elimination.
    fn solved(nodes: usize, edges: &[(usize, usize)], damping: f64) -> Vec<f64> {
        let all = nodes as f64;
        let out = |node| edges.iter().filter(|edge| edge.0 == node).count() as f64;
        let mut rows: Vec<Vec<f64>> = (0..nodes)
            .map(|to| {
                let followed = |from| match out(from) {
                    0.0 => 1.0 / all,
                    out => edges.iter().filter(|&&edge| edge == (from, to)).count() as f64 / out,
                };
                let coefficients = (0..nodes).map(|from| f64::from(from == to) - damping * followed(from));
                coefficients.chain([(1.0 - damping) / all]).collect()
            })
            .collect();
        for pivot in 0..nodes {
            let equation = rows[pivot].clone();
            for (_, row) in rows.iter_mut().enumerate().filter(|(index, _)| *index != pivot) {
                let factor = row[pivot] / equation[pivot];
                row.iter_mut().zip(&equation).for_each(|(value, of_pivot)| *value -= factor * of_pivot);
            }
        }
        (0..nodes).map(|node| rows[node][nodes] / rows[node][node]).collect()
    }

    #[test]
    fn ranks_solve_the_equations_and_add_up_to_one() {
        let graphs: [(usize, &[(usize, usize)]); 5] = [
            (1, &[(0, 0)]),
            (2, &[(0, 1)]),
            (3, &[(0, 1), (1, 2), (2, 0)]),
            (4, &[(0, 1), (0, 1), (0, 2), (2, 3), (3, 0)]),
            (6, &[(0, 1), (1, 0), (2, 0), (3, 0), (3, 3), (4, 5)]),
        ];
        for (nodes, edges) in graphs {
            let (found, expected) = (ranks(nodes, edges, &RULES), solved(nodes, edges, 0.85));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-12, "{found} instead of {expected} in {edges:?}");
            }
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_round_is_the_last_when_it_moves_little_or_when_there_were_enough() {
        let edges = [(0, 1), (1, 2), (2, 0), (0, 2)];
        let after = |iterations, tolerance| ranks(3, &edges, &Rules { iterations, tolerance, ..RULES });
        assert_eq!(after(1000, 10.0), after(1, 0.0));
        assert_ne!(after(1, 0.0), after(2, 0.0));
    }
}
