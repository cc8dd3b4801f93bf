//! The `weir` command: a file for each verb.

#[macro_use]
mod out;

mod bundle;
mod check;
mod dead_letters;
mod plugin;
mod progress;
mod replay;
mod run;
mod schema;
mod sql;
mod state;
mod status;
mod swap;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::allocator;
use crate::data_dir::DataDir;

/// A stream processor. Streams are cut into small batches; your functions run as sandboxed WebAssembly components,
/// in any language; a result is exact, and a function can be replaced between two batches.
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Where components, logs and dead letters are kept [default: the platform's folder for a user's data]
    #[arg(long, global = true, env = "WEIR_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check a pipeline file: names, components, and the columns of every stream. Runs nothing.
    Check(check::Args),
    /// Run a pipeline until it is stopped (Ctrl-C: what was received is processed first) or its input ends.
    Run(run::Args),
    /// Show what a running host is doing.
    Status(status::Args),
    /// Ask a running host a query, over past batches of its streams, tables, and states.
    Sql(sql::Args),
    /// Read the states that an operator of a running host keeps, by key or all of them.
    #[command(subcommand, arg_required_else_help = true)]
    State(state::Verb),
    /// Replace the component of an operator of a running host, between two batches.
    Swap(swap::Args),
    /// See the rows that nobody could take, and send them through again.
    #[command(subcommand, arg_required_else_help = true)]
    DeadLetters(dead_letters::Verb),
    /// Compute a past batch again, as it was or with another component in an operator's place.
    Replay(replay::Args),
    /// Compute past batches again, and see that the same rows come out.
    Verify(verify::Args),
    /// Put what an operator was given in a past batch into a file, to be run elsewhere with `weir plugin test`.
    Bundle(bundle::Args),
    /// Make, build, try and register components.
    #[command(subcommand, arg_required_else_help = true)]
    Plugin(plugin::Verb),
    /// Print the JSON Schema of the pipeline file, for editors.
    Schema,
}

/// Runs the command line; errors are printed.
pub fn main() -> ExitCode {
    allocator::keep_freed();
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has read enough.
        Err(error) if out::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<()> {
    let data = DataDir::at(cli.data_dir.map_or_else(DataDir::default_root, Ok)?);
    match cli.verb {
        Verb::Check(args) => check::run(&args, &data),
        Verb::Run(args) => run::run(&args, &data),
        Verb::Status(args) => status::run(&args, &data),
        Verb::Sql(args) => sql::run(&args, &data),
        Verb::State(verb) => state::run(&verb, &data),
        Verb::Swap(args) => swap::run(&args, &data),
        Verb::DeadLetters(verb) => dead_letters::run(&verb, &data),
        Verb::Replay(args) => replay::run(&args, &data),
        Verb::Verify(args) => verify::run(&args, &data),
        Verb::Bundle(args) => bundle::run(&args, &data),
        Verb::Plugin(verb) => plugin::run(verb, &data),
        Verb::Schema => schema::run(),
    }
}
