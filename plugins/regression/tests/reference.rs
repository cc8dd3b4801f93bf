//! The operator, batch after batch, against a second implementation of the same formulas: `vectors/make.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use regression::{Answer, Example, Kept, Regression};
use serde::Deserialize;
use weir_guest::{Record, Timestamp, testing};

/// How far the two may be apart, in parts of the number where it is above 1.
const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Case {
    name: String,
    config: serde_json::Value,
    batches: Vec<Batch>,
}

/// What is trained on, what the model is then, and what it answers.
#[derive(Deserialize)]
struct Batch {
    train: Vec<(f64, Vec<f64>)>,
    weights: Vec<f64>,
    points: f64,
    ask: Vec<Vec<f64>>,
    answers: Vec<f64>,
}

#[derive(Record)]
struct Name<'a> {
    model: &'a str,
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let near = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        assert!(near, "{what}: {found} instead of {expected}");
    }
}

#[test]
fn the_model_and_its_answers_are_those_of_the_reference() -> Result<(), String> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("vectors/vectors.json")).unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let mut run = testing::state::<Regression>().config(case.config.to_string());
        for (batch, at) in case.batches.iter().zip(1..) {
            let what = format!("{}, batch {at}", case.name);
            let train: Vec<_> = batch.train.iter().map(|(label, x)| (Some(*label), format!("{x:?}"))).collect();
            let ask: Vec<_> = batch.ask.iter().map(|x| (None, format!("{x:?}"))).collect();
            let rows = train.iter().chain(&ask).map(|(label, features)| Example { label: *label, id: None, features });
            let answer = run.batch(Timestamp::from_millis(at), [(Name { model: "m" }, rows.collect::<Vec<_>>())])?;
            assert_eq!(answer.rejects(), [], "{what}");

            let states = run.states()?;
            let kept: Vec<Kept> = states.rows()?;
            assert_near(&serde_json::from_str::<Vec<_>>(&kept[0].weights).unwrap(), &batch.weights, &what);
            assert_near(&[kept[0].points], &[batch.points], &what);
            let answers: Vec<Answer> = answer.rows()?;
            assert_near(&answers.iter().map(|a| a.prediction).collect::<Vec<_>>(), &batch.answers, &what);
        }
    }
    Ok(())
}
