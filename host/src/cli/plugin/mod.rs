//! `weir plugin`: components, from a new project to the registry.

mod build;
mod dev;
mod list;
mod new;
mod register;
mod remove;
mod show;
mod test;

use anyhow::Result;
use clap::Subcommand;

use crate::data_dir::DataDir;

/// What to do with components.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// Write a project for a new operator, in the language of your choice, that builds and passes its own test as it stands.
    New(new::Args),
    /// Build the operator project in a folder with its language's toolchain, and say where the component is.
    Build(build::Args),
    /// Build the project in a folder whenever it is saved, and swap what comes of it into a running pipeline.
    Dev(dev::Args),
    /// Register a component, so that pipelines can name it.
    Register(register::Args),
    /// List the registered components.
    List(list::Args),
    /// Show what a component is: world, digest, size, and with an input schema its columns.
    Show(show::Args),
    /// Run an operator on rows, with no pipeline; print the rows, what it logs, the rejects, and what it used.
    Test(test::Args),
    /// Forget a registered component.
    Remove(remove::Args),
}

pub(super) fn run(verb: Verb, data: &DataDir) -> Result<()> {
    match verb {
        Verb::New(args) => new::run(&args),
        Verb::Build(args) => build::run(&args),
        Verb::Dev(args) => dev::run(&args, data),
        Verb::Register(args) => register::run(&args, data),
        Verb::List(args) => list::run(&args, data),
        Verb::Show(args) => show::run(&args, data),
        Verb::Test(args) => test::run(args, data),
        Verb::Remove(args) => remove::run(&args, data),
    }
}
