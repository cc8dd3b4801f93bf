//! A row for each hashtag of a text: a `#` and what follows it of ASCII letters, ASCII digits, `_`, and characters beyond
//! ASCII, whatever they are.
//!
//! What Unicode calls a letter changes with its version, and each language's library has another. ASCII is ASCII
//! everywhere, so the same operator in any language finds the same tags, to the byte.
//!
//! Reads `text`, answers with `tag`, and carries nothing over. The tags are parts of the text: nothing is copied.

use weir_guest::{Record, memchr};

/// A post.
#[derive(Record, Debug, PartialEq)]
pub struct Post<'a> {
    /// What it says.
    pub text: &'a str,
}

/// A hashtag in a post.
#[derive(Record, Debug, PartialEq)]
pub struct Hashtag<'a> {
    /// The tag with its `#`, as it was written.
    pub tag: &'a str,
}

/// The hashtags of a post in order; one that is written twice comes twice.
#[weir_guest::flat_map]
pub fn hashtags<'a>(post: Post<'a>) -> impl Iterator<Item = Hashtag<'a>> {
    memchr::memchr_iter(b'#', post.text.as_bytes()).filter_map(move |start| {
        let len = post.text[start + 1..].bytes().take_while(|&byte| is_of_tag(byte)).count();
        // It ends before an ASCII byte or with the text, which splits no character.
        (len > 0).then(|| Hashtag { tag: &post.text[start..start + 1 + len] })
    })
}

/// All bytes of a character beyond ASCII are beyond ASCII.
fn is_of_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let tags: Vec<_> = hashtags(Post { text }).map(|hashtag| hashtag.tag).collect();
        assert_eq!(tags, expected);
    }

    #[test]
    fn a_tag_ends_where_its_letters_end() {
        check("#one, #two_2! (#three) x#four", &["#one", "#two_2", "#three", "#four"]);
        check("# ## #-a no tag at all", &[]);
        check("##a #a#b", &["#a", "#a", "#b"]);
        check("#größe #日本", &["#größe", "#日本"]);
    }

    #[test]
    fn every_character_beyond_ascii_is_of_a_tag() {
        check("#日本。 #🎉! #a…b-c", &["#日本。", "#🎉", "#a…b"]);
        check("#a\u{A0}b", &["#a\u{A0}b"]);
        check("#a\u{7F}b #[ #`", &["#a"]);
    }

    #[test]
    fn each_tag_is_a_row() -> Result<(), String> {
        let answer = testing::transform::<hashtags>().run([Post { text: "#a #b" }, Post { text: "none" }])?;
        assert_eq!(answer.rows::<Hashtag>()?, [Hashtag { tag: "#a" }, Hashtag { tag: "#b" }]);
        Ok(())
    }
}
