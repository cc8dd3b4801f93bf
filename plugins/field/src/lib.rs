//! The field of a line that lies between two separators.
//!
//! Reads `line`, answers with `field`, and carries nothing over. Config: `index`, which field, the first one is 0;
//! `separator`, a character, the space by default. The field is a part of the line: nothing is copied. A line that has no
//! such field, or is null, has no row in the answer.

use serde::Deserialize;
use weir_guest::memchr::memchr_iter;
use weir_guest::{Emitter, Record, Rows};

/// A line of text.
#[derive(Record, Debug, PartialEq)]
pub struct Line<'a> {
    /// The text.
    pub line: Option<&'a str>,
}

/// A field of a line.
#[derive(Record, Debug, PartialEq)]
pub struct Field<'a> {
    /// Its text.
    pub field: &'a str,
}

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    index: usize,
    #[serde(default = "space")]
    separator: char,
}

fn space() -> char {
    ' '
}

/// Which field, and what is between fields.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Place {
    index: usize,
    separator: u8,
}

impl TryFrom<Settings> for Place {
    type Error = String;

    fn try_from(Settings { index, separator }: Settings) -> Result<Self, Self::Error> {
        let not_ascii = |_| format!("`separator` is {separator:?}; it must be a character of ASCII");
        let separator = u8::try_from(separator).ok().filter(u8::is_ascii).ok_or(()).map_err(not_ascii)?;
        Ok(Self { index, separator })
    }
}

impl Place {
    /// The field of a line that is here.
    #[inline]
    fn of<'a>(&self, line: &'a str) -> Option<&'a str> {
        let mut ends = memchr_iter(self.separator, line.as_bytes());
        let start = match self.index.checked_sub(1) {
            Some(before) => ends.nth(before)? + 1,
            None => 0,
        };
        // Both ends are beside ASCII, so they split no character.
        Some(&line[start..ends.next().unwrap_or(line.len())])
    }
}

/// The field of each line.
#[weir_guest::batch]
pub fn field<'a>(lines: Rows<'a, Line<'a>>, place: &Place, out: &mut Emitter<'a, Field<'a>>) {
    for row in 0..lines.len() {
        if let Some(field) = lines.columns.line.get(row).and_then(|line| place.of(line)) {
            out.emit(row, Field { field });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    #[track_caller]
    fn check(config: &str, lines: &[Option<&str>], expected: &[&str]) {
        for chunk in 1..=lines.len() {
            let lines = lines.iter().map(|&line| Line { line });
            let answer = testing::transform::<field>().config(config).chunk(chunk).run(lines).expect("it runs");
            let found: Vec<_> = answer.rows::<Field>().expect("fields").iter().map(|field| field.field).collect();
            assert_eq!(found, expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn a_field_is_what_is_between_two_separators() {
        let lines = [Some("a bc"), None, Some(""), Some(" x  y"), Some("größe #日本 ")];
        check("{}", &lines, &["a", "", "", "größe"]);
        check(r#"{"index": 1}"#, &lines, &["bc", "x", "#日本"]);
        check(r#"{"index": 2}"#, &lines, &["", ""]);
        check(r#"{"index": 3}"#, &lines, &["y"]);
        check(r##"{"index": 1, "separator": "#"}"##, &lines, &["日本 "]);
    }

    #[test]
    fn a_separator_that_is_not_ascii_is_refused() {
        let run = testing::transform::<field>().config(r#"{"separator": "ö"}"#);
        let said = run.run([Line { line: None }]).map(|_| ());
        let why = "`separator` is 'ö'; it must be a character of ASCII";
        assert_eq!(said, Err(format!("the operator's config is not valid: {why}")));
    }
}
