//! `weir run`: a pipeline at work.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::check::{load, operators};
use super::progress;
use crate::control;
use crate::counted::counted;
use crate::data_dir::{DataDir, HostFile};
use crate::driver::{Ground, Handle, Setup, Status, SystemClock, Typed, cores, forget};
use crate::operator::Engine;
use crate::plan::Operators;
use crate::query::{Catalog, Reader};
use crate::source::Mode;
use crate::storage::Disk;
use crate::time::BatchTime;
use crate::units::Size;

/// What to run, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Process all the input that there is, then exit: the same pipeline as a batch job. Batch times are counted from
    /// --start, not taken from the clock, so the same input gives the same output
    #[arg(long)]
    once: bool,

    /// With --once: the instant at which the first batch begins, as in 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z", requires = "once", value_parser = instant)]
    start: SystemTime,

    /// Begin anew: forget the states, the past batches, how far sources were read, and what was received and not processed.
    /// What sinks hold stays. A run with --once always begins anew
    #[arg(long, conflicts_with = "once")]
    fresh: bool,

    /// Go on without what the pipeline, as it is now, cannot keep of these operators and sources
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "once")]
    give_up: Vec<String>,

    /// Run what the pipeline file names, though other components were swapped in when the host ran last
    #[arg(long, conflicts_with_all = ["once", "fresh"])]
    drop_swaps: bool,

    /// Count the fuel of all calls, for `weir status` and the batch log. Without it, it is counted where a call takes long,
    /// and operators are faster. Results are the same
    #[arg(long)]
    metered: bool,

    /// Threads on which operators run [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Where the control API listens; anyone who can reach it can swap operators. Port 0: any free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: SocketAddr,

    /// Memory that all queries of `weir sql` together may use
    #[arg(long, value_name = "SIZE", default_value = "256 MiB")]
    query_memory: Size,
}

/// How long answers may take on their way when the host has come to its end.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// 9000-01-01, after 1970.
const LATEST_START: Duration = Duration::from_secs(221_845_392_000);

fn instant(text: &str) -> Result<SystemTime, String> {
    let instant = humantime::parse_rfc3339_weak(text).map_err(|e| format!("{e}; write it as 2026-01-31T00:00:00Z"))?;
    // Batch times go on from there, and the year after 9999 cannot be written.
    if instant >= SystemTime::UNIX_EPOCH + LATEST_START {
        return Err("too late: the year must be before 9000".to_owned());
    }
    Ok(instant)
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    progress::log();
    let loaded = load(&args.file)?;
    let engine = if args.metered { Engine::counting()? } else { Engine::fast()? };
    let operators = operators(data, engine);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let status = runtime.block_on(host(args, data, loaded, operators))?;
    if status.rejected > 0 {
        let folder = data.dead_letters(&status.pipeline, args.once);
        let kept =
            if folder.exists() { format!("; dead letters are kept in {}", folder.display()) } else { String::new() };
        let were = if status.rejected == 1 { "was" } else { "were" };
        eprintln!("{} {were} rejected{kept}", counted(status.rejected, "row"));
    }
    for (operator, meter) in status.meters.iter().filter(|(_, meter)| meter.late > 0) {
        let windows = if meter.late == 1 { "its window" } else { "their windows" };
        eprintln!("{} came to operator `{operator}` after {windows} had closed", counted(meter.late, "row"));
    }
    Ok(())
}

async fn host(
    args: &Args,
    data: &DataDir,
    loaded: crate::pipeline::Loaded,
    operators: Arc<Operators>,
) -> Result<Status> {
    let mut typed = Typed::new(loaded, &operators).await?;
    let name = typed.loaded.name.clone();
    let mut folder = data.claim(&name)?;
    if args.once {
        folder = folder.once()?;
    } else if args.fresh {
        forget(Arc::new(Disk), &folder)?;
    }
    let interval = typed.loaded.pipeline.batch.interval.0;
    let start = args.start.duration_since(SystemTime::UNIX_EPOCH);
    let start = start.context("--start must not be before 1970")?;
    let setup = Setup {
        ground: Ground::default(),
        mode: if args.once { Mode::Once } else { Mode::Live },
        threads: args.threads.unwrap_or_else(cores),
        start: BatchTime::after(u64::try_from(start.as_millis())?, interval),
        clock: Arc::new(SystemClock),
        output: Arc::new(Mutex::new(std::io::stdout())),
        give_up: args.give_up.clone(),
        drop_swaps: args.drop_swaps,
        on_batch: Box::new(progress::batch),
    };
    let (driver, handle) = setup.open(typed.clone(), operators.clone(), &folder).await?;
    if driver.has_ended() {
        eprintln!(
            "all input of pipeline `{name}` was read to its end by an earlier run: there is nothing to do. To read it again, \
             begin anew with --fresh"
        );
    }
    // The driver reads tables again as time goes; the first rows of each must not stay in memory for that.
    typed.forget_rows();

    let reader = Reader::new(handle.store().clone(), Catalog::of(&typed), args.query_memory)?;

    let listener = TcpListener::bind(args.control).await;
    let listener = listener.with_context(|| format!("the control API cannot listen on {}", args.control))?;
    let address = listener.local_addr()?;
    let _announced = folder.announce(&HostFile { pipeline: name.clone(), address, pid: std::process::id() })?;
    tracing::info!(pipeline = %name, control = %address, data_dir = %data.root().display(), "started");

    let over = CancellationToken::new();
    let api = control::serve(listener, handle.clone(), operators, reader, folder.spool(), over.clone());
    let api = tokio::spawn(api);
    let signals = tokio::spawn(stop_on_signals(handle));
    let status = driver.run().await;
    over.cancel();
    // Who asked has an answer by now; reading the host's data may be broken off.
    let _ = tokio::time::timeout(LAST_ANSWERS, api).await;
    signals.abort();
    status
}

/// The first SIGINT or SIGTERM drains; the second ends the process at once.
async fn stop_on_signals(handle: Handle) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async || tokio::select! { _ = interrupt.recv() => 130, _ = terminate.recv() => 143 };
    next().await;
    tracing::info!("stopping: processing what was received; once more to end at once");
    handle.stop().await;
    let code = next().await;
    std::process::exit(code);
}
