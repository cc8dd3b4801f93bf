//! `weir state`: the states that an operator of a running host keeps.

use std::num::NonZeroUsize;

use anyhow::{Context, Result};

use super::out::copy;
use crate::control::{Client, GetRequest, GivenKey, ScanRequest};
use crate::data_dir::DataDir;
use crate::query::as_of;

/// What to do with states.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// Print the state of one key, as a line of JSON
    Get(Get),
    /// Print the states of all keys, a line of JSON for each, in a fixed order; standard error says as of which batch
    Scan(Scan),
}

/// Which key.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Get {
    /// The operator's name in the pipeline file
    operator: String,

    /// The key: a value for each of its columns, as plain text (a time as in 2026-01-31T00:00:00Z, bytes in hexadecimal);
    /// texts that begin with `-` come after `--`
    #[arg(value_name = "KEY", required = true, allow_negative_numbers = true)]
    key: Vec<String>,

    /// KEY is JSON: a value, an array with a value for each column, or an object; here values may be null
    #[arg(long)]
    json: bool,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

/// Which states.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Scan {
    /// The operator's name in the pipeline file
    operator: String,

    /// The first so many keys only
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

pub(super) fn run(verb: &Verb, data: &DataDir) -> Result<()> {
    match verb {
        Verb::Get(args) => get(args, data),
        Verb::Scan(args) => scan(args, data),
    }
}

fn get(args: &Get, data: &DataDir) -> Result<()> {
    let key = match args.json {
        false => GivenKey::Texts(args.key.clone()),
        true => {
            let text = args.key.join(" ");
            let value = serde_json::from_str(&text).with_context(|| {
                format!(
                    "`{text}` is not JSON: write a key as in '\"ann\"', '[\"ann\", null]' or '{{\"user\": \"ann\"}}'"
                )
            })?;
            GivenKey::Json(value)
        }
    };
    let request = GetRequest { operator: args.operator.clone(), key };
    let found = Client::find(data, args.pipeline.as_deref())?.get(&request)?;
    outln!("{}", serde_json::to_string(&found)?)
}

fn scan(args: &Scan, data: &DataDir) -> Result<()> {
    let request = ScanRequest { operator: args.operator.clone(), limit: args.limit };
    let rows = Client::find(data, args.pipeline.as_deref())?.scan(&request)?;
    eprintln!("{}", rows.as_of.map_or_else(|| as_of(None), |batch| format!("as of batch {batch}")));
    copy(rows.text)
}
