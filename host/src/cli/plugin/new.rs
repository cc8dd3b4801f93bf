//! `weir plugin new`: a project for a new operator.

use anyhow::Result;
use clap::ValueEnum;

use crate::operator::World;
use crate::project::{self, Language, NewProject};

/// What to write.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The operator's name: lower-case letters, digits, - and _
    #[arg(value_name = "NAME")]
    name: String,

    /// The language to write it in
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,

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

impl From<Kind> for World {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Transform => Self::Transform,
            Kind::Aggregate => Self::Aggregate,
            Kind::State => Self::State,
            Kind::Sink => Self::Sink,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let Args { name, lang, world } = args;
    project::write(&NewProject { name, language: *lang, world: (*world).into() })?;
    let natively = match lang {
        Language::Rust => {
            "  rustup target add wasm32-unknown-unknown\n  cargo test              # the function, natively\n"
        }
        Language::Python => {
            "  python3 -m venv .venv && . .venv/bin/activate\n  pip install 'componentize-py==0.25.*' pytest\n  python -m pytest        \
             # the function, natively\n"
        }
        Language::Go => "  go test ./...           # the function, natively\n",
        Language::JavaScript | Language::TypeScript => {
            "  npm install             # the SDK and the tools\n  npm test                # the function, natively\n"
        }
        Language::AssemblyScript => "  npm install             # the SDK and the compiler\n",
        Language::C | Language::Cpp => {
            "  # with clang 19 and its libraries for wasm, or:\n  python3 -m venv .venv && . .venv/bin/activate\n  pip install \
             'ziglang==0.17.*'\n"
        }
        Language::Zig => {
            "  # with Zig 0.17, or:\n  python3 -m venv .venv && . .venv/bin/activate\n  pip install 'ziglang==0.17.*'\n"
        }
    };
    outln!(
        "{name}/ written. Now:\n  cd {name}\n{natively}  weir plugin build       # the component\n  weir plugin test        # \
         the component, on rows.jsonl"
    )?;
    Ok(())
}
