//! The hashtag extractor in each language that it was built in: how large its component is, how long an instance takes to
//! come up, and how fast it is beside Rust's and beside the same function native.
//!
//! `./tests/bench/languages` builds the components and calls this with `LANGUAGE=FILE` for each. All take turns, so that a
//! busy machine is as busy for one as for the other; the table has medians.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use bytesize::ByteSize;
use weir::operator::{
    Components, Engine, Isolation, Limits, Metering, Moment, Registry, Runner, Transform, TransformRunner,
};
use weir::units::Size;

/// The rows of a call.
const ROWS: usize = 8000;

/// How often each is measured.
const ROUNDS: usize = 15;

/// How long a measurement takes at least: several calls, where one is short.
const AT_LEAST: Duration = Duration::from_millis(20);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::at(folder.path());
    let components = Components::new(Engine::fast().unwrap(), Registry::at(folder.path()), folder.path());
    let given = std::env::args().skip(1).filter_map(|arg| {
        let (name, file) = arg.split_once('=')?;
        Some((name.to_owned(), file.to_owned()))
    });
    let mut languages: Vec<Language> =
        given.map(|(name, file)| Language::new(name, &file, &registry, &components)).collect();
    let lines = lines();
    let batch = RecordBatch::try_new(schema(), vec![text(&lines)]).unwrap();
    let one = batch.slice(0, 1);
    let mut native = Vec::new();
    for _ in 0..ROUNDS {
        native.push(time(|| native_tags(black_box(&lines))));
        for language in &mut languages {
            language.measure(&batch, &one);
        }
    }
    let native = median(&native);
    let Some(rust) = languages.iter().find(|language| language.name == "rust").map(|rust| median(&rust.call)) else {
        eprintln!("give the components as LANGUAGE=FILE, Rust's among them; ./tests/bench/languages does");
        return;
    };
    println!("| language | component | an instance | million rows/s | of Rust | of native |");
    println!("|---|---|---|---|---|---|");
    for Language { name, size, call, fresh, .. } in &languages {
        let (call, fresh) = (median(call), median(fresh));
        println!(
            "| {name} | {} | {} | {:.2} | {:.2} | {:.2} |",
            ByteSize::b(*size).display().iec(),
            shown(fresh),
            ROWS as f64 / call / 1e6,
            rust / call,
            native / call
        );
    }
    println!("| (native Rust) | | | {:.2} | {:.2} | 1.00 |", ROWS as f64 / native / 1e6, rust / native);
}

/// A component, and what was measured of it, in seconds.
struct Language {
    name: String,
    size: u64,
    transform: Arc<Transform>,
    call: Vec<f64>,
    fresh: Vec<f64>,
}

impl Language {
    fn new(name: String, file: &str, registry: &Registry, components: &Components) -> Self {
        let entry = registry.register(&std::fs::read(file).unwrap(), None, None).unwrap();
        let limits = Limits { memory: Size(1 << 30), fuel: u64::MAX / 2, output: Size(256 << 20) };
        let compiled = components.get(entry.digest).unwrap();
        let transform = Arc::new(Transform::configure(compiled, "{}", &schema(), limits).unwrap());
        Self { name, size: entry.size, transform, call: Vec::new(), fresh: Vec::new() }
    }

    fn measure(&mut self, batch: &RecordBatch, one: &RecordBatch) {
        let task = || {
            let runner = TransformRunner::new(self.transform.clone(), Moment::NONE, Isolation::Every);
            runner.metered(Metering::WhenLong)
        };
        let mut runner = task();
        // The first call of an instance finds nothing in place.
        let tags = runner.run(one).unwrap().rows[0].num_rows();
        assert_eq!(tags, 1, "{} finds other tags", self.name);
        self.call.push(time(|| runner.run(black_box(batch)).unwrap()));
        let again = time(|| runner.run(one).unwrap());
        let fresh = time(|| {
            let mut runner = task();
            (runner.run(one).unwrap(), runner.take_meter())
        });
        self.fresh.push((fresh - again).max(0.0));
    }
}

/// Seconds that a call takes.
fn time<T>(mut work: impl FnMut() -> T) -> f64 {
    let (start, mut times) = (Instant::now(), 0);
    while start.elapsed() < AT_LEAST {
        black_box(work());
        times += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(times)
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn shown(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        seconds => format!("{:.1} ms", seconds * 1e3),
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]))
}

fn native_tags(lines: &[String]) -> ArrayRef {
    text(lines.iter().flat_map(|line| hashtags::hashtags(hashtags::Post { text: line }).map(|hashtag| hashtag.tag)))
}

fn text(values: impl IntoIterator<Item = impl AsRef<str>>) -> ArrayRef {
    let mut text = StringBuilder::new();
    values.into_iter().for_each(|value| text.append_value(value));
    Arc::new(text.finish())
}

/// Lines of 100 bytes, every tenth word a hashtag; the first has exactly one.
fn lines() -> Vec<String> {
    let mut seed = 42_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut line = |number: usize| {
        let mut line = if number == 0 { "#one".to_owned() } else { String::new() };
        while line.len() < 100 {
            line.push_str(if number > 0 && random(10) == 0 { " #" } else { " " });
            line.extend((0..3 + random(10)).map(|_| char::from(b'a' + random(26) as u8)));
        }
        line.truncate(100);
        line
    };
    (0..ROWS).map(&mut line).collect()
}
