//! `weir plugin dev`: a project at work in a running pipeline, built and swapped in again whenever a file of it is saved.
//!
//! What does not build or does not fit is told, and so is a swap that the host takes back; the stream goes on with what it
//! runs.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use notify::{Event, RecursiveMode, Watcher};

use crate::cli::swap::WATCHED;
use crate::control::{Client, RolledBack, SwapRequest, Swapped, WatchLimits};
use crate::data_dir::DataDir;
use crate::operator::{Digest, identity};
use crate::project::{Built, Project};

/// An editor writes a file in several steps, and several files one after the other: for so long nothing must have changed.
const QUIET: Duration = Duration::from_millis(200);

/// How often the host is asked whether it has taken a swap back.
const ASKED: Duration = Duration::from_secs(1);

/// What builds write into a project's folder.
const NOT_SOURCES: [&str; 9] = [
    "build",
    "target",
    "node_modules",
    "__pycache__",
    ".git",
    "Cargo.lock",
    "package-lock.json",
    ".zig-cache",
    "go.sum",
];

/// What to build, and where it runs.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The name of the operator in the pipeline file
    operator: String,

    /// The project's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let folder = args.folder.canonicalize().with_context(|| format!("cannot read {}", args.folder.display()))?;
    // What is wrong with these is wrong for good.
    Project::at(&args.folder)?;
    let running = Client::find(data, args.pipeline.as_deref())?.status()?.operators;
    let known: Vec<&str> = running.iter().map(|running| &*running.operator).collect();
    ensure!(
        known.contains(&&*args.operator),
        "the pipeline that runs has no component under the name `{}`; it has {}",
        args.operator,
        known.join(", ")
    );
    let (sender, changes) = channel();
    let watching = || format!("cannot watch {}", folder.display());
    let mut watcher = notify::recommended_watcher(sender).with_context(watching)?;
    watcher.watch(&folder, RecursiveMode::Recursive).with_context(watching)?;
    let mut watched = None;
    loop {
        match bring_in(args, data) {
            Ok(Some(swapped)) => watched = Some(swapped),
            Ok(None) => {}
            Err(error) => eprintln!("error: {error:#}"),
        }
        outln!("waiting for a change in {}; Ctrl-C ends this, and the stream goes on", args.folder.display())?;
        wait(&changes, &folder, || watched = watched.take().filter(|swapped| stays(args, data, swapped)))?;
    }
}

/// Builds the project, and swaps what came of it in if that is another component than the one that runs.
fn bring_in(args: &Args, data: &DataDir) -> Result<Option<Swapped>> {
    let project = Project::at(&args.folder)?;
    outln!("building")?;
    let Built { path, .. } = project.build()?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let own = identity(&bytes).context("the component does not say its name and version")?;
    let digest = Digest::of(&bytes);
    let client = Client::find(data, args.pipeline.as_deref())?;
    let operators = client.status()?.operators;
    if operators.iter().any(|running| running.operator == args.operator && running.digest == digest) {
        outln!("operator `{}` runs it already", args.operator)?;
        return Ok(None);
    }
    // Each build is a version of its own: a name never changes what it stands for.
    let version = format!("{}-dev.{}", own.version, &digest.hex()[..12]);
    let entry = data.registry().register(&bytes, Some(&own.name), Some(&version))?;
    let request = SwapRequest {
        operator: args.operator.clone(),
        component: Some(entry.name.to_string()),
        trial: None,
        watch: WatchLimits { batches: WATCHED, max_traps: 0 },
    };
    outln!("compiling, and swapping in {}", entry.name)?;
    let swapped = client.swap(&request)?;
    outln!("operator `{}` runs {} from batch {} on", args.operator, entry.name, swapped.first_batch)?;
    Ok(Some(swapped))
}

/// Whether a swap is watched still; tells of one that was taken back.
fn stays(args: &Args, data: &DataDir, swapped: &Swapped) -> bool {
    let status = Client::find(data, args.pipeline.as_deref()).and_then(|client| client.status());
    // A host that does not answer is told of with the next swap.
    let Ok(status) = status else { return true };
    if let Some(RolledBack { from, to, first_batch, why }) = status.rolled_back
        && from == swapped.to
        && first_batch >= swapped.first_batch
    {
        eprintln!(
            "error: operator `{}` runs {} again: {} was rolled back, with what it gave from batch {first_batch} on: {why}",
            to.operator, to.component, from.component
        );
        return false;
    }
    status.watch.is_some_and(|watch| watch.to == swapped.to)
}

/// Waits until a source has changed, and then until nothing changes any more. `meanwhile` is called now and then.
fn wait(changes: &Receiver<notify::Result<Event>>, folder: &Path, mut meanwhile: impl FnMut()) -> Result<()> {
    loop {
        match changes.recv_timeout(ASKED) {
            Err(RecvTimeoutError::Timeout) => meanwhile(),
            change => {
                let change = change.context("the project's folder cannot be watched any more")?;
                if is_of_source(&change.context("the project's folder cannot be watched any more")?, folder) {
                    break;
                }
            }
        }
    }
    while changes.recv_timeout(QUIET).is_ok() {}
    Ok(())
}

fn is_of_source(change: &Event, folder: &Path) -> bool {
    let kind = &change.kind;
    let is_source = |path: &PathBuf| {
        let inner = path.strip_prefix(folder).unwrap_or(path);
        let is_source = |name: &str| !NOT_SOURCES.contains(&name) && !name.ends_with('~') && !name.ends_with(".swp");
        inner.components().all(|part| part.as_os_str().to_str().is_some_and(is_source))
    };
    (kind.is_create() || kind.is_modify() || kind.is_remove()) && change.paths.iter().any(is_source)
}
