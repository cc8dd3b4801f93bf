//! Keeps the lines that contain a text, with all their columns.
//!
//! Reads `line`. Config: `pattern`, the text, which is searched for as it is, upper and lower case.

use serde::Deserialize;
use weir_guest::{Emitter, Record, Rows, memchr::memmem::Finder};

/// A line of text.
#[derive(Record, Debug, PartialEq)]
pub struct Line<'a> {
    /// The text; null contains nothing.
    pub line: Option<&'a str>,
}

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    pattern: String,
}

/// The pattern, made ready for searching once.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Pattern(Finder<'static>);

impl TryFrom<Settings> for Pattern {
    type Error = &'static str;

    fn try_from(settings: Settings) -> Result<Self, Self::Error> {
        if settings.pattern.is_empty() {
            return Err("`pattern` is empty: every line would stay");
        }
        Ok(Self(Finder::new(settings.pattern.as_bytes()).into_owned()))
    }
}

/// Searches all lines at once, which is faster than one by one, and sees from the offsets which line a find is in.
#[weir_guest::batch(keep = all)]
pub fn grep<'a>(lines: Rows<'a, Line<'a>>, pattern: &Pattern, out: &mut Emitter<'a, ()>) {
    let text = lines.columns.line;
    let (data, ends) = (text.data().as_bytes(), &text.offsets()[1..]);
    let length = pattern.0.needle().len();
    let (mut row, mut from) = (0, 0);
    while let Some(found) = pattern.0.find(&data[from..]) {
        let start = from + found;
        row += ends[row..].iter().take_while(|&&end| end as usize <= start).count();
        let end = ends[row] as usize;
        if start + length > end {
            // It goes on in the next line.
            from = start + 1;
            continue;
        }
        if text.validity().is_valid(row) {
            out.emit(row, ());
        }
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    #[track_caller]
    fn check(pattern: &str, lines: &[Option<&str>], expected: &[Option<&str>]) {
        for chunk in 1..=lines.len() {
            let lines = lines.iter().map(|&line| Line { line });
            let run = testing::transform::<grep>().config(format!(r#"{{"pattern": "{pattern}"}}"#)).chunk(chunk);
            let answer = run.run(lines).expect("it runs");
            let found: Vec<_> = answer.rows::<Line>().expect("lines").iter().map(|line| line.line).collect();
            assert_eq!(found, expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn lines_that_contain_the_pattern_stay() {
        let lines = [Some("an error"), Some(""), Some("errands"), Some("error error"), None, Some("erro")];
        check("error", &lines, &[Some("an error"), Some("error error")]);
        check("err", &lines, &[Some("an error"), Some("errands"), Some("error error"), Some("erro")]);
        check("none of them", &lines, &[]);
    }

    #[test]
    fn a_pattern_does_not_go_from_one_line_to_the_next() {
        check("ab", &[Some("xa"), Some("bx"), Some("a"), Some(""), Some("b"), Some("ab")], &[Some("ab")]);
        check("aa", &[Some("a"), Some("aa"), Some("a")], &[Some("aa")]);
    }

    #[test]
    fn null_contains_nothing() {
        check("a", &[Some("a"), None, Some("a")], &[Some("a"), Some("a")]);
    }

    #[test]
    fn a_config_that_is_not_valid_says_why() {
        for (config, why) in [
            (r#"{"patern": "x"}"#, "unknown field `patern`, expected `pattern`"),
            (r#"{"pattern": ""}"#, "`pattern` is empty: every line would stay"),
        ] {
            let answer = testing::transform::<grep>().config(config).run([Line { line: None }]);
            assert_eq!(answer.map(|_| ()), Err(format!("the operator's config is not valid: {why}")));
        }
    }
}
