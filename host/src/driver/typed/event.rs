//! Windows on event time: by which column rows are put into them, of which sources the watermark is that closes them, and
//! under which names they are kept.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::datatypes::{Schema, SchemaRef};

use super::{Typed, TypedOperator};
use crate::event_time::{EventWindows, LONGEST, WINDOW_END, WINDOW_START, tells_time, window_fields, with_window};
use crate::pipeline::{EventTimeSpec, Late, OperatorKind, OperatorSpec, WindowSpec, WindowTime};
use crate::plan::{held_key, session_state};
use crate::rows::describe;
use crate::state::KeyedSpec;
use crate::units::Period;

/// When the rows of a source happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceTime {
    /// The index of the column.
    pub column: usize,
    /// How far the watermark is behind the latest row, in milliseconds.
    pub delay: u64,
}

impl SourceTime {
    /// Finds the column.
    pub(super) fn of(source: &str, spec: &EventTimeSpec, columns: &Schema) -> Result<Self> {
        let EventTimeSpec { column, delay } = spec;
        let Some((index, field)) = columns.column_with_name(column) else {
            bail!(
                "source `{source}`: its `event_time` is the column `{column}`, which is not among its columns: {}",
                describe(columns)
            );
        };
        if !tells_time(field.data_type()) {
            bail!(
                "source `{source}`: its `event_time` is the column `{}`, which must be a timestamp, or an int64 of \
                 milliseconds since 1970: say so in its `schema`",
                describe(&Schema::new(vec![field.clone()]))
            );
        }
        Ok(Self { column: index, delay: u64::try_from(delay.0.as_millis()).unwrap_or(u64::MAX) })
    }
}

/// An operator's window on event time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventWindow {
    /// How time is cut.
    pub windows: EventWindows,
    /// The sources whose watermark closes windows.
    pub sources: Vec<String>,
    /// The index of the event-time column in the rows of each input.
    pub columns: HashMap<String, usize>,
    /// What becomes of late rows.
    pub late: Late,
}

impl Typed {
    /// The window of an operator, if it is on event time.
    pub(super) fn event_window(&self, spec: &OperatorSpec) -> Result<Option<EventWindow>> {
        let Some(window) = spec.window.filter(|window| window.time() == WindowTime::EventTime) else {
            return Ok(None);
        };
        let streams: Vec<String> = spec.inputs.iter().filter(|i| self.streams.contains_key(*i)).cloned().collect();
        // A query takes each input for itself; for all others, inputs are put one after the other.
        let together = !matches!(spec.kind(), Some(OperatorKind::Sql(_)));
        let mut columns = HashMap::new();
        for input in &streams {
            let from = if together { &streams[..] } else { std::slice::from_ref(input) };
            columns.insert(input.clone(), self.event_column(input, from)?);
        }
        Ok(Some(EventWindow {
            windows: event_windows(&window)?,
            sources: self.sources_of(&streams),
            columns,
            late: spec.late,
        }))
    }

    fn sources_of(&self, streams: &[String]) -> Vec<String> {
        self.loaded.pipeline.sources_of(streams).into_iter().map(str::to_owned).collect()
    }

    /// The column of `input` that says when its rows happened: the event-time column of one of the sources that reach
    /// the streams `from`.
    fn event_column(&self, input: &str, from: &[String]) -> Result<usize> {
        let columns = &self.streams[input];
        for taken in [WINDOW_START, WINDOW_END] {
            if columns.column_with_name(taken).is_some() {
                bail!(
                    "its input `{input}` has a column `{taken}`, which a window on event time adds itself: give it another \
                     name with `sql` before, or leave it out"
                );
            }
        }
        let sources = self.sources_of(from);
        let mut names: Vec<(&str, &String)> = Vec::new();
        for source in &sources {
            names.extend(self.loaded.pipeline.sources[source].event_time().map(|e| (e.column.as_str(), source)));
        }
        names.sort_unstable();
        names.dedup_by_key(|(column, _)| *column);
        let found: Vec<_> = names.iter().filter(|(name, _)| columns.column_with_name(name).is_some()).collect();
        let listed = |names: &[&(&str, &String)]| {
            let each = names.iter().map(|(column, source)| format!("`{column}` (of source `{source}`)"));
            each.collect::<Vec<_>>().join(" and ")
        };
        let name = match &found[..] {
            [(name, _)] => *name,
            [] => bail!(
                "its window is on event time, but its input `{input}` has lost the event-time column {}; it has {}. Keep the \
                 column: with `keep` in a transform's config, or by selecting it in SQL under this name",
                listed(&names.iter().collect::<Vec<_>>()),
                describe(columns)
            ),
            several => bail!(
                "its window is on event time, but its input `{input}` has several event-time columns: {}. Leave all but one \
                 out with `sql` before, or rename them so that they agree",
                listed(several)
            ),
        };
        let (index, field) = columns.column_with_name(name).context("a column that was just found")?;
        if !tells_time(field.data_type()) {
            bail!(
                "its window is on event time, but the column `{}` of its input `{input}` must be a timestamp, or an int64 of \
                 milliseconds since 1970",
                describe(&Schema::new(vec![field.clone()]))
            );
        }
        Ok(index)
    }

