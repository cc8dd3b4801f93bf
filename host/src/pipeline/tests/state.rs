//! State operators, samples, snapshots and the other kinds: what goes together.

use super::{check_added, loaded};
use crate::pipeline::{OperatorKind, Touch};

#[test]
fn a_state_needs_a_key_and_tables_that_are_there() {
    check_added(
        "[operators.x]\ninputs = ['a']\nstate = 'x@1'\ntimeout = '0s'\ninitial = 'star'\n\
         [tables.start]\npath = 't'\nformat = 'csv'",
        &[
            "5:1: [operators.x] keeps a state for each key: name the columns of the key, as in `key = [\"user\"]`",
            "6:1: `timeout` in [operators.x] must be at least 1ms",
            "7:1: `initial` in [operators.x] names `star`, which is no table; did you mean `start`? (known: `start`)",
        ],
    );
}

#[test]
fn what_is_for_states_is_for_nothing_else() {
    check_added(
        "[operators.x]\ninputs = ['a']\ntransform = 'x@1'\ntouch = 'all'\ntimeout = '1s'\n\
         [operators.y]\ninputs = ['a']\naggregate = 'x@1'\nwhole_partition = true",
        &[
            "6:1: `touch` does not go with `transform` in [operators.x]: it is for operators with `state`",
            "7:1: `timeout` does not go with `transform` in [operators.x]: it is for operators with `state`",
            "11:1: `whole_partition` does not go with `aggregate` in [operators.y]: it is for operators with \
             `transform`",
        ],
    );
}

#[test]
fn a_snapshot_is_of_one_state() {
    check_added(
        "[operators.x]\ninputs = ['a']\nsnapshot = { every = 2 }",
        &["4:1: [operators.x] takes snapshots: its one input must be an operator with `state`"],
    );
    check_added(
        "[operators.s]\ninputs = ['a']\nstate = 's@1'\nkey = ['k']\n\
         [operators.x]\ninputs = ['s']\nsnapshot = {}\nwindow = { length = '2s' }",
        &[
            "10:1: `window` does not go with `snapshot` in [operators.x]: a snapshot is of one moment; put a window over \
           its rows in another operator",
        ],
    );
}

#[test]
fn samples_and_partitions_have_sensible_sizes() {
    check_added(
        "[operators.x]\ninputs = ['a']\nsample = { fraction = 1.5 }\n[operators.y]\ninputs = ['a']\nrepartition = 5000",
        &[
            "5:12: `fraction` in [operators.x.sample] is 1.5: it must be from 0 to 1",
            "8:1: `repartition` in [operators.y] is 5000; the most is 1024",
        ],
    );
}

#[test]
fn a_state_runs_though_nobody_reads_it() {
    let loaded = loaded(
        "sources.a = { type = 'file', path = 'a.txt' }\nsinks.out = { type = 'stdout', inputs = ['a'] }\n\
         [operators.s]\ninputs = ['a']\nstate = 's@1'\nkey = ['k']\ntouch = 'all'",
    );
    assert_eq!(loaded.warnings, vec![]);
    assert_eq!(loaded.graph.operators().collect::<Vec<_>>(), ["s"]);
    let spec = &loaded.pipeline.operators["s"];
    assert_eq!((spec.kind(), spec.touch), (Some(OperatorKind::State("s@1")), Touch::All));
}
