//! How many rows may be rejected: so many, or a share of them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{UnitError, is_digits};

/// How many rows of a batch may be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// So many rows: `100`.
    Rows(u64),
    /// A share of the rows in: `"1%"`.
    Share(Share),
}

/// A share of some rows, exact: from none of them to all, in steps of a millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share {
    millionths: u32,
}

/// All of it.
const WHOLE: u32 = 1_000_000;
/// Digits of a percentage behind the point.
pub(super) const PERCENT_DIGITS: usize = 4;

impl Budget {
    /// Whether so many rows may be rejected of those that came in.
    pub fn allows(self, rejected: u64, rows_in: u64) -> bool {
        match self {
            Self::Rows(most) => rejected <= most,
            Self::Share(Share { millionths }) => {
                u128::from(rejected) * u128::from(WHOLE) <= u128::from(rows_in) * u128::from(millionths)
            }
        }
    }
}

impl FromStr for Budget {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let budget = match text.strip_suffix('%') {
            Some(percent) => millionths(percent).map(|millionths| Self::Share(Share { millionths })),
            None => Some(text).filter(|text| is_digits(text)).and_then(|text| text.parse().ok()).map(Self::Rows),
        };
        budget.ok_or_else(|| UnitError::Budget { written: text.to_owned() })
    }
}

/// A percentage with at most [`PERCENT_DIGITS`] decimals, up to 100.
fn millionths(percent: &str) -> Option<u32> {
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, "0"));
    if whole.is_empty() || !is_digits(whole) || !(1..=PERCENT_DIGITS).contains(&fraction.len()) || !is_digits(fraction)
    {
        return None;
    }
    format!("{whole}{fraction:0<PERCENT_DIGITS$}").parse().ok().filter(|millionths| *millionths <= WHOLE)
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows}"),
            Self::Share(Share { millionths }) => {
                let (whole, fraction) = (millionths / 10_000, format!("{:04}", millionths % 10_000));
                match fraction.trim_end_matches('0') {
                    "" => write!(f, "{whole}%"),
                    fraction => write!(f, "{whole}.{fraction}%"),
                }
            }
        }
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rows(rows) => serializer.serialize_u64(*rows),
            Self::Share(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(rows) => Ok(Self::Rows(rows)),
            Written::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for Budget {
    fn schema_name() -> Cow<'static, str> {
        "Budget".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of rows, or a share of the rows in.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                {
                    "type": "string",
                    "format": "budget",
                    "pattern": r"^([0-9]+|[0-9]+(\.[0-9]{1,4})?%)$",
                    "examples": ["1%", "0.5%", "100"],
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a failed test should say where")]

    use proptest::prelude::*;

    use super::*;
    use crate::units::tests::{check, survives_writing};

    #[test]
    fn a_budget_is_a_number_of_rows_or_a_share_of_them() {
        for same in ["0", "100", "18446744073709551615", "0%", "1%", "0.5%", "33.3333%", "100%"] {
            check::<Budget>(same, Ok(same));
        }
        check::<Budget>("01.50%", Ok("1.5%"));
        for wrong in
            ["", "%", "-1", "+1", "1.5", "1e3", "18446744073709551616", "100.0001%", "1.%", ".5%", "0.00001%", "1 %"]
        {
            check::<Budget>(
                wrong,
                Err(&format!(
                    "`{wrong}` does not say how many rows: write a whole number, as in 100, or a share of the rows in from \
                     \"0%\" to \"100%\", with at most 4 decimals, as in \"0.5%\""
                )),
            );
        }
    }

    #[test]
    fn a_budget_is_exact_whatever_floats_would_say() {
        let allows = |text: &str, rejected, rows_in| {
            text.parse::<Budget>().unwrap_or_else(|e| panic!("{e}")).allows(rejected, rows_in)
        };
        for (text, most, of) in
            [("3", 3, 1), ("0", 0, 9), ("29%", 29, 100), ("0.0001%", 1, 1_000_000), ("100%", 7, 7), ("1%", 0, 99)]
        {
            assert!(allows(text, most, of) && !allows(text, most + 1, of), "{text} of {of}");
        }
        assert!(allows("100%", u64::MAX, u64::MAX));
    }

    #[test]
    fn a_budget_is_written_as_a_number_or_a_text() {
        for (written, json) in [("100", serde_json::json!(100)), ("1%", serde_json::json!("1%"))] {
            let budget: Budget = written.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(serde_json::to_value(budget).expect("it can be written"), json);
            assert_eq!(serde_json::from_value::<Budget>(json).expect("it can be read"), budget);
        }
        serde_json::from_value::<Budget>(serde_json::json!(-1)).expect_err("less than none");
    }

    proptest! {
        #[test]
        fn a_budget_survives_writing(rows: u64, millionths in 0..=WHOLE) {
            survives_writing(Budget::Rows(rows));
            survives_writing(Budget::Share(Share { millionths }));
        }
    }
}
