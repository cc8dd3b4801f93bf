//! Windows: which lengths make sense, on which time.

use super::check_added;

fn window(window: &str, expected: &[&str]) {
    check_added(&format!("[operators.x]\ninputs = ['a']\nsql = 'select 1'\nwindow = {window}"), expected);
}

#[test]
fn a_window_on_batch_time_is_made_of_whole_batches() {
    window("{ length = '30s', slide = '5s', ago = '0s' }", &[]);
    window(
        "{ length = '1500ms', slide = '200ms', ago = '1ms' }",
        &[
            "6:12: [operators.x.window] has a `length` of 1s 500ms, which is no multiple of the batch interval, 1s",
            "6:31: [operators.x.window] has a `slide` of 200ms, which is no multiple of the batch interval, 1s",
            "6:48: [operators.x.window] has a `ago` of 1ms, which is no multiple of the batch interval, 1s",
        ],
    );
    window(
        "{ slide = '1s' }",
        &["6:1: [operators.x.window] needs a `length`, as in `length = \"30s\"`; or a `gap`, for sessions"],
    );
    window(
        "{ length = '400days' }",
        &["6:12: [operators.x.window] has a `length` of 34560000 batches; the most is 1000000"],
    );
}

#[test]
fn a_window_on_event_time_needs_the_time_of_events() {
    let timed = "[sources.t]\ntype = 'file'\npath = 't'\nformat = 'json'\nevent_time = { column = 'at' }\n";
    let on = |source: &str, window: &str, expected: &[&str]| {
        let operator =
            format!("[operators.x]\ninputs = ['{source}']\naggregate = 'x@1'\nkey = ['k']\nwindow = {window}");
        check_added(&format!("{timed}{operator}"), expected);
    };
    on("t", "{ on = 'event_time', length = '1m', slide = '10s' }", &[]);
    on("t", "{ gap = '5m' }", &[]);
    on(
        "a",
        "{ on = 'event_time', length = '1m' }",
        &["12:1: [operators.x.window] is on event time, but [sources.a] has none: say which column it is, as in \
           `event_time = { column = \"at\", delay = \"10s\" }`"],
    );
    on(
        "t",
        "{ on = 'event_time', length = '10s', slide = '1m' }",
        &["12:47: [operators.x.window] has a `slide` longer than its `length`: rows between two windows would be lost"],
    );
    on(
        "t",
        "{ gap = '10s', length = '1m' }",
        &["12:12: [operators.x.window] has a `gap`, for sessions, and a `length` or `slide`: leave out either"],
    );
}

#[test]
fn late_rows_are_those_of_windows_on_event_time() {
    check_added(
        "[operators.x]\ninputs = ['a']\nsql = 'select 1'\nlate = 'dead-letter'",
        &["6:1: `late` in [operators.x] is for windows on event time: it has none"],
    );
}
