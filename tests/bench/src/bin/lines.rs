//! Writes the lines that engines are compared on.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use weir_bench::{Kind, Lines, needle};

/// Writes lines into files of a folder, so many in each, and prints the word that about one in a hundred has.
#[derive(Debug, Parser)]
struct Arguments {
    kind: Kind,
    folder: PathBuf,
    #[arg(long)]
    files: usize,
    #[arg(long)]
    lines: usize,
}

fn main() -> Result<()> {
    let Arguments { kind, folder, files, lines } = Arguments::parse();
    let mut made = Lines::new(kind);
    for number in 0..files {
        let path = folder.join(format!("{number:04}.txt"));
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        (0..lines).try_for_each(|_| made.write(&mut out))?;
        out.flush().with_context(|| path.display().to_string())?;
    }
    println!("{}", needle());
    Ok(())
}
