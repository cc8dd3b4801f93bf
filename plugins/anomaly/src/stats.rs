//! Mean and variance of numbers that come one by one, older ones fading.

use weir_guest::Record;

/// Mean and variance so far, without the numbers: Welford's recurrence (Technometrics 4, 1962) with weights (West, CACM
/// 22, 1979), where each number has the weight 1 when it comes and the decay times its weight after each that follows.
/// With a decay of 1 they are the mean and the population's variance of all numbers.
#[derive(Record, Debug, Default, Clone, Copy, PartialEq)]
pub struct Stats {
    /// The weighted mean.
    pub mean: f64,
    /// The weighted sum of squared distances from the mean.
    pub squares: f64,
    /// The sum of the weights.
    pub weight: f64,
    /// How many numbers there were.
    pub readings: i64,
}

impl Stats {
    /// Counts in a number.
    pub fn add(&mut self, value: f64, decay: f64) {
        let before = value - self.mean;
        self.weight = self.weight * decay + 1.0;
        self.mean += before / self.weight;
        self.squares = self.squares * decay + before * (value - self.mean);
        self.readings += 1;
    }

    /// The standard deviation; 0 before the second number.
    pub fn deviation(&self) -> f64 {
        if self.weight > 0.0 { (self.squares / self.weight).sqrt() } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition: all numbers at once.
    fn naive(values: &[f64], decay: f64) -> (f64, f64) {
        let weights: Vec<f64> = (0..values.len()).rev().map(|age| decay.powi(age as i32)).collect();
        let sum = |of: &dyn Fn(f64) -> f64| values.iter().zip(&weights).map(|(&x, w)| w * of(x)).sum::<f64>();
        let total = weights.iter().sum::<f64>();
        let mean = sum(&|x| x) / total;
        (mean, (sum(&|x| (x - mean) * (x - mean)) / total).sqrt())
    }

    #[test]
    fn they_are_what_the_definition_says() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * i % 17) / 3.0 - 2.0 + 1000.0).collect();
        for decay in [1.0, 0.95, 0.5] {
            let mut stats = Stats::default();
            for (count, value) in values.iter().enumerate() {
                stats.add(*value, decay);
                let (mean, deviation) = naive(&values[..=count], decay);
                assert!((stats.mean - mean).abs() < 1e-9, "{} instead of {mean}", stats.mean);
                assert!((stats.deviation() - deviation).abs() < 1e-9, "{} instead of {deviation}", stats.deviation());
            }
        }
    }

    #[test]
    fn a_number_that_stays_the_same_has_no_deviation() {
        let mut stats = Stats::default();
        assert_eq!(stats.deviation(), 0.0);
        (0..10).for_each(|_| stats.add(0.1, 0.9));
        assert_eq!((stats.mean, stats.deviation()), (0.1, 0.0));
    }
}
