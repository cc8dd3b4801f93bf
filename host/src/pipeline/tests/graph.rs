//! The order in which operators run, and who reads what.

use super::loaded;
use crate::pipeline::{Consumer, Graph, Pipeline};

/// A pipeline of two sources `a` and `b`, operators as `name: inputs`, and one sink.
fn pipeline(operators: &[(&str, &[&str])], sink: &[&str]) -> Pipeline {
    let mut text = String::from(
        "sources.a = { type = 'file', path = 'a' }\nsources.b = { type = 'file', path = 'b' }\n\
         sinks.screen = { type = 'stdout', inputs = ['a'] }\n",
    );
    for (name, _) in operators {
        text += &format!("operators.{name} = {{ transform = 'x@1', inputs = ['a'] }}\n");
    }
    // Put in afterwards, for the loops, which a file cannot have.
    let mut pipeline = loaded(&text).pipeline;
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (name, inputs) in operators {
        pipeline.operators[*name].inputs = owned(inputs);
    }
    pipeline.sinks.insert(
        "out".to_owned(),
        crate::pipeline::SinkSpec::Stdout { inputs: owned(sink), format: Default::default() },
    );
    pipeline.sinks.shift_remove("screen");
    pipeline
}

#[track_caller]
fn check_order(operators: &[(&str, &[&str])], sink: &[&str], expected: &[&str], unused: &[&str]) {
    let graph = Graph::new(&pipeline(operators, sink)).expect("no loop");
    assert_eq!(graph.operators().collect::<Vec<_>>(), expected);
    assert_eq!(graph.unused().collect::<Vec<_>>(), unused);
}

#[test]
fn operators_run_after_what_they_read() {
    check_order(&[("x", &["y"]), ("y", &["a", "b"])], &["x"], &["y", "x"], &[]);
}

#[test]
fn a_free_choice_goes_by_the_file() {
    check_order(&[("z", &["a"]), ("y", &["a", "b"]), ("x", &["y"])], &["x", "z"], &["z", "y", "x"], &[]);
    check_order(&[("x", &["z"]), ("y", &["a"]), ("z", &["b"])], &["x", "y"], &["y", "z", "x"], &[]);
}

#[test]
fn only_what_reaches_a_sink_runs() {
    check_order(&[("x", &["a"]), ("y", &["x", "b"]), ("z", &["x"])], &["x"], &["x"], &["b", "y", "z"]);
    check_order(&[], &["b"], &[], &["a"]);
}

#[test]
fn consumers_are_known_and_shared_streams_are_found() {
    let operators: &[(&str, &[&str])] = &[("x", &["a"]), ("y", &["x", "a"]), ("z", &["x"])];
    let graph = Graph::new(&pipeline(operators, &["x", "y"])).expect("no loop");
    let operator = |name: &str| Consumer::Operator(name.to_owned());
    let sink = Consumer::Sink("out".to_owned());
    assert_eq!(graph.consumers("a"), [operator("x"), operator("y")]);
    assert_eq!(graph.consumers("x"), [operator("y"), sink.clone()], "z does not run");
    assert_eq!(graph.consumers("y"), [sink]);
    assert_eq!(graph.consumers("z"), []);
    assert_eq!(graph.consumers("nothing"), []);
    assert_eq!(graph.streams().collect::<Vec<_>>(), ["a", "x", "y"]);
    assert_eq!(graph.shared().collect::<Vec<_>>(), ["a", "x"]);
}

#[test]
fn a_loop_is_named_whole() {
    let operators: &[(&str, &[&str])] = &[("x", &["a", "z"]), ("y", &["x"]), ("z", &["y"]), ("w", &["z"])];
    let found = Graph::new(&pipeline(operators, &["w"])).expect_err("a loop");
    assert_eq!(found.operators, ["x", "y", "z"]);
    assert!(found.to_string().starts_with("operators feed each other in a loop: x -> y -> z -> x; "));
}

#[test]
fn a_long_chain_does_not_exhaust_the_stack() {
    let names: Vec<String> = (0..20_000).map(|i| format!("o{i}")).collect();
    let mut pipeline = pipeline(&[("first", &["a"])], &["first"]);
    let template = pipeline.operators["first"].clone();
    for (i, name) in names.iter().enumerate() {
        let input = if i == 0 { "first" } else { &names[i - 1] };
        let operator = crate::pipeline::OperatorSpec { inputs: vec![input.to_owned()], ..template.clone() };
        pipeline.operators.insert(name.clone(), operator);
    }
    let last = names.last().cloned().into_iter().collect();
    pipeline.sinks["out"] = crate::pipeline::SinkSpec::Stdout { inputs: last, format: Default::default() };
    let graph = Graph::new(&pipeline).expect("no loop");
    assert_eq!(graph.operators().count(), 20_001);
}
