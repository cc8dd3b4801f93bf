//! `weir dead-letters`: the rows that nobody could take, listed and sent through again.

use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};

use super::replay::pipeline;
use crate::control::{Client, Sent, Wanted};
use crate::counted::counted;
use crate::data_dir::DataDir;
use crate::driver::{DeadLetters, Letter};
use crate::storage::Disk;
use crate::time::BatchTime;

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// Print the dead letters, a line for each; a host need not run
    List(List),
    /// Have the running host send letters through again with its next batch, each where it was rejected. What is rejected
    /// once more is a letter of that batch
    Retry(Retry),
}

/// Which letters, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    /// The pipeline, where the data folder knows several
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,

    /// Only those of this operator or source
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,

    /// Those of the last run with --once, not of the live ones
    #[arg(long)]
    once: bool,

    /// How to print them: for people, with long rows cut short, or whole, as JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How letters are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// Which letters.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Retry {
    /// Those of this operator or source
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,

    /// Those of this batch: its time, as in 2026-01-31T12:00:00.500Z, or in milliseconds since 1970
    #[arg(long, value_name = "BATCH")]
    batch: Option<BatchTime>,

    /// All letters
    #[arg(long, required_unless_present_any = ["operator", "batch"], conflicts_with_all = ["operator", "batch"])]
    all: bool,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

pub(super) fn run(verb: &Verb, data: &DataDir) -> Result<()> {
    match verb {
        Verb::List(args) => list(args, data),
        Verb::Retry(args) => retry(args, data),
    }
}

fn list(args: &List, data: &DataDir) -> Result<()> {
    let name = pipeline(args.pipeline.as_deref(), data)?;
    ensure!(
        data.pipelines()?.contains(&name),
        "no pipeline `{name}` was run with the data folder {}",
        data.root().display()
    );
    let letters = DeadLetters::at(Arc::new(Disk), &data.dead_letters(&name, args.once));
    let (mut count, mut stay) = (0_u64, 0_u64);
    for batch in letters.batches()? {
        for letter in letters.of(batch)? {
            if args.operator.as_ref().is_some_and(|operator| *operator != letter.rejected.operator) {
                continue;
            }
            match args.format {
                Format::Text => outln!("{}", line(&letter))?,
                Format::Json => outln!("{}", serde_json::to_string(&letter)?)?,
            }
            count += 1;
            stay += u64::from(letter.rejected.stays.is_some());
        }
    }
    let ending = match (count, stay) {
        (0, _) if !args.once && has_letters(&name, true, data) => {
            "no dead letters of live runs; the last run with --once has some: list them with --once".to_owned()
        }
        (0, _) => "no dead letters".to_owned(),
        (count, 0) => letters_of(count),
        (count, stay) => format!("{}, {stay} of them not to be sent through again", letters_of(count)),
    };
    match args.format {
        Format::Text => outln!("{ending}"),
        // The lines are for machines.
        Format::Json => {
            eprintln!("{ending}");
            Ok(())
        }
    }
}

/// Whether there are dead letters of a pipeline's live runs, or of its last run over all input.
fn has_letters(pipeline: &str, once: bool, data: &DataDir) -> bool {
    let letters = DeadLetters::at(Arc::new(Disk), &data.dead_letters(pipeline, once));
    letters.batches().is_ok_and(|batches| !batches.is_empty())
}

fn letters_of(count: u64) -> String {
    counted(count, "dead letter")
}

/// Most characters of a row that a line shows.
const ROW: usize = 200;

fn line(letter: &Letter) -> String {
    let Letter { batch_time, rejected } = letter;
    let component = rejected.component.as_deref().unwrap_or("-");
    let reason = rejected.reason.lines().collect::<Vec<_>>().join(" ");
    format!("{batch_time}  {}  {component}  {reason}  {}", rejected.operator, short(&rejected.row.to_string(), ROW))
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn retry(args: &Retry, data: &DataDir) -> Result<()> {
    let wanted = Wanted { operator: args.operator.clone(), batch: args.batch };
    let client = Client::find(data, args.pipeline.as_deref()).map_err(|error| match pipeline(args.pipeline.as_deref(), data) {
        Ok(name) if !has_letters(&name, false, data) && has_letters(&name, true, data) => anyhow!(
            "pipeline `{name}` has dead letters of its last run with --once alone, which are not sent through again: mend what \
             they lack, and run it once more, over all its input ({error:#})"
        ),
        _ => error,
    })?;
    let resent = client.retry(&wanted)?;
    for Sent { operator, letters, batch } in resent.sent {
        let go = if letters == 1 { "goes" } else { "go" };
        outln!("{} of `{operator}` {go} with batch {batch}", letters_of(letters))?;
    }
    if resent.stay > 0 {
        outln!(
            "{} cannot be sent through again, and stay: late rows, keys, records that were not kept whole, and rows of batches \
             that a rollback has made anew",
            letters_of(resent.stay)
        )?;
    }
    Ok(())
}
