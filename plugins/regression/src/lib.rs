//! Linear and logistic regression that follow a stream: a model for each key, which learns from rows with a label and
//! answers those without.
//!
//! The rules are those of Spark's streaming regressions by gradient descent, see [`model`]. Reads `label`, `id` and
//! `features`, and of the key nothing: it names the model, and may be a constant. `features` is text, a list of numbers as
//! JSON and MLlib write it, `[1.5, -2]`, since no column has lists; SQL makes it of columns: `'[1,' || x || ',' || y || ']'`.
//! The 1 in front is how a model gets an intercept: as the weight of a feature that never changes. In each batch the model
//! first learns from all rows that have a `label`, at once; then every row without one is answered with the row's `id` and
//! the `prediction`: the number, or how likely the class is 1.
//!
//! A batch that would make weights infinite, as steps that are too long do, is not learned from; a warning says so.
//!
//! Config:
//!
//! - `model`: `"linear"`, or `"logistic"`, whose labels are 0 and 1.
//! - `weights`: what a model begins with, a number for each feature.
//! - `step_size`: how far the first step goes; 0.1 by default. Step i is this divided by the root of i.
//! - `iterations`: the most steps in a batch; 50 by default.
//! - `tolerance`: a step that changes less than this part of the weights is the last; 0.001 by default.
//! - `decay`: how much of what was learned outlives a batch, from 0 to 1. By default 0, as Spark has it: the past is then
//!   only where the next descent starts. For a half-life of h it is 0.5^(1/h).
//! - `time_unit`: `"batches"`, or `"points"` if the past fades by `decay` with each row that has a label.

mod config;
pub mod model;

use serde::Deserialize;
use serde_json::json;
use weir_guest::state::{Group, Next, State, Turn};
use weir_guest::{Record, log};

use config::{Config, Settings};
use model::{Kind, Labelled, Model};

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Regression(Config);

impl TryFrom<Settings> for Regression {
    type Error = String;

    fn try_from(settings: Settings) -> Result<Self, Self::Error> {
        settings.try_into().map(Self)
    }
}

/// Something to learn from, or to answer.
#[derive(Record, Debug)]
pub struct Example<'a> {
    /// What the model should have said; null to ask it.
    pub label: Option<f64>,
    /// What the answer is known by.
    pub id: Option<&'a str>,
    /// A list of numbers, as in `[1.5, -2]`.
    pub features: &'a str,
}

/// A model as it is kept.
#[derive(Record, Debug, PartialEq)]
pub struct Kept {
    /// A list of numbers as JSON, which brings each back exactly.
    pub weights: String,
    /// How many rows are in them, older ones discounted.
    pub points: f64,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Answer<'a> {
    /// That of the row.
    pub id: Option<&'a str>,
    /// The number, or how likely the class is 1.
    pub prediction: f64,
}

impl TryFrom<Kept> for Model {
    type Error = String;

    /// A pipeline's `initial` may have put in anything.
    fn try_from(Kept { weights, points }: Kept) -> Result<Self, Self::Error> {
        let weights: Vec<f64> =
            serde_json::from_str(&weights).map_err(|error| format!("the model's `weights` are no list: {error}"))?;
        if points.is_nan() || points < 0.0 {
            return Err(format!("the model's `points` are {points}"));
        }
        Ok(Self { weights, points })
    }
}

impl From<Model> for Kept {
    fn from(Model { weights, points }: Model) -> Self {
        Self { weights: json!(weights).to_string(), points }
    }
}

impl Regression {
    /// A row's features, of which there must be so many, and its label, if it has one.
    fn read(&self, row: &Example<'_>, features: usize) -> Result<(Option<f64>, Vec<f64>), String> {
        let list: Vec<f64> =
            serde_json::from_str(row.features).map_err(|error| format!("`features` is no list: {error}"))?;
        if list.len() != features {
            return Err(format!("`features` has length {}; the model has {features} weights", list.len()));
        }
        match row.label {
            Some(label) if !label.is_finite() => Err(format!("`label` is {label}")),
            Some(label) if self.0.descent.kind == Kind::Logistic && label != 0.0 && label != 1.0 => {
                Err(format!("`label` is {label}; a class is 0 or 1"))
            }
            label => Ok((label, list)),
        }
    }

    /// What the model is after a batch.
    fn learn(&self, model: Model, rows: &[Labelled]) -> Model {
        let mut next = model.clone();
        next.update(rows, &self.0.descent);
        if next.is_finite() {
            return next;
        }
        log::warn!(
            "a batch of {} rows would make weights infinite, and is not learned from: lower step_size",
            rows.len()
        );
        model
    }
}

