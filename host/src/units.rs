//! Durations, sizes, rates and the like as people write them in a pipeline file.
//!
//! Each is a string with a unit in the file (of a [`Budget`] also a bare number) and a plain number in the host, and its
//! `Display` is a text that parses back to the same value, so that a pipeline can be written out and read again. Whether a
//! value makes sense where it stands (an interval of zero does not) is for the pipeline's check to say, not for this module.

mod budget;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use self::budget::PERCENT_DIGITS;
pub use self::budget::{Budget, Share};

/// A length of time: `"200ms"`, `"1s"`, `"2m 30s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes: `"64 MiB"`, `"1 GB"`, `"512"`. A MiB is 2^20 bytes and a MB is 10^6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Rows a second: `"500/s"`, `"1000/m"`, `"10/h"`. Finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// When something is read again: `"once"`, `"every batch"`, `"when changed"`, `"every 10m"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Refresh {
    /// Never: it is read at the start.
    #[default]
    Once,
    /// For each batch.
    EveryBatch,
    /// For each batch before which it has changed.
    WhenChanged,
    /// For the first batch, and for the first of each such stretch of batch time after.
    Every(Period),
}

/// A text that is not a period, size, rate, policy or budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a [`Period`].
    #[error("`{written}` is not a length of time ({reason}): write numbers with units, as in \"200ms\" or \"2m 30s\"")]
    Period {
        /// The text.
        written: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a [`Size`].
    #[error("`{written}` is not a number of bytes: write a number and a unit, as in \"64 MiB\", \"1 GB\" or \"512 B\"")]
    Size {
        /// The text.
        written: String,
    },
    /// A [`Size`] past 2^64.
    #[error("`{written}` is more bytes than a computer can address: write a smaller size, as in \"64 MiB\"")]
    SizeOverflow {
        /// The text.
        written: String,
    },
    /// Not a [`Rate`].
    #[error("`{written}` is not a rate: write rows a second, minute or hour, as in \"500/s\", \"1000/m\" or \"10/h\"")]
    Rate {
        /// The text.
        written: String,
    },
    /// Not a [`Refresh`].
    #[error(
        "`{written}` does not say when to read again: write \"once\", \"every batch\", \"when changed\" or a time, as in \"every 10m\""
    )]
    Refresh {
        /// The text.
        written: String,
    },
    /// Not a [`Budget`].
    #[error(
        "`{written}` does not say how many rows: write a whole number, as in 100, or a share of the rows in from \"0%\" to \
         \"100%\", with at most {PERCENT_DIGITS} decimals, as in \"0.5%\""
    )]
    Budget {
        /// The text.
        written: String,
    },
}

impl FromStr for Period {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = |reason: String| UnitError::Period { written: text.to_owned(), reason };
        // humantime adds terms up with arithmetic that can panic at the very end of the range, so each is read alone.
        let mut total = Duration::ZERO;
        for term in terms(text) {
            let term = humantime::parse_duration(term).map_err(|e| error(e.to_string()))?;
            total = total.checked_add(term).ok_or_else(|| error("it is too long".to_owned()))?;
        }
        Ok(Self(total))
    }
}

/// Splits `2m 30s` into `2m ` and `30s`: a new term begins at a digit that follows a unit.
fn terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut unit_seen) = (0, false);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() && unit_seen {
            terms.push(&text[start..at]);
            (start, unit_seen) = (at, false);
        }
        unit_seen |= c.is_alphabetic();
    }
    terms.push(&text[start..]);
    terms
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text.parse::<ByteSize>() {
            // bytesize answers with the largest number for whatever does not fit.
            Ok(ByteSize(u64::MAX)) => Err(UnitError::SizeOverflow { written: text.to_owned() }),
            Ok(size) => Ok(Self(size.as_u64())),
            Err(_) => Err(UnitError::Size { written: text.to_owned() }),
        }
    }
}

/// In the unit that gives the smallest whole number, binary before decimal: exact, unlike bytesize's own rounding.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 13] = [
            ("EiB", bytesize::EIB),
            ("EB", bytesize::EB),
            ("PiB", bytesize::PIB),
            ("PB", bytesize::PB),
            ("TiB", bytesize::TIB),
            ("TB", bytesize::TB),
            ("GiB", bytesize::GIB),
            ("GB", bytesize::GB),
            ("MiB", bytesize::MIB),
            ("MB", bytesize::MB),
            ("KiB", bytesize::KIB),
            ("kB", bytesize::KB),
            ("B", 1),
        ];
        let exact = |(_, unit): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*unit);
        let (name, unit) = UNITS.iter().find(exact).unwrap_or(&("B", 1));
        write!(f, "{} {name}", self.0 / unit)
    }
}

