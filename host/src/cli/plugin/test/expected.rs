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
        let (missing, unexpected) = (first_beyond(&self.rows, &came), first_beyond(&came, &self.rows));
        let differ = [
            missing.map(|row| format!("{row} did not come")),
            unexpected.map(|row| format!("{row} came and is not expected")),
        ];
        let differ: Vec<_> = differ.into_iter().flatten().collect();
        if differ.is_empty() {
            eprintln!("as expected in {}", self.path.display());
            return Ok(());
        }
        let rows = counted(self.rows.len() as u64, "row");
        bail!("other rows came than the {rows} of {}: {}", self.path.display(), differ.join("; "))
    }
}

/// The first of some rows that others have not, or not as often; both in order.
fn first_beyond<'a>(rows: &'a [String], others: &[String]) -> Option<&'a String> {
    let mut others = others.iter().peekable();
    rows.iter().find(|row| {
        while others.next_if(|other| other < row).is_some() {}
        others.next_if_eq(row).is_none()
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &str, printed: &str, says: Option<&str>) {
        let expected = Expected { path: "rows.jsonl".into(), rows: sorted(expected).expect("rows") };
        let error = expected.check(printed).err().map(|error| format!("{error:#}"));
        let says = says.map(|differ| format!("other rows came than the 3 rows of rows.jsonl: {differ}"));
        assert_eq!(error, says);
    }

    #[test]
    fn rows_that_did_not_come_and_rows_that_came_unexpected_are_told() {
        let expected = "{\"n\": 1}\n{\"n\": 2}\n\n{\"n\": 2}\n";
        check(expected, "{\"n\":2}\n{\"n\":1}\n{\"n\":2}\n", None);
        check(expected, "{\"n\":1}\n{\"n\":2}\n", Some("{\"n\":2} did not come"));
        check(expected, "{\"n\":1}\n{\"n\":2}\n{\"n\":2}\n{\"n\":3}\n", Some("{\"n\":3} came and is not expected"));
        let other = "{\"n\":0} came and is not expected";
        check(expected, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n", Some(&format!("{{\"n\":2}} did not come; {other}")));
    }
}
