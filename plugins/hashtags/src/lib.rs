//! A row for each hashtag of a text: a `#` and the letters, digits and underscores after it.
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
        let rest = &post.text[start + 1..];
        let len = rest.find(|c: char| !is_of_tag(c)).unwrap_or(rest.len());
        (len > 0).then(|| Hashtag { tag: &post.text[start..start + 1 + len] })
    })
}

fn is_of_tag(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
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
        check("#größe #日本。", &["#größe", "#日本"]);
    }

    #[test]
    fn each_tag_is_a_row() -> Result<(), String> {
        let answer = testing::transform::<hashtags>().run([Post { text: "#a #b" }, Post { text: "none" }])?;
        assert_eq!(answer.rows::<Hashtag>()?, [Hashtag { tag: "#a" }, Hashtag { tag: "#b" }]);
        Ok(())
    }
}