/// The units of time that a rate may have, and their lengths in seconds.
const RATE_UNITS: [(&str, f64); 3] = [("s", 1.0), ("m", 60.0), ("h", 3600.0)];

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let rate = || {
            let (count, unit) = text.split_once('/')?;
            let (_, seconds) = RATE_UNITS.into_iter().find(|(name, _)| *name == unit)?;
            let rate = decimal(count)? / seconds;
            rate.is_finite().then_some(Self(rate))
        };
        rate().ok_or_else(|| UnitError::Rate { written: text.to_owned() })
    }
}

/// Digits, with `_` between two of them where it helps the eye, and an optional fraction; no sign, no exponent.
fn decimal(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let grouped = |digits: &str| digits.split('_').all(|group| !group.is_empty() && is_digits(group));
    if !grouped(whole) || fraction.is_empty() || !is_digits(fraction) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// As a whole number a second, minute or hour where that is exact, else as a fraction a second.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, seconds) in RATE_UNITS {
            let count = (self.0 * seconds).round();
            if count / seconds == self.0 {
                return write!(f, "{count}/{name}");
            }
        }
        write!(f, "{}/s", self.0)
    }
}

impl FromStr for Refresh {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::Refresh { written: text.to_owned() };
        match text {
            "once" => Ok(Self::Once),
            "every batch" => Ok(Self::EveryBatch),
            "when changed" => Ok(Self::WhenChanged),
            _ => {
                let period: Period = text.strip_prefix("every ").and_then(|p| p.parse().ok()).ok_or_else(error)?;
                if period.0.is_zero() { Err(error()) } else { Ok(Self::Every(period)) }
            }
        }
    }
}

impl fmt::Display for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::EveryBatch => f.write_str("every batch"),
            Self::WhenChanged => f.write_str("when changed"),
            Self::Every(period) => write!(f, "every {period}"),
        }
    }
}

/// Reads and writes a type as its text, and describes that text.
///
/// The schema's `format` is what the pipeline's reader goes by to check a text with `FromStr`.
macro_rules! written_as_text {
    ($type:ident, $format:literal, $description:literal, $pattern:literal, $examples:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "format": $format,
                    "description": $description,
                    "pattern": $pattern,
                    "examples": $examples,
                })
            }
        }
    };
}
pub(crate) use written_as_text;

