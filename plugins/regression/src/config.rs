//! The config: what kind of model it is, where it begins, and how it learns.

use serde::Deserialize;

use crate::model::{Descent, Kind, Model, TimeUnit};

/// The config as it is written. Its defaults are Spark's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    model: Kind,
    weights: Vec<f64>,
    #[serde(default = "step_size")]
    step_size: f64,
    #[serde(default = "iterations")]
    iterations: u32,
    #[serde(default = "tolerance")]
    tolerance: f64,
    #[serde(default)]
    decay: f64,
    #[serde(default = "batches")]
    time_unit: TimeUnit,
}

fn step_size() -> f64 {
    0.1
}

fn iterations() -> u32 {
    50
}

fn tolerance() -> f64 {
    0.001
}

fn batches() -> TimeUnit {
    TimeUnit::Batches
}

/// How models begin and learn.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) descent: Descent,
    weights: Vec<f64>,
}

impl Config {
    /// A model that has not learned anything.
    pub(crate) fn start(&self) -> Model {
        Model { weights: self.weights.clone(), points: 0.0 }
    }
}

impl TryFrom<Settings> for Config {
    type Error = String;

    fn try_from(settings: Settings) -> Result<Self, Self::Error> {
        let Settings { model: kind, weights, step_size, iterations, tolerance, decay, time_unit: unit } = settings;
        if weights.is_empty() {
            return Err("`weights` is empty; it has a number for each feature".to_owned());
        }
        if step_size <= 0.0 {
            return Err(format!("`step_size` is {step_size}; it must be more than 0"));
        }
        if iterations == 0 {
            return Err("`iterations` is 0; nothing would ever be learned".to_owned());
        }
        if !(0.0..=1.0).contains(&tolerance) {
            return Err(format!("`tolerance` is {tolerance}; it must be from 0 to 1"));
        }
        if !(0.0..=1.0).contains(&decay) {
            return Err(format!("`decay` is {decay}; it must be from 0 (only the last batch counts) to 1 (all do)"));
        }
        Ok(Self { descent: Descent { kind, step_size, iterations, tolerance, decay, unit }, weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_that_is_not_valid_says_why() {
        for (json, why) in [
            ("{}", "missing field `model`"),
            (r#"{"model": "linear"}"#, "missing field `weights`"),
            (r#"{"model": "cubic", "weights": [0]}"#, "unknown variant `cubic`, expected `linear` or `logistic`"),
            (r#"{"model": "linear", "weights": []}"#, "`weights` is empty"),
            (r#"{"model": "linear", "weights": [0], "step_size": 0}"#, "`step_size` is 0; it must"),
            (r#"{"model": "linear", "weights": [0], "iterations": 0}"#, "`iterations` is 0; nothing"),
            (r#"{"model": "linear", "weights": [0], "tolerance": 2}"#, "`tolerance` is 2; it must"),
            (r#"{"model": "linear", "weights": [0], "decay": -0.1}"#, "`decay` is -0.1; it must"),
        ] {
            let settings = serde_json::from_str::<Settings>(json).map_err(|error| error.to_string());
            let error = settings.and_then(Config::try_from).expect_err("it is not valid");
            assert!(error.starts_with(why), "{error}");
        }
    }
}
