//! What somebody who wrote an unknown word may have meant.

use std::fmt::Write;

use indexmap::IndexSet;

/// The candidate that is nearest to `written`, if it is near enough to be a slip of the fingers: a third of the longer
/// word's letters, as rustc has it.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &&str| {
        let distance = strsim::damerau_levenshtein(written, candidate);
        let letters = written.chars().count().max(candidate.chars().count());
        (distance <= (letters / 3).max(1) && distance < letters).then_some(distance)
    };
    candidates
        .into_iter()
        .filter_map(|candidate| Some((near(&candidate)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The end of a sentence about an unknown word: the nearest known one, and all of them.
pub(super) fn hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let mut hint = String::new();
    if let Some(nearest) = nearest(written, known.clone()) {
        let _ = write!(hint, "; did you mean `{nearest}`?");
    }
    let known = words(known);
    let _ = match known.is_empty() {
        true => write!(hint, " (there are none)"),
        false => write!(hint, " (known: {known})"),
    };
    hint
}

/// Words in a row, each in backticks.
pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words
        .into_iter()
        .collect::<IndexSet<_>>()
        .into_iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_another_word_is_not() {
        let known = ["interval", "block_interval", "partitions"];
        for (written, expected) in [
            ("intervall", Some("interval")),
            ("itnerval", Some("interval")),
            ("blockinterval", Some("block_interval")),
            ("Partition", Some("partitions")),
            ("rate", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), expected, "{written:?}");
        }
    }

    #[test]
    fn a_hint_lists_what_is_known() {
        assert_eq!(hint("ab", ["abc", "xyz"]), "; did you mean `abc`? (known: `abc`, `xyz`)");
        assert_eq!(hint("ab", []), " (there are none)");
    }
}
