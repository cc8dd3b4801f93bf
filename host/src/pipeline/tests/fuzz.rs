//! No text, and nothing in the environment, makes the reader panic or lie.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::good::FULL;
use super::parse;
use crate::pipeline::Pipeline;

#[test]
fn deep_nesting_is_refused_before_the_stack_ends() {
    // Each level of braces may hold dotted keys, so TOML's own limit of nesting alone is not enough.
    let level = format!("{{ {} = ", vec!["k"; 60].join("."));
    let config = format!("{}1{}", level.repeat(60), " }".repeat(60));
    let text = format!("operators.x = {{ transform = 'x@1', inputs = ['a'], config = {config} }}");
    let problems = parse(&text).expect_err("too deep").to_string();
    assert!(problems.contains(" nests deeper than 64 levels"), "{problems}");
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = parse(&text);
    }

    #[test]
    fn no_damaged_pipeline_panics(cuts in vec((any::<Index>(), 0..30usize, DAMAGE), 1..6)) {
        let mut text: Vec<char> = FULL.chars().collect();
        for (at, length, damage) in cuts {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, damage.chars());
        }
        if let Err(problems) = parse(&text.into_iter().collect::<String>()) {
            prop_assert!(problems.iter().count() > 0);
            prop_assert!(problems.iter().all(|problem| problem.line > 0 && problem.column > 0));
        }
    }

    #[test]
    fn a_value_of_the_environment_stays_a_value(value: String) {
        let text = "
            sources.a = { type = 'file', path = '${X}' }
            operators.x = { inputs = ['a'], sql = 'SELECT ${X}' }
            sinks.out = { type = 'stdout', inputs = ['x'] }
        ";
        let environment = |name: &str| (name == "X").then(|| value.clone());
        match Pipeline::parse(text, Path::new("x.toml"), &environment) {
            Ok(loaded) => prop_assert_eq!(loaded.pipeline.operators["x"].sql.clone(), Some(format!("SELECT {value}"))),
            Err(problems) => prop_assert!(value.is_empty(), "{}", problems),
        }
    }
}

/// What is put in place of a piece of a pipeline file.
const DAMAGE: &str = "([a-z]{1,3}|[\\[\\]{}=.,\"'#\n ]{1,3}|\\$\\{[A-Z]{0,2}\\}?|[0-9]{1,20}|\\PC{1,3})?";
