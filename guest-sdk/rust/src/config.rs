//! An operator's config: any type that serde can deserialize.

use serde::de::DeserializeOwned;

/// Reads a config from the JSON that `configure` is given.
pub fn parse<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    serde_json::from_str(json).or_else(|error| {
        // A config without keys may be a unit struct, which serde reads from null.
        let unit = if is_empty(json) { serde_json::from_str("null").ok() } else { None };
        unit.ok_or_else(|| match without_position(&error) {
            // Serde's words for an operator that takes none.
            text if text.contains("expected unit struct") => none_taken(json),
            text => format!("the operator's config is not valid: {text}"),
        })
    })
}

/// Sees to it that there is none where an operator takes none: a key without effect must not go unnoticed.
pub fn refuse(json: &str) -> Result<(), String> {
    if is_empty(json) { Ok(()) } else { Err(none_taken(json)) }
}

fn none_taken(json: &str) -> String {
    format!("the operator takes no config, but is given {json}")
}

/// Whether there is nothing in it. Without a JSON parser, which would be most of a small operator.
fn is_empty(json: &str) -> bool {
    let visible: String = json.split_ascii_whitespace().collect();
    matches!(visible.as_str(), "" | "{}" | "null")
}

/// serde_json's position is in JSON made by the host, which no one has seen.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limit {
        limit: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Unit;

    #[track_caller]
    fn check<C: DeserializeOwned + PartialEq + std::fmt::Debug>(json: &str, expected: Result<C, &str>) {
        assert_eq!(parse::<C>(json), expected.map_err(|e| format!("the operator's config is not valid: {e}")));
    }

    #[test]
    fn errors_name_the_key_and_no_position() {
        check(r#"{"limit": 3}"#, Ok(Limit { limit: 3 }));
        check::<Limit>("{}", Err("missing field `limit`"));
        check::<Limit>(r#"{"limt": 3}"#, Err("unknown field `limt`, expected `limit`"));
        check::<Limit>(r#"{"limit": "3"}"#, Err(r#"invalid type: string "3", expected u32"#));
    }

    #[test]
    fn no_config_is_an_empty_table_or_nothing() {
        for none in ["", "{}", " { }\n", "null"] {
            check(none, Ok(Unit));
            assert_eq!(refuse(none), Ok(()));
        }
        let none_taken = r#"the operator takes no config, but is given {"a": 3}"#.to_owned();
        assert_eq!(parse::<Unit>(r#"{"a": 3}"#), Err(none_taken.clone()));
        assert_eq!(refuse(r#"{"a": 3}"#), Err(none_taken));
    }
}
