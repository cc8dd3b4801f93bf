//! What a call into a guest costs, and a row in it, beside the same function native.
//!
//! `cargo bench -p weir` measures the plugins grep, words and hashtags on lines of 100 bytes: calls of 1 to 65536 rows,
//! the same rows native, and a fresh task. At the end it prints each operator's cost as so much a call and so much a row,
//! fitted over the calls, and the sandbox's speed as a part of native speed.
//!
//! Native answers with the same Arrow column as the host has after a call, and nothing crosses. For grep and hashtags it
//! is the plugin's own crate as an ordinary library. For words it is `split_ascii_whitespace`, since the plugin's search
//! is vectorized for WebAssembly alone.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should say where")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use criterion::{BenchmarkId, Criterion, Throughput};
use weir::operator::{
    Components, Engine, Isolation, Limits, Metering, Moment, Registry, Runner, Transform, TransformRunner,
};
use weir::units::Size;
use weir_guest::Chunk;
use weir_guest::bindings::rows::{Batch, Column, DataType as GuestType, Field as GuestField, Values, VarLen};
use weir_guest::transform::{Operator, Origin};

const ROWS: [usize; 5] = [1, 64, 1024, 8192, 65_536];

/// The rows of the calls by which native and sandbox are compared: what a pipeline sends in one call.
const TYPICAL: usize = 8192;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    let bench = Bench::new();
    let costs = [
        bench.run(&mut criterion, "grep", "line", GREP, native_grep),
        bench.run(&mut criterion, "words", "line", "{}", |lines| {
            Box::new(|| text(lines.iter().flat_map(|line| line.split_ascii_whitespace())))
        }),
        bench.run(&mut criterion, "hashtags", "text", "{}", |lines| {
            let tags = |text| hashtags::hashtags(hashtags::Post { text }).map(|hashtag| hashtag.tag);
            Box::new(move || text(lines.iter().flat_map(|line| tags(line))))
        }),
    ];
    criterion.final_summary();
    print_costs(&costs);
}

const GREP: &str = r#"{"pattern": "needle"}"#;

/// A function over some lines, ready to be called.
type Native<'a> = Box<dyn Fn() -> ArrayRef + 'a>;

/// What the operators share: lines, and where components come from.
struct Bench {
    lines: Vec<String>,
    plugins: PathBuf,
    components: Components,
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::at(folder.path());
        let engine = Engine::fast().unwrap();
        let components = Components::new(engine, Registry::at(folder.path()), folder.path());
        Self { lines: lines(ROWS[ROWS.len() - 1]), plugins: build(), components, registry, _folder: folder }
    }

    fn run(
        &self,
        criterion: &mut Criterion,
        name: &'static str,
        column: &str,
        config: &str,
        native: impl for<'a> Fn(&'a [String]) -> Native<'a>,
    ) -> Cost {
        let schema = Schema::new(vec![Field::new(column, DataType::Utf8, false)]);
        let transform = self.transform(name, config, &schema);
        let batch = |lines: &[String]| RecordBatch::try_new(Arc::new(schema.clone()), vec![text(lines)]).unwrap();
        let task =
            || TransformRunner::new(transform.clone(), Moment::NONE, Isolation::Every).metered(Metering::WhenLong);

        let mut cost = Cost { name, calls: Vec::new(), native: Samples::default(), fresh: Samples::default() };
        let mut runner = task();
        let mut group = criterion.benchmark_group(name);
        for rows in ROWS {
            let lines = &self.lines[..rows];
            let (batch, native) = (batch(lines), native(lines));
            assert_eq!(runner.run(&batch).unwrap().rows[0].column(0), &native());

            group.throughput(Throughput::Elements(rows as u64));
            let mut calls = Samples::default();
            group.bench_function(BenchmarkId::new("sandbox", rows), |b| {
                b.iter_custom(|times| calls.measure(times, || runner.run(black_box(&batch)).unwrap()));
            });
            cost.calls.push((rows, calls));
            let mut calls = Samples::default();
            group.bench_function(BenchmarkId::new("native", rows), |b| {
                b.iter_custom(|times| calls.measure(times, &native));
            });
            if rows == TYPICAL {
                cost.native = calls;
            }
        }
        group.finish();

        let one = batch(&self.lines[..1]);
        criterion.bench_function(&format!("{name}/fresh task"), |b| {
            b.iter_custom(|times| {
                cost.fresh.measure(times, || {
                    let mut runner = task();
                    (runner.run(&one).unwrap(), runner.take_meter())
                })
            });
        });
        cost
    }

    fn transform(&self, name: &str, config: &str, schema: &Schema) -> Arc<Transform> {
        let bytes = std::fs::read(self.plugins.join(format!("{name}.wasm"))).unwrap();
        let entry = self.registry.register(&bytes, None, None).unwrap();
        let compiled = self.components.get(entry.digest).unwrap();
        let limits = Limits { memory: Size(256 << 20), fuel: u64::MAX / 2, output: Size(256 << 20) };
        Arc::new(Transform::configure(compiled, config, schema, limits).unwrap())
    }
}

