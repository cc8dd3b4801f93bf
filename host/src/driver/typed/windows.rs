//! How far each stream slides, and for how long what of it is kept.
//!
//! A stream *slides* by the time from one batch in which it has rows to the next: a source by the batch interval, a
//! window by its slide, and whatever follows from a window as the window does (Spark's slide duration).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::pipeline::{Loaded, OperatorKind, OperatorSpec, Pipeline, WindowSpec, WindowTime};
use crate::time::BatchTime;
use crate::units::Period;

/// A window on batch time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchWindow {
    /// How long it is.
    pub length: u64,
    /// How far it moves at a time.
    pub slide: u64,
    /// How long before the batch it ends.
    pub ago: u64,
}

impl BatchWindow {
    /// Whether a batch is in the window that ends at `now`.
    pub fn holds(&self, batch: BatchTime, now: BatchTime) -> bool {
        let end = now.as_millis().saturating_sub(self.ago);
        // Before the epoch there is no batch.
        batch.as_millis() <= end && batch.as_millis() + self.length > end
    }

    /// Tells this window from another, for what is kept of it.
    pub fn version(&self) -> u32 {
        let Self { length, slide, ago } = self;
        crc32fast::hash(format!("{length} {slide} {ago}").as_bytes())
    }

    /// The window one slide before.
    pub fn before(&self) -> Self {
        Self { ago: self.ago + self.slide, ..*self }
    }

    /// For how long a batch may be wanted.
    fn reach(&self) -> u64 {
        self.length + self.ago
    }
}

/// The windows of a pipeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Windows {
    slides: HashMap<String, u64>,
    windows: HashMap<String, BatchWindow>,
    kept: BTreeMap<String, u64>,
}

impl Windows {
    /// Finds out how far each stream slides.
    pub(super) fn of(loaded: &Loaded) -> Result<Self> {
        let pipeline = &loaded.pipeline;
        let interval = millis(pipeline.batch.interval);
        let mut windows = Self::default();
        for source in pipeline.sources.keys() {
            windows.slides.insert(source.clone(), interval);
        }
        for name in loaded.graph.operators() {
            windows.add(name, &pipeline.operators[name], interval)?;
        }
        for name in loaded.graph.operators() {
            windows.keep_for(name, pipeline);
        }
        for stream in loaded.graph.streams() {
            let own = pipeline.sources.get(stream).map(|source| source.remember());
            let own = own.or_else(|| pipeline.operators.get(stream).map(|operator| operator.remember)).flatten();
            if let Some(remember) = own.or(pipeline.batch.remember) {
                windows.keep(stream, millis(remember));
            }
        }
        Ok(windows)
    }

    fn add(&mut self, name: &str, spec: &OperatorSpec, interval: u64) -> Result<()> {
        let mut inputs = spec.inputs.iter().filter_map(|input| Some((input, *self.slides.get(input)?)));
        let (first, slide) = inputs.next().map_or((name, interval), |(first, slide)| (first.as_str(), slide));
        if spec.window.is_some_and(|window| window.time() == WindowTime::EventTime) {
            // Windows close when rows come in, whenever that is.
            self.slides.insert(name.to_owned(), interval);
            return Ok(());
        }
        if let Some((other, others)) = inputs.find(|(_, others)| *others != slide) {
            bail!(
                "operator `{name}` reads `{first}`, which has rows every {}, and `{other}`, which has rows every {}: bring \
                 them to the same time with a `window` of the same `slide`",
                shown(slide),
                shown(others)
            );
        }
        let mut out = slide;
        if let Some(window) = spec.window.filter(|window| window.time() == WindowTime::BatchTime) {
            let window = batch_window(&window, slide);
            for (key, length) in [("length", window.length), ("slide", window.slide), ("ago", window.ago)] {
                if !length.is_multiple_of(slide) {
                    bail!(
                        "the `{key}` of [operators.{name}.window] is {}, but `{first}` has rows every {} only: make it a \
                         multiple of that",
                        shown(length),
                        shown(slide)
                    );
                }
            }
            out = window.slide;
            self.windows.insert(name.to_owned(), window);
        }
        self.slides.insert(name.to_owned(), out);
        Ok(())
    }

    /// Sees to it that what an operator's window needs is kept: rows of its inputs, or accumulators of its own.
    fn keep_for(&mut self, name: &str, pipeline: &Pipeline) {
        let spec = &pipeline.operators[name];
        if let Some((_, window)) = self.folded(name, pipeline) {
            self.keep(&partials(name), window.reach() + window.slide);
            return;
        }
        let Some(window) = self.windows.get(name).copied() else { return };
        let only_folded = spec.kind() == Some(OperatorKind::Window)
            && spec.remember.or(pipeline.batch.remember).is_none()
            && pipeline.sinks.values().all(|sink| !sink.inputs().iter().any(|input| input == name))
            && pipeline
                .operators
                .iter()
                .filter(|(_, reader)| reader.inputs.iter().any(|input| input == name))
                .all(|(reader, _)| self.folded(reader, pipeline).is_some_and(|(through, _)| through == name));
        if !only_folded {
            spec.inputs.iter().for_each(|input| self.keep(input, window.reach()));
        }
    }

    fn keep(&mut self, stream: &str, millis: u64) {
        let kept = self.kept.entry(stream.to_owned()).or_default();
        *kept = millis.max(*kept);
    }

    /// The window whose accumulators an aggregate folds batch by batch: its own, or that of its one input, where that is
    /// nothing but a window. With the operator that has it.
    pub fn folded<'p>(&self, name: &'p str, pipeline: &'p Pipeline) -> Option<(&'p str, BatchWindow)> {
        let spec = &pipeline.operators.get(name)?;
        if !matches!(spec.kind(), Some(OperatorKind::Aggregate(_))) {
            return None;
        }
        let of_window = |name: &'p str| Some((name, *self.windows.get(name)?));
        match (&spec.window, &spec.inputs[..]) {
            (Some(_), _) => of_window(name),
            (None, [input]) => {
                let read = pipeline.operators.get(input).filter(|read| read.kind() == Some(OperatorKind::Window));
                read.and_then(|_| of_window(input))
            }
            _ => None,
        }
    }

    /// The window on batch time that an operator has.
    pub fn window(&self, operator: &str) -> Option<BatchWindow> {
        self.windows.get(operator).copied()
    }

    /// Whether a stream may have rows in the batch.
    pub fn due(&self, stream: &str, batch: BatchTime) -> bool {
        self.slides.get(stream).is_none_or(|slide| batch.as_millis().is_multiple_of(*slide))
    }

    /// For how long past batches of a stream are kept, in milliseconds.
    pub fn kept(&self, stream: &str) -> Option<u64> {
        self.kept.get(stream).copied()
    }

    /// The longest that past batches of any stream are kept, in milliseconds.
    pub fn longest_kept(&self) -> u64 {
        self.kept.values().copied().max().unwrap_or(0)
    }
}

/// The stream of a windowed aggregate's accumulators, of which a batch has one for each key.
pub(in crate::driver) fn partials(operator: &str) -> String {
    format!("{operator}.partials")
}

fn batch_window(window: &WindowSpec, input_slide: u64) -> BatchWindow {
    BatchWindow {
        length: window.length.map_or(input_slide, millis),
        slide: window.slide.map_or(input_slide, millis),
        ago: window.ago.map_or(0, millis),
    }
}

fn millis(period: Period) -> u64 {
    u64::try_from(period.0.as_millis()).unwrap_or(u64::MAX)
}

fn shown(millis: u64) -> Period {
    Period(Duration::from_millis(millis))
}
