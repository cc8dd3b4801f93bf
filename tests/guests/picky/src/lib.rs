//! Panics on lines with `poison` and rejects lines with `reject me`; other rows go through as they are.

use weir_guest::Record;

/// A line of text.
#[derive(Record, Debug)]
pub struct Line<'a> {
    /// The text.
    pub line: &'a str,
}

/// Takes a line, or does not.
///
/// # Panics
/// On poison.
#[weir_guest::map(keep = all)]
pub fn picky(row: Line<'_>) -> Result<(), String> {
    if row.line.contains("poison") {
        panic!("poisoned by `{}`", row.line);
    }
    if row.line.contains("reject me") {
        return Err(format!("`{}` asked for it", row.line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    #[test]
    fn a_line_that_asks_for_it_is_rejected() -> Result<(), String> {
        let lines = ["fine", "please reject me"].map(|line| Line { line });
        let answer = testing::transform::<picky>().run(lines)?;
        assert_eq!(answer.rows::<Line>()?.len(), 1);
        assert_eq!(answer.rejects(), [(1, "`please reject me` asked for it".to_owned())]);
        Ok(())
    }

    #[test]
    #[should_panic(expected = "poisoned by `poison`")]
    fn poison_is_not_survived() {
        let _ = picky(Line { line: "poison" });
    }
}
