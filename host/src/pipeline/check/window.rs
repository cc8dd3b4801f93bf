//! Windows: which lengths make sense, on which time.

use super::Findings;
use crate::pipeline::{Late, OperatorKind, OperatorSpec, Pipeline, WindowSpec, WindowTime};
use crate::units::Period;

/// More batches than this in a window are a slip of the pen.
const MOST_BATCHES: u128 = 1_000_000;

/// Checks an operator's window.
pub(super) fn check(name: &str, operator: &OperatorSpec, pipeline: &Pipeline, findings: &mut Findings<'_>) {
    let place = Place { name, window: operator.window.unwrap_or_default() };
    let on_event_time = operator.window.is_some_and(|w| w.time() == WindowTime::EventTime);
    if operator.late != Late::default() && !on_event_time {
        let message = format!("`late` in [operators.{name}] is for windows on event time: it has none");
        findings.at_key(&["operators", name, "late"], message);
    }
    match operator.window {
        None => {}
        Some(_) if on_event_time => place.event_time(operator, pipeline, findings),
        Some(_) => place.batch_time(pipeline.batch.interval, findings),
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    window: WindowSpec,
}

impl Place<'_> {
    fn batch_time(self, interval: Period, findings: &mut Findings<'_>) {
        let WindowSpec { length, slide, ago, gap, .. } = self.window;
        if gap.is_some() {
            self.say("on", "is a session, which is on event time: leave out `on`", findings);
            return;
        }
        if length.is_none() {
            self.say("length", "needs a `length`, as in `length = \"30s\"`; or a `gap`, for sessions", findings);
        }
        for (key, period, least) in [("length", length, 1), ("slide", slide, 1), ("ago", ago, 0)] {
            let Some(period) = period else { continue };
            let step = interval.0.as_nanos().max(1);
            let batches = period.0.as_nanos() / step;
            if !period.0.as_nanos().is_multiple_of(step) || batches < least {
                self.say(
                    key,
                    &format!("has a `{key}` of {period}, which is no multiple of the batch interval, {interval}"),
                    findings,
                );
            } else if batches > MOST_BATCHES {
                self.say(key, &format!("has a `{key}` of {batches} batches; the most is {MOST_BATCHES}"), findings);
            }
        }
    }

    fn event_time(self, operator: &OperatorSpec, pipeline: &Pipeline, findings: &mut Findings<'_>) {
        let WindowSpec { length, slide, ago, gap, .. } = self.window;
        if ago.is_some() {
            self.say("ago", "has an `ago`, which is for windows on batch time", findings);
        }
        let millis = |period: Period| period.0.as_millis();
        for (key, period) in [("length", length), ("slide", slide), ("gap", gap)] {
            if period.is_some_and(|p| millis(p) == 0) {
                self.say(key, &format!("has a `{key}` of less than 1ms"), findings);
            }
        }
        match (length, slide, gap) {
            (None, None, Some(_)) if !matches!(operator.kind(), Some(OperatorKind::Aggregate(_))) => {
                self.say("gap", "is a session, which only an `aggregate` can fold: a session is of a key", findings);
            }
            (None, None, Some(_)) => {}
            (_, _, Some(_)) => {
                self.say("gap", "has a `gap`, for sessions, and a `length` or `slide`: leave out either", findings)
            }
            (None, _, None) => {
                self.say("length", "needs a `length`, as in `length = \"1m\"`; or a `gap`, for sessions", findings)
            }
            (Some(length), Some(slide), None) if slide > length => {
                self.say(
                    "slide",
                    "has a `slide` longer than its `length`: rows between two windows would be lost",
                    findings,
                );
            }
            (Some(length), Some(slide), None) if millis(slide) > 0 && millis(length) / millis(slide) > 1000 => {
                self.say("slide", "has a `slide` so short that a row is in more than 1000 windows", findings);
            }
            (Some(_), _, None) => {}
        }
        if matches!(operator.kind(), Some(OperatorKind::Sample(_) | OperatorKind::Repartition(_))) {
            self.say("on", "on event time goes with components, queries, or alone", findings);
        }
        for source in pipeline.sources_of(&operator.inputs) {
            if pipeline.sources[source].event_time().is_none() {
                let message = format!(
                    "[operators.{}.window] is on event time, but [sources.{source}] has none: say which column it is, as in \
                     `event_time = {{ column = \"at\", delay = \"10s\" }}`",
                    self.name
                );
                findings.at_key(&["operators", self.name, "window"], message);
            }
        }
    }

    fn say(self, key: &str, text: &str, findings: &mut Findings<'_>) {
        let path = ["operators", self.name, "window", key];
        let path = if findings.has(&path) { &path[..] } else { &path[..3] };
        findings.at_key(path, format!("[operators.{}.window] {text}", self.name));
    }
}
