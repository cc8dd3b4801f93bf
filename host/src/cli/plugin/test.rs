//! `weir plugin test`: an operator run on rows, with no pipeline of the user's.
//!
//! The rows go through the same plan nodes as in a stream, so what passes here passes there: a pipeline of one source,
//! the operator and one sink is run once, in a data folder of its own. Where the component is the sink, what it sends is
//! printed, and sent only to the origins that are allowed. What the operator logs is told as it is of a running pipeline.

mod expected;
mod outbox;

use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytesize::ByteSize;
use indexmap::IndexMap;

use self::expected::{Expected, Printed};
use self::outbox::Outbox;
use crate::cli::check::operators;
use crate::cli::progress;
use crate::counted::counted;
use crate::data_dir::{DataDir, PipelineDir};
use crate::driver::{Bundle, DeadLetters, Ground, Setup, SystemClock, Typed, Unbundled, cores};
use crate::operator::{ComponentName, Engine, Usage, World, componentize, identity, inspect};
use crate::origin::Origin;
use crate::pipeline::Pipeline;
use crate::plan::{OperatorMeter, Operators};
use crate::project::{Built, Project, Trial};
use crate::rows::ColumnType;
use crate::sink::{self, ComponentSink, Granted, Tally, json_writer};
use crate::source::Mode;
use crate::storage::Disk;
use crate::time::BatchTime;
use crate::units::Period;

/// How long the answer to a request of a sink may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

const NO_CONFIG: &str = "{}";

/// What to run on what.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The project's folder, which is built first; or a component (.wasm), as `weir plugin build` leaves it; or a bundle, which
    /// has all that it needs
    #[arg(value_name = "FOLDER or FILE", default_value = ".")]
    file: PathBuf,

    /// The rows: .jsonl or .json (an object a line), .csv (with a header), text (a line is a row, column `line`), or a bundle
    /// of another component, in whose place this one is run [default, of a project: its rows.jsonl]
    #[arg(long, value_name = "ROWS")]
    input: Option<PathBuf>,

    /// Fail unless the rows that come out are those of this file (.jsonl), in any order [default, of a project: its
    /// expected.jsonl, if it has one]
    #[arg(long, value_name = "ROWS")]
    expect: Option<PathBuf>,

    /// Column types, where the inferred ones do not fit: name=type, with a comma between
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', value_parser = column)]
    schema: Vec<(String, ColumnType)>,

    /// The operator's config, as JSON
    #[arg(long, value_name = "JSON", default_value = NO_CONFIG)]
    config: String,

    /// The columns of the key, of an aggregate or a state
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    key: Vec<String>,

    /// Rows a batch; batches are a second apart [default: all rows in one]
    #[arg(long, value_name = "N")]
    batch_rows: Option<NonZeroU32>,

    /// For a state: a key without rows for this long is called a last time, as in 5s
    #[arg(long, value_name = "TIME")]
    timeout: Option<Period>,

    /// For a state: call it with every known key in every batch
    #[arg(long)]
    touch_all: bool,

    /// For a sink: really send to this origin, as in http://localhost:8080, and deny others; several with commas, or given
    /// again [default: requests are printed, taken to have gone well, and not sent]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    allow: Vec<Origin>,

    /// Fail when more fuel is used: it is the same in every run and on every machine, so a build can be held to it
    #[arg(long, value_name = "FUEL")]
    max_fuel: Option<u64>,
}

fn column(text: &str) -> Result<(String, ColumnType), String> {
    let (name, kind) = text.split_once('=').ok_or("write name=type, as in amount=int64")?;
    let kind = serde_json::from_value(kind.into())
        .map_err(|_| format!("`{kind}` is no type; there is boolean, int64, float64, timestamp, utf8, binary"))?;
    Ok((name.to_owned(), kind))
}

pub(super) fn run(args: Args, data: &DataDir) -> Result<()> {
    progress::log_for_people();
    if args.file.is_dir() {
        return run_on(&args.of_project()?, data);
    }
    run_on(&args, data)
}