    /// Whether a source's watermark closes windows.
    pub fn is_watched(&self, source: &str) -> bool {
        self.event_windows.values().any(|window| window.sources.iter().any(|watched| watched == source))
    }

    /// What the windows on event time keep, by the names under which they keep it.
    pub fn kept_windows(&self) -> Result<Vec<(String, KeyedSpec)>> {
        let mut kept = Vec::new();
        for (name, window) in &self.event_windows {
            let spec = |key: Schema, state: Schema| KeyedSpec {
                key: Arc::new(key),
                state: Arc::new(state),
                version: window.windows.version(),
                timeout: None,
            };
            match self.operators.get(name) {
                Some(TypedOperator::Aggregate { key_columns, accumulator, .. }) => {
                    let (key, accumulator) = (key_columns.schema(), accumulator.schema());
                    let kept_as = match window.windows {
                        EventWindows::Sliding { .. } => spec(key, accumulator),
                        EventWindows::Session { .. } => {
                            let own: Vec<usize> = (0..key.fields().len() - window_fields().len()).collect();
                            spec(key.project(&own)?, session_state(&accumulator))
                        }
                    };
                    kept.push((open_windows(name), kept_as));
                }
                Some(TypedOperator::Sql { .. }) => {
                    let held = window.columns.keys();
                    kept.extend(
                        held.map(|i| (held_rows(name, Some(i)), spec(held_key(), Schema::clone(&self.streams[i])))),
                    );
                }
                _ => {
                    let rows = self.union(&self.loaded.pipeline.operators[name].inputs)?;
                    kept.push((held_rows(name, None), spec(held_key(), Schema::clone(&rows))));
                }
            }
        }
        Ok(kept)
    }
}

/// Rows of an input as an operator sees them: through a window on event time, if it has one.
pub(super) fn seen(rows: &SchemaRef, window: Option<&EventWindow>) -> SchemaRef {
    if window.is_some() { Arc::new(with_window(rows)) } else { rows.clone() }
}

/// The name under which an aggregate's open windows are kept.
pub(in crate::driver) fn open_windows(operator: &str) -> String {
    format!("{operator}.windows")
}

/// The name under which rows are held; those of one input, where each is taken for itself.
pub(in crate::driver) fn held_rows(operator: &str, input: Option<&str>) -> String {
    match input {
        Some(input) => format!("{operator}.rows.{input}"),
        None => format!("{operator}.rows"),
    }
}

fn event_windows(window: &WindowSpec) -> Result<EventWindows> {
    let millis = |key: &str, period: Period| {
        let millis = i64::try_from(period.0.as_millis()).ok().filter(|millis| (1..=LONGEST).contains(millis));
        let whole = period.0.subsec_nanos().is_multiple_of(1_000_000);
        millis.filter(|_| whole).with_context(|| {
            format!("the `{key}` of its window is {period}: on event time it must be a whole number of milliseconds, and less than 8000 years")
        })
    };
    if let Some(gap) = window.gap {
        return Ok(EventWindows::Session { gap: millis("gap", gap)? });
    }
    let length = window.length.context("its window has neither a `length` nor a `gap`")?;
    let slide = window.slide.unwrap_or(length);
    Ok(EventWindows::Sliding { length: millis("length", length)?, slide: millis("slide", slide)? })
}
