//! Environment variables in the strings of a pipeline file: `${NAME}`, `${NAME:-default}`, and `$$` for a `$`.
//!
//! It works on values that are already parsed, so whatever a variable holds, it cannot add keys or close a quote. Only
//! `${` begins a substitution: the `$1` of a query is left alone.

use std::borrow::Cow;

/// Looks a variable up.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A string after substitution.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded<'t> {
    /// The text.
    pub text: Cow<'t, str>,
    /// Whether the string was one substitution and nothing else, so that it may stand for a number.
    pub whole: bool,
}

/// A substitution that cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SubstituteError {
    /// Without a value or a default.
    #[error("the environment variable `{name}` is not set; set it, or write `${{{name}:-default}}`")]
    Unset {
        /// The variable.
        name: String,
    },
    /// A `${` without its `}`.
    #[error("a `${{` is not closed; write `${{NAME}}`, or `$${{` for the characters themselves")]
    Unclosed,
    /// Something else than a name between the braces.
    #[error(
        "`${{{inside}}}` is not a substitution; write `${{NAME}}` or `${{NAME:-default}}` with a name of letters, \
         digits and `_`, or `$${{` for the characters themselves"
    )]
    NotAName {
        /// What is between the braces.
        inside: String,
    },
    /// A default that itself has a substitution, whose `}` would end the outer one.
    #[error("the default of `${{{name}:-...}}` cannot hold another substitution; give a plain text")]
    NestedDefault {
        /// The variable.
        name: String,
    },
}

/// Replaces every substitution in `text`. As in a shell, `${NAME:-default}` gives the default also for a variable that
/// is set to nothing.
pub(super) fn expand<'t>(text: &'t str, environment: Environment<'_>) -> Result<Expanded<'t>, Vec<SubstituteError>> {
    if !text.contains("${") && !text.contains("$$") {
        return Ok(Expanded { text: Cow::Borrowed(text), whole: false });
    }
    let (mut out, mut errors) = (String::new(), Vec::new());
    let (mut rest, mut whole) = (text, false);
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(inside_on) = after.strip_prefix('{') {
            let Some((inside, tail)) = inside_on.split_once('}') else {
                errors.push(SubstituteError::Unclosed);
                break;
            };
            whole = dollar == 0 && rest.len() == text.len() && tail.is_empty();
            rest = tail;
            match value(inside, environment) {
                Ok(value) => out.push_str(&value),
                Err(error) => errors.push(error),
            }
        } else {
            out.push('$');
            rest = after.strip_prefix('$').unwrap_or(after);
        }
    }
    out.push_str(rest);
    if errors.is_empty() { Ok(Expanded { text: Cow::Owned(out), whole }) } else { Err(errors) }
}

/// The value of what is between two braces.
fn value(inside: &str, environment: Environment<'_>) -> Result<String, SubstituteError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(SubstituteError::NotAName { inside: inside.to_owned() });
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(SubstituteError::NestedDefault { name: name.to_owned() });
    }
    match (environment(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(SubstituteError::Unset { name: name.to_owned() }),
    }
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a failed test should say where")]

    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.org".to_owned()),
            "EMPTY" => Some(String::new()),
            "SLY" => Some("${HOST} $$ \"\nname = 'x'".to_owned()),
            _ => None,
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let expanded = expand(text, &environment).expect("every variable has a value");
        assert_eq!(expanded.text, expected, "{text:?}");
    }

    #[test]
    fn variables_and_defaults_are_replaced() {
        check("${HOST}:9999", "example.org:9999");
        check("${HOST}${HOST}", "example.orgexample.org");
        check("${PORT:-9999}", "9999");
        check("${HOST:-localhost}", "example.org");
        check("${PORT:-}", "");
        check("${EMPTY}", "");
        check("${EMPTY:-x}", "x");
        check("${PORT:-a:-b}", "a:-b");
    }

    #[test]
    fn other_dollars_are_left_alone() {
        check("SELECT $1, '$' || x", "SELECT $1, '$' || x");
        check("$HOST", "$HOST");
        check("$$", "$");
        check("$${HOST}", "${HOST}");
        check("$$${HOST}", "$example.org");
        check("cost: 5$", "cost: 5$");
    }

    #[test]
    fn a_value_is_not_read_again() {
        check("${SLY}", "${HOST} $$ \"\nname = 'x'");
    }

    #[test]
    fn only_a_lone_substitution_is_whole() {
        for (text, whole) in [
            ("${HOST}", true),
            ("${PORT:-1}", true),
            ("${HOST}${HOST}", false),
            (" ${HOST}", false),
            ("${HOST} ", false),
            ("$${HOST}", false),
            ("HOST", false),
        ] {
            assert_eq!(expand(text, &environment).map(|e| e.whole), Ok(whole), "{text:?}");
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, expected) in [
            (
                "${A} ${HOST} ${B}",
                &[
                    "the environment variable `A` is not set; set it, or write `${A:-default}`",
                    "the environment variable `B` is not set; set it, or write `${B:-default}`",
                ][..],
            ),
            ("a${HOST", &["a `${` is not closed; write `${NAME}`, or `$${` for the characters themselves"]),
            (
                "${1}",
                &["`${1}` is not a substitution; write `${NAME}` or `${NAME:-default}` with a name of letters, \
                        digits and `_`, or `$${` for the characters themselves"],
            ),
            ("${A:-${B}}", &["the default of `${A:-...}` cannot hold another substitution; give a plain text"]),
        ] {
            let errors = expand(text, &environment).expect_err("an error");
            assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
