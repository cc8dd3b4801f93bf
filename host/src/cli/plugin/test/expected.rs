//! Rows that are expected of a test, and whether they are those that came.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::counted::counted;
use crate::sink::SharedWriter;

/// A file of rows, an object a line.
pub(super) struct Expected {
    path: PathBuf,
    /// In order.
    rows: Vec<String>,
}

impl Expected {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let rows = sorted(&text).with_context(|| format!("{} is to have an object a line", path.display()))?;
        Ok(Self { path: path.to_owned(), rows })
    }

    /// Fails unless these rows were printed, in whatever order.
    pub(super) fn check(&self, printed: &str) -> Result<()> {
        let came = sorted(printed).context("what was printed is no rows")?;
        let Some(at) = (0..came.len().max(self.rows.len())).find(|&i| came.get(i) != self.rows.get(i)) else {
            eprintln!("as expected in {}", self.path.display());
            return Ok(());
        };
        let (wanted, came) = (self.rows.get(at), came.get(at));
        let of = |row: Option<&String>| row.cloned().unwrap_or_else(|| "no more rows".to_owned());
        bail!(
            "other rows came than the {} of {}: in order, the first that differ are {} in it and {} that came",
            counted(self.rows.len() as u64, "row"),
            self.path.display(),
            of(wanted),
            of(came)
        )
    }
}

fn sorted(text: &str) -> Result<Vec<String>> {
    let rows = text.lines().filter(|line| !line.trim().is_empty());
    let canonical = |line| Ok(serde_json::from_str::<serde_json::Value>(line)?.to_string());
    let mut rows = rows.map(canonical).collect::<Result<Vec<String>>>()?;
    rows.sort();
    Ok(rows)
}

/// Standard output, and what was written to it.
#[derive(Clone, Default)]
pub(super) struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    pub(super) fn writer(&self) -> SharedWriter {
        Arc::new(Mutex::new(self.clone()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stdout().write(bytes)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