/// The plugin searches all lines at once, so it is given them as the sandbox would be, and its answer taken up as by the
/// host.
fn native_grep(lines: &[String]) -> Native<'_> {
    let field = GuestField { name: "line".to_owned(), data_type: GuestType::Utf8, nullable: false };
    let (operator, _) = grep::grep::configure(GREP, &[field]).unwrap();
    let (chunk, column) = (chunk(lines), text(lines));
    Box::new(move || match operator.apply(black_box(&chunk)).unwrap().origin {
        Origin::Same => column.clone(),
        Origin::From(from) => take(&column, &UInt32Array::from(from), None).unwrap(),
    })
}

fn text(values: impl IntoIterator<Item = impl AsRef<str>>) -> ArrayRef {
    let mut text = StringBuilder::new();
    values.into_iter().for_each(|value| text.append_value(value));
    Arc::new(text.finish())
}

fn chunk(lines: &[String]) -> Chunk {
    let ends = lines.iter().scan(0, |end, line| {
        *end += line.len() as i32;
        Some(*end)
    });
    let offsets = std::iter::once(0).chain(ends).collect();
    let values = Values::Utf8(VarLen { offsets, data: lines.concat().into_bytes() });
    Chunk::new(Batch { row_count: lines.len() as u32, columns: vec![Column { values, validity: None }] }).unwrap()
}

/// Lines of exactly 100 bytes: words of 3 to 12 letters, every tenth a hashtag, and `needle` in every hundredth line.
fn lines(count: usize) -> Vec<String> {
    let mut seed = 42_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut line = |number: usize| {
        // The first line is also the only row of the smallest call.
        let mut line = if number.is_multiple_of(100) { "needle #tag".to_owned() } else { String::new() };
        while line.len() < 100 {
            line.push_str(if random(10) == 0 { " #" } else { " " });
            line.extend((0..3 + random(10)).map(|_| char::from(b'a' + random(26) as u8)));
        }
        line.truncate(100);
        line
    };
    (0..count).map(&mut line).collect()
}

/// Builds the plugins, and says in which folder they are.
fn build() -> PathBuf {
    let target = "wasm32-unknown-unknown";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = ["-p", "grep", "-p", "words", "-p", "hashtags"];
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--target", target]).args(packages).current_dir(&root);
    assert!(cargo.status().unwrap().success(), "the plugins do not build");
    // The benchmark itself lies in the target folder: <target>/release/deps/guest_call-….
    let itself = std::env::current_exe().unwrap();
    itself.ancestors().nth(3).unwrap().join(target).join("release")
}

/// What was measured of an operator.
struct Cost {
    name: &'static str,
    calls: Vec<(usize, Samples)>,
    native: Samples,
    fresh: Samples,
}

/// Nanoseconds that something took.
#[derive(Default)]
struct Samples(Vec<f64>);

impl Samples {
    fn measure<T>(&mut self, times: u64, mut work: impl FnMut() -> T) -> Duration {
        let start = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        let took = start.elapsed();
        self.0.push(took.as_nanos() as f64 / times as f64);
        took
    }

    fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

fn print_costs(costs: &[Cost]) {
    println!("| operator | a call | a row | a row native | speed of native | a fresh task of one row |");
    println!("|---|---|---|---|---|---|");
    for Cost { name, calls, native, fresh } in costs {
        let calls: Vec<_> = calls.iter().filter_map(|(rows, took)| Some((*rows as f64, took.median()?))).collect();
        let typical = calls.iter().find(|(rows, _)| *rows == TYPICAL as f64);
        // Nothing to print where only some benchmarks were asked for.
        let (Some((_, typical)), Some(native), Some(fresh)) = (typical, native.median(), fresh.median()) else {
            continue;
        };
        let (call, row) = fit(&calls);
        println!(
            "| {name} | {:.1} µs | {row:.1} ns | {:.1} ns | {:.2} | {:.0} µs |",
            call / 1e3,
            native / TYPICAL as f64,
            native / typical,
            fresh / 1e3,
        );
    }
}

/// The cost of a call and of a row: the line through the measurements that has the least relative error.
fn fit(calls: &[(f64, f64)]) -> (f64, f64) {
    let (mut s, mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in calls {
        let weight = 1.0 / (y * y);
        s += weight;
        sx += weight * x;
        sy += weight * y;
        sxx += weight * x * x;
        sxy += weight * x * y;
    }
    let row = (s * sxy - sx * sy) / (s * sxx - sx * sx);
    ((sy - row * sx) / s, row)
}
