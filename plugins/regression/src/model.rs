//! The model and what a batch does to it: the formulas of Spark's `StreamingLinearRegressionWithSGD` and
//! `StreamingLogisticRegressionWithSGD` (`org.apache.spark.mllib`), without regularization and with all rows of the batch
//! in each step (`miniBatchFraction` 1.0).
//!
//! Nothing here knows of columns or texts.

use serde::Deserialize;

/// What is told from features.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A number: the features, each times its weight, added up.
    Linear,
    /// How likely the label is 1 and not 0: the logistic function of that sum.
    Logistic,
}

/// What the past fades by.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// By the decay with each batch that has something to learn from.
    Batches,
    /// By the decay with each row of these.
    Points,
}

/// How a model learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Descent {
    /// What kind of model it is.
    pub kind: Kind,
    /// The length of the first step, as a part of the gradient.
    pub step_size: f64,
    /// The most steps in a batch.
    pub iterations: u32,
    /// A step that changes the weights by less than this part of their length, or than this, is the last.
    pub tolerance: f64,
    /// How much of what was learned before stays.
    pub decay: f64,
    /// With what it fades.
    pub unit: TimeUnit,
}

/// A weight for each feature, and how many rows have made them what they are, older ones discounted.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// As many as there are features.
    pub weights: Vec<f64>,
    /// 0 for a model that has not learned anything.
    pub points: f64,
}

/// Features whose label is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// What the model should answer with.
    pub label: f64,
    /// As many as the model has weights.
    pub features: Vec<f64>,
}

impl Kind {
    /// What a model of these weights says of the features.
    pub fn predict(self, weights: &[f64], features: &[f64]) -> f64 {
        let margin: f64 = weights.iter().zip(features).map(|(weight, feature)| weight * feature).sum();
        match self {
            Self::Linear => margin,
            Self::Logistic => 1.0 / (1.0 + (-margin).exp()),
        }
    }
}

impl Model {
    /// Learns from a batch's rows, of which there must be some: what they alone would make of the model, weighed against
    /// what it was. With `a` the decay, `n` the points so far and `m` the rows:
    ///
    /// ```text
    /// n' = n a + m             by batches; n a^m + m by points
    /// w' = (1 - m / n') w + m / n' descend(w)
    /// ```
    ///
    /// With a decay of 0, which is Spark's way, `w'` is `descend(w)`: the past is where the descent starts from.
    pub fn update(&mut self, rows: &[Labelled], how: &Descent) {
        let count = rows.len() as f64;
        let discount = match how.unit {
            TimeUnit::Batches => how.decay,
            TimeUnit::Points => how.decay.powf(count),
        };
        let found = how.descend(self.weights.clone(), rows);
        self.points = self.points * discount + count;
        let share = count / self.points;
        for (weight, found) in self.weights.iter_mut().zip(found) {
            *weight = (1.0 - share) * *weight + share * found;
        }
    }

    /// Whether it is made of numbers still: a descent in steps that are too long goes ever farther up instead.
    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite())
    }
}

impl Descent {
    /// Goes down the gradient of the rows' mean loss (half the squared error, or the logistic loss), as
    /// `GradientDescent.runMiniBatchSGD` does with `LeastSquaresGradient` or `LogisticGradient`, and `SimpleUpdater`:
    ///
    /// ```text
    /// w' = w - step_size / sqrt(i) * mean((predict(w, x) - label) x)      in step i = 1, 2, …
    /// ```
    ///
    /// The last step is that in which `|w' - w| < tolerance * max(|w'|, 1)`, but not the first.
    fn descend(&self, mut weights: Vec<f64>, rows: &[Labelled]) -> Vec<f64> {
        for step in 1..=self.iterations {
            let length = self.step_size / f64::from(step).sqrt();
            let mut change = self.gradient(&weights, rows);
            change.iter_mut().for_each(|slope| *slope *= -length);
            weights.iter_mut().zip(&change).for_each(|(weight, change)| *weight += change);
            if step > 1 && norm(&change) < self.tolerance * norm(&weights).max(1.0) {
                break;
            }
        }
        weights
    }

    /// Both losses have the same: the mean of each row's error times its features.
    fn gradient(&self, weights: &[f64], rows: &[Labelled]) -> Vec<f64> {
        let mut sum = vec![0.0; weights.len()];
        for Labelled { label, features } in rows {
            let error = self.kind.predict(weights, features) - label;
            sum.iter_mut().zip(features).for_each(|(sum, feature)| *sum += error * feature);
        }
        sum.iter_mut().for_each(|slope| *slope /= rows.len() as f64);
        sum
    }
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descent(kind: Kind) -> Descent {
        Descent { kind, step_size: 0.5, iterations: 2, tolerance: 0.0, decay: 0.0, unit: TimeUnit::Batches }
    }

    fn rows<const N: usize>(rows: [(f64, f64); N]) -> Vec<Labelled> {
        rows.map(|(label, feature)| Labelled { label, features: vec![feature] }).to_vec()
    }

    fn learned(how: &Descent, batch: &[Labelled]) -> Model {
        let mut model = Model { weights: vec![0.0], points: 0.0 };
        model.update(batch, how);
        model
    }

    #[test]
    fn a_step_goes_down_the_mean_gradient_and_the_next_is_shorter() {
        // From 0 the errors are -2 and -6 at features 1 and 2: the mean slope is -7. From 3.5 they are 1.5 and 1.
        let expected = 3.5 - 0.5 / 2_f64.sqrt() * (1.5 + 2.0) / 2.0;
        assert_eq!(learned(&descent(Kind::Linear), &rows([(2.0, 1.0), (6.0, 2.0)])).weights, [expected]);
    }

    #[test]
    fn a_class_is_told_by_the_logistic_function() {
        let how = Descent { iterations: 1, ..descent(Kind::Logistic) };
        let model = learned(&how, &rows([(1.0, 2.0), (0.0, -2.0)]));
        assert_eq!(model.weights, [0.5]);
        assert_eq!(Kind::Logistic.predict(&[0.5], &[0.0]), 0.5);
        assert_eq!(Kind::Logistic.predict(&[0.5], &[2.0]), 1.0 / (1.0 + (-1_f64).exp()));
        assert_eq!(Kind::Logistic.predict(&[1.0], &[-1e6]), 0.0);
    }

    #[test]
    fn a_step_that_changes_little_is_the_last_but_not_the_first() {
        let all = |iterations, tolerance| {
            let how = Descent { iterations, tolerance, ..descent(Kind::Linear) };
            learned(&how, &rows([(2.0, 1.0)])).weights
        };
        assert_eq!(all(100, 1e9), all(2, 0.0));
        assert_ne!(all(100, 0.01), all(100, 0.0));
    }

    #[test]
    fn with_a_decay_what_was_learned_before_keeps_its_share() {
        let how = Descent { decay: 0.5, ..descent(Kind::Linear) };
        let fresh = Descent { decay: 0.0, ..how.clone() };
        let (first, second) = (rows([(2.0, 1.0), (2.0, 1.0)]), rows([(4.0, 1.0)]));
        let mut model = learned(&how, &first);
        let mut forgetful = learned(&fresh, &first);
        assert_eq!(model, forgetful);
        let before = model.weights[0];
        model.update(&second, &how);
        forgetful.update(&second, &fresh);
        assert_eq!(model, Model { weights: vec![0.5 * before + 0.5 * forgetful.weights[0]], points: 2.0 });
        assert_eq!(forgetful.points, 1.0);
    }
}
