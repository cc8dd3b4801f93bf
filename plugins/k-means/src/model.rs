//! The model and what a batch does to it: the formulas of Spark's `StreamingKMeansModel.update`
//! (`org.apache.spark.mllib.clustering`), a mini-batch k-means that forgets.
//!
//! Nothing here knows of columns or texts.

use serde::Deserialize;

/// Centers of clusters, and how many points each stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Where each cluster's center is: as many coordinates in all of them.
    pub centers: Vec<Vec<f64>>,
    /// How many points have made each center what it is, older ones discounted.
    pub weights: Vec<f64>,
}

/// What points fade by.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// All that came before fades by the decay with each batch.
    Batches,
    /// It fades by the decay with each point.
    Points,
}

/// A cluster whose weight is less than this share of the heaviest one's is given up.
const DYING: f64 = 1e-8;

/// As far as this from each other, in parts of a coordinate, are the two centers that are made of one.
const APART: f64 = 1e-14;

impl Model {
    /// How many coordinates a point has.
    pub fn dimensions(&self) -> usize {
        self.centers.first().map_or(0, Vec::len)
    }

    /// The cluster whose center is nearest to the point, the first of several, and how far it is.
    pub fn nearest(&self, point: &[f64]) -> (usize, f64) {
        let distances = self.centers.iter().map(|center| squared_distance(center, point));
        let nearest = distances.enumerate().reduce(|best, next| if next.1 < best.1 { next } else { best });
        nearest.map_or((0, f64::INFINITY), |(cluster, squared)| (cluster, squared.sqrt()))
    }

    /// Takes in a batch of points. With `a` the decay, and for a cluster of center `c` and weight `n` the mean `x` of the
    /// `m` points that are nearest to it:
    ///
    /// ```text
    /// n' = n a + m             by batches; n a^(all points of the batch) + m by points
    /// c' = (n a c + m x) / n'
    /// ```
    ///
    /// Then, if a cluster is dying, the heaviest is split in two.
    pub fn update(&mut self, points: &[Vec<f64>], decay: f64, unit: TimeUnit) {
        let assigned = self.assign(points);
        let discount = match unit {
            TimeUnit::Batches => decay,
            TimeUnit::Points => decay.powf(points.len() as f64),
        };
        self.weights.iter_mut().for_each(|weight| *weight *= discount);
        for ((center, weight), (sum, count)) in self.centers.iter_mut().zip(&mut self.weights).zip(assigned) {
            if count == 0.0 {
                continue;
            }
            *weight += count;
            let share = count / *weight;
            for (coordinate, sum) in center.iter_mut().zip(sum) {
                *coordinate = (1.0 - share) * *coordinate + share / count * sum;
            }
        }
        self.split_if_one_is_dying();
    }

    /// For each cluster the sum of the points that are nearest to it, and how many they are.
    fn assign(&self, points: &[Vec<f64>]) -> Vec<(Vec<f64>, f64)> {
        let mut assigned: Vec<_> = self.centers.iter().map(|center| (vec![0.0; center.len()], 0.0)).collect();
        for point in points {
            let (cluster, _) = self.nearest(point);
            let (sum, count) = &mut assigned[cluster];
            sum.iter_mut().zip(point).for_each(|(sum, coordinate)| *sum += coordinate);
            *count += 1.0;
        }
        assigned
    }

    /// A cluster that has next to no weight beside the heaviest one takes half of that one's place.
    fn split_if_one_is_dying(&mut self) {
        let first_by = |better: fn(f64, f64) -> bool| {
            let weights = self.weights.iter().copied().enumerate();
            weights.reduce(|best, next| if better(next.1, best.1) { next } else { best })
        };
        let (Some((largest, most)), Some((smallest, least))) =
            (first_by(|next, best| next > best), first_by(|next, best| next < best))
        else {
            return;
        };
        if least >= DYING * most {
            return;
        }
        let weight = (most + least) / 2.0;
        self.weights[largest] = weight;
        self.weights[smallest] = weight;
        let center = self.centers[largest].clone();
        let moved = |sign: f64| center.iter().map(|x| x + sign * APART * x.abs().max(1.0)).collect();
        self.centers[largest] = moved(1.0);
        self.centers[smallest] = moved(-1.0);
    }
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(centers: &[f64], weights: &[f64]) -> Model {
        Model { centers: centers.iter().map(|&x| vec![x]).collect(), weights: weights.to_vec() }
    }

    fn points(points: &[f64]) -> Vec<Vec<f64>> {
        points.iter().map(|&x| vec![x]).collect()
    }

    #[test]
    fn a_point_is_of_the_nearest_cluster_and_of_the_first_of_several() {
        let model = of(&[0.0, 4.0], &[1.0, 1.0]);
        assert_eq!(model.nearest(&[3.0]), (1, 1.0));
        assert_eq!(model.nearest(&[2.0]), (0, 2.0));
    }

    #[test]
    fn without_decay_a_center_is_the_mean_of_all_its_points() {
        let mut model = of(&[0.0, 10.0], &[0.0, 0.0]);
        model.update(&points(&[1.0, 2.0, 9.0]), 1.0, TimeUnit::Batches);
        model.update(&points(&[3.0, 11.0, 13.0]), 1.0, TimeUnit::Batches);
        assert_eq!(model, of(&[2.0, 11.0], &[3.0, 3.0]));
    }

    #[test]
    fn with_a_decay_of_nothing_only_the_last_batch_counts() {
        let mut model = of(&[0.0, 10.0], &[5.0, 5.0]);
        model.update(&points(&[1.0, 2.0, 9.0]), 0.0, TimeUnit::Batches);
        assert_eq!(model, of(&[1.5, 9.0], &[2.0, 1.0]));
    }

    #[test]
    fn by_points_each_point_of_the_batch_lets_all_before_fade() {
        let mut model = of(&[0.0, 10.0], &[4.0, 4.0]);
        model.update(&points(&[2.0, 10.0]), 0.5, TimeUnit::Points);
        assert_eq!(model, of(&[1.0, 10.0], &[2.0, 2.0]));
    }

    #[test]
    fn a_dying_cluster_takes_half_of_the_heaviest() {
        let mut model = of(&[100.0, 0.0, 2.0], &[1e-9, 1.0, 3.0]);
        model.update(&[], 1.0, TimeUnit::Batches);
        assert_eq!(model.weights, [1.500_000_000_5, 1.0, 1.500_000_000_5]);
        assert_eq!(model.centers, [[2.0 - 2e-14], [0.0], [2.0 + 2e-14]]);
    }
}