#[weir_guest::state]
impl State for Regression {
    type Key<'a> = ();
    type Input<'a> = Example<'a>;
    type State = Kept;
    type Output<'a> = Answer<'a>;

    fn update<'a>(
        &self,
        (): (),
        kept: Option<Kept>,
        rows: &mut Group<'a, Example<'a>>,
        turn: &mut Turn<'a, Answer<'a>>,
    ) -> Next<Kept> {
        let mut model = match kept.map_or_else(|| Ok(self.0.start()), Model::try_from) {
            Ok(model) => model,
            Err(reason) => {
                while rows.next().is_some() {
                    rows.reject(&reason);
                }
                return Next::Unchanged;
            }
        };
        let (mut train, mut ask) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next() {
            match self.read(&row, model.weights.len()) {
                Ok((Some(label), features)) => train.push(Labelled { label, features }),
                Ok((None, features)) => ask.push((row.id, features)),
                Err(reason) => rows.reject(reason),
            }
        }
        let learns = !train.is_empty();
        if learns {
            model = self.learn(model, &train);
        }
        for (id, features) in ask {
            turn.emit(Answer { id, prediction: self.0.descent.kind.predict(&model.weights, &features) });
        }
        if learns { Next::Keep(Kept::from(model)) } else { Next::Unchanged }
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::{Timestamp, testing};

    use super::*;

    #[derive(Record)]
    struct Name<'a> {
        model: &'a str,
    }

    /// One step, to half of the error.
    const LINE: &str = r#"{"model": "linear", "weights": [0], "step_size": 0.5, "iterations": 1}"#;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn learn(label: f64, features: &str) -> Example<'_> {
        Example { label: Some(label), id: None, features }
    }

    fn ask<'a>(id: &'a str, features: &'a str) -> Example<'a> {
        Example { label: None, id: Some(id), features }
    }

    fn name(model: &str) -> Name<'_> {
        Name { model }
    }

    #[test]
    fn a_batch_is_learned_from_before_any_of_it_is_answered() -> Result<(), String> {
        let mut run = testing::state::<Regression>().config(LINE);
        let answer = run.batch(at(1), [(name("m"), [ask("a", "[1]"), learn(4.0, "[1]"), learn(8.0, "[1]")])])?;
        assert_eq!(answer.rows::<Answer>()?, [Answer { id: Some("a"), prediction: 3.0 }]);
        assert_eq!(run.states()?.rows::<Kept>()?, [Kept { weights: "[3.0]".to_owned(), points: 2.0 }]);
        Ok(())
    }

    #[test]
    fn a_model_that_is_only_asked_stays_as_it_is() -> Result<(), String> {
        let mut run = testing::state::<Regression>().config(LINE);
        let answer = run.batch(at(1), [(name("m"), [ask("a", "[7]")])])?;
        assert_eq!(answer.rows::<Answer>()?, [Answer { id: Some("a"), prediction: 0.0 }]);
        assert_eq!(run.states()?.len(), 0);
        Ok(())
    }

    #[test]
    fn a_row_that_does_not_fit_is_rejected_and_changes_nothing() -> Result<(), String> {
        let mut run = testing::state::<Regression>().config(r#"{"model": "logistic", "weights": [0, 0]}"#);
        let rows = [learn(1.0, "[1]"), learn(0.5, "[1, 1]"), learn(f64::NAN, "[1, 1]"), ask("a", "1, 1")];
        let answer = run.batch(at(1), [(name("m"), rows)])?;
        let rejects: Vec<_> = answer.rejects().iter().map(|(_, why)| why.split(':').next().unwrap_or("")).collect();
        let expected = [
            "`features` has length 1; the model has 2 weights",
            "`label` is 0.5; a class is 0 or 1",
            "`label` is NaN",
            "`features` is no list",
        ];
        assert_eq!(rejects, expected);
        assert_eq!(run.states()?.len(), 0);
        Ok(())
    }

    #[test]
    fn steps_that_go_to_infinity_are_not_taken() -> Result<(), String> {
        let mut run =
            testing::state::<Regression>().config(r#"{"model": "linear", "weights": [1], "step_size": 1e300}"#);
        let answer = run.batch(at(1), [(name("m"), [learn(-1e10, "[1e10]"), ask("a", "[2]")])])?;
        assert_eq!(answer.rows::<Answer>()?, [Answer { id: Some("a"), prediction: 2.0 }]);
        assert_eq!(answer.log().len(), 1);
        assert_eq!(run.states()?.rows::<Kept>()?, [Kept { weights: "[1.0]".to_owned(), points: 0.0 }]);
        Ok(())
    }
}
