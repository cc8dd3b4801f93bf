//! The config: where the centers begin, and how fast they forget.

use serde::Deserialize;

use crate::model::{Model, TimeUnit};

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    centers: Option<Vec<Vec<f64>>>,
    random: Option<Random>,
    #[serde(default)]
    weight: f64,
    #[serde(default = "no_decay")]
    decay: f64,
    #[serde(default = "batches")]
    time_unit: TimeUnit,
}

/// Centers that are drawn.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    clusters: usize,
    dimensions: usize,
    #[serde(default)]
    seed: u64,
}

fn no_decay() -> f64 {
    1.0
}

fn batches() -> TimeUnit {
    TimeUnit::Batches
}

/// How models begin and forget.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) start: Model,
    pub(crate) decay: f64,
    pub(crate) unit: TimeUnit,
}

impl TryFrom<Settings> for Config {
    type Error = String;

    fn try_from(settings: Settings) -> Result<Self, Self::Error> {
        let Settings { centers, random, weight, decay, time_unit: unit } = settings;
        let centers = match (centers, random) {
            (Some(centers), None) => centers,
            (None, Some(random)) => random.centers()?,
            _ => return Err("either `centers` or `random` says where the clusters begin".to_owned()),
        };
        let dimensions = centers.first().map_or(0, Vec::len);
        if dimensions == 0 {
            return Err("`centers` has no center, or one without coordinates".to_owned());
        }
        if let Some(other) = centers.iter().find(|center| center.len() != dimensions) {
            return Err(format!("`centers` has a center of {dimensions} coordinates and one of {}", other.len()));
        }
        if !(0.0..=1.0).contains(&decay) {
            return Err(format!("`decay` is {decay}; it must be from 0 (only the last batch counts) to 1 (all do)"));
        }
        if weight < 0.0 {
            return Err(format!("`weight` is {weight}; no number of points is less than 0"));
        }
        let weights = vec![weight; centers.len()];
        Ok(Self { start: Model { centers, weights }, decay, unit })
    }
}

impl Random {
    /// Each coordinate by about the standard normal distribution: the sum of twelve uniform numbers, less six. Unlike
    /// exact ways it needs no logarithm, whose last bits differ between machines.
    fn centers(&self) -> Result<Vec<Vec<f64>>, String> {
        let &Self { clusters, dimensions, seed } = self;
        if clusters == 0 || dimensions == 0 {
            return Err("`random.clusters` and `random.dimensions` must be at least 1".to_owned());
        }
        let mut state = seed;
        let mut normal = || (0..12).map(|_| uniform(&mut state)).sum::<f64>() - 6.0;
        Ok((0..clusters).map(|_| (0..dimensions).map(|_| normal()).collect()).collect())
    }
}

/// From 0 to below 1, by SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    // The 53 bits that a double has.
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(json: &str, why: &str) {
        let settings = serde_json::from_str::<Settings>(json).map_err(|error| error.to_string());
        let error = settings.and_then(Config::try_from).expect_err("it is not valid");
        assert!(error.starts_with(why), "{error}");
    }

    #[test]
    fn a_config_that_is_not_valid_says_why() {
        let start = "either `centers` or `random` says where the clusters begin";
        refused("{}", start);
        refused(r#"{"centers": [[1]], "random": {"clusters": 2, "dimensions": 1}}"#, start);
        refused(r#"{"centers": []}"#, "`centers` has no center");
        refused(r#"{"centers": [[1, 2], [3]]}"#, "`centers` has a center of 2 coordinates and one of 1");
        refused(r#"{"centers": [[1]], "decay": 1.5}"#, "`decay` is 1.5; it must be from 0");
        refused(r#"{"centers": [[1]], "weight": -1}"#, "`weight` is -1; no number of points");
        refused(r#"{"centers": [[1]], "time_unit": "hours"}"#, "unknown variant `hours`");
        refused(r#"{"random": {"clusters": 0, "dimensions": 1}}"#, "`random.clusters` and `random.dimensions` must");
    }

    #[test]
    fn random_centers_are_the_same_for_a_seed_and_others_for_another() {
        let centers = |seed| Random { clusters: 50, dimensions: 4, seed }.centers().expect("it is valid");
        assert_eq!(centers(1), centers(1));
        assert_ne!(centers(1), centers(2));
        let all: Vec<f64> = centers(3).concat();
        let mean = all.iter().sum::<f64>() / 200.0;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 200.0;
        assert!(mean.abs() < 0.25 && (variance - 1.0).abs() < 0.3, "mean {mean}, variance {variance}");
    }
}
