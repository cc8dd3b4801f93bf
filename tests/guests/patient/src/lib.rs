//! What `picky` is to become: lines with `reject me` go through as all others do. It still rejects those with `poison`.

use weir_guest::Record;

/// A line of text.
#[derive(Record, Debug)]
pub struct Line<'a> {
    /// The text.
    pub line: &'a str,
}

/// Takes a line that is not poison.
#[weir_guest::map(keep = all)]
pub fn patient(row: Line<'_>) -> Result<(), String> {
    if row.line.contains("poison") {
        return Err(format!("`{}` is still poison", row.line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    #[test]
    fn only_poison_is_rejected() -> Result<(), String> {
        let lines = ["please reject me", "poison"].map(|line| Line { line });
        let answer = testing::transform::<patient>().run(lines)?;
        assert_eq!(answer.rows::<Line>()?.len(), 1);
        assert_eq!(answer.rejects(), [(1, "`poison` is still poison".to_owned())]);
        Ok(())
    }
}
