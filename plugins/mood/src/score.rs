//! How happy a text is.

/// Happy words, in lower case.
const HAPPY: [&str; 24] = [
    "amazing",
    "awesome",
    "beautiful",
    "best",
    "cool",
    "enjoy",
    "excellent",
    "excited",
    "fantastic",
    "fun",
    "glad",
    "good",
    "great",
    "happy",
    "hooray",
    "joy",
    "love",
    "lovely",
    "lucky",
    "nice",
    "perfect",
    "thanks",
    "wonderful",
    "yay",
];

/// Sad words, in lower case.
const SAD: [&str; 24] = [
    "alone",
    "angry",
    "annoyed",
    "awful",
    "bad",
    "bored",
    "broken",
    "cry",
    "depressed",
    "disappointed",
    "fail",
    "hate",
    "horrible",
    "hurt",
    "lonely",
    "lost",
    "miss",
    "sad",
    "sick",
    "sorry",
    "terrible",
    "tired",
    "ugh",
    "worst",
];

/// Signs that stand by themselves.
const HAPPY_SIGNS: [&str; 11] = [":)", ":-)", ":D", ":-D", ";)", ";-)", "<3", "^^", "😀", "😊", "❤️"];
const SAD_SIGNS: [&str; 8] = [":(", ":-(", ":'(", ":/", ":-/", "😞", "😢", "💔"];

/// From -1, where all words with a feeling are sad, to 1, where all are happy; 0 where none has one.
///
/// Words are what is between white space, without the signs around them, in upper or lower case; signs like `:)` count
/// like words. Each word counts by itself: `not happy` is happy.
///
/// ```
/// assert_eq!(mood::score("Great, I LOVE it!"), 1.0);
/// assert_eq!(mood::score("I miss you <3"), 0.0);
/// assert_eq!(mood::score("the bus was late"), 0.0);
/// ```
pub fn score(text: &str) -> f64 {
    let (mut happy, mut sad) = (0_u32, 0_u32);
    for token in text.split_whitespace() {
        let word = token.trim_matches(|c: char| !c.is_alphanumeric());
        if HAPPY_SIGNS.contains(&token) || is_in(&HAPPY, word) {
            happy += 1;
        } else if SAD_SIGNS.contains(&token) || is_in(&SAD, word) {
            sad += 1;
        }
    }
    match happy + sad {
        0 => 0.0,
        felt => (f64::from(happy) - f64::from(sad)) / f64::from(felt),
    }
}

fn is_in(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_scores_by_its_words() {
        for (text, expected) in [
            ("", 0.0),
            ("nothing to say", 0.0),
            ("so #happy today!", 1.0),
            ("HAPPY", 1.0),
            ("unhappy happiness", 0.0),
            (":( ", -1.0),
            ("it is :) not :D:D", 1.0),
            ("good good bad", 1.0 / 3.0),
            ("sorry, I hate it, but thanks 💔", -0.5),
        ] {
            assert_eq!(score(text), expected, "{text:?}");
        }
    }
}
