//! A row for each word of a line. Words are what is between ASCII white space.
//!
//! Reads `line`, answers with `word`, and carries nothing over. The words are parts of the line: nothing is copied. A line
//! that is null has no words.

mod scan;

use weir_guest::{Emitter, Record, Rows};

/// A line of text.
#[derive(Record, Debug, PartialEq)]
pub struct Line<'a> {
    /// The text.
    pub line: Option<&'a str>,
}

/// A word of a line.
#[derive(Record, Debug, PartialEq)]
pub struct Word<'a> {
    /// The word as it was written.
    pub word: &'a str,
}

/// The words of each line in order.
#[weir_guest::batch]
pub fn words<'a>(lines: Rows<'a, Line<'a>>, out: &mut Emitter<'a, Word<'a>>) {
    for row in 0..lines.len() {
        if let Some(line) = lines.columns.line.get(row) {
            out.emit_all(row, scan::words(line).map(|word| Word { word }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    #[test]
    fn words_are_what_is_between_white_space() -> Result<(), String> {
        let lines = [Some("to be  or\tnot\n"), None, Some(""), Some(" größer ")];
        for chunk in 1..=lines.len() {
            let answer = testing::transform::<words>().chunk(chunk).run(lines.map(|line| Line { line }))?;
            let found: Vec<_> = answer.rows::<Word>()?.iter().map(|word| word.word).collect();
            assert_eq!(found, ["to", "be", "or", "not", "größer"]);
            assert_eq!(answer.rejects(), []);
        }
        Ok(())
    }
}
