//! A row for each `@mention` in a text, beside the user who wrote it.

use serde::Deserialize;
use weir_guest::Record;

/// What is read of a row. Other columns need not exist, and do not cross into the sandbox.
#[derive(Record)]
pub struct Post<'a> {
    /// What it says.
    pub text: &'a str,
}

/// The columns that are added to those kept.
#[derive(Record, Debug, PartialEq)]
pub struct Mention<'a> {
    /// The user who is mentioned, without the `@`.
    pub mention: &'a str,
}

/// The operator's `config` in the pipeline file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Shorter names are passed over.
    #[serde(default)]
    shortest: usize,
}

/// The mentions of a post, in order.
#[weir_guest::flat_map(keep = ["user"])]
pub fn mentions<'a>(post: Post<'a>, config: &Config) -> impl Iterator<Item = Mention<'a>> {
    let words = post.text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '@'));
    let names = words.filter_map(|word| word.strip_prefix('@'));
    names.filter(|name| name.len() >= config.shortest.max(1)).map(|mention| Mention { mention })
}

#[cfg(test)]
mod tests {
    use weir_guest::testing;

    use super::*;

    #[derive(Record)]
    struct Tweet<'a> {
        user: &'a str,
        text: &'a str,
    }

    #[test]
    fn every_mention_is_a_row_with_its_user() -> Result<(), String> {
        let tweet = Tweet { user: "ada", text: "@bela, have you met @chen_2 or @jo?" };
        let answer = testing::transform::<mentions>().config(r#"{"shortest": 3}"#).run([tweet])?;
        assert_eq!(answer.columns(), ["user", "mention"]);
        assert_eq!(answer.rows::<Mention>()?, [Mention { mention: "bela" }, Mention { mention: "chen_2" }]);
        Ok(())
    }
}
