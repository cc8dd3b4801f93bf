//! `weir plugin test`: an operator run on rows, with no pipeline of the user's.
//!
//! The rows go through the same plan nodes as in a stream, so what passes here passes there: a pipeline of one source,
//! the operator and one sink is run once, in a data folder of its own.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use bytesize::ByteSize;
use indexmap::IndexMap;

use crate::cli::check::operators;
use crate::data_dir::DataDir;
use crate::driver::{DeadLetters, Ground, Setup, Status, SystemClock, Typed, cores};
use crate::operator::{World, componentize, inspect};
use crate::pipeline::Pipeline;
use crate::rows::ColumnType;
use crate::source::Mode;
use crate::storage::Disk;
use crate::time::BatchTime;
use crate::units::Period;

/// What to run on what.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The component (.wasm), as `weir plugin build` leaves it
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The rows: .jsonl or .json (an object a line), .csv (with a header), or text (a line is a row, column `line`)
    #[arg(long, value_name = "ROWS")]
    input: PathBuf,

    /// Column types, where the inferred ones do not fit: name=type, with a comma between
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', value_parser = column)]
    schema: Vec<(String, ColumnType)>,

    /// The operator's config, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
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

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let at = || args.file.display().to_string();
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", at()))?;
    let world = inspect(&componentize(&bytes).with_context(at)?).with_context(at)?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let trial = DataDir::at(scratch.path());
    trial.registry().register(&bytes, Some("operator"), Some("trial")).with_context(at)?;
    let pipeline = pipeline(args, world)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (status, letters) = runtime.block_on(trial_run(&pipeline, &trial, data))?;
    eprint!("{letters}");
    let meter = status.meters.get("operator").cloned().unwrap_or_default();
    eprintln!(
        "{} rows in, {} out, {} rejected; {} fuel in {} calls, at most {} of memory",
        meter.rows_in,
        meter.rows_out,
        meter.rejected,
        meter.fuel,
        meter.calls,
        ByteSize::b(meter.peak_memory).display().iec()
    );
    if let Some(most) = args.max_fuel.filter(|most| meter.fuel > *most) {
        bail!(
            "{} used {} fuel, {:.1} % more than the {most} of --max-fuel; make it cheaper, or raise the limit if so much work \
             is meant",
            args.file.display(),
            meter.fuel,
            (meter.fuel as f64 / most.max(1) as f64 - 1.0) * 100.0
        );
    }
    Ok(())
}

/// The pipeline file of the trial.
fn pipeline(args: &Args, world: World) -> Result<String> {
    let input = args.input.canonicalize().with_context(|| format!("cannot read {}", args.input.display()))?;
    let config: toml::Table =
        serde_json::from_str(&args.config).context("--config must be a JSON object without nulls")?;
    let kind = match world {
        World::Transform => "transform",
        World::Aggregate => "aggregate",
        World::State if args.key.is_empty() => {
            bail!("{} keeps a state for each key: name the key's columns with --key", args.file.display())
        }
        World::State => "state",
        World::Sink => bail!("{} is of the world `{world}`, which this version does not run", args.file.display()),
    };
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
    let mut operator = toml::toml! { inputs = ["rows"] on_reject = "dead-letter" };
    operator.insert(kind.into(), "operator@trial".into());
    operator.insert("config".into(), config.into());
    operator.insert("key".into(), args.key.clone().into());
    if let Some(timeout) = args.timeout {
        operator.insert("timeout".into(), timeout.to_string().into());
    }
    if args.touch_all {
        operator.insert("touch".into(), "all".into());
    }
    let mut file = toml::toml! {
        name = "trial"
        [sinks.printed]
        type = "stdout"
        format = "json"
        inputs = ["operator"]
    };
    file.insert("sources".into(), toml::Table::from_iter([("rows".to_owned(), source.into())]).into());
    file.insert("operators".into(), toml::Table::from_iter([("operator".to_owned(), operator.into())]).into());
    Ok(toml::to_string(&file)?)
}

fn format(input: &Path) -> &'static str {
    match input.extension().and_then(|e| e.to_str()) {
        Some("jsonl" | "json" | "ndjson") => "json",
        Some("csv") => "csv",
        _ => "text",
    }
}

/// Runs the pipeline; gives its status and its dead letters.
async fn trial_run(pipeline: &str, trial: &DataDir, data: &DataDir) -> Result<(Status, String)> {
    // `${` in a path or a config of the user's stands for itself.
    let loaded = Pipeline::parse(&pipeline.replace("${", "$${"), Path::new("trial.toml"), &|_| None)?;
    // Compiled code is worth keeping; everything else goes with the scratch folder.
    let operators = operators(&trial.with_cache_of(data))?;
    let folder = trial.claim(&loaded.name)?.once()?;
    let typed = Typed::new(loaded, &operators).await?;
    let start = BatchTime::after(0, typed.loaded.pipeline.batch.interval.0);
    let setup = Setup {
        ground: Ground::default(),
        mode: Mode::Once,
        threads: cores(),
        start,
        clock: Arc::new(SystemClock),
        output: Arc::new(Mutex::new(std::io::stdout())),
        give_up: Vec::new(),
        on_batch: Box::new(|_| {}),
    };
    let (driver, _handle) = setup.open(typed, operators, &folder).await?;
    let status = driver.run().await?;
    let kept = DeadLetters::at(Arc::new(Disk), &folder.dead_letters());
    let batches =
        (0..status.batches).scan(start, |batch, _| Some(std::mem::replace(batch, batch.next(status.interval))));
    let letters = batches.map(|batch| kept.path(batch)).filter(|path| path.exists());
    let letters = letters.map(std::fs::read_to_string).collect::<Result<String, _>>()?;
    Ok((status, letters))
}
