//! Numbers of things, for people: `1 row`, `2 rows`, `3 batches`.

/// So many of what has this name.
pub(crate) fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ if what.ends_with("ch") => format!("{count} {what}es"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let texts = [0, 1, 2].map(|count| [counted(count, "row"), counted(count, "batch")]);
        assert_eq!(texts, [["0 rows", "0 batches"], ["1 row", "1 batch"], ["2 rows", "2 batches"]]);
    }
}
