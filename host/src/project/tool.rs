//! The tools of a toolchain, run with their messages on standard error.

use std::io::ErrorKind;
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Runs a tool and answers with what it printed to standard output. `install` says how a person gets it where it is not
/// there.
pub(super) fn run(command: &mut Command, install: &str) -> Result<Vec<u8>> {
    let Output { status, stdout, .. } = output(command.stderr(Stdio::inherit()), install)?;
    succeeded(command, status, install)?;
    Ok(stdout)
}

/// Runs a tool that says too much: of its messages only what `telling` finds is told, if it fails.
pub(super) fn run_telling(command: &mut Command, install: &str, telling: fn(&str) -> &str) -> Result<()> {
    let Output { status, stderr, .. } = output(command, install)?;
    if !status.success() {
        eprintln!("{}", telling(&String::from_utf8_lossy(&stderr)));
    }
    succeeded(command, status, install)
}

fn output(command: &mut Command, install: &str) -> Result<Output> {
    let tool = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("there is no `{tool}`: {install}"),
        output => output.with_context(|| format!("cannot start `{tool}`")),
    }
}

fn succeeded(command: &Command, status: ExitStatus, install: &str) -> Result<()> {
    let tool = command.get_program().to_string_lossy();
    // What a shell and `env` answer with, when a script's interpreter is not there.
    ensure!(status.code() != Some(127), "what `{tool}` runs on is not there: {install}");
    ensure!(status.success(), "the build failed: `{tool}` ended with {status}");
    Ok(())
}

/// The first of several tools that is there.
pub(super) fn first<'t>(tools: &[&'t str]) -> Option<&'t str> {
    let is_there = |tool: &&&str| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(tool).is_file())
    };
    tools.iter().find(is_there).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script: &str, told: &str) {
        let ran = run(Command::new("sh").args(["-c", script]), "install it");
        assert_eq!(ran.map_err(|error| error.to_string()), Err(told.to_owned()));
    }

    #[test]
    fn a_tool_that_fails_and_one_whose_interpreter_is_missing_are_told_apart() {
        check("exit 127", "what `sh` runs on is not there: install it");
        check("exit 1", "the build failed: `sh` ended with exit status: 1");
    }
}
