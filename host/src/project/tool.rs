//! The tools of a toolchain, run with their messages on standard error.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a tool and answers with what it printed to standard output. `install` says how a person gets it where it is not
/// there.
pub(super) fn run(command: &mut Command, install: &str) -> Result<Vec<u8>> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = match command.stderr(Stdio::inherit()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("there is no `{tool}`: {install}"),
        output => output.with_context(|| format!("cannot start `{tool}`"))?,
    };
    if !output.status.success() {
        bail!("the build failed: `{tool}` ended with {}", output.status);
    }
    Ok(output.stdout)
}

/// The first of several tools that is there.
pub(super) fn first<'t>(tools: &[&'t str]) -> Option<&'t str> {
    let is_there = |tool: &&&str| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(tool).is_file())
    };
    tools.iter().find(is_there).copied()
}
