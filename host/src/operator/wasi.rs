//! WASI 0.2 for guests whose toolchain asks for it, made a pure function of the task's [`Moment`].
//!
//! | asked for | given |
//! |---|---|
//! | wall clock, monotonic clock | the batch time; only a sleep moves them, at once, by as long as it was to take |
//! | randomness, seeds | what follows from the task's seed |
//! | environment, arguments, standard input | nothing |
//! | files | no folder is open, so no file can be opened |
//! | standard output, standard error | lines of the task's log; what was written to standard error says why a call trapped |
//! | exit | a verdict on the call |
//! | sockets | what is done with one, since libraries import that to read and write whatever is open; but none can be made |
//! | to make a socket, to look up a name, HTTP | not there: a component that imports it is not registered |
//!
//! Nothing here may wait, tell of the machine, or start a thread. A component that imports no WASI is linked
//! without it, and an instance that never asks has none of what is here.

mod clock;
mod io;
mod random;
mod stdio;

use std::sync::Arc;

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io::error, sockets, sync};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use self::clock::{Clock, WallClock};
use self::random::Randomness;
use self::stdio::Stdio;
use super::instance::{Host, LogLevel};
use super::moment::Moment;

/// The interfaces that are served, of any WASI 0.2.
pub(super) const INTERFACES: [&str; 24] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/udp",
];

/// Most streams, pollables and errors that an instance holds at once.
const RESOURCES: usize = 1024;

/// What one instance has of WASI.
pub(super) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    clock: Arc<Clock>,
    secure: Randomness,
    insecure: Randomness,
    insecure_seed: (u64, u64),
    stdio: Stdio,
}

impl Wasi {
    /// WASI at a moment.
    pub(super) fn new(moment: &Moment) -> Self {
        let (clock, stdio) = (Arc::new(Clock::at(moment.batch_time())), Stdio::default());
        let mut context = WasiCtx::builder();
        context.wall_clock(WallClock(clock.clone()));
        context.stdout(stdio.writer(LogLevel::Info)).stderr(stdio.writer(LogLevel::Error));
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Self {
            context: context.build(),
            table,
            clock,
            secure: Randomness::new(moment.seed("secure")),
            insecure: Randomness::new(moment.seed("insecure")),
            insecure_seed: Randomness::new(moment.seed("insecure-seed")).pair(),
            stdio,
        }
    }

    /// A call begins: what went to standard error before says nothing about it.
    pub(super) fn begin(&self) {
        self.stdio.begin();
    }

    /// What this call has written to standard error.
    pub(super) fn said(&self) -> Option<String> {
        self.stdio.said()
    }

    /// Takes the lines that were written; an unfinished one, too, where `all` are wanted.
    pub(super) fn take_lines(&self, all: bool) -> Vec<(LogLevel, String)> {
        self.stdio.take_lines(all)
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { context: ctx, table, .. } = self.wasi();
        WasiCtxView { ctx, table }
    }
}

/// The table of streams and their like.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// Offers all of [`INTERFACES`].
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    clock::link(linker)?;
    io::link(linker)?;
    random::link(linker)?;
    error::add_to_linker::<Host, Table>(linker, |host| &mut host.wasi().table)?;
    clocks::wall_clock::add_to_linker::<Host, WasiClocks>(linker, Host::clocks)?;
    cli::environment::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::exit::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stdin::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stdout::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stderr::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_input::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_output::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stdin::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stdout::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stderr::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    filesystem::preopens::add_to_linker::<Host, WasiFilesystem>(linker, Host::filesystem)?;
    sync::filesystem::types::add_to_linker::<Host, WasiFilesystem>(linker, Host::filesystem)?;
    let released = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<Host, WasiSockets>(linker, &released, Host::sockets)?;
    sockets::instance_network::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)?;
    sync::sockets::tcp::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)?;
    sync::sockets::udp::add_to_linker::<Host, WasiSockets>(linker, Host::sockets)
}
