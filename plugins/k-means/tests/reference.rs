//! The operator, batch after batch, against a second implementation of the same formulas: `vectors/make.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

use k_means::{Assigned, KMeans, Kept, Point};
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
    train: Vec<Vec<f64>>,
    centers: Vec<Vec<f64>>,
    weights: Vec<f64>,
    ask: Vec<Vec<f64>>,
    clusters: Vec<i64>,
    distances: Vec<f64>,
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
    assert_eq!(cases.len(), 6);
    for case in cases {
        let mut run = testing::state::<KMeans>().config(case.config.to_string());
        for (batch, at) in case.batches.iter().zip(1..) {
            let what = format!("{}, batch {at}", case.name);
            let texts = |points: &[Vec<f64>]| points.iter().map(|p| format!("{p:?}")).collect::<Vec<_>>();
            let (train, ask) = (texts(&batch.train), texts(&batch.ask));
            let train = train.iter().map(|features| Point { train: true, id: None, features });
            let ask = ask.iter().map(|features| Point { train: false, id: None, features });
            let rows: Vec<_> = train.chain(ask).collect();
            let answer = run.batch(Timestamp::from_millis(at), [(Name { model: "m" }, rows)])?;
            assert_eq!(answer.rejects(), [], "{what}");

            let states = run.states()?;
            let kept: Vec<Kept> = states.rows()?;
            let centers: Vec<Vec<f64>> = serde_json::from_str(&kept[0].centers).unwrap();
            assert_near(&centers.concat(), &batch.centers.concat(), &what);
            assert_near(&serde_json::from_str::<Vec<_>>(&kept[0].weights).unwrap(), &batch.weights, &what);

            let answers: Vec<Assigned> = answer.rows()?;
            let (clusters, distances): (Vec<_>, Vec<_>) = answers.iter().map(|a| (a.cluster, a.distance)).unzip();
            assert_eq!(clusters, batch.clusters, "{what}");
            assert_near(&distances, &batch.distances, &what);
        }
    }
    Ok(())
}
