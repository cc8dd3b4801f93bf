//! A pipeline file as TOML that remembers where everything was written.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};

/// A parsed pipeline file, its text, and so the line of every key.
pub(super) struct Document<'t> {
    file: String,
    text: &'t str,
    root: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Parses `text`; every syntax error is a problem.
    pub(super) fn parse(text: &'t str, file: &Path) -> Result<Self, Problems> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Self { file: file.display().to_string(), text, root: root.into_inner() };
        let problem = |error: &toml::de::Error| {
            let at = error.span().map_or(text.len(), |span| span.start);
            document.problem(at, format!("not TOML: {}", error.message()))
        };
        match errors.is_empty() {
            true => Ok(document),
            false => Err(Problems::new(without_echoes(text, &errors).map(problem).collect())),
        }
    }

    /// The table of the whole file.
    pub(super) fn root(&self) -> &DeTable<'t> {
        &self.root
    }

    /// The text between two offsets, as it was written.
    pub(super) fn written(&self, span: std::ops::Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    /// A problem at a byte offset of the text.
    pub(super) fn problem(&self, at: usize, message: String) -> Problem {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }

    /// Whether the file has this key, whatever its value.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.entries(path).count() == path.len()
    }

    /// How many entries the table `kind` has.
    pub(super) fn entries_of(&self, kind: &str) -> usize {
        self.root.get(kind).and_then(|value| value.get_ref().as_table()).map_or(0, DeTable::len)
    }

    /// Where the key at `path` begins; of a key that was left out, where the table begins that lacks it.
    pub(super) fn key(&self, path: &[&str]) -> usize {
        self.entries(path).last().map_or(0, |(key, _)| key.span().start)
    }

    /// Where an item of the array at `path` begins.
    pub(super) fn item(&self, path: &[&str], index: usize) -> usize {
        let value = self.entries(path).last().map(|(_, value)| value.get_ref());
        let item = value.and_then(DeValue::as_array).and_then(|items| items.get(index));
        item.map_or_else(|| self.key(path), |item| item.span().start)
    }

    /// The keys and values on the way down `path`, as far as the file has them.
    fn entries<'a>(&'a self, path: &'a [&str]) -> impl Iterator<Item = Entry<'a, 't>> {
        let mut table = Some(&self.root);
        path.iter().map_while(move |key| {
            let (key, value) = table?.get_key_value(*key)?;
            table = value.get_ref().as_table();
            Some((key, value))
        })
    }
}

/// What a parser says of a table that is there twice, it says of each of its keys, too.
fn without_echoes<'e>(text: &str, errors: &'e [toml::de::Error]) -> impl Iterator<Item = &'e toml::de::Error> {
    let mut doubled = 0;
    errors.iter().filter(move |error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        let is_doubled = error.message() == "duplicate key";
        let line = text.get(..at).map_or(0, |before| before.rfind('\n').map_or(0, |newline| newline + 1));
        if is_doubled && at < doubled {
            return false;
        }
        if is_doubled && text[line..].trim_start().starts_with('[') {
            let rest = text[at..].split_inclusive('\n').skip(1).take_while(|line| !line.trim_start().starts_with('['));
            let header = text[at..].find('\n').map_or(text.len() - at, |end| end + 1);
            doubled = at + header + rest.map(str::len).sum::<usize>();
        }
        true
    })
}

type Entry<'a, 't> = (&'a Spanned<toml::de::DeString<'t>>, &'a Spanned<DeValue<'t>>);
