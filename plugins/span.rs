//! A span of time as the pipeline file writes it: `"30m"`, `"1h 30m"`, `"500ms"`.

use std::time::Duration;

use serde::Deserialize;

/// A span of time, more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(pub(crate) Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut parts = text.split_whitespace().map(part);
        match parts.try_fold(Duration::ZERO, |sum, part| sum.checked_add(part?)) {
            Some(span) if !span.is_zero() => Ok(Self(span)),
            _ => Err(format!("{text:?} is no span of time; write it as in \"500ms\", \"30s\", \"1h 30m\" or \"2d\"")),
        }
    }
}

/// A number and its unit.
fn part(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_numbers_with_their_units() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("1h 30m", Some(5_400_000)),
            ("2d", Some(172_800_000)),
            ("0s", None),
            ("", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1 h", None),
            ("1é", None),
            ("999999999999999999d", None),
        ] {
            let span = Span::try_from(text.to_owned()).ok().map(|span| span.0);
            assert_eq!(span, millis.map(Duration::from_millis), "{text:?}");
        }
    }
}
