//! `weir plugin new`: a project for a new operator.
//!
//! The project carries the SDK's source along, so that it builds anywhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use include_dir::{Dir, include_dir};

use crate::operator::ComponentName;

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk");
static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit");

/// Crates that a project cannot be named as.
const RESERVED: [&str; 7] = ["weir-guest", "weir-guest-macros", "wit-bindgen", "test", "core", "std", "alloc"];

/// What to write.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The operator's name: lower-case letters, digits, - and _
    #[arg(value_name = "NAME")]
    name: String,

    /// What kind of operator
    #[arg(long, value_enum, default_value_t = Kind::Transform)]
    world: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Rows in, rows out
    Transform,
    /// The rows of a key to one
    Aggregate,
    /// A state for each key, from batch to batch
    State,
    /// Rows to the outside, over HTTP
    Sink,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let valid =
        args.name.starts_with(|c: char| c.is_ascii_lowercase()) && ComponentName::new(&args.name, "0.1.0").is_ok();
    if !valid {
        bail!(
            "`{}` cannot be a name: begin with a lower-case letter, and use lower-case letters, digits, - and _",
            args.name
        );
    }
    let folder = PathBuf::from(&args.name);
    if RESERVED.contains(&args.name.as_str()) {
        bail!("`{}` is the name of a crate that the project needs; choose another", args.name);
    }
    // Written beside and put in place whole: no half a project is left behind.
    let parent = tempfile::tempdir_in(".").context("cannot write to this folder")?;
    let project = parent.path().join(&args.name);
    write(&project, args).with_context(|| format!("cannot write {}", folder.display()))?;
    if folder.exists() {
        bail!("{} is there already; choose another name, or remove it", folder.display());
    }
    fs::rename(&project, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
    outln!(
        "{0}/ written. Now:\n  cd {0}\n  cargo test              # the function, natively\n  weir plugin build       # the component",
        args.name
    )?;
    Ok(())
}

fn write(project: &Path, args: &Args) -> Result<()> {
    let vendored = project.join("weir");
    for (dir, name) in [(&SDK, "guest-sdk"), (&WIT, "wit")] {
        let target = vendored.join(name);
        fs::create_dir_all(&target)?;
        dir.extract(&target)?;
    }
    fs::create_dir_all(project.join("src"))?;
    fs::create_dir_all(project.join(".cargo"))?;
    let (code, rows) = match args.world {
        Kind::Transform => (include_str!("templates/transform.rs"), include_str!("templates/transform.jsonl")),
        Kind::Aggregate => (include_str!("templates/aggregate.rs"), include_str!("templates/aggregate.jsonl")),
        Kind::State => (include_str!("templates/state.rs"), include_str!("templates/state.jsonl")),
        Kind::Sink => (include_str!("templates/sink.rs"), include_str!("templates/sink.jsonl")),
    };
    fs::write(project.join("src/lib.rs"), code)?;
    fs::write(project.join("rows.jsonl"), rows)?;
    fs::write(project.join("Cargo.toml"), include_str!("templates/Cargo.toml.in").replace("@NAME@", &args.name))?;
    fs::write(project.join(".gitignore"), "/target\n")?;
    fs::write(
        project.join(".cargo/config.toml"),
        "# Vector instructions make text several times faster.\n[target.wasm32-unknown-unknown]\nrustflags = [\"-C\", \"target-feature=+simd128\"]\n",
    )?;
    Ok(())
}