impl Args {
    /// The same, of the component that a project is built to, with what the project says of its test.
    fn of_project(self) -> Result<Self> {
        let project = Project::at(&self.file)?;
        let Built { path: file, .. } = project.build()?;
        let there = |name: &str| Some(project.folder().join(name)).filter(|path| path.exists());
        let Trial { key, config } = &project.manifest().trial;
        let is_own = self.input.is_none();
        Ok(Self {
            file,
            expect: self.expect.or_else(|| there("expected.jsonl").filter(|_| is_own)),
            input: self.input.or_else(|| there("rows.jsonl")),
            config: if self.config == NO_CONFIG { serde_json::to_string(config)? } else { self.config },
            key: if self.key.is_empty() { key.clone() } else { self.key },
            ..self
        })
    }
}

fn run_on(args: &Args, data: &DataDir) -> Result<()> {
    let at = || args.file.display().to_string();
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", at()))?;
    let bundle = bundled(args, &bytes)?;
    let expected = args.expect.as_deref().map(Expected::read).transpose()?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let trial = DataDir::at(scratch.path());
    let printed = Printed::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let used = if let Some(bundle) = bundle {
        ensure!(expected.is_none(), "a bundle knows itself which rows came: leave --expect out");
        let component = if args.input.is_some() { &bytes } else { bundle.component() };
        runtime.block_on(unbundled(&bundle, component, &args.file, &trial, data)).with_context(at)?
    } else {
        let world = inspect(&componentize(&bytes).with_context(at)?).with_context(at)?.world;
        // Errors name it as its author does.
        let own = identity(&bytes);
        let (name, version) =
            own.as_ref().map_or(("operator", "trial"), |own| (own.name.as_str(), own.version.as_str()));
        let entry = trial.registry().register(&bytes, Some(name), Some(version)).with_context(at)?;
        ensure!(
            world != World::Sink || expected.is_none(),
            "a sink sends requests, not rows: --expect is for operators"
        );
        runtime.block_on(trial_run(&pipeline(args, world, &entry.name)?, world, args, &trial, data, &printed))?
    };
    eprintln!("{used}");
    if let Some(expected) = expected {
        expected.check(&printed.text())?;
    }
    if let Some(most) = args.max_fuel.filter(|most| used.fuel > *most) {
        bail!(
            "{} used {} fuel, {:.1} % more than the {most} of --max-fuel; make it cheaper, or raise the limit if so much work \
             is meant",
            args.file.display(),
            used.fuel,
            (used.fuel as f64 / most.max(1) as f64 - 1.0) * 100.0
        );
    }
    Ok(())
}

/// The bundle that is to be run, if it is one.
fn bundled(args: &Args, file: &[u8]) -> Result<Option<Bundle>> {
    let (path, bytes) = match &args.input {
        _ if Bundle::is_one(file) => {
            ensure!(args.input.is_none(), "a bundle has its rows with it: leave --input out");
            (&args.file, file.to_vec())
        }
        Some(input) => (input, std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?),
        None => return Ok(None),
    };
    if !Bundle::is_one(&bytes) {
        return Ok(None);
    }
    let own = !args.schema.is_empty() || args.config != NO_CONFIG || !args.key.is_empty() || args.batch_rows.is_some();
    ensure!(
        !own && args.timeout.is_none() && !args.touch_all && args.allow.is_empty(),
        "{} says itself which columns, key, config and limits there are: of the options only --input and --max-fuel go with a \
         bundle",
        path.display()
    );
    Bundle::from_bytes(&bytes).map(Some).with_context(|| path.display().to_string())
}

