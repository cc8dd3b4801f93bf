//! Windows on event time: rows put into them and held, or folded and kept, until a watermark closes them.

use anyhow::{Context, Result};

use super::work::Work;
use super::{Planner, Stream, in_order, shuffle};
use crate::driver::typed::{EventWindow, SourceTime, TypedOperator, held_rows, open_windows};
use crate::event_time::{EventWindows, window_fields};
use crate::pipeline::{OperatorKind, OperatorSpec};
use crate::plan::{
    Assign, EventFold, EventTime, FinalAggregate, Hold, KEY_GROUPS, PartialAggregate, SessionFold, Stage, Step,
};

impl Planner<'_> {
    /// The rows of a source, whose event times are looked at.
    pub(super) fn timed(&self, name: &str, time: SourceTime, rows: Stream) -> Result<Stream> {
        let event_time = EventTime {
            source: name.to_owned(),
            column: time.column,
            delay: time.delay,
            before: self.store.watermarks.get(name),
            ended: self.cut.ended.iter().any(|ended| ended == name),
            on_reject: self.typed.sources[name].on_reject,
        };
        Ok(Stream { plan: Stage::EventTime(event_time).over(vec![rows.plan])?, segments: rows.segments })
    }

    /// Streams one after the other, each row with the windows that it is in.
    fn assigned(&self, name: &str, window: &EventWindow, inputs: &[String]) -> Result<Stream> {
        let column = inputs.first().and_then(|input| window.columns.get(input));
        let spec = &self.typed.loaded.pipeline.operators[name];
        let component = matches!(
            spec.kind(),
            Some(OperatorKind::Transform(_) | OperatorKind::Aggregate(_) | OperatorKind::State(_))
        );
        let assign = Assign {
            operator: name.to_owned(),
            column: *column.context("it has no input with an event time")?,
            windows: window.windows,
            watermark: self.store.watermarks.least(&window.sources),
            late: window.late,
            on_reject: component.then_some(spec.on_reject),
        };
        let rows = self.union(inputs)?;
        Ok(Stream { plan: Stage::Assign(assign).over(vec![rows.plan])?, segments: rows.segments })
    }

    /// The rows of the windows that close, one window after the other.
    pub(super) fn held(&mut self, name: &str, window: &EventWindow, inputs: &[String]) -> Result<Stream> {
        let kind = self.typed.loaded.pipeline.operators[name].kind();
        let each = matches!(kind, Some(OperatorKind::Sql(_)));
        let rows = held_rows(name, inputs.first().map(String::as_str).filter(|_| each));
        let counts = (kind == Some(OperatorKind::Window)).then(|| name.to_owned());
        let hold = Hold { rows: rows.clone(), sources: window.sources.clone(), counts };
        let assigned = in_order(self.assigned(name, window, inputs)?.plan)?;
        // What is held changes, whether anybody reads what is let go or not.
        self.drain(&rows, Stream { plan: Stage::Hold(hold).over(vec![assigned])?, segments: 1 })
    }

    /// An aggregate over windows on event time.
    pub(super) fn event_aggregate(
        &mut self,
        name: &str,
        spec: &OperatorSpec,
        operator: &TypedOperator,
        window: &EventWindow,
    ) -> Result<Stream> {
        let TypedOperator::Aggregate { call, key, key_columns, accumulator, output, .. } = operator else {
            return Ok(self.nothing(name));
        };
        let call = self.cut.call(call);
        let assigned = self.with_letters(name, self.assigned(name, window, &spec.inputs)?)?;
        let finish = FinalAggregate {
            call: call.clone(),
            key: key_columns.clone(),
            accumulator: accumulator.clone(),
            output: output.clone(),
            step: Step::Finish,
        };
        let partial = PartialAggregate { call: call.clone(), key: key.clone(), accumulator: accumulator.clone() };
        let last = Box::new(FinalAggregate { step: Step::Both, ..finish.clone() });
        self.given(name, spec, &assigned, &Work::Fold { partial: partial.clone(), last });
        let partial = Stage::PartialAggregate(partial).over(vec![assigned.plan])?;
        // The sessions of a key find each other in one partition; other windows are apart from the start.
        let together = match window.windows {
            EventWindows::Sliding { .. } => key.len(),
            EventWindows::Session { .. } => key.len() - window_fields().len(),
        };
        let partials = Stream { plan: partial, segments: assigned.segments };
        let partials = shuffle(partials, (0..together).collect(), self.partitions_of(spec))?;
        let (windows, sources) = (open_windows(name), window.sources.clone());
        let fold = match window.windows {
            EventWindows::Sliding { .. } => Stage::EventFold(EventFold { call, windows, sources }),
            EventWindows::Session { .. } => {
                let accumulator = accumulator.clone();
                Stage::SessionFold(SessionFold { call, accumulator, windows, sources })
            }
        };
        let plan = Stage::FinalAggregate(finish).over(vec![fold.over(vec![partials.plan])?])?;
        // Open windows change, whoever reads the results.
        self.must_run.insert(name.to_owned());
        Ok(Stream { plan, segments: KEY_GROUPS })
    }
}
