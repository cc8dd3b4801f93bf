//! The host against the oracle, on made-up pipelines and input; and against itself, with the work cut otherwise.
//!
//! `PROPTEST_CASES` says how many; what once failed is kept in `tests/regressions` and tried first.

use std::collections::BTreeMap;
use std::env;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::Value;
use weir_tests::Folder;
use weir_tests::oracle::generate::case;
use weir_tests::oracle::pipeline::{Cut, Pipeline};
use weir_tests::oracle::{Letter, Outcome, Stream, interpret};
use weir_tests::output::{Batches, Row, Tree, sorted};

/// What a host made of a pipeline.
struct Made {
    folder: Folder,
    output: Tree,
    letters: Tree,
}

fn run(pipeline: &Pipeline, cut: Cut) -> Result<Made, TestCaseError> {
    let folder = Folder::new();
    pipeline.files().iter().for_each(|(name, contents)| folder.write(name, contents));
    folder.write("p.toml", pipeline.to_toml(cut));
    let (start, threads) = (pipeline.start_argument(), cut.threads.to_string());
    let finished = folder.weir(&["run", "--once", "--start", &start, "--threads", &threads, "p.toml"]);
    prop_assert!(finished.status.success(), "with {cut:?} the host says:\n{}", finished.stderr);
    let letters = folder.letter_files("p");
    Ok(Made { output: folder.tree("out"), folder, letters })
}

fn holds(pipeline: &Pipeline, made: &Made, expected: &Outcome) -> Result<(), TestCaseError> {
    for sink in &pipeline.sinks {
        let batches = made.folder.batches(&format!("out/{}", sink.name));
        let due = expected.sinks.get(&sink.name).cloned().unwrap_or_default();
        prop_assert_eq!(times(&batches), due.keys().copied().collect::<Vec<_>>(), "batches of sink {}", sink.name);
        for (time, Stream { rows, ordered }) in due {
            let found = batches.0[&time].clone();
            let canonical = |rows: Vec<Row>| if ordered { rows } else { sorted(rows) };
            prop_assert_eq!(canonical(found), canonical(rows), "sink {}, batch {}", sink.name, time);
        }
    }
    let letters = made.folder.dead_letters("p");
    prop_assert_eq!(times(&letters), expected.letters.keys().copied().collect::<Vec<_>>(), "batches with dead letters");
    letters.0.iter().try_for_each(|(time, letters)| letters_hold(letters, &expected.letters[time]))
}

fn times(batches: &Batches) -> Vec<u64> {
    batches.0.keys().copied().collect()
}

/// The same letters, in whatever order, each with its reason.
fn letters_hold(found: &[Row], expected: &[Letter]) -> Result<(), TestCaseError> {
    let mut left: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for letter in found {
        left.entry(format!("{} {}", letter["operator"], letter["row"])).or_default().push(letter);
    }
    for letter in expected {
        let name = format!("{} {}", Value::from(letter.operator.as_str()), letter.row);
        let found = left.get_mut(&name).and_then(Vec::pop);
        prop_assert!(found.is_some(), "there is no dead letter {name}");
        let reason = found.and_then(|letter| letter["reason"].as_str()).unwrap_or_default();
        prop_assert!(reason.contains(&letter.reason), "{name} is rejected for `{reason}`, not `{}`", letter.reason);
    }
    left.retain(|_, letters| !letters.is_empty());
    prop_assert!(left.is_empty(), "dead letters too many: {left:?}");
    Ok(())
}

fn config() -> ProptestConfig {
    let cases = env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    let kept = FileFailurePersistence::Direct(concat!(env!("CARGO_MANIFEST_DIR"), "/regressions/oracle.txt"));
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(kept)),
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn given_any_pipeline_and_input_when_run_then_the_rows_are_the_oracles_and_the_bytes_do_not_depend_on_the_cut(
        (pipeline, cuts) in case()
    ) {
        let made = run(&pipeline, cuts[0])?;
        holds(&pipeline, &made, &interpret(&pipeline))?;
        let again = run(&pipeline, cuts[1])?;
        prop_assert!(made.output == again.output, "other bytes with {:?} than with {:?}", cuts[1], cuts[0]);
        prop_assert!(made.letters == again.letters, "other dead letters with {:?} than with {:?}", cuts[1], cuts[0]);
    }
}