/// Runs a component on what a bundle has, prints the rows and the dead letters, and tells what was used.
async fn unbundled(bundle: &Bundle, component: &[u8], file: &Path, trial: &DataDir, data: &DataDir) -> Result<Used> {
    let digest = trial.registry().register(component, Some("operator"), Some("trial"))?.digest;
    let then = bundle.call();
    let is_same = digest == then.digest;
    let name = if is_same { then.component.clone() } else { file.display().to_string() };
    let operators = operators(&trial.with_cache_of(data), Engine::counting()?);
    let Unbundled { rows, report, same } = bundle.run(&name, digest, operators, trial.root()).await?;
    let mut lines = json_writer(Vec::new());
    rows.iter().try_for_each(|rows| lines.write(rows))?;
    out!("{}", String::from_utf8_lossy(&lines.into_inner()))?;
    for letter in &report.dead_letters {
        eprintln!("{}", serde_json::to_string(letter)?);
    }
    match same {
        Some(true) => eprintln!("the same rows as in batch {}", bundle.batch),
        Some(false) => eprintln!("OTHER ROWS than in batch {}", bundle.batch),
        None => {}
    }
    let meter = report.meters.get(&then.operator).cloned().unwrap_or_default();
    Ok(Used::of(meter))
}

/// The pipeline file of the trial.
fn pipeline(args: &Args, world: World, component: &ComponentName) -> Result<String> {
    let input = args.input.as_ref().context("name the rows with --input, or give a bundle (see `weir bundle`)")?;
    let input = input.canonicalize().with_context(|| format!("cannot read {}", input.display()))?;
    let config: toml::Table =
        serde_json::from_str(&args.config).context("--config must be a JSON object without nulls")?;
    let kind = match world {
        World::Transform => "transform",
        World::Aggregate => "aggregate",
        World::State if args.key.is_empty() => {
            bail!("{} keeps a state for each key: name the key's columns with --key", args.file.display())
        }
        World::State => "state",
        World::Sink => "component",
    };
    if world != World::Sink && !args.allow.is_empty() {
        bail!("{} is of the world `{world}`, which sends nothing: --allow is for sinks", args.file.display());
    }
    if world == World::Sink && (!args.key.is_empty() || args.timeout.is_some() || args.touch_all) {
        bail!("{} is a sink: --key, --timeout and --touch-all are for other operators", args.file.display());
    }
    let mut source = toml::toml! { type = "file" };
    source.insert("path".into(), input.to_string_lossy().into_owned().into());
    source.insert("format".into(), format(&input).into());
    source.insert("on_reject".into(), "dead-letter".into());
    if let Some(rows) = args.batch_rows {
        source.insert("rate".into(), format!("{rows}/s").into());
    }
    if !args.schema.is_empty() {
        let columns: IndexMap<_, _> = args.schema.iter().map(|(n, t)| (n.clone(), t.to_string())).collect();
        source.insert("schema".into(), toml::Value::try_from(columns)?);
    }
    let mut file = toml::toml! { name = "trial" };
    file.insert("sources".into(), table("rows", source));
    if world == World::Sink {
        let mut sink = toml::toml! { type = "component" inputs = ["rows"] on_reject = "skip" };
        sink.insert(kind.into(), component.to_string().into());
        sink.insert("config".into(), config.into());
        file.insert("sinks".into(), table("operator", sink));
        return Ok(toml::to_string(&file)?);
    }
    let mut operator = toml::toml! { inputs = ["rows"] on_reject = "dead-letter" };
    operator.insert(kind.into(), component.to_string().into());
    operator.insert("config".into(), config.into());
    operator.insert("key".into(), args.key.clone().into());
    if let Some(timeout) = args.timeout {
        operator.insert("timeout".into(), timeout.to_string().into());
    }
    if args.touch_all {
        operator.insert("touch".into(), "all".into());
    }
    file.insert("operators".into(), table("operator", operator));
    file.insert(
        "sinks".into(),
        table("printed", toml::toml! { type = "stdout" format = "json" inputs = ["operator"] }),
    );
    Ok(toml::to_string(&file)?)
}

/// A table with one entry.
fn table(name: &str, entry: toml::Table) -> toml::Value {
    toml::Table::from_iter([(name.to_owned(), entry.into())]).into()
}

fn format(input: &Path) -> &'static str {
    match input.extension().and_then(|e| e.to_str()) {
        Some("jsonl" | "json" | "ndjson") => "json",
        Some("csv") => "csv",
        _ => "text",
    }
}