written_as_text!(
    Period,
    "period",
    "A length of time: numbers with units from ns to years.",
    r"^\s*([0-9]+(\.[0-9]+)?\s*[A-Za-zµ]+\s*)+$",
    ["200ms", "1s", "2m 30s"]
);
written_as_text!(
    Size,
    "size",
    "A number of bytes: MiB and its like are powers of 1024, MB and its like of 1000.",
    r"^[0-9]+(\.[0-9]+)?\s*([KkMmGgTtPpEe][Ii]?)?[Bb]?$",
    ["64 MiB", "1 GB", "512 B"]
);
written_as_text!(
    Rate,
    "rate",
    "Rows a second, minute or hour.",
    r"^[0-9]+(_[0-9]+)*(\.[0-9]+)?/[smh]$",
    ["500/s", "1000/m", "10/h", "200_000/s"]
);
written_as_text!(
    Refresh,
    "refresh",
    "When something is read again.",
    r"^(once|every batch|when changed|every\s+([0-9]+(\.[0-9]+)?\s*[A-Za-zµ]+\s*)+)$",
    ["once", "every batch", "when changed", "every 10m"]
);

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a failed test should say where")]

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    pub(super) fn check<T: FromStr<Err = UnitError> + fmt::Display>(text: &str, expected: Result<&str, &str>) {
        let parsed = text.parse::<T>().map(|v| v.to_string()).map_err(|e| e.to_string());
        assert_eq!(parsed.as_deref().map_err(|e| &**e), expected, "{text:?}");
    }

    #[test]
    fn periods_are_numbers_with_units() {
        check::<Period>("200ms", Ok("200ms"));
        check::<Period>("1s", Ok("1s"));
        check::<Period>("150s", Ok("2m 30s"));
        check::<Period>("2m30s", Ok("2m 30s"));
        check::<Period>("1.5s", Ok("1s 500ms"));
        check::<Period>("0s", Ok("0s"));
        check::<Period>(
            "200",
            Err("`200` is not a length of time (time unit needed, for example 200sec or 200ms): \
                 write numbers with units, as in \"200ms\" or \"2m 30s\""),
        );
        check::<Period>(
            "",
            Err("`` is not a length of time (value was empty): \
                 write numbers with units, as in \"200ms\" or \"2m 30s\""),
        );
        check::<Period>(
            "18446744073709551615s 500ms 500ms",
            Err("`18446744073709551615s 500ms 500ms` is not a length of time (it is too long): \
                 write numbers with units, as in \"200ms\" or \"2m 30s\""),
        );
    }

    #[test]
    fn sizes_are_binary_or_decimal() {
        check::<Size>("64 MiB", Ok("64 MiB"));
        check::<Size>("1GB", Ok("1 GB"));
        check::<Size>("512", Ok("512 B"));
        check::<Size>("1536 B", Ok("1536 B"));
        check::<Size>("1.5 KiB", Ok("1536 B"));
        check::<Size>("2048 KiB", Ok("2 MiB"));
        check::<Size>("0", Ok("0 B"));
        check::<Size>(
            "64 parsecs",
            Err("`64 parsecs` is not a number of bytes: \
                 write a number and a unit, as in \"64 MiB\", \"1 GB\" or \"512 B\""),
        );
        check::<Size>(
            "17 EiB",
            Err("`17 EiB` is more bytes than a computer can address: write a smaller size, as in \"64 MiB\""),
        );
    }

    #[test]
    fn rates_are_rows_over_time() {
        check::<Rate>("500/s", Ok("500/s"));
        check::<Rate>("200_000/s", Ok("200000/s"));
        check::<Rate>("1000/m", Ok("1000/m"));
        check::<Rate>("10/h", Ok("10/h"));
        check::<Rate>("2.5/s", Ok("150/m"));
        for wrong in ["500", "500/d", "-1/s", "1e3/s", "_1/s", "1__0/s", "1./s", ".5/s", "inf/s", "/s", "٣/s"] {
            check::<Rate>(
                wrong,
                Err(&format!(
                    "`{wrong}` is not a rate: \
                     write rows a second, minute or hour, as in \"500/s\", \"1000/m\" or \"10/h\""
                )),
            );
        }
    }

    #[test]
    fn a_refresh_is_a_word_or_a_time() {
        for same in ["once", "every batch", "when changed", "every 10m"] {
            check::<Refresh>(same, Ok(same));
        }
        for wrong in ["", "Once", "every", "every 0s", "every day", "10m"] {
            check::<Refresh>(
                wrong,
                Err(&format!(
                    "`{wrong}` does not say when to read again: \
                     write \"once\", \"every batch\", \"when changed\" or a time, as in \"every 10m\""
                )),
            );
        }
    }

    #[test]
    fn the_schema_gives_examples_that_parse() {
        fn check<T: JsonSchema + FromStr<Err = UnitError>>() {
            let schema = schemars::schema_for!(T).to_value();
            let text = schema["anyOf"].get(1).unwrap_or(&schema);
            let examples = text["examples"].as_array().expect("the schema has examples");
            for example in examples {
                example.as_str().expect("a string").parse::<T>().unwrap_or_else(|e| panic!("{e}"));
            }
        }
        check::<Period>();
        check::<Size>();
        check::<Rate>();
        check::<Refresh>();
        check::<Budget>();
    }

    pub(super) fn survives_writing<T>(value: T)
    where
        T: FromStr<Err = UnitError> + fmt::Display + fmt::Debug + PartialEq + JsonSchema,
    {
        let text = value.to_string();
        assert_eq!(text.parse::<T>().as_ref(), Ok(&value), "{text:?}");
        let schema = schemars::schema_for!(T).to_value();
        assert!(jsonschema::is_valid(&schema, &serde_json::Value::String(text.clone())), "{text:?} and the pattern");
    }

    proptest! {
        #[test]
        fn a_period_survives_writing(seconds: u64, nanos in 0..1_000_000_000u32) {
            survives_writing(Period(Duration::new(seconds, nanos)));
        }

        #[test]
        fn a_size_survives_writing(bytes in 0..u64::MAX, shift in 0..64u32) {
            survives_writing(Size(bytes >> shift));
            survives_writing(Size(bytes >> shift << shift));
        }

        #[test]
        fn a_rate_survives_writing(rate in 0.0..f64::MAX, whole: u32) {
            survives_writing(Rate(rate));
            for (_, seconds) in RATE_UNITS {
                survives_writing(Rate(f64::from(whole) / seconds));
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>(), like_a_unit in "[0-9_. ]{1,25}[a-zA-Z/%]{0,3}( [0-9]{1,20}[a-z]{1,2})?") {
            for text in [text, like_a_unit] {
                let _ = (text.parse::<Period>(), text.parse::<Size>(), text.parse::<Rate>(), text.parse::<Budget>());
            }
        }
    }
}