/// What came of a trial, in a line.
struct Used {
    rows_in: u64,
    /// Rows of an operator's output, or requests of a sink.
    out: String,
    rejected: u64,
    fuel: u64,
    calls: u64,
    peak_memory: u64,
}

impl Used {
    fn of(meter: OperatorMeter) -> Self {
        let OperatorMeter { rows_in, rows_out, rejected, fuel, calls, peak_memory, .. } = meter;
        Self { rows_in, out: format!("{rows_out} out"), rejected, fuel, calls, peak_memory }
    }
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows_in, out, rejected, fuel, calls, peak_memory } = self;
        let memory = ByteSize::b(*peak_memory).display().iec();
        write!(
            f,
            "{} in, {out}, {rejected} rejected; {fuel} fuel in {}, at most {memory} of memory",
            counted(*rows_in, "row"),
            counted(*calls, "call")
        )
    }
}

/// Runs the pipeline, prints its dead letters, and tells what was used.
async fn trial_run(
    pipeline: &str,
    world: World,
    args: &Args,
    trial: &DataDir,
    data: &DataDir,
    printed: &Printed,
) -> Result<Used> {
    // `${` in a path or a config of the user's stands for itself.
    let loaded = Pipeline::parse(&pipeline.replace("${", "$${"), Path::new("trial.toml"), &|_| None)?;
    // Compiled code is worth keeping; everything else goes with the scratch folder.
    let operators = operators(&trial.with_cache_of(data), Engine::counting()?);
    let folder = trial.claim(&loaded.name)?.once()?;
    let typed = Typed::new(loaded, &operators).await?;
    let start = BatchTime::after(0, typed.loaded.pipeline.batch.interval.0);
    let mut ground = Ground::default();
    let mut tried = None;
    if world == World::Sink {
        let (sink, outbox) = tried_sink(&typed, args, &operators, &folder)?;
        ground.sinks.insert("operator".to_owned(), sink.clone());
        tried = Some((sink, outbox));
    }
    let setup = Setup {
        ground,
        mode: Mode::Once,
        threads: cores(),
        start,
        clock: Arc::new(SystemClock),
        output: printed.writer(),
        give_up: Vec::new(),
        drop_swaps: false,
        on_batch: Box::new(|_| {}),
    };
    let (driver, _handle) = setup.open(typed, operators, &folder).await?;
    let status = driver.run().await?;
    let kept = DeadLetters::at(Arc::new(Disk), &folder.dead_letters());
    let batches =
        (0..status.batches).scan(start, |batch, _| Some(std::mem::replace(batch, batch.next(status.interval))));
    let letters = batches.map(|batch| kept.path(batch)).filter(|path| path.exists());
    let letters = letters.map(std::fs::read_to_string).collect::<Result<String, _>>()?;
    eprint!("{letters}");
    if let Some((sink, outbox)) = tried {
        let Tally { rows, rejected, used } = sink.tally();
        let out = counted(outbox.requests(), "request");
        let Usage { fuel, calls, peak_memory, .. } = used;
        return Ok(Used { rows_in: rows, out, rejected, fuel, calls, peak_memory });
    }
    Ok(Used::of(status.meters.get("operator").cloned().unwrap_or_default()))
}

/// The sink that is tried, and where what it sends ends up.
fn tried_sink(
    typed: &Typed,
    args: &Args,
    operators: &Operators,
    folder: &PipelineDir,
) -> Result<(Arc<ComponentSink>, Arc<Outbox>)> {
    let granted =
        (!args.allow.is_empty()).then(|| Granted::new("--allow".to_owned(), args.allow.clone(), ANSWER_TIMEOUT));
    let outbox = Arc::new(Outbox::new(granted));
    let spec = &typed.loaded.pipeline.sinks["operator"];
    let (input, components) = (typed.union(spec.inputs())?, operators.components());
    let sink = sink::open_component("test", "test", spec, &input, components, outbox.clone(), &folder.spool())?;
    Ok((Arc::new(sink), outbox))
}
